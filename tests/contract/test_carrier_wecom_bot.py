"""The carrier wecom_bot against a service that answers like WeCom (sheet wecom §6.1)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.fakes.carrier_account import account, batch, rendered, tools
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import HttpService, answer, drop, http_service, raw

from onebell.carriers.base import Carrier
from onebell.carriers.outbound import Outbound
from onebell.carriers.wecom_bot.carrier import build, until_full_minute_s
from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

KEY = "633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
OK = answer(200, {"errcode": 0, "errmsg": "ok"})


@asynccontextmanager
async def carrier(service: HttpService) -> AsyncIterator[Carrier]:
    outbound = Outbound(resolver=FakeResolver())
    url = f"{service.base}/cgi-bin/webhook/send?key={KEY}"
    opened = build(account("wecom_bot", url=url), tools(outbound, MovedClock()))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
        await outbound.close()


async def sent(part: Any) -> Any:
    """The body that goes out for a part."""
    async with http_service(OK) as service, carrier(service) as bot:
        assert (await bot.send(batch(part))) == [Sent(detail="ok")]
        got = service.received[0]
    assert (got.method, got.target) == ("POST", f"/cgi-bin/webhook/send?key={KEY}")
    assert got.headers["content-type"] == "application/json"
    return got.json


async def outcome(script: Any) -> Outcome:
    async with http_service(script) as service, carrier(service) as bot:
        return (await bot.send(batch()))[0]


SAMPLES = [
    b'{"msgtype":"text","text":{"content":"hello world","mentioned_list":["wangqing","@all"],'
    b'"mentioned_mobile_list":["13800001111","@all"]}}',
    '{"msgtype":"markdown","markdown":{"content":"实时新增用户反馈'
    '<font color=\\"warning\\">132例</font>，请相关同事注意。\\n'
    '>类型:<font color=\\"comment\\">用户反馈</font>"}}'.encode(),
    b'{"msgtype":"news","news":{"articles":[{"title":"t","description":"d","url":"URL","picurl":"p"}]}}',
]


@pytest.mark.parametrize("sample", SAMPLES)
async def test_an_official_sample_passes_unchanged(sample: bytes) -> None:
    """A payload that came in through the WeCom dialect goes out byte for byte, however it was rendered."""
    async with http_service(OK) as service, carrier(service) as bot:
        await bot.send(batch(rendered("t", "b", native=msgspec.json.decode(sample))))

    assert service.received[0].body == sample


async def test_text() -> None:
    """Plain text goes as text: title first, link last."""
    assert await sent(rendered("标题", "a\nb")) == {"msgtype": "text", "text": {"content": "标题\na\nb"}}
    assert await sent(rendered("", "a", url="https://x.test")) == {
        "msgtype": "text",
        "text": {"content": "a\nhttps://x.test"},
    }


async def test_html_is_reduced_to_text() -> None:
    """WeCom shows no HTML."""
    part = rendered("T", "<p>a <b>b</b></p><ul><li>c</ul><script>alert(1)</script>", Format.HTML)

    assert await sent(part) == {"msgtype": "text", "text": {"content": "T\na b\n\n• c"}}


async def test_markdown() -> None:
    """Markdown goes as markdown with the title as a bold first line; WeCom's own keeps its colours and mentions."""
    assert await sent(rendered("T", "# a\n**b**", Format.MARKDOWN, url="https://x.test")) == {
        "msgtype": "markdown",
        "markdown": {"content": "**T**\n# a\n**b**\n[https://x.test](https://x.test)"},
    }
    source = '<font color="info">ok</font> <@zhangsan>'
    assert await sent(rendered("", source, Format.WECOM_MARKDOWN)) == {
        "msgtype": "markdown",
        "markdown": {"content": source},
    }


@pytest.mark.parametrize(
    ("written_in", "kind", "limit"),
    [
        (Format.TEXT, "text", 2048),
        (Format.HTML, "text", 2048),
        (Format.MARKDOWN, "markdown", 4096),
        (Format.WECOM_MARKDOWN, "markdown", 4096),
    ],
)
async def test_limits_are_bytes(written_in: Format, kind: str, limit: int) -> None:
    """2048 and 4096 bytes of UTF-8 with the title, on a character boundary, ``…`` counted in."""
    body = await sent(rendered("题" * 10, "中" * 3000, written_in))

    content = body[kind]["content"]
    assert limit - 3 < len(content.encode()) <= limit
    assert content.endswith("中…")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (-1, Temporary(why="-1 m", not_before_s=5)),
        (6000, Temporary(why="6000 m", not_before_s=5)),
        (45033, Temporary(why="45033 m", not_before_s=5)),
        (45009, Throttled(why="45009 m", wait_s=60)),
        (93000, Unauthorized(why="93000 m")),
        (93004, Unauthorized(why="93004 m")),
        (93008, Unauthorized(why="93008 m")),
        (93005, Permanent(why="93005 m", drop_target=True, code=93005)),
        (40058, Permanent(why="40058 m", code=40058)),
        (44004, Permanent(why="44004 m", code=44004)),
        (45002, Permanent(why="45002 m", code=45002)),
        (40008, Permanent(why="40008 m", code=40008)),
        (40001, Permanent(why="40001 m", code=40001)),
        (301019, Permanent(why="301019 m", code=301019)),
        (99999, Temporary(why="99999 m", not_before_s=5)),
    ],
)
async def test_error_codes(code: int, expected: Outcome) -> None:
    """HTTP 200 is not success; each code of the sheet has its decision, an unknown one may heal."""
    assert await outcome(answer(200, {"errcode": code, "errmsg": "m"})) == expected


@pytest.mark.parametrize("value", [{"errmsg": "ok"}, {"errcode": "0"}])
async def test_a_code_is_a_number(value: Any) -> None:
    """Anything else was said by something else."""
    assert await outcome(answer(200, value)) == Temporary(why="the answer is not the service's JSON")


@pytest.mark.parametrize("script", [drop(), raw("garbage")])
async def test_no_answer_is_temporary(script: Any) -> None:
    """A lost connection is tried again, and its words do not hold the key."""
    lost = await outcome(script)

    assert isinstance(lost, Temporary)
    assert KEY not in lost.why


async def test_a_warning_of_the_service_is_still_success() -> None:
    """``Warning: wrong json format.`` in a success answer means sent."""
    said = await outcome(answer(200, {"errcode": 0, "errmsg": "ok. Warning: wrong json format. "}))

    assert said == Sent(detail="ok. Warning: wrong json format. ")


@pytest.mark.parametrize(("at_s", "wait_s"), [(0, 60), (1, 119), (30, 90), (59, 61), (59.5, 60.5)])
def test_too_often_waits_for_a_full_minute(at_s: float, wait_s: float) -> None:
    """45009: the next full minute that is at least 60 s away."""
    assert until_full_minute_s(round(at_s * 1000) + 1_800_000_000_000) == wait_s
