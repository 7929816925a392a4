"""The carrier dingtalk_bot against a service that answers like DingTalk (sheet wecom §6.3, case 51)."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.fakes.carrier_account import batch, exchange, rendered
from tests.fakes.clock import MovedClock
from tests.fakes.http_service import Received, answer

from onebell.carriers.base import Rendered
from onebell.core.model import Button, Format, Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

OK = answer(200, {"errcode": 0, "errmsg": "ok"})
URL = "{at}/robot/send?access_token=T"
SECRET = "SECthis1is2a3test4secret"
SIGNED = "timestamp=1700000000000&sign=kA9v6c40asWL5jOv8esfLk7zuXs2IKxk8H4kYZth%2Fo0%3D"


async def request(part: Rendered, *, severity: Severity = Severity.NORMAL, **fields: str) -> Received:
    """The request that goes out for a part."""
    outcome, (got,) = await exchange(OK, "dingtalk_bot", batch(part, severity=severity), url=URL, **fields)
    assert outcome == Sent(detail="ok")
    assert (got.method, got.headers["content-type"]) == ("POST", "application/json")
    return got


async def outcome(value: Any, status: int = 200) -> Outcome:
    return (await exchange(answer(status, value), "dingtalk_bot", url=URL))[0]


@pytest.mark.parametrize("url", [URL, "{at}/robot/send?access_token=T&x=%2F"])
async def test_the_signature_is_the_documents(url: str) -> None:
    """Milliseconds and secret under HMAC-SHA256, in base64, escaped, behind what the address has already."""
    clock = MovedClock(1_700_000_000_000)
    _, (got,) = await exchange(OK, "dingtalk_bot", clock=clock, url=url, secret=SECRET)

    assert got.target == url.removeprefix("{at}") + "&" + SIGNED


async def test_an_address_without_a_query_is_signed_too() -> None:
    """A proxy of one's own may hold the token itself."""
    clock = MovedClock(1_700_000_000_000)
    _, (got,) = await exchange(OK, "dingtalk_bot", clock=clock, url="{at}/ding", secret=SECRET)

    assert got.target == "/ding?" + SIGNED


async def test_without_a_secret_nothing_is_signed() -> None:
    """The address stays as it was copied."""
    assert (await request(rendered())).target == "/robot/send?access_token=T"


SAMPLES = [
    '{"at":{"atMobiles":["180xxxxxx"],"atUserIds":["user123"],"isAtAll":false},'
    '"text":{"content":"我就是我, @XXX 是不一样的烟火"},"msgtype":"text"}',
    '{"msgtype":"link","link":{"text":"这个即将发布的新版本","title":"时代的火车向前开","picUrl":"",'
    '"messageUrl":"https://www.dingtalk.com/s?__biz=MzA4NjMwMTA2Ng=="}}',
    '{"msgtype":"markdown","markdown":{"title":"杭州天气","text":"#### 杭州天气 @150XXXXXXXX \\n > 9度，西北风1级"},'
    '"at":{"atMobiles":["150XXXXXXXX"],"atUserIds":["user123"],"isAtAll":false}}',
    '{"actionCard":{"title":"乔布斯 20 年前想打造一间苹果咖啡厅","text":"### 乔布斯","btnOrientation":"0",'
    '"singleTitle":"阅读全文","singleURL":"https://www.dingtalk.com/"},"msgtype":"actionCard"}',
    '{"msgtype":"feedCard","feedCard":{"links":[{"title":"时代的火车向前开1",'
    '"messageURL":"https://www.dingtalk.com/","picURL":"https://img.alicdn.com/a.png"}]}}',
]


@pytest.mark.parametrize("sample", SAMPLES)
async def test_an_official_sample_passes_unchanged(sample: str) -> None:
    """A payload that a dialect brought goes out byte for byte, keyword or not."""
    part = rendered("t", "b", native=msgspec.json.decode(sample))

    assert (await request(part, keyword="alarm")).body == sample.encode()


@pytest.mark.parametrize("severity", Severity)
async def test_text(severity: Severity) -> None:
    """Plain text goes as text: title first, link last; a severity has no other look here."""
    part = rendered("标题", "a\nb", url="https://x.test")

    assert (await request(part, severity=severity)).json == {
        "msgtype": "text",
        "text": {"content": "标题\na\nb\nhttps://x.test"},
    }


async def test_html_is_reduced_to_text() -> None:
    """DingTalk shows no HTML."""
    part = rendered("", "<p>a <b>b</b></p><ul><li>c</ul><script>alert(1)</script>", Format.HTML)

    assert (await request(part)).json["text"] == {"content": "a b\n\n• c"}


async def test_markdown() -> None:
    """Markdown keeps its marks under a heading; without a title the first line is what a notification shows."""
    part = rendered("T", "# a\n**b**", Format.MARKDOWN, url="https://x.test")
    assert (await request(part)).json == {
        "msgtype": "markdown",
        "markdown": {"title": "T", "text": "### T\n\n# a\n**b**\n\n[https://x.test](https://x.test)"},
    }
    untitled = (await request(rendered("", "**first** line\n\nmore", Format.MARKDOWN))).json["markdown"]
    assert untitled == {"title": "first line", "text": "**first** line\n\nmore"}
    wordless = (await request(rendered("", "", images=("https://x.test/a.png",)))).json["markdown"]
    assert wordless == {"title": "…", "text": "![](https://x.test/a.png)"}


