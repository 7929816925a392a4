"""PushGo messages as a subscriber sees them in his inbox, over real HTTP."""

import secrets

from tests.inbox_reader import InboxReader
from tests.running import RunningServer

CHANNEL = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "password": "channel-password"}


async def test_a_message_is_read_in_the_inbox(server: RunningServer) -> None:
    """Whoever subscribes a channel in the directory file reads it in his inbox."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title = secrets.token_hex(8)
    body = CHANNEL | {
        "title": title,
        "body": "volume1 **92%**",
        "severity": "high",
        "tags": ["nas", "disk"],
        "url": "https://example.test/",
        "images": ["https://example.test/i.png"],
    }
    async with server.session.post(f"{server.url}/message", json=body) as answer:
        message_id = (await answer.json())["data"]["message_id"]
    item = await alice.find(title)
    assert item["message_id"] == message_id
    assert (item["dialect"], item["severity"], item["format"]) == ("pushgo", "high", "markdown")
    assert (item["tags"], item["images"]) == (["nas", "disk"], ["https://example.test/i.png"])
    assert (item["feed"]["kind"], item["feed"]["name"]) == ("channel", "NAS")
    assert "<strong>92%</strong>" in item["html"]


async def test_a_compat_message_is_read_in_the_inbox(server: RunningServer) -> None:
    """A script for ntfy with a PushGo key reaches the same channel."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title = secrets.token_hex(8)
    path = f"/ntfy/{CHANNEL['channel_id']}:{CHANNEL['password']}"
    async with server.session.post(server.url + path, data="正文".encode(), headers={"Title": title}) as answer:
        assert answer.status == 200
    assert (await alice.find(title))["text"].strip() == "正文"


async def test_a_long_message_is_read_to_its_end(server: RunningServer) -> None:
    """What has no room in a row is in the inbox all the same, and in the message's timeline."""
    alice = await InboxReader.sign_in(server.session, server.url, "alice", "alice-password")
    title, text = secrets.token_hex(8), "long " * 4_000 + "end"
    async with server.session.post(f"{server.url}/message", json=CHANNEL | {"title": title, "body": text}) as answer:
        message_id = (await answer.json())["data"]["message_id"]
    assert (await alice.find(title))["body"] == text
    owner = {"Authorization": f"Bearer {await server.sign_in('alice', 'alice-password')}"}
    async with server.session.get(f"{server.url}/api/v1/messages/{message_id}", headers=owner) as answer:
        assert (await answer.json())["body"] == text
