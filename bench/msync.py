"""Easemob's clients: what a signed-in socket costs, and how soon a device is noticed at a steady rate.

Every device is written to twice: the first message makes its conversation, the second goes into it.
"""

import asyncio
import base64
import hashlib
import json
import time
from dataclasses import dataclass
from statistics import median, quantiles

import aiohttp
import uvloop

from bench.goals import most
from bench.load import scratch
from bench.nodes import Node, apply, node
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import (
    CommNotice,
    CommSyncDL,
    CommSyncUL,
    MessageBody,
    Meta,
    MSync,
    Provision,
)

SOCKETS = 2_000
SENDERS = 32
RATE = 500
HEARTBEAT_S = 30
AT_ONCE = 50
"""Sign-ins under way together."""
CLIENT, SECRET = "bench", "bench-secret"
APP = App(org="acme", app="demo", client_id=CLIENT)
NAMES = [f"user{number:04}" for number in range(SOCKETS + SENDERS)]
HEAD = ("what", "figure", "goal")
SPACE = f"""
[space]
name = "main"
[[easemob.apps]]
org = "acme"
app = "demo"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
calls_per_second = 0
messages_per_minute = 0
users = {json.dumps(NAMES)}
"""


def _token(user: str) -> str:
    """A user token that no server has issued (sheet easemob §3.1)."""
    now, ttl = int(time.time()), 86_400
    signature = hashlib.sha256(f"{CLIENT}{APP.appkey}{user}{now}{ttl}{SECRET}".encode()).hexdigest()
    told = {"signature": signature, "appkey": APP.appkey, "userId": user, "curTime": now, "ttl": ttl}
    return base64.urlsafe_b64encode(b"dt-" + json.dumps(told).encode()).decode()


async def _sign_in(session: aiohttp.ClientSession, url: str, user: str) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(f"{url.replace('http', 'ws', 1)}/ws", compress=0)
    asked = Provision(os_type=Provision.OTHER, version="4.21.1", resource="web")
    frame = MSync(guid=codec.user(APP, user, "web"), auth=f"$t${_token(user)}", command=MSync.PROVISION)
    frame.payload = asked.SerializeToString()
    await socket.send_bytes(frame.SerializeToString())
    answer = Provision.FromString(MSync.FromString(await socket.receive_bytes()).payload)
    assert answer.status.error_code == 0, answer.status.reason
    await socket.send_bytes(MSync(command=MSync.UNREAD).SerializeToString())
    await socket.receive_bytes()
    return socket


@dataclass(frozen=True)
class Round:
    """One message to every device."""

    latencies_ms: list[float]
    """From sending to the notice."""
    per_second: float

    @property
    def p99_ms(self) -> float:
        """Of the latencies."""
        return quantiles(self.latencies_ms, n=100)[98]


async def _send(socket: aiohttp.ClientWebSocketResponse, to: list[str], first: int, pause_s: float) -> dict[str, float]:
    """One message to each at a steady rate; when each was sent. The sender's ids go on from ``first``."""
    sent: dict[str, float] = {}
    began = time.perf_counter()
    for number, name in enumerate(to):
        await asyncio.sleep(max(0.0, began + number * pause_s - time.perf_counter()))
        body = codec.message_body(MessageBody.CHAT, "", name, {"type": "txt", "msg": "hello"}, {})
        one = Meta(id=first + number, to=codec.user(APP, name), ns=Meta.CHAT, payload=body.SerializeToString())
        sent[name] = time.perf_counter()
        await socket.send_bytes(codec.frame(MSync.SYNC, CommSyncUL(meta=one)))
        await socket.receive_bytes()
    return sent


