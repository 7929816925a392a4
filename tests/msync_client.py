"""A small client of MSYNC for tests: frames over a real socket, bare or wrapped by SockJS."""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from google.protobuf.message import Message

from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import (
    JID,
    CommNotice,
    CommSyncDL,
    CommSyncUL,
    CommUnreadDL,
    Logout,
    MessageBody,
    Meta,
    MSync,
    Provision,
    StatisticsBody,
)

DEMO = App(org="acme", app="demo", client_id="c")
SHAPES: dict[int, Callable[[], Message]] = {
    MSync.SYNC: CommSyncDL,
    MSync.UNREAD: CommUnreadDL,
    MSync.NOTICE: CommNotice,
    MSync.PROVISION: Provision,
    MSync.LOGOUT: Logout,
}
PATIENCE_S = 30
_ids = count(530233930625)


@dataclass
class Client:
    """One socket; what comes in is read as it is asked for."""

    socket: aiohttp.ClientWebSocketResponse
    user: str
    app: App = DEMO
    sockjs: bool = False
    _passed: deque[CommNotice] = field(default_factory=deque)
    """Notices that came while something else was waited for."""

    async def say(self, command: MSync.Command, payload: Message | None = None, **more: Any) -> None:
        """Send a frame."""
        envelope = MSync(version=0, command=command, **more)
        if payload is not None:
            envelope.payload = payload.SerializeToString()
        raw = envelope.SerializeToString()
        if self.sockjs:
            await self.socket.send_str(json.dumps([base64.b64encode(raw).decode()]))
        else:
            await self.socket.send_bytes(raw)

    async def hear(self) -> Any:
        """The next frame's payload; None = the server has closed."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            raw = message.data
        elif message.type is aiohttp.WSMsgType.TEXT:
            raw = base64.b64decode(json.loads(message.data[1:])[0])
        else:
            return None
        envelope = MSync.FromString(raw)
        return SHAPES[envelope.command]().FromString(envelope.payload)

    async def hear_a(self, shape: type[Any]) -> Any:
        """The next payload of this shape; whatever else comes before is passed over, notices for :meth:`news`."""
        while (payload := await self.hear()) is not None:
            if isinstance(payload, shape):
                return payload
            if isinstance(payload, CommNotice):
                self._passed.append(payload)
        raise AssertionError(f"closed before a {shape.__name__} came")

    # ------------------------------------------------------------ signing in

    async def provision(self, token: str, resource: str = "webim_web_1", **more: Any) -> Any:
        """Sign in as SDK 4.x does; the answer."""
        asked = Provision(
            os_type=Provision.OTHER,
            version="4.21.1",
            compress_type=[0],
            encrypt_type=[0],
            device_uuid="u",
            device_name="webim",
            resource=resource,
            auth_token=json.dumps({"token": f"$t${token}"}),
            **more,
        )
        guid = codec.user(self.app, self.user, resource)
        await self.say(MSync.PROVISION, asked, guid=guid, auth=f"$t${token}")
        return await self.hear()

    async def unread(self) -> dict[str, int]:
        """Ask what waits."""
        await self.say(MSync.UNREAD)
        answer = await self.hear_a(CommUnreadDL)
        return {one.queue.name: one.n for one in answer.unread}

    # ------------------------------------------------------------ receiving

    async def ask(self, name: str, key: int = 0) -> None:
        """Ask for what follows in a conversation."""
        asked = CommSyncUL(queue=codec.user(self.app, name))
        if key:
            asked.key = key
        await self.say(MSync.SYNC, asked)

    async def pull(self, name: str, key: int = 0) -> CommSyncDL:
        """Ask, and hear the answer; notices before it are passed over."""
        await self.ask(name, key)
        answer: CommSyncDL = await self.hear_a(CommSyncDL)
        return answer

    async def drain(self, name: str) -> list[Meta]:
        """Pull a conversation to its end, acknowledging each batch."""
        found: list[Meta] = []
        answer = await self.pull(name)
        while not answer.is_last:
            assert answer.HasField("status")
            found += answer.metas
            answer = await self.pull(name, answer.next_key)
        assert not answer.metas
        return found

    async def news(self) -> list[Meta]:
        """Wait for a notice and take what it announces. One that comes late announces what is here already."""
        while True:
            notice = self._passed.popleft() if self._passed else await self.hear_a(CommNotice)
            if found := await self.drain(notice.queue.name):
                return found

    # ------------------------------------------------------------ sending

    async def send(self, to: str, body: MessageBody, *, ns: Meta.NameSpace = Meta.CHAT, **more: Any) -> CommSyncDL:
        """Send a message; its answer."""
        number = more.pop("number", None) or next(_ids)
        one = Meta(id=number, to=codec.user(self.app, to), ns=ns, payload=body.SerializeToString(), **more)
        await self.say(MSync.SYNC, CommSyncUL(meta=one))
        while True:
            answer: CommSyncDL = await self.hear_a(CommSyncDL)
            if answer.meta_id == number:
                return answer

    async def text(self, to: str, text: str, **more: Any) -> CommSyncDL:
        """Send a text."""
        return await self.send(to, text_body(self.user, to, text), **more)


def text_body(sender: str, to: str, text: str, **ext: Any) -> MessageBody:
    """A text as the SDK writes it."""
    return codec.message_body(MessageBody.CHAT, sender, to, {"type": "txt", "msg": text}, ext)


def signal(kind: MessageBody.Type, sender: str, to: str, of: int = 0) -> MessageBody:
    """An ack or a recall as the SDK writes it."""
    body = MessageBody(type=kind, sender=JID(name=sender), to=JID(name=to), contents=[MessageBody.Content()])
    if of:
        body.ack_message_id = of
    return body


def body_of(meta: Meta) -> MessageBody:
    """What a message holds."""
    return MessageBody.FromString(meta.payload)


def texts(metas: list[Meta]) -> list[str]:
    """The texts of messages."""
    return [body_of(meta).contents[0].text for meta in metas]


def kick_of(answer: CommSyncDL) -> int:
    """The operation of a kick."""
    (one,) = answer.metas
    assert (one.ns, answer.is_last) == (Meta.STATISTIC, True)
    return StatisticsBody.FromString(one.payload).operation


@asynccontextmanager
async def connected(session: aiohttp.ClientSession, url: str, user: str, path: str = "/ws") -> AsyncIterator[Client]:
    """An open socket, nobody signed in."""
    async with session.ws_connect(f"{url.replace('http', 'ws', 1)}{path}", max_msg_size=0) as socket:
        client = Client(socket, user, sockjs=path.endswith("/websocket") and path.count("/") > 2)
        if client.sockjs:
            assert (await socket.receive()).data == "o"
        yield client


async def token_of(session: aiohttp.ClientSession, url: str, user: str) -> str:
    """A user token of the demo app; who is not there yet is made."""
    async with session.post(f"{url}/acme/demo/token", json=APP_GRANT) as answer:
        token = (await answer.json())["access_token"]
    grant = {"grant_type": "inherit", "username": user, "autoCreateUser": True}
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{url}/acme/demo/token", json=grant, headers=headers) as answer:
        return str((await answer.json())["access_token"])


APP_GRANT = {
    "grant_type": "client_credentials",
    "client_id": "YXA6-demo-client-id",
    "client_secret": "YXA6-demo-client-secret",
}
