"""What the carriers of one HTTP call share: the call, its repeat, bodies that fit, and secrets that stay hidden."""

import msgspec
import pytest
from tests.fakes.carrier_account import account, batch, tools
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import answer, http_service

from onebell.carriers.one_call import Again, Ask, Call, OneCall, Read, fitted
from onebell.carriers.outbound import HttpAnswer, Outbound
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Unauthorized

KEY = "canary-7f3a"


async def called(ask: Ask, read: Read, *answers: bytes, addresses: int = 1) -> tuple[list[Outcome], list[str]]:
    """The outcomes of one send to a service that says these things, and the targets it was asked for."""
    outbound = Outbound(resolver=FakeResolver())
    async with http_service() as service:
        service.answers(*(answer(200, said) for said in answers))
        url = f"{service.base}/{KEY}"
        carrier = OneCall(account("webhook", url=url), tools(outbound, MovedClock()), ask, read)
        await carrier.open()
        outcomes = await carrier.send(batch(None, *["code"] * addresses))
        await carrier.close()
        await outbound.close()
        return list(outcomes), [
            f"{got.method} {got.target} {got.headers.get('content-type')}" for got in service.received
        ]


def post(one, part, now_ms) -> Call:
    return Call(url=one.fields["url"], body=b"{}")


def sent(answer: HttpAnswer, now_ms: int) -> Outcome:
    return Sent(detail=answer.body.decode())


async def test_one_call_for_all_addresses():
    """The account is the target, whatever the addresses; each of them gets the outcome."""
    outcomes, asked = await called(post, sent, b"ok", addresses=2)

    assert outcomes == [Sent(detail="ok")] * 2
    assert asked == [f"POST /{KEY} application/json"]


async def test_a_call_says_what_it_is():
    """Another method, another type of body, or none."""

    def form(one, part, now_ms) -> Call:
        return Call(url=one.fields["url"], body=b"a=b", method="PUT", headers={"Content-Type": "text/plain"})

    def bare(one, part, now_ms) -> Call:
        return Call(url=one.fields["url"], body=None, method="GET")

    assert (await called(form, sent, b""))[1] == [f"PUT /{KEY} text/plain"]
    assert (await called(bare, sent, b""))[1] == [f"GET /{KEY} None"]


@pytest.mark.parametrize(
    ("answers", "outcome", "calls"),
    [((b"again", b"ok"), Sent(detail="ok"), 2), ((b"again", b"again", b"ok"), Unauthorized(why="no"), 2)],
)
async def test_again_is_said_once(answers: tuple[bytes, ...], outcome: Outcome, calls: int):
    """The second time the answer is final."""

    def read(answer: HttpAnswer, now_ms: int) -> Outcome | Again:
        return Again(then=Unauthorized(why="no")) if answer.body == b"again" else sent(answer, now_ms)

    outcomes, asked = await called(post, read, *answers)

    assert (outcomes, len(asked)) == ([outcome], calls)


@pytest.mark.parametrize("kind", [Temporary, Permanent, Unauthorized])
async def test_a_secret_that_is_repeated_to_us_is_not_told(kind: type[Temporary]):
    """A provider's words go to the timeline and the log; a key in them does not."""

    def read(answer: HttpAnswer, now_ms: int) -> Outcome:
        return kind(why=answer.body.decode())

    outbound = Outbound(resolver=FakeResolver())
    async with http_service(answer(200, f"failed to get [{KEY}] now".encode())) as service:
        fields = {"base_url": service.base, "device_key": KEY}
        carrier = OneCall(
            account("wecom_bot", url=KEY, **fields),
            tools(outbound, MovedClock()),
            lambda one, part, now_ms: Call(url=one.fields["base_url"], body=b""),
            read,
        )
        assert await carrier.send(batch()) == [kind(why="failed to get […] now")]
        await outbound.close()


@pytest.mark.parametrize("text", ["a" * 5000, "中" * 2000, '"\n' * 2500, "\x01" * 900, "short"])
def test_a_body_fits(text: str):
    """The whole JSON keeps to the limit, whatever its characters cost; what fits is not cut."""
    body = fitted(lambda cut: {"title": "标题", "text": cut}, text, 1000)
    shown = msgspec.json.decode(body)["text"]

    assert len(body) <= 1000
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


def test_a_body_is_weighed_as_the_provider_does():
    """A provider that writes some characters longer than we do gets less of them."""
    body = fitted(lambda cut: cut, "<" * 500, 600, lambda raw: len(raw) + 5 * raw.count(b"<"))

    assert len(body) + 5 * body.count(b"<") <= 600


def test_what_cannot_be_cut_stays():
    """A link that is too long is for the provider to refuse."""
    assert fitted(lambda cut: {"text": cut, "url": "u" * 50}, "abc", 20) == b'{"text":"","url":"' + b"u" * 50 + b'"}'
