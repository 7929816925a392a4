"""What providers say later, on both engines: asked for by polls that are rows, or told by HTTP."""

from itertools import pairwise
from typing import Any

import pytest
from tests.fakes.carriers import CallingCarrier, FakeCarrier, FakeCarriers, PollingCarrier
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import SPACE, Rows

from onebell.core.bell import Due
from onebell.core.dispatch import Dispatcher
from onebell.core.receipts import Receipts
from onebell.core.work import ReceiptFact
from onebell.http.exchange import Request
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


class Node:
    """Two accounts whose providers report later."""

    def __init__(self, store: Store, rows: Rows) -> None:
        self.store = store
        self.rows = rows
        self.bell = HeardBell()
        self.polling, self.calling = PollingCarrier(), CallingCarrier()
        self.carriers = FakeCarriers(
            by_code={"poll": self.polling, "broken": PollingCarrier(), "call": self.calling, "plain": FakeCarrier()}
        )
        context = context_of(store, rows, self.bell)
        self.receipts = Receipts(context, self.carriers)
        self.dispatcher = Dispatcher(context, self.carriers, plain_render)
        self.accounts: dict[str, int] = {}

    async def send(self, code: str, address: str = "a") -> int:
        """A watched message that the provider has taken."""
        if code not in self.accounts:
            self.accounts[code] = await self.rows.account(code)
        account = self.accounts[code]
        message = await self.rows.message(watched=1)
        delivery = await self.rows.delivery(message, account, await self.rows.target(account, f"{address}{message}"))
        await self.dispatcher.turn()
        await self.dispatcher.idle()
        return delivery

    async def say(self, delivery: int, state: str, **more: Any) -> bool:
        fact = ReceiptFact(
            space=SPACE, account=self.accounts["call"], provider_ref=f"ref-{delivery}", state=state, **more
        )
        return await self.store.receipts.apply([fact], self.rows.clock.now_ms(), self.rows.mint)

    async def state(self, delivery: int) -> str:
        return str((await self.rows.one(schema.delivery, id=delivery)).state)

    async def events(self, delivery: int) -> list[str]:
        return [row.kind for row in await self.rows.all(schema.event, delivery_id=delivery)]


@pytest.fixture
async def node(store: Store, database: Database) -> Node:
    rows = Rows(database)
    await rows.space()
    return Node(store, rows)


async def test_a_poll_is_a_row_that_any_node_takes(node: Node, store: Store) -> None:
    """The first poll comes when the carrier said; a delivered message is delivered and asked about no more."""
    delivery = await node.send("poll")
    assert await node.receipts.turn() == 5.0
    assert node.polling.asked == []
    node.rows.clock.move(10)
    node.polling.states[f"ref-{delivery}"] = "delivered"
    other = Receipts(context_of(store, node.rows), node.carriers)

    await other.turn()
    node.rows.clock.move(100_000)
    await other.turn()

    assert node.polling.asked == [(f"ref-{delivery}",)]
    assert await node.state(delivery) == "delivered"
    assert await node.events(delivery) == ["sent", "delivered"]


