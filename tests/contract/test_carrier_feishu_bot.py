"""The carrier feishu_bot against a service that answers like Feishu (sheet wecom §6.5, case 52)."""

from typing import Any

import msgspec
import pytest
from tests.fakes.carrier_account import batch, exchange, rendered
from tests.fakes.clock import MovedClock
from tests.fakes.http_service import answer

from onebell.carriers.base import Rendered
from onebell.core.model import Format, Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

OK = answer(200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})
URL = "{at}/open-apis/bot/v2/hook/cc3a5ca2-0000-4000-8000-000000000001"
SECRET = "feishuTestSecret"
SIGNED = {"timestamp": "1700000000", "sign": "FaiBahyHMczwlpRgn/ENAwXJqQ8hfvAhljQM+lpTshY="}
TOO_FAST = {"code": 11232, "data": {}, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}


async def body(part: Rendered, *, severity: Severity = Severity.NORMAL, **fields: str) -> bytes:
    """The body that goes out for a part."""
    clock = MovedClock(1_700_000_000_999)
    sent = batch(part, severity=severity)
    outcome, (got,) = await exchange(OK, "feishu_bot", sent, clock, url=URL, **fields)
    assert outcome == Sent(detail="success")
    assert (got.method, got.target) == ("POST", URL.removeprefix("{at}"))
    assert got.headers["content-type"] == "application/json"
    return got.body


async def json(part: Rendered, *, severity: Severity = Severity.NORMAL, **fields: str) -> Any:
    return msgspec.json.decode(await body(part, severity=severity, **fields))


async def outcome(value: Any, status: int = 200, **headers: str) -> Outcome:
    return (await exchange(answer(status, value, **headers), "feishu_bot", url=URL))[0]


SAMPLES = [
    '{"msg_type":"text","content":{"text":"新更新提醒 <at user_id=\\"all\\">所有人</at>"}}',
    '{"msg_type":"post","content":{"post":{"zh_cn":{"title":"项目更新通知","content":'
    '[[{"tag":"text","text":"项目有更新: "},{"tag":"a","text":"请查看","href":"http://www.example.com/"},{"tag":"at","user_id":"ou_18eac8"}]]}}}}',
    '{"msg_type":"image","content":{"image_key":"img_ecffc3b9-8f14-400f-a014-05eca1a4310g"}}',
    '{"msg_type":"share_chat","content":{"share_chat_id":"oc_f5b1a7eb27ae2c7b6adc2a74faf339ff"}}',
    '{"msg_type":"interactive","card":{"header":{"title":{"content":"今日旅游推荐","tag":"plain_text"}},'
    '"elements":[{"tag":"markdown","content":"**西湖**"}]}}',
]


@pytest.mark.parametrize("sample", SAMPLES)
async def test_an_official_sample_passes_unchanged(sample: str) -> None:
    """A payload that a dialect brought goes out byte for byte; with a secret only the signature is added."""
    part = rendered("t", "b", native=msgspec.json.decode(sample))

    assert await body(part, keyword="alarm") == sample.encode()
    assert await json(part, secret=SECRET) == SIGNED | msgspec.json.decode(sample)


async def test_the_signature_is_the_documents() -> None:
    """Seconds and secret are the key, nothing is the message; the time is a string."""
    told = await json(rendered(), secret=SECRET)

    assert {name: told[name] for name in SIGNED} == SIGNED
    assert not SIGNED.keys() & (await json(rendered())).keys()


async def test_text_goes_as_a_post() -> None:
    """Title, text, and a link on a line of its own."""
    assert await json(rendered("标题", "a\nb", url="https://x.test")) == {
        "msg_type": "post",
        "content": {
            "post": {
                "zh_cn": {
                    "title": "标题",
                    "content": [
                        [{"tag": "text", "text": "a\nb"}],
                        [{"tag": "a", "text": "https://x.test", "href": "https://x.test"}],
                    ],
                }
            }
        },
    }


async def test_a_post_is_never_empty() -> None:
    """A title alone stands in the body too."""
    assert (await json(rendered("T", "")))["content"]["post"]["zh_cn"]["content"] == [[{"tag": "text", "text": "T"}]]


async def test_html_is_reduced_to_text() -> None:
    """Feishu shows no HTML."""
    part = rendered("T", "<p>a <b>b</b></p><script>alert(1)</script>", Format.HTML)

    assert (await json(part))["content"]["post"]["zh_cn"] == {
        "title": "T",
        "content": [[{"tag": "text", "text": "a b"}]],
    }


