"""R1: ``kill -9`` under load over all five dialects. What was answered with success is never lost."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from tests.process import ServerProcess

KILLS = 5
WANTED = 5_000
SENDERS = 40
ALICE = ("alice", "alice-password")
UMS = base64.b64encode(b"7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1").decode()
APP = {
    "grant_type": "client_credentials",
    "client_id": "YXA6-demo-client-id",
    "client_secret": "YXA6-demo-client-secret",
}

Send = Callable[[aiohttp.ClientSession, str, str], Awaitable[bool]]


async def by_pushplus(session: aiohttp.ClientSession, url: str, text: str) -> bool:
    body = {"token": "0123456789abcdef0123456789abcdef", "title": text, "content": text}
    async with session.post(f"{url}/send", json=body) as answer:
        return (await answer.json(content_type=None))["code"] == 200


async def by_wecom(session: aiohttp.ClientSession, url: str, text: str) -> bool:
    body = {"msgtype": "text", "chatid": "alice", "text": {"content": text}}
    path = "/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
    async with session.post(url + path, json=body) as answer:
        return (await answer.json(content_type=None))["errcode"] == 0


async def by_pushgo(session: aiohttp.ClientSession, url: str, text: str) -> bool:
    body = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "password": "channel-password", "title": text, "op_id": text}
    async with session.post(f"{url}/message", json=body) as answer:
        return bool((await answer.json())["success"])


async def by_ums(session: aiohttp.ClientSession, url: str, text: str) -> bool:
    body = {
        "aud_userid": ["alice"],
        "msg_app": [{"platform": "all", "notification": {"alert": text, "android": {"title": text}}}],
    }
    async with session.post(f"{url}/v1/sent", json=body, headers={"Authorization": f"Basic {UMS}"}) as answer:
        return (await answer.json())["code"] == 0


class Easemob:
    """Tokens live in the store: one outlasts every kill."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __call__(self, session: aiohttp.ClientSession, url: str, text: str) -> bool:
        body = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": text}}
        async with session.post(f"{url}/acme/demo/messages/users", json=body, headers=self._headers) as answer:
            return answer.status == 200


async def easemob(url: str) -> Easemob:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/acme/demo/token", json=APP) as answer:
        return Easemob((await answer.json())["access_token"])


class Load:
    """Senders that go on whatever happens, and remember what was accepted."""

    def __init__(self, server: ServerProcess, ways: list[Send]) -> None:
        self._server = server
        self._ways = ways
        self._numbers = iter(range(10**9))
        self.accepted: set[str] = set()
        self.refused = 0

    async def send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                number = next(self._numbers)
                way = self._ways[number % len(self._ways)]
                text = f"kill-{number:07d}"
                try:
                    if await way(session, self._server.url, text):
                        self.accepted.add(text)
                    else:
                        self.refused += 1
                        await asyncio.sleep(0.05)
                except (aiohttp.ClientError, TimeoutError, ConnectionError):
                    await asyncio.sleep(0.05)


async def everything_in_the_inbox(url: str) -> list[str]:
    """Every text in Alice's mailbox, walked by rev as a reader walks it."""
    texts: list[str] = []
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{url}/api/v1/login", json=dict(zip(("uid", "password"), ALICE, strict=True))
        ) as answer:
            token = (await answer.json())["token"]
        position = 0
        while True:
            path = f"/api/v1/inbox?after={position}&limit=500"
            async with session.get(url + path, headers={"Authorization": f"Bearer {token}"}) as answer:
                page = await answer.json()
            if not page["items"]:
                return texts
            texts += [item["title"] if item["title"].startswith("kill-") else item["text"] for item in page["items"]]
            position = page["next"]


@pytest.mark.timeout(300)
async def test_no_accepted_message_is_lost(tmp_path: Path) -> None:
    """Of at least 5,000 accepted messages none is lost over five kills; none of PushGo's op_ids is doubled."""
    server = await ServerProcess(tmp_path / "data").start()
    load = Load(server, [by_pushplus, by_wecom, by_pushgo, by_ums, await easemob(server.url)])
    chance = random.Random(20261121)
    async with asyncio.TaskGroup() as tasks:
        senders = [tasks.create_task(load.send()) for _ in range(SENDERS)]
        for kill in range(1, KILLS + 1):
            while len(load.accepted) < WANTED * kill // KILLS:
                await asyncio.sleep(0.02)
            await asyncio.sleep(chance.random() / 4)
            await server.kill()
            await server.start()
        for sender in senders:
            sender.cancel()

    texts = await everything_in_the_inbox(server.url)
    lost = load.accepted - set(texts)
    print(f"kill -9: {KILLS} kills, {len(load.accepted)} accepted, {len(lost)} lost, {load.refused} refused")
    await server.stop()

    assert len(load.accepted) >= WANTED
    assert lost == set()
    assert len(texts) == len(set(texts))
