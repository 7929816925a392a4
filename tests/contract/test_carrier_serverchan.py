"""The carrier serverchan against a service that answers like ServerChan, Turbo and ³ (sheet wecom §6.8)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.fakes.carrier_account import account, batch, exchange, rendered
from tests.fakes.http_service import answer

from onebell.carriers.base import Rendered
from onebell.carriers.serverchan.carrier import ask
from onebell.core.model import Format, Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

TURBO, THIRD = "SCT1234TabcdEFGH", "sctp42tabcdEFGH"
SUCCESS = {
    "code": 0,
    "message": "",
    "data": {"pushid": "156157448", "readkey": "SCTRd7BkgAHn6XG", "error": "SUCCESS", "errno": 0},
}
# 2027-01-15 16:00 in China: the next day is 8 hours away.
UNTIL_TOMORROW_S = 8 * 3600


async def form(part: Rendered, sendkey: str = TURBO, severity: Severity = Severity.NORMAL) -> dict[str, str]:
    """The form that goes out for a part."""
    sent = batch(part, severity=severity)
    outcome, (got,) = await exchange(answer(200, SUCCESS), "serverchan", sent, base_url="{at}", sendkey=sendkey)
    assert outcome == Sent(provider_ref="156157448")
    path = f"/send/{THIRD}.send" if sendkey == THIRD else f"/{TURBO}.send"
    assert (got.method, got.target) == ("POST", path)
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(got.body.decode(), strict_parsing=True))


async def outcome(value: Any, status: int = 200) -> Outcome:
    return (await exchange(answer(status, value), "serverchan", base_url="{at}", sendkey=TURBO))[0]


@pytest.mark.parametrize(
    ("sendkey", "address"),
    [
        (TURBO, f"https://sctapi.ftqq.com/{TURBO}.send"),
        (THIRD, f"https://42.push.ft07.com/send/{THIRD}.send"),
        ("SCTsctp42t", "https://sctapi.ftqq.com/SCTsctp42t.send"),
    ],
)
def test_the_key_names_its_service(sendkey: str, address: str) -> None:
    """A key of ³ begins with its owner's number, which is in the host's name."""
    assert ask(account("serverchan", sendkey=sendkey), batch(), 0).url == address
    assert urlsplit(address).scheme == "https"


async def test_a_native_payload_goes_as_a_form() -> None:
    """What a dialect brought, and nothing else."""
    part = rendered("t", "b", native={"title": "标题", "desp": "a&b=c\n**d**"})

    assert await form(part) == {"title": "标题", "desp": "a&b=c\n**d**"}


@pytest.mark.parametrize("severity", Severity)
async def test_markdown(severity: Severity) -> None:
    """The body as Markdown, images and the link below it, its words on the card; a severity has no other look."""
    part = rendered("T", "# a\n**b**", Format.MARKDOWN, url="https://x.test", images=("https://x.test/a.png",))

    assert await form(part, severity=severity) == {
        "title": "T",
        "desp": "# a\n**b**\n\n![](https://x.test/a.png)\n\n[https://x.test](https://x.test)",
        "short": "a b",
    }


@pytest.mark.parametrize(
    ("written_in", "body", "desp"),
    [
        (Format.TEXT, "2*3*4", "2\\*3\\*4"),
        (Format.HTML, "<p>a <b>b</b></p><script>alert(1)</script>", "a b"),
        (Format.WECOM_MARKDOWN, '<font color="info">ok</font>', "ok"),
    ],
)
async def test_what_is_no_markdown_becomes_it(written_in: Format, body: str, desp: str) -> None:
    """The service reads Markdown: what only looks like it is escaped, HTML is reduced to text."""
    assert (await form(rendered("T", body, written_in)))["desp"] == desp


async def test_tags_are_for_the_third_only() -> None:
    """Turbo knows none."""
    part = rendered("T", "b", tags=("ops", "db"))

    assert (await form(part, THIRD))["tags"] == "ops|db"
    assert "tags" not in await form(part)


@pytest.mark.parametrize(
    ("title", "body", "shown"),
    [("题" * 40, "b", "题" * 32), ("", "\n  first line\nsecond", "first line"), ("", "", "https://x.test")],
)
async def test_a_title_is_required_and_short(title: str, body: str, shown: str) -> None:
    """At most 32 characters; without one the first words stand for it, or the link."""
    assert (await form(rendered(title, body, url="https://x.test")))["title"] == shown


async def test_a_card_shows_64_characters() -> None:
    """``short`` is the text on one line."""
    assert (await form(rendered("T", "a\n" + "b" * 100)))["short"] == "a " + "b" * 62


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        (200, {"errno": 0, "errmsg": "success", "dataset": "done"}, Sent(detail="success")),
        (
            400,
            {"message": "[AUTH]错误的Key", "code": 40001, "info": "错误的Key", "args": [None], "scode": 461},
            Unauthorized(why="40001 [AUTH]错误的Key"),
        ),
        (200, {"code": 40001, "message": "[AUTH]错误的Key"}, Unauthorized(why="40001 [AUTH]错误的Key")),
        (200, {"errno": 1024, "errmsg": "bad pushtoken"}, Unauthorized(why="1024 bad pushtoken")),
        (
            400,
            {"code": 40001, "message": "[AUTH]超过当天的发送次数限制[5]，请稍后再试"},
            Throttled(why="40001 [AUTH]超过当天的发送次数限制[5]，请稍后再试", wait_s=UNTIL_TOMORROW_S),
        ),
        (200, {"code": 7, "message": "当日额度"}, Throttled(why="7 当日额度", wait_s=UNTIL_TOMORROW_S)),
        (
            200,
            {"errno": 1024, "errmsg": "不要重复发送同样的内容"},
            Permanent(why="1024 不要重复发送同样的内容", code=1024),
        ),
        (200, {"code": 7, "message": "m"}, Temporary(why="7 m", not_before_s=5)),
        (400, {"code": 7, "message": "m"}, Permanent(why='HTTP 400: {"code": 7, "message": "m"}', code=400)),
    ],
)
async def test_answers(status: int, value: Any, expected: Outcome) -> None:
    """The README's table: key and quota share a code, so that the words decide, whatever the status."""
    assert await outcome(value, status) == expected


async def test_a_success_without_an_id() -> None:
    """``data`` is only good for its id."""
    assert await outcome({"code": 0, "message": "", "data": []}) == Sent()
