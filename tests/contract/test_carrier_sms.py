"""The carrier sms against services that answer like Twilio and 短信宝."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.fakes.carrier_account import batch, opened, rendered
from tests.fakes.http_service import Received, answer, drop, http_service

from onebell.carriers import registry
from onebell.carriers.fields import checked_fields
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized
from onebell.errors import InvalidInput

PHONE = "+8613800001111"
TWILIO: dict[str, Any] = {
    "headers": "Authorization: Basic QUM6eA==\nContent-Type: application/x-www-form-urlencoded",
    "body": "To={phone}&From=%2B15550001111&Body={text}",
    "ok": '"sid":',
    "dead": r'"code":\s*(21211|21610|21614)\b',
    "busy": r'"code":\s*20429\b',
    "refused": r'"code":\s*20003\b',
    "reference": r'"sid":\s*"(\w+)"',
}
SMSBAO: dict[str, Any] = {"method": "GET", "ok": "^0$", "dead": "^51$", "refused": "^(30|40|41|43)$"}
SID = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
CREATED = answer(201, {"body": "x", "sid": SID, "status": "queued", "error_code": None})


def refusal(status: int, code: int) -> Any:
    """An error as Twilio prints it."""
    return answer(status, {"code": code, "message": "m", "more_info": f"https://www.twilio.com/docs/errors/{code}",
                           "status": status})  # fmt: skip


async def sent(part: Any, script: Any, path: str = "/Messages.json", **fields: Any) -> tuple[Received, Outcome]:
    async with http_service(script) as service, opened("sms", url=service.base + path, **fields) as carrier:
        outcome = (await carrier.send(batch(part, PHONE)))[0]
        return service.received[0], outcome


async def test_a_form() -> None:
    """Twilio's request: a form with every value percent-encoded; its sid is the reference."""
    got, said = await sent(rendered("标题", "a & b=c", url="https://a.test"), CREATED, **TWILIO)

    assert (got.method, got.target) == ("POST", "/Messages.json")
    assert got.headers["authorization"] == "Basic QUM6eA=="
    assert dict(parse_qsl(got.body.decode())) == {
        "To": PHONE, "From": "+15550001111", "Body": "标题\na & b=c\nhttps://a.test",
    }  # fmt: skip
    assert isinstance(said, Sent)
    assert said.provider_ref == SID


async def test_an_address() -> None:
    """短信宝's request: everything in the query; its whole answer is a code."""
    got, said = await sent(rendered("", "【店】您好"), answer(200, b"0"), "/sms?u=n&p=k&m={phone}&c={text}", **SMSBAO)

    assert (got.method, got.body) == ("GET", b"")
    assert dict(parse_qsl(urlsplit(got.target).query)) == {"u": "n", "p": "k", "m": PHONE, "c": "【店】您好"}
    assert said == Sent(detail="0")


async def test_json() -> None:
    """Escaped in JSON; title and link are there for services with texts of their own; the id is the delivery's."""
    body = '{"to":"{phone}","vars":["{title}","{url}"],"text":"{text}","id":"{id}"}'
    got, _ = await sent(rendered('a"b', "c"), answer(200), body=body)

    assert got.json == {
        "to": PHONE, "vars": ['a"b', "http://bell.test/app/m/1"], "text": 'a"b\nc', "id": "dlv_100",
    }  # fmt: skip


async def test_a_native_text() -> None:
    """A dialect's own words go out unchanged."""
    native = {"text": "【pushplus】您收到…", "title": "T", "url": "http://h/t/1"}
    got, _ = await sent(rendered(native=native), answer(200), body="{phone}|{text}|{title}|{url}")

    assert got.body.decode() == f"{PHONE}|【pushplus】您收到…|T|http://h/t/1"


async def test_a_native_payload_without_a_text() -> None:
    """A payload made for another service leaves the text to the neutral form; its short words are placeholders too."""
    native = {"temp_id": 7, "temp_para": {"code": "1"}}
    got, _ = await sent(rendered("", "您的验证码", native=native), answer(200), body="{text}|{temp_id}|{temp_para}")

    assert got.body.decode() == "您的验证码|7|{temp_para}"


async def test_a_long_message_is_cut() -> None:
    """1,500 bytes, on a character."""
    got, _ = await sent(rendered("题", "长" * 1000), answer(200), body="{text}")

    assert len(got.body) <= 1500
    assert got.body.decode().endswith("长…")


async def test_one_request_for_each_number() -> None:
    """Nobody sees another's number."""
    async with http_service(answer(200)) as service, opened("sms", url=service.base, body="{phone}") as carrier:
        await carrier.send(batch(None, "1", "2"))

    assert [got.body for got in service.received] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (refusal(400, 21211), Permanent),
        (refusal(429, 20429), Throttled),
        (refusal(401, 20003), Unauthorized),
        (answer(401), Unauthorized),
        (answer(403), Unauthorized),
        (refusal(400, 21602), Permanent),
        (answer(410), Permanent),
        (answer(200, {"status": "?"}), Temporary),
        (answer(500), Temporary),
        (drop(), Temporary),
    ],
)
async def test_answers(script: Any, expected: type[Outcome]) -> None:
    """The README's table, in its order; only ``dead`` kills a number, whatever the status says."""
    said = (await sent(rendered(), script, **TWILIO))[1]

    assert isinstance(said, expected)
    assert getattr(said, "drop_target", False) == (getattr(said, "why", "").find("21211") > 0)


async def test_too_many_for_a_number_is_about_the_number() -> None:
    """``busy`` holds back the number; a 429 holds back the account."""
    (_, number), (_, account) = [
        await sent(rendered(), script, **TWILIO) for script in (refusal(400, 20429), answer(429, retry_after="7"))
    ]

    assert isinstance(number, Throttled)
    assert (number.scope, number.wait_s) == ("target", 60)
    assert account == Throttled(why="HTTP 429", wait_s=7, scope="account")


@pytest.mark.parametrize(("code", "expected"), [("51", Permanent), ("41", Unauthorized), ("50", Temporary)])
async def test_codes_under_http_200(code: str, expected: type[Outcome]) -> None:
    """短信宝 answers 200 to everything: a wrong number, no balance, a word it dislikes."""
    said = (await sent(rendered(), answer(200, code.encode()), "/sms?m={phone}", **SMSBAO))[1]

    assert isinstance(said, expected)


async def test_without_tests_any_2xx_is_success() -> None:
    """And without a pattern there is no reference."""
    assert (await sent(rendered(), answer(202, b"x"), body="b"))[1] == Sent(detail="x")
    assert (await sent(rendered(), answer(202, b"id=7"), body="b", reference="[0-9]+"))[1] == Sent(
        provider_ref="7", detail="id=7"
    )


def test_a_pattern_that_is_none_is_refused() -> None:
    """When the account is made, by name."""
    with pytest.raises(InvalidInput) as refused:
        checked_fields(registry.manifest("sms"), {"url": "http://a.test", "ok": "("})

    assert refused.value.field == "ok"
