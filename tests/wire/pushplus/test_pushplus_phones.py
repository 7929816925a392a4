"""What ServerChan and phones get of a PushPlus message (sheet pushplus §5.1 types 4, 50 and 10)."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.fakes.http_service import Received

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE = "查看pushplus消息详情"


async def arrived(client, sink, path: str, content: str = "消息内容", **fields: Any) -> tuple[Received, str]:
    """The one request for a new message, sent with success, and its page."""
    before = len(sink.received)
    code = await client.accepted(title="标题", content=content, channel="webhook", **fields)
    assert (await client.result(code))["status"] == 2
    link = f"http://onebell.example/shortMessage/{code}"
    (request,) = [one for one in sink.received[before:] if one.target.startswith(path)]
    return request, link


async def test_serverchan_gets_a_form(client, sink):
    """Type 4: the summary and a link to the page; Markdown goes whole."""
    request, link = await arrived(client, sink, "/SCT1234Tabcd.send", "<b>消息</b>内容", webhook="turbo")
    assert dict(parse_qsl(request.body.decode())) == {"title": "标题", "desp": f"消息内容\n\n[{MORE}]({link})"}

    request, _ = await arrived(client, sink, "/SCT1234Tabcd.send", "**粗**", webhook="turbo", template="markdown")
    assert dict(parse_qsl(request.body.decode())) == {"title": "标题", "desp": "**粗**"}


async def test_bark_opens_the_page(client, sink):
    """Type 50: title, summary, link, logo."""
    request, link = await arrived(client, sink, "/push", webhook="bark")
    told = request.json

    assert told.pop("id").startswith("dlv_")
    assert told == {
        "device_key": "barkkey",
        "title": "标题",
        "body": "消息内容",
        "url": link,
        "icon": "http://onebell.example/assets/logo.png",
    }


async def test_gotify_opens_the_page(client, sink):
    """Type 10: title and summary at priority 5."""
    request, link = await arrived(client, sink, "/message", webhook="gotify")

    assert request.headers["x-gotify-key"] == "AWDOuwj2WINGvAW"
    assert request.json == {
        "title": "标题",
        "message": "消息内容",
        "priority": 5,
        "extras": {"client::notification": {"click": {"url": link}}},
    }
