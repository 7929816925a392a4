"""The carrier ifttt against a recording service (sheet wecom §6.9)."""

from typing import Any

import pytest
from tests.fakes.carrier_account import batch, opened, rendered
from tests.fakes.http_service import Received, answer, drop, http_service

from onebell.carriers import registry
from onebell.carriers.fields import checked_fields
from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized
from onebell.errors import InvalidInput

FIRED = "Congratulations! You've fired the bell event"
OK = answer(200, FIRED.encode())


async def sent(part: Any, script: Any = OK, path: str = "/trigger/bell/with/key/k") -> tuple[Received, Outcome]:
    async with http_service(script) as service, opened("ifttt", url=service.base + path) as carrier:
        outcome = (await carrier.send(batch(part)))[0]
        return service.received[0], outcome


@pytest.mark.parametrize("path", ["/trigger/bell/with/key/k", "/trigger/bell/json/with/key/k"])
async def test_three_values(path: str) -> None:
    """Title, text and link; the JSON form of the address takes the same object."""
    got, said = await sent(rendered("标题", "a **b**", Format.MARKDOWN, url="https://a.test"), path=path)

    assert said == Sent(detail=FIRED)
    assert (got.method, got.target, got.headers["content-type"]) == ("POST", path, "application/json")
    assert got.json == {"value1": "标题", "value2": "a b", "value3": "https://a.test"}


async def test_a_native_payload_is_sent_as_it_is() -> None:
    """What PushPlus prints for type 8 goes out byte for byte."""
    got, _ = await sent(rendered(native={"value1": "标题", "value2": "<b>c</b>", "value3": "http://h/1"}))

    assert got.body == '{"value1":"标题","value2":"<b>c</b>","value3":"http://h/1"}'.encode()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(200, b"welcome to the airport"), Temporary(why="the answer is not the service's")),
        (
            answer(401, {"errors": [{"message": "You sent an invalid key."}]}),
            Unauthorized(why='HTTP 401: {"errors": [{"message": "You sent an invalid key."}]}'),
        ),
        (answer(403), Unauthorized(why="HTTP 403: ")),
        (answer(400, b"no"), Permanent(why="HTTP 400: no", code=400)),
        (answer(429), Throttled(why="HTTP 429", wait_s=60)),
        (answer(500), Temporary(why="HTTP 500")),
    ],
)
async def test_answers(script: Any, expected: Outcome) -> None:
    """The README's table: only the service's own words are success."""
    assert (await sent(rendered(), script))[1] == expected


async def test_no_answer_is_tried_again() -> None:
    """A lost connection is no verdict."""
    assert isinstance((await sent(rendered(), drop()))[1], Temporary)


@pytest.mark.parametrize(
    "url",
    ["https://maker.ifttt.com/use/k", "https://maker.ifttt.com/trigger/bell", "https://maker.ifttt.com/trigger//with/key/k"],
)  # fmt: skip
def test_the_page_about_the_key_is_no_address(url: str) -> None:
    """``/use/…`` shows the key to its owner and fires nothing: refused when the account is made."""
    with pytest.raises(InvalidInput) as refused:
        checked_fields(registry.manifest("ifttt"), {"url": url})

    assert refused.value.field == "url"
