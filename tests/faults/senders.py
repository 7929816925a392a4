"""One sender per dialect, and a load of them that remembers what was accepted."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

ALICE = {"uid": "alice", "password": "alice-password"}
UMS = base64.b64encode(b"7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1").decode()
APP = {
    "grant_type": "client_credentials",
    "client_id": "YXA6-demo-client-id",
    "client_secret": "YXA6-demo-client-secret",
}
PAUSE_S = 0.05
"""After a refusal, so that a server that refuses everything is not asked in a busy loop."""
STALL_S = 60
"""A server that accepts nothing for so long is not slow: it stands."""


@dataclass(frozen=True)
class Reply:
    """What one sender was answered."""

    dialect: str
    status: int
    body: Any  # decoded JSON

    @property
    def is_success(self) -> bool:
        """The service's own success."""
        match self.dialect:
            case "pushplus":
                return self.body["code"] == 200
            case "wecom":
                return self.body["errcode"] == 0
            case "pushgo":
                return bool(self.body["success"])
            case "ums":
                return self.body["code"] == 0
        return self.status == 200

    @property
    def is_rate_limit(self) -> bool:
        """WeCom takes 100 a minute to one receiver, Easemob so many calls a second."""
        return self.status == 429 or (self.dialect == "wecom" and self.body["errcode"] in {45009, 93005})

    @property
    def is_system_error(self) -> bool:
        """The service's own words for "try again later"."""
        match self.dialect:
            case "pushplus":
                return (self.status, self.body["code"]) == (200, 500)
            case "wecom":
                return (self.status, self.body["errcode"]) == (200, -1)
            case "pushgo":
                return self.status >= 500 and self.body["error_code"] in {"store_error", "server_busy"}
            case "ums":
                return self.body["code"] == 5000
        return self.status in {500, 503} and self.body["error"] == "web_application"


Send = Callable[[aiohttp.ClientSession, str, str], Awaitable[Reply]]


async def _post(session: aiohttp.ClientSession, dialect: str, url: str, body: Any, **headers: str) -> Reply:
    async with session.post(url, json=body, headers=headers) as answer:
        return Reply(dialect, answer.status, await answer.json(content_type=None))


async def by_pushplus(session: aiohttp.ClientSession, url: str, text: str) -> Reply:
    """To alice herself."""
    body = {"token": "0123456789abcdef0123456789abcdef", "title": text, "content": text}
    return await _post(session, "pushplus", f"{url}/send", body)


class WeCom:
    """One to one; at most 100 a minute go to one receiver."""

    def __init__(self, uid: str = "alice") -> None:
        self._uid = uid

    async def __call__(self, session: aiohttp.ClientSession, url: str, text: str) -> Reply:
        body = {"msgtype": "text", "chatid": self._uid, "text": {"content": text}}
        path = f"{url}/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
        return await _post(session, "wecom", path, body)


async def by_pushgo(session: aiohttp.ClientSession, url: str, text: str) -> Reply:
    """Idempotent: the text is the op_id."""
    body = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "password": "channel-password", "title": text, "op_id": text}
    return await _post(session, "pushgo", f"{url}/message", body)


async def by_ums(session: aiohttp.ClientSession, url: str, text: str) -> Reply:
    """Over the app channel, which is the inbox."""
    body = {
        "aud_userid": ["alice"],
        "msg_app": [{"platform": "all", "notification": {"alert": text, "android": {"title": text}}}],
    }
    return await _post(session, "ums", f"{url}/v1/sent", body, Authorization=f"Basic {UMS}")


class Easemob:
    """Tokens live in the store: one outlasts every fault and serves every node."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def __call__(self, session: aiohttp.ClientSession, url: str, text: str) -> Reply:
        body = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": text}}
        path = f"{url}/acme/demo/messages/users"
        return await _post(session, "easemob", path, body, Authorization=f"Bearer {self.token}")


async def easemob(url: str) -> Easemob:
    """A sender with a fresh token."""
    async with aiohttp.ClientSession() as session, session.post(f"{url}/acme/demo/token", json=APP) as answer:
        return Easemob((await answer.json())["access_token"])


async def five(url: str, wecom: str = "alice") -> list[Send]:
    """A sender of each dialect; all write to Alice, WeCom's to whom it is told."""
    return [by_pushplus, WeCom(wecom), by_pushgo, by_ums, await easemob(url)]


class Load:
    """Senders that go on whatever happens, and remember what was accepted."""

    def __init__(self, where: Callable[[int], str], ways: Sequence[Send], prefix: str = "load") -> None:
        """``where`` gives the URL for the n-th message."""
        self._where = where
        self._ways = ways
        self._prefix = prefix
        self._numbers = iter(range(10**9))
        self.accepted: set[str] = set()
        self.refused: list[Reply] = []
        self.broken = 0  # connections that ended without an answer

    async def _send(self, session: aiohttp.ClientSession) -> None:
        number = next(self._numbers)
        text = f"{self._prefix}-{number:07d}"
        way = self._ways[number % len(self._ways)]
        try:
            reply = await way(session, self._where(number), text)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self.broken += 1
            await asyncio.sleep(PAUSE_S)
            return
        if reply.is_success:
            self.accepted.add(text)
        else:
            self.refused.append(reply)
            await asyncio.sleep(PAUSE_S)

    async def _forever(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            while True:
                await self._send(session)

    @asynccontextmanager
    async def running(self, senders: int) -> AsyncIterator["Load"]:
        """While the block runs, so many send; what is under way at its end is cut."""
        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(self._forever()) for _ in range(senders)]
            try:
                yield self
            finally:
                for one in sending:
                    one.cancel()

    async def reach(self, accepted: int) -> None:
        """Wait until so many were accepted, for as long as it goes on."""
        while (before := len(self.accepted)) < accepted:
            async with asyncio.timeout(STALL_S):
                while len(self.accepted) == before:
                    await asyncio.sleep(0.02)

    async def more(self, count: int) -> None:
        """Wait until so many more were accepted."""
        await self.reach(len(self.accepted) + count)


async def sign_in(session: aiohttp.ClientSession, url: str, who: dict[str, str] | None = None) -> dict[str, str]:
    """Headers of somebody who is signed in."""
    async with session.post(f"{url}/api/v1/login", json=who or ALICE) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['token']}"}


async def inbox_texts(url: str, prefix: str = "load") -> list[str]:
    """Every text of ours in Alice's mailbox, walked by rev as a reader walks it."""
    texts: list[str] = []
    async with aiohttp.ClientSession() as session:
        headers = await sign_in(session, url)
        position = 0
        while True:
            path = f"{url}/api/v1/inbox?after={position}&limit=500"
            async with session.get(path, headers=headers) as answer:
                page = await answer.json()
            if not page["items"]:
                return texts
            texts += [text for item in page["items"] if (text := _ours(item, prefix))]
            position = page["next"]


def _ours(item: dict[str, Any], prefix: str) -> str:
    found = (item.get(name, "") for name in ("title", "text"))
    return next((text for text in found if text.startswith(prefix)), "")


async def status_of(session: aiohttp.ClientSession, url: str) -> int:
    """An HTTP status; 0 when nobody answers."""
    try:
        async with session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def ready_within(url: str, wanted: int, seconds: float) -> float:
    """Seconds until ``/readyz`` has this status; fails after ``seconds``."""
    began = asyncio.get_running_loop().time()
    async with aiohttp.ClientSession() as session, asyncio.timeout(seconds):
        while await status_of(session, f"{url}/readyz") != wanted:
            await asyncio.sleep(0.1)
    return asyncio.get_running_loop().time() - began
