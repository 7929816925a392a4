"""Who is told of what, how often, and what becomes of a callback that nobody takes (sheet pushplus §3)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.fakes.http_service import HttpService, Received, answer, http_service
from tests.native_server import Steps
from tests.wire.pushplus.circles import TOKENS, Circle, circle, directory_text
from tests.wire.pushplus.support import eventually

from onebell.store import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Receiver:
    """Where callbacks go: hangs up where it is told to, answers 500 to the rest."""

    def __init__(self, service: HttpService) -> None:
        self.base = service.base
        self.is_silent: Callable[[Received], bool] = lambda _: False
        self._service = service
        service.script = self._say

    async def _say(self, request: Received, writer: asyncio.StreamWriter) -> None:
        if self.is_silent(request):
            writer.close()
        else:
            await answer(500, {"any": "answer ends it"})(request, writer)

    async def of(self, text: str, count: int) -> list[Received]:
        """The requests that hold a text, once there are so many."""

        async def found() -> list[Received] | None:
            some = self.now(text)
            return some if len(some) >= count else None

        return list(await eventually(found))

    def now(self, text: str) -> list[Received]:
        """Those that came already, oldest first."""
        return [one for one in self._service.received if text in one.body.decode()]


@pytest.fixture(scope="module")
def clock() -> Steps:
    """The server's clock, which goes on by itself and can be put forward."""
    return Steps()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """Where callbacks go."""
    async with http_service() as service:
        yield Receiver(service)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory, receiver: Receiver, clock: Steps) -> AsyncIterator[Circle]:
    """Four people whose callbacks go to the receiver."""
    async with circle(tmp_path_factory.mktemp("callbacks"), directory_text(receiver.base), clock) as caller:
        yield caller


async def marker(people: Circle, receiver: Receiver) -> None:
    """A later message that is told of: whatever an earlier one would still have caused has been there by then."""
    code = await people.accepted(token=TOKENS["olga"], content="marker")
    await receiver.of(code, 1)


async def put_off(people: Circle, tries: int) -> None:
    """Wait until the only open callback has failed so often, and the pause after that has begun."""
    columns = (schema.callback.c.attempts, schema.callback.c.lease_until)
    open_ones = sa.select(*columns).where(schema.callback.c.state == "due")

    async def is_put_off() -> bool:
        read = people.server.application.context.store.db.read
        rows = await read(lambda connection: [tuple(row) for row in connection.execute(open_ones)])
        return rows == [(tries, 0)]

    await eventually(is_put_off)


async def test_the_requests_address_beats_the_accounts(people: Circle, receiver: Receiver):
    """§3: one POST per finished message: to the request's address, else to the account's, never to both."""
    asked = await people.accepted(token=TOKENS["bob"], content="c", callbackUrl=f"{receiver.base}/asked")
    plain = await people.accepted(token=TOKENS["bob"], content="c")
    await receiver.of(asked, 1)
    await receiver.of(plain, 1)
    await marker(people, receiver)

    assert [one.target for one in receiver.now(asked)] == ["/asked"]
    assert [one.target for one in receiver.now(plain)] == ["/bob"]


async def test_a_batch_is_told_by_each_of_its_codes(people: Circle, receiver: Receiver):
    """§3: one callback per channel's shortCode, each once."""
    said = await people.post("/batchSend", TOKENS["bob"], content="c", channel="wechat,extension,app")
    codes = [item["shortCode"] for item in json.loads(said.body)["data"]]
    for code in codes:
        await receiver.of(code, 1)
    await marker(people, receiver)

    assert [len(receiver.now(code)) for code in codes] == [1, 1, 1]


async def test_silence_is_tried_again_and_an_answer_is_not(people: Circle, receiver: Receiver, clock: Steps):
    """Who hangs up hears it again after 5 s, with the same id and body; then a 500 has ended it for good."""
    topic = await people.topic("olga", "quiet")
    receiver.is_silent = lambda request: b'"quiet"' in request.body
    await people.join("bob", await people.link("olga", topic))
    (first,) = await receiver.of('"quiet"', 1)
    receiver.is_silent = lambda _: False
    await put_off(people, 1)
    clock.ahead_s += 5
    first, again = await receiver.of('"quiet"', 2)
    clock.ahead_s += 60
    await marker(people, receiver)

    assert (first.body, first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])
    assert len(receiver.now('"quiet"')) == 2


async def test_three_silences_park_it(people: Circle, receiver: Receiver, clock: Steps):
    """After 5 s and 30 s it is parked, the message stays sent, and whoever operates sees it and sends it again."""
    receiver.is_silent = lambda request: request.target == "/parked"
    code = await people.accepted(token=TOKENS["olga"], content="c", callbackUrl=f"{receiver.base}/parked")
    for tries, pause_s in ((1, 5), (2, 30)):
        await receiver.of(code, tries)
        await put_off(people, tries)
        clock.ahead_s += pause_s
    await receiver.of(code, 3)

    async def parked() -> list[dict]:
        listed = (await people.native("olga", "GET", "/api/v1/callbacks?state=parked"))["items"]
        return [one for one in listed if one["url"].endswith("/parked")]

    (shown,) = await eventually(parked)
    clock.ahead_s += 3600
    await marker(people, receiver)
    assert len(receiver.now(code)) == 3
    result = await people.data("olga", "GET", f"message/sendMessageResult?shortCode={code}")
    assert (result["status"], result["errorMessage"]) == (2, "")

    receiver.is_silent = lambda _: False
    await people.native("olga", "POST", f"/api/v1/callbacks/{shown['id']}/replay")
    *_, last = await receiver.of(code, 4)
    assert last.body == receiver.now(code)[0].body
    assert await parked() == []