async def test_polls_grow_rarer_and_end(node: Node) -> None:
    """A provider that stays silent is asked after a minute, then ever more rarely, and after three days not at all."""
    delivery = await node.send("poll")
    asked_at = []
    began = node.rows.clock.now_ms()
    node.rows.clock.move(10)
    while (row := await node.rows.one(schema.delivery, id=delivery)).poll_at:
        node.rows.clock.move((row.poll_at - node.rows.clock.now_ms()) / 1000)
        await node.receipts.turn()
        asked_at.append((node.rows.clock.now_ms() - began) // 1000)

    assert asked_at[:3] == [10, 70, 130]
    assert max(after - before for before, after in pairwise(asked_at)) == 21_600
    assert 3 * 86_400 <= asked_at[-1] < 3 * 86_400 + 21_600
    assert len(asked_at) < 30
    assert await node.state(delivery) == "sent"


async def test_a_provider_that_cannot_be_asked_is_left_alone(node: Node) -> None:
    """A poll on an account that is gone, or cannot poll, ends."""
    delivery = await node.send("poll")
    node.carriers.by_code["poll"] = FakeCarrier()
    node.rows.clock.move(10)

    await node.receipts.turn()

    assert (await node.rows.one(schema.delivery, id=delivery)).poll_at == 0


async def test_an_account_that_cannot_be_opened_stops_no_other_poll(node: Node) -> None:
    """Its own polls come again; what another provider says is heard in the same turn."""
    broken = await node.send("broken")
    delivery = await node.send("poll")
    node.polling.states[f"ref-{delivery}"] = "delivered"
    node.rows.clock.move(10)
    del node.carriers.by_code["broken"]

    await node.receipts.turn()

    assert (await node.rows.one(schema.delivery, id=broken)).poll_at == node.rows.clock.now_ms() + 60_000
    assert await node.state(delivery) == "delivered"


async def test_a_poll_that_fails_is_made_again(node: Node) -> None:
    """A provider's defect while it is asked costs one interval."""
    delivery = await node.send("poll")
    node.rows.clock.move(10)

    async def broken(refs: object) -> Any:
        raise ConnectionError("down")

    node.polling.poll = broken  # type: ignore[method-assign]
    await node.receipts.turn()

    assert (await node.rows.one(schema.delivery, id=delivery)).poll_at == node.rows.clock.now_ms() + 60_000


def call(body: bytes, key: bytes = b"good") -> Request:
    scope = {"type": "http", "method": "POST", "query_string": b"", "headers": [(b"x-key", key)]}
    return Request(scope, b"/r/call/", body)


async def test_a_provider_that_calls_is_heard(node: Node) -> None:
    """A call to the account's place closes the delivery before it is answered; packers are woken."""
    delivery = await node.send("call")
    node.bell.rung.clear()

    answer = await node.receipts.hear(SPACE, "call", call(b'{"ref":"ref-%d","state":"delivered"}' % delivery))

    assert answer is not None
    assert answer.status == 200
    assert await node.state(delivery) == "delivered"
    assert node.bell.rung == [Due(space=SPACE, queue="events")]


async def test_a_stranger_who_calls_changes_nothing(node: Node) -> None:
    """The carrier refuses who cannot prove himself; an account that does not listen, or is not there, has no place."""
    delivery = await node.send("call")
    await node.send("plain")
    body = b'{"ref":"ref-%d","state":"delivered"}' % delivery

    answer = await node.receipts.hear(SPACE, "call", call(body, b"bad"))

    assert answer is not None
    assert answer.status == 401
    assert await node.state(delivery) == "sent"
    assert await node.receipts.hear(SPACE, "plain", call(body)) is None
    assert await node.receipts.hear(SPACE, "nowhere", call(body)) is None
    assert await node.receipts.hear(SPACE + 1, "call", call(body)) is None


@pytest.mark.parametrize(
    ("said", "state", "events"),
    [
        (["delivered"], "delivered", ["delivered"]),
        (["undelivered"], "undelivered", ["undelivered"]),
        (["clicked"], "delivered", ["delivered", "clicked"]),
        (["delivered", "delivered"], "delivered", ["delivered"]),
        (["delivered", "undelivered"], "delivered", ["delivered"]),
        (["undelivered", "delivered"], "delivered", ["undelivered", "delivered"]),
        (["delivered", "clicked", "clicked"], "delivered", ["delivered", "clicked"]),
        (["clicked", "delivered"], "delivered", ["delivered", "clicked"]),
    ],
)
async def test_states_never_go_backwards(node: Node, said: list[str], state: str, events: list[str]) -> None:
    """However a provider repeats and shuffles its receipts, each becomes true once and none is taken back."""
    delivery = await node.send("call")

    for one in said:
        await node.say(delivery, one)

    assert await node.state(delivery) == state
    assert await node.events(delivery) == ["sent", *events]


async def test_a_failure_says_why_and_buries_a_dead_address(node: Node) -> None:
    """An undelivered message keeps the provider's code and words; a dead address gets no further message."""
    delivery = await node.send("call")

    assert await node.say(delivery, "undelivered", why="empty number", code=4004, target_is_dead=True)

    row = await node.rows.one(schema.delivery, id=delivery)
    assert (row.why, row.code) == ("empty number", 4004)
    (event,) = await node.rows.all(schema.event, kind="undelivered")
    assert event.data == b'{"code":4004,"message":"empty number"}'
    assert (await node.rows.one(schema.target)).dead_why == "empty number"


async def test_a_ref_for_many_addresses_means_the_one_it_names(node: Node) -> None:
    """Where a provider has one id for a batch, its receipt names the address."""
    delivery = await node.send("call")

    assert not await node.say(delivery, "delivered", address="somebody else")

    assert await node.state(delivery) == "sent"


async def test_an_unknown_ref_is_nobodys(node: Node) -> None:
    """A receipt for a message that is not ours changes nothing."""
    await node.send("call")

    assert not await node.say(404, "delivered")
