"""The carrier wxpusher against a service that answers like WxPusher (sheet wecom §6.10)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.fakes.carrier_account import batch, opened, rendered
from tests.fakes.http_service import Received, answer, drop, http_service

from onebell.carriers import registry
from onebell.carriers.base import Batch
from onebell.carriers.fields import checked_fields
from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized
from onebell.errors import InvalidInput

OWN = "&uid=UID_a&topicId=123"
NOT_JSON = Temporary(why="the answer is not the service's JSON")


def item(code: int = 1000, status: str = "创建发送任务成功", **who: object) -> dict[str, object]:
    """One receiver's part of an answer, in the order of the service's documents."""
    named = {"uid": None, "topicId": None} | who
    return {**named, "messageContentId": 2123, "sendRecordId": 12313, "code": code, "status": status}


def said(code: int = 1000, *items: dict[str, object], msg: str = "处理成功") -> Any:
    return answer(200, {"code": code, "msg": msg, "data": list(items), "success": code == 1000})


async def sent(told: Batch, script: Any, own: str = OWN) -> tuple[Received, list[Outcome]]:
    async with http_service(script) as service:
        url = f"{service.base}/api/send/message/?appToken=AT_x{own}"
        async with opened("wxpusher", url=url) as carrier:
            outcomes = list(await carrier.send(told))
        return service.received[0], outcomes


async def test_the_accounts_own_receivers() -> None:
    """The empty address is who stands in the pasted address: UIDs and topics."""
    part = rendered("服务器告警", "CPU 使用率超过 90%")
    got, outcomes = await sent(batch(part, ""), said(1000, item(uid="UID_a"), item(topicId=123)))

    assert (got.method, got.target) == ("POST", "/api/send/message")
    assert got.headers["content-type"] == "application/json"
    assert got.json == {
        "appToken": "AT_x", "content": "服务器告警\nCPU 使用率超过 90%", "summary": "服务器告警", "contentType": 1,
        "url": "http://bell.test/app/m/1", "verifyPayType": 0, "uids": ["UID_a"], "topicIds": [123],
    }  # fmt: skip
    assert outcomes == [Sent(provider_ref="12313", detail="创建发送任务成功")]


@pytest.mark.parametrize(
    ("written_in", "kind", "content"),
    [
        (Format.HTML, 2, "<h3>A&amp;B</h3><b>x</b>"),
        (Format.MARKDOWN, 3, "### A&B\n\n**x**"),
        (Format.TEXT, 1, "A&B\n**x**"),
    ],
)
async def test_content_types(written_in: Format, kind: int, content: str) -> None:
    """HTML and Markdown go as what they are, the title first."""
    body = "<b>x</b>" if written_in is Format.HTML else "**x**"
    got, _ = await sent(batch(rendered("A&B", body, written_in, url="https://a.test"), ""), said())

    assert (got.json["contentType"], got.json["content"], got.json["url"]) == (kind, content, "https://a.test")


async def test_the_summary_is_100_characters() -> None:
    """Without a title the beginning of the text; never more than the service shows."""
    got, _ = await sent(batch(rendered("", "长" * 300), ""), said())

    assert got.json["summary"] == "长" * 100


async def test_people_by_their_uid() -> None:
    """All UIDs in one call; who is refused is dead, the others are sent, and the account's own get nothing."""
    refused = item(1001, "用户没有关注该应用", uid="UID_2")
    got, outcomes = await sent(batch(None, "UID_1", "UID_2"), said(1000, item(uid="UID_1"), refused))

    assert (got.json["uids"], got.json["topicIds"]) == (["UID_1", "UID_2"], [])
    assert outcomes == [
        Sent(provider_ref="12313", detail="创建发送任务成功"),
        Permanent(why="1001 用户没有关注该应用", drop_target=True, code=1001),
    ]


async def test_people_beside_the_accounts_own() -> None:
    """Both in one call, each once."""
    got, outcomes = await sent(batch(None, "UID_1", "", "UID_a"), said())

    assert (got.json["uids"], got.json["topicIds"]) == (["UID_a", "UID_1"], [123])
    assert [type(one) for one in outcomes] == [Sent, Sent, Sent]


async def test_one_of_the_accounts_own_is_enough() -> None:
    """A pasted address with several receivers is one target: refused only when all are, and never dead."""
    bad = item(1001, "用户没有关注该应用", uid="UID_a")

    assert isinstance((await sent(batch(None, ""), said(1000, bad, item(topicId=123))))[1][0], Sent)
    assert (await sent(batch(None, ""), said(1000, bad)))[1] == [Permanent(why="1001 用户没有关注该应用", code=1001)]


async def test_a_native_payload_goes_over_the_get_entry() -> None:
    """PushPlus type 11: the pasted address with ``content`` and ``url`` appended, percent-encoded."""
    native = {"content": "标题\nD & 100%", "url": "http://h/shortMessage/1?a=b"}
    got, outcomes = await sent(batch(rendered(native=native), ""), said(1000, item(uid="UID_a")))

    assert (got.method, got.body) == ("GET", b"")
    assert got.target.startswith(
        "/api/send/message/?appToken=AT_x&uid=UID_a&topicId=123&content=%E6%A0%87%E9%A2%98%0AD"
    )
    assert dict(parse_qsl(urlsplit(got.target).query)) == {
        "appToken": "AT_x", "uid": "UID_a", "topicId": "123", **native,
    }  # fmt: skip
    assert isinstance(outcomes[0], Sent)


async def test_a_native_payload_for_people_is_posted() -> None:
    """The GET entry knows one receiver only."""
    got, _ = await sent(batch(rendered(native={"content": "c", "url": "u"}), "UID_1"), said())

    assert got.json == {"appToken": "AT_x", "content": "c", "url": "u", "uids": ["UID_1"], "topicIds": []}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (said(1001, msg="content不能为空"), Permanent(why="1001 content不能为空", code=1001)),
        (said(1002, msg="m"), Unauthorized(why="1002 m")),
        (said(1003, msg="m"), Unauthorized(why="1003 m")),
        (said(1004, msg="m"), Unauthorized(why="1004 m")),
        *((said(code, msg="m"), Temporary(why=f"{code} m")) for code in (1005, 1006, 1007, 1008, 1009, 1999)),
        (answer(200, {"msg": "x"}), NOT_JSON),
        (answer(200, b"<html>"), NOT_JSON),
        (answer(502), Temporary(why="HTTP 502")),
        (answer(404), Permanent(why="HTTP 404", code=404)),
        (answer(429, retry_after="9"), Throttled(why="HTTP 429", wait_s=9)),
    ],
)
async def test_answers(script: Any, expected: Outcome) -> None:
    """The README's table, for every address of the batch."""
    assert (await sent(batch(None, "UID_1", ""), script))[1] == [expected, expected]


async def test_no_answer_is_tried_again() -> None:
    """A lost connection is no verdict, and its words do not hold the token."""
    (lost,) = (await sent(batch(None, ""), drop()))[1]

    assert isinstance(lost, Temporary)
    assert "AT_x" not in lost.why


def test_an_address_without_a_token_is_refused() -> None:
    """Nothing could be sent with it."""
    with pytest.raises(InvalidInput):
        checked_fields(registry.manifest("wxpusher"), {"url": "https://wxpusher.zjiecode.com/api/send/message/?uid=U"})
