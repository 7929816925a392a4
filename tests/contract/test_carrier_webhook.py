"""The carrier webhook against a recording HTTP service."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fakes.carrier_account import account, batch, rendered, tools
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import HttpService, answer, drop, http_service, redirect

from onebell.carriers.base import Address, Carrier
from onebell.carriers.outbound import Outbound
from onebell.carriers.webhook.carrier import build
from onebell.core.model import Attachment, Button, Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTw=="
CLOCK_MS = 1_800_000_000_000  # Fri, 15 Jan 2027 08:00:00 GMT


@asynccontextmanager
async def carrier(service: HttpService, **fields: Any) -> AsyncIterator[Carrier]:
    outbound = Outbound(resolver=FakeResolver())
    opened = build(account("webhook", url=f"{service.base}/hook?key=k", **fields), tools(outbound, MovedClock()))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
        await outbound.close()


async def send(script: Any, **fields: Any) -> Outcome:
    """The outcome of one message that gets this answer."""
    async with http_service(script) as service, carrier(service, **fields) as webhook:
        return (await webhook.send(batch()))[0]


async def test_the_documented_body() -> None:
    """Every field of the README's body is there, with the sanitised HTML and the message's own words."""
    part = rendered(
        "标题", "a **b**", Format.MARKDOWN, url="https://a.test", images=("https://a.test/i.png",), tags=("ops",),
        buttons=(Button(text="Yes", key="k", value="1"),), attachments=(Attachment(name="a.txt", url="https://a.test/f"),),
        card={"kind": "x"}, data={"em_push_ext": {"custom": {"k": 1}}},
    )  # fmt: skip
    async with http_service() as service, carrier(service) as webhook:
        outcomes = await webhook.send(batch(part))

    assert outcomes == [Sent(detail="{}")]
    got = service.received[0]
    assert (got.method, got.target) == ("POST", "/hook?key=k")
    assert got.headers["content-type"] == "application/json"
    assert got.json == {
        "type": "message", "id": "dlv_100", "timestamp": "2023-11-14T22:13:20.123Z", "message": "m1",
        "dialect": "native", "sender": "alice", "title": "标题", "text": "a b", "html": "<p>a <strong>b</strong></p>\n",
        "markdown": "a **b**", "severity": "normal", "url": "https://a.test", "link": "http://bell.test/app/m/1",
        "images": ["https://a.test/i.png"], "tags": ["ops"], "buttons": [{"text": "Yes", "key": "k", "value": "1"}],
        "attachments": [{"name": "a.txt", "url": "https://a.test/f"}], "card": {"kind": "x"},
        "data": {"em_push_ext": {"custom": {"k": 1}}},
    }  # fmt: skip


async def test_a_native_payload_is_sent_as_it_is() -> None:
    """A part that brings its own payload for webhooks is not rendered."""
    async with http_service() as service, carrier(service) as webhook:
        await webhook.send(batch(rendered(native={"z": 1, "a": [None, "你"]})))

    assert service.received[0].body == '{"z":1,"a":[null,"你"]}'.encode()


async def test_the_signature_is_that_of_standard_webhooks() -> None:
    """HMAC-SHA256 over id, timestamp and body under the decoded secret, as its specification says."""
    async with http_service() as service, carrier(service, secret=SECRET) as webhook:
        await webhook.send(batch())

    got = service.received[0]
    signed = f"dlv_100.{CLOCK_MS // 1000}.".encode() + got.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert got.headers["webhook-id"] == "dlv_100"
    assert got.headers["webhook-timestamp"] == str(CLOCK_MS // 1000)
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"


async def test_a_repeat_has_the_same_id() -> None:
    """The id belongs to the delivery, not to the try; without a secret it is there too, unsigned."""
    async with http_service() as service, carrier(service) as webhook:
        for attempt in (1, 2):
            await webhook.send(batch(addresses=(Address(delivery=5, value="code", attempt=attempt),)))

    assert [got.headers["webhook-id"] for got in service.received] == ["dlv_5", "dlv_5"]
    assert service.received[0].body == service.received[1].body
    assert "webhook-signature" not in service.received[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_success(status: int) -> None:
    """The receiver took it."""
    assert isinstance(await send(answer(status)), Sent)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(410, b"bye"), Permanent(why="HTTP 410: bye", drop_target=True, code=410)),
        (answer(400, b"bad"), Permanent(why="HTTP 400: bad", code=400)),
        (answer(404), Permanent(why="HTTP 404", code=404)),
        (answer(301, location="/x"), Permanent(why="HTTP 301", code=301)),
        (answer(500, b"oops"), Temporary(why="HTTP 500: oops")),
        (answer(500, retry_after="7"), Temporary(why="HTTP 500", not_before_s=7)),
        (answer(408), Temporary(why="HTTP 408")),
        (answer(425), Temporary(why="HTTP 425")),
        (answer(502), Temporary(why="HTTP 502")),
        (answer(503), Temporary(why="HTTP 503")),
        (answer(503, retry_after="120"), Throttled(why="HTTP 503", wait_s=120)),
        (answer(429, retry_after="0"), Throttled(why="HTTP 429", wait_s=0)),
        (answer(429), Throttled(why="HTTP 429", wait_s=60)),
        (answer(429, retry_after="soon"), Throttled(why="HTTP 429", wait_s=60)),
        (answer(429, retry_after="Fri, 15 Jan 2027 08:01:30 GMT"), Throttled(why="HTTP 429", wait_s=90)),
        (answer(429, retry_after="Fri, 15 Jan 2027 07:00:00 GMT"), Throttled(why="HTTP 429", wait_s=0)),
        (answer(429, retry_after="999999999999"), Throttled(why="HTTP 429", wait_s=86_400)),
    ],
)
async def test_answers(script: Any, expected: Outcome) -> None:
    """The README's table; a ``Retry-After`` is seconds or a date, and at most a day."""
    assert await send(script) == expected


async def test_a_lost_connection_is_tried_again() -> None:
    """No answer is no verdict."""
    assert isinstance(await send(drop()), Temporary)


async def test_redirects_are_not_followed() -> None:
    """A 3xx fails without a second request."""
    async with http_service(redirect(307, "/elsewhere")) as service, carrier(service) as webhook:
        assert isinstance((await webhook.send(batch()))[0], Permanent)

    assert len(service.received) == 1


async def test_long_answers_are_cut() -> None:
    """Of what the receiver says 512 bytes are kept, and never half a character."""
    outcome = await send(answer(500, "字".encode() * 100_000))

    assert isinstance(outcome, Temporary)
    assert 500 < len(outcome.why.encode()) <= 512 + len("HTTP 500: ")


async def test_an_address_the_operator_did_not_allow() -> None:
    """A private address without ``allow_networks`` fails for good, without a connection."""
    async with http_service() as service:
        outbound = Outbound(resolver=FakeResolver())
        opened = build(account("webhook", allow=(), url=service.base), tools(outbound, MovedClock()))
        outcomes = await opened.send(batch())
        await outbound.close()

    assert outcomes == [Permanent(why="address refused: address is not public")]
    assert service.connections == 0