async def test_wecoms_markdown_without_its_colours() -> None:
    """WeCom's font tags would be shown as they are written."""
    part = rendered("", '<font color="info">ok</font>', Format.WECOM_MARKDOWN)

    assert (await request(part)).json["markdown"]["text"] == "ok"


async def test_images_need_markdown() -> None:
    """Text beside images is escaped, so that its stars stay stars."""
    part = rendered("T", "2*3", images=("https://x.test/a.png", "https://x.test/b.png"))

    assert (await request(part)).json["markdown"]["text"] == (
        "### T\n\n2\\*3\n\n![](https://x.test/a.png)\n\n![](https://x.test/b.png)"
    )


async def test_buttons_make_a_card() -> None:
    """Buttons that open a link become the card's; one that only reports a key has nobody to report to."""
    buttons = (Button(text="Open", url="https://x.test"), Button(text="Yes", key="k", value="1"))

    assert (await request(rendered("T", "b", buttons=buttons))).json == {
        "msgtype": "actionCard",
        "actionCard": {
            "title": "T",
            "text": "### T\n\nb",
            "btnOrientation": "0",
            "btns": [{"title": "Open", "actionURL": "https://x.test"}],
        },
    }


@pytest.mark.parametrize(("title", "shown"), [("标题", "标题 · alarm"), ("an alarm", "an alarm"), ("", "alarm")])
async def test_the_keyword_is_never_missing(title: str, shown: str) -> None:
    """A robot with a keyword refuses messages without it: the title carries it."""
    got = await request(rendered(title, "b"), keyword="alarm")

    assert got.json["text"]["content"] == f"{shown}\nb"


@pytest.mark.parametrize("written_in", Format)
@pytest.mark.parametrize("body", ["中" * 9000, '"\n' * 9000, "a" * 30_000])
async def test_the_whole_body_keeps_to_its_limit(written_in: Format, body: str) -> None:
    """20,000 bytes of JSON, whatever the characters cost in it; what is missing is marked."""
    got = await request(rendered("题" * 20, body, written_in, url="https://x.test"))

    assert len(got.body) <= 20_000
    assert "…" in got.body.decode()
    assert b"https://x.test" in got.body


# 2027-01-15 16:00 in China: the next day is 8 hours away.
_UNTIL_TOMORROW_S = 8 * 3600


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (-1, "m", Temporary(why="-1 m", not_before_s=5)),
        (130101, "m", Throttled(why="130101 m", wait_s=600)),
        (410100, "m", Throttled(why="410100 m", wait_s=600)),
        (90030, "m", Throttled(why="90030 m", wait_s=_UNTIL_TOMORROW_S)),
        *(
            (310000, text, Unauthorized(why=f"310000 {text}"))
            for text in ("keywords not in content", "sign not match, more: [x]", "ip 1.2.3.4 not in whitelist")
        ),
        *((code, "m", Unauthorized(why=f"{code} m")) for code in (300001, 300005, 400013, 400101, 400102, 400106)),
        *(
            (code, "m", Permanent(why=f"{code} m", code=code))
            for code in (40035, 43004, 400105, 430101, 430102, 430103, 430104, 460101)
        ),
        (99999, "m", Temporary(why="99999 m", not_before_s=5)),
    ],
)
async def test_error_codes(code: int, text: str, expected: Outcome) -> None:
    """HTTP 200 is not success; each code of the README has its decision, an unknown one may heal."""
    assert await outcome({"errcode": code, "errmsg": text}) == expected


async def test_an_unknown_code_with_a_refusal() -> None:
    """Where the status itself refuses, there is nothing to wait for."""
    assert isinstance(await outcome({"errcode": 99999, "errmsg": "m"}, 403), Permanent)


async def test_a_stale_signature_is_made_anew_once() -> None:
    """``invalid timestamp``: signed again with the time of then; the second time it is the clock, and the account
    stops."""
    stale = {"errcode": 310000, "errmsg": "invalid timestamp"}
    clock = MovedClock(1_700_000_000_000)

    async def service(request: Received, writer: asyncio.StreamWriter) -> None:
        clock.move(1)
        await answer(200, stale)(request, writer)

    said, requests = await exchange(service, "dingtalk_bot", clock=clock, url=URL, secret=SECRET)

    assert said == Unauthorized(why="310000 invalid timestamp")
    assert [got.target.split("timestamp=")[1][:13] for got in requests] == ["1700000000000", "1700000001000"]


async def test_a_blocked_address_waits() -> None:
    """The gateway's own answer to too many calls has no ``errcode``."""
    blocked = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "24ce64f68ff5dc054dca012fc3931165"}

    assert await outcome(blocked) == Throttled(why="1111 deny", wait_s=600)
