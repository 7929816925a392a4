"""WeCom messages as a person sees them in his inbox, over real HTTP."""

import asyncio
import json
import secrets
from typing import Any

from tests.inbox_reader import InboxReader
from tests.running import RunningServer

PATH = "/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
GROUP = "wrkSFfCgAAtMQKg4xqDatM5C9IDHFpTw"


async def send(server: RunningServer, **body: Any) -> Any:
    async with server.session.post(server.url + PATH, data=json.dumps(body)) as answer:
        return json.loads(await answer.read())


async def test_a_message_is_read_in_the_inbox(server: RunningServer) -> None:
    """A markdown message to a group is in a member's inbox within a second, with its group and its mention."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title = secrets.token_hex(8)
    said = await send(server, msgtype="markdown", chatid=GROUP, markdown={"content": f"# {title}\n<@alice> look"})
    assert said == {"errcode": 0, "errmsg": "ok"}
    item = await alice.find(title)
    assert (item["dialect"], item["format"], item["mentioned"]) == ("wecom", "wecom-md", True)
    assert (item["feed"]["kind"], item["feed"]["code"]) == ("group", GROUP)
    assert item["sender"] == {"name": "deploy bot", "kind": "bot"}
    assert "@Alice look" in item["text"]


async def test_news_is_read_in_the_inbox(server: RunningServer) -> None:
    """News is a list of links with the first article's title."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title = secrets.token_hex(8)
    article = {"title": title, "description": "d", "url": "https://example.test/a"}
    assert (await send(server, msgtype="news", chatid=GROUP, news={"articles": [article]}))["errcode"] == 0
    item = await alice.find(title)
    assert item["url"] == "https://example.test/a"
    assert 'href="https://example.test/a"' in item["html"]


async def test_case_41_what_was_answered_ok_is_stored_once(server: RunningServer) -> None:
    """Of equal bodies at once each is stored once or refused with 45033, never both."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title = secrets.token_hex(8)
    body = {"msgtype": "markdown", "chatid": "alice", "markdown": {"content": f"# {title}"}}
    codes = [said["errcode"] for said in await asyncio.gather(*(send(server, **body) for _ in range(8)))]
    assert set(codes) <= {0, 45033}
    assert codes.count(0) >= 1
    for _ in range(codes.count(0)):
        await alice.find(title)