class Device:
    """A client that listens from its first moment on, as the SDK does: who answers no ping is let go."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.noticed_at = 0.0
        self.has_all = asyncio.Event()
        """Set when it has seen the end of a conversation."""
        self._socket = socket

    async def listen(self) -> None:
        """Until the server ends it, which is an error."""
        beat = asyncio.create_task(self._beat())
        try:
            async for message in self._socket:
                envelope = MSync.FromString(message.data)
                if envelope.command == MSync.NOTICE:
                    self.noticed_at = time.perf_counter()
                    await self._pull(CommSyncUL(queue=CommNotice.FromString(envelope.payload).queue))
                elif envelope.command == MSync.SYNC:
                    await self._take(CommSyncDL.FromString(envelope.payload))
        finally:
            beat.cancel()
        raise ConnectionError("the server has let a device go")

    async def _take(self, pulled: CommSyncDL) -> None:
        if pulled.is_last:
            self.has_all.set()
        else:
            await self._pull(CommSyncUL(queue=pulled.queue, key=pulled.next_key))

    async def _pull(self, asked: CommSyncUL) -> None:
        await self._socket.send_bytes(codec.frame(MSync.SYNC, asked))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._socket.send_bytes(MSync(command=MSync.UNREAD).SerializeToString())


async def _round(senders: list[aiohttp.ClientWebSocketResponse], devices: dict[str, Device], first: int) -> Round:
    for device in devices.values():
        device.has_all.clear()
    lanes = [NAMES[lane:SOCKETS:SENDERS] for lane in range(SENDERS)]
    began = time.perf_counter()
    sent: dict[str, float] = {}
    for times in await asyncio.gather(
        *(_send(socket, lane, first, SENDERS / RATE) for socket, lane in zip(senders, lanes, strict=True))
    ):
        sent |= times
    per_second = SOCKETS / (time.perf_counter() - began)
    await asyncio.gather(*(device.has_all.wait() for device in devices.values()))
    return Round([(devices[name].noticed_at - at) * 1000 for name, at in sent.items()], per_second)


async def _run(server: Node) -> tuple[float, Round, Round]:
    """KiB a socket, and both rounds."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        gate = asyncio.Semaphore(AT_ONCE)
        devices: dict[str, Device] = {}
        listening: list[asyncio.Task[None]] = []

        async def arrive(user: str) -> None:
            """Sign in and listen."""
            async with gate:
                devices[user] = Device(await _sign_in(session, server.url, user))
            listening.append(tasks.create_task(devices[user].listen()))

        await asyncio.gather(*(arrive(name) for name in NAMES[:AT_ONCE]))
        before = server.memory_mib()
        await asyncio.gather(*(arrive(name) for name in NAMES[AT_ONCE:SOCKETS]))
        socket_kib = (server.memory_mib() - before) * 1024 / (SOCKETS - AT_ONCE)
        senders = [await _sign_in(session, server.url, name) for name in NAMES[SOCKETS:]]
        new = await _round(senders, devices, 1)
        known = await _round(senders, devices, SOCKETS)
        for one in listening:
            one.cancel()
        return socket_kib, new, known


def measure(environment: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows: what, the figure, goals."""
    data = scratch()
    people = "".join(f'[[people]]\nuid = "{name}"\n' for name in NAMES)
    (data / "bench.toml").write_text(SPACE + people)
    apply(data, environment, data / "bench.toml")
    with node(data, environment) as server:
        socket_kib, new, known = uvloop.run(_run(server))
    rows: list[tuple[str, ...]] = [
        (f"KiB a signed-in socket, of {SOCKETS:,}", f"{socket_kib:.1f}", most("KiB", 40).judge(socket_kib)),
    ]
    for what, one, goal in (
        ("first message of a conversation", new, ""),
        ("message of a conversation", known, most("p99 ms", 100).judge(known.p99_ms)),
    ):
        rate = f"{what} to its notice at {one.per_second:,.0f} a second"
        rows.append((f"ms from a {rate}, p50", f"{median(one.latencies_ms):.1f}", ""))
        rows.append((f"ms from a {rate}, p99", f"{one.p99_ms:.1f}", goal))
    return rows