@pytest.mark.parametrize(
    ("severity", "color"),
    [
        (Severity.MIN, "grey"),
        (Severity.LOW, "grey"),
        (Severity.NORMAL, "blue"),
        (Severity.HIGH, "orange"),
        (Severity.CRITICAL, "red"),
    ],
)
async def test_markdown_goes_as_a_card(severity: Severity, color: str) -> None:
    """A card, whose head has the severity's colour."""
    part = rendered("T", "**b**", Format.MARKDOWN, url="https://x.test")

    assert await json(part, severity=severity) == {
        "msg_type": "interactive",
        "card": {
            "header": {"title": {"tag": "plain_text", "content": "T"}, "template": color},
            "elements": [{"tag": "markdown", "content": "**b**\n\n[https://x.test](https://x.test)"}],
        },
    }


async def test_wecoms_markdown_without_its_colours() -> None:
    """WeCom's font tags would be shown as they are written."""
    part = rendered("T", '<font color="info">ok</font>', Format.WECOM_MARKDOWN)

    assert (await json(part))["card"]["elements"] == [{"tag": "markdown", "content": "ok"}]


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
async def test_urgent_text_gets_a_coloured_head(severity: Severity) -> None:
    """Text stays text in its card: its stars are no marks."""
    card = (await json(rendered("T", "2*3*4", url="https://x.test"), severity=severity))["card"]

    assert card["elements"] == [
        {"tag": "div", "text": {"tag": "plain_text", "content": "2*3*4"}},
        {"tag": "markdown", "content": "[https://x.test](https://x.test)"},
    ]
    assert len((await json(rendered("T", "b"), severity=severity))["card"]["elements"]) == 1


@pytest.mark.parametrize(("title", "shown"), [("标题", "标题 · alarm"), ("an alarm", "an alarm"), ("", "alarm")])
async def test_the_keyword_is_never_missing(title: str, shown: str) -> None:
    """A bot with a keyword refuses messages without it: the title carries it."""
    assert (await json(rendered(title, "b"), keyword="alarm"))["content"]["post"]["zh_cn"]["title"] == shown


@pytest.mark.parametrize("written_in", Format)
@pytest.mark.parametrize("long", ["中" * 9000, '"\n' * 9000])
async def test_the_whole_body_keeps_to_its_limit(written_in: Format, long: str) -> None:
    """20,000 bytes of JSON, signature included, whatever the characters cost in it; what is missing is marked."""
    got = await body(rendered("题" * 20, long, written_in, url="https://x.test"), secret=SECRET)

    assert 19_000 < len(got) <= 20_000
    assert "…" in got.decode()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (11232, "m", Throttled(why="11232 m", wait_s=60)),
        (99991400, "m", Throttled(why="99991400 m", wait_s=60)),
        (9499, "too many requests", Throttled(why="9499 too many requests", wait_s=60)),
        (9499, "Frequency limited psm", Throttled(why="9499 Frequency limited psm", wait_s=60)),
        (9499, "Bad Request", Permanent(why="9499 Bad Request", code=9499)),
        (19002, "params error", Permanent(why="19002 params error", code=19002)),
        *((code, "m", Unauthorized(why=f"{code} m")) for code in (19001, 19021, 19022, 19024)),
        (99999, "m", Temporary(why="99999 m", not_before_s=5)),
    ],
)  # fmt: skip
async def test_error_codes(code: int, text: str, expected: Outcome) -> None:
    """HTTP 200 is not success; each code of the README has its decision, an unknown one may heal."""
    assert await outcome({"code": code, "data": {}, "msg": text}) == expected


async def test_the_status_does_not_hide_the_code() -> None:
    """A wrong message comes with HTTP 400, and with a code."""
    assert await outcome({"code": 9499, "msg": "Bad Request"}, 400) == Permanent(why="9499 Bad Request", code=9499)
    assert isinstance(await outcome({"code": 99999, "msg": "m"}, 400), Permanent)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Extra": None, "StatusCode": 0, "StatusMessage": "success"}, Sent(detail="success")),
        ({"StatusCode": 19002, "StatusMessage": "m"}, Permanent(why="19002 m", code=19002)),
        ({"StatusCode": 0, "code": 19021, "msg": "sign"}, Unauthorized(why="19021 sign")),
    ],
)
async def test_old_answers(value: Any, expected: Outcome) -> None:
    """Older answers name their code otherwise; the newer name counts where both stand."""
    assert await outcome(value) == expected


@pytest.mark.parametrize(
    ("status", "value", "headers", "wait_s"),
    [
        (200, TOO_FAST, {}, 60),
        (200, TOO_FAST, {"x_ogw_ratelimit_reset": "43"}, 43),
        (429, {"code": 99991400, "msg": "m"}, {"x_ogw_ratelimit_reset": "7", "retry_after": "9"}, 7),
        (429, b"", {"retry_after": "9"}, 9),
        (429, b"<html>", {}, 60),
    ],
)
async def test_too_fast_says_how_long(status: int, value: Any, headers: dict[str, str], wait_s: float) -> None:
    """The service's own header, else the usual one, else a minute."""
    said = await outcome(value, status, **headers)

    assert isinstance(said, Throttled)
    assert said.wait_s == wait_s
