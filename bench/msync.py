"""Easemob's clients: what a signed-in socket costs, and how soon a device is noticed at a steady rate.

Each message is the first of its conversation, so that its feed is made too.
"""

import asyncio
import base64
import hashlib
import json
import time
from statistics import median, quantiles
from typing import Any

import aiohttp
import uvloop

from bench.goals import most
from bench.load import scratch
from bench.nodes import Node, apply, node
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncUL, MessageBody, Meta, MSync, Provision

SOCKETS = 2_000
SENDERS = 8
RATE = 500
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


async def _send(socket: aiohttp.ClientWebSocketResponse, to: list[str], pause_s: float) -> dict[str, float]:
    """One message to each at a steady rate; when each was sent."""
    sent: dict[str, float] = {}
    began = time.perf_counter()
    for number, name in enumerate(to):
        await asyncio.sleep(max(0.0, began + number * pause_s - time.perf_counter()))
        body = codec.message_body(MessageBody.CHAT, "", name, {"type": "txt", "msg": "hello"}, {})
        one = Meta(id=number + 1, to=codec.user(APP, name), ns=Meta.CHAT, payload=body.SerializeToString())
        sent[name] = time.perf_counter()
        await socket.send_bytes(codec.frame(MSync.SYNC, CommSyncUL(meta=one)))
        await socket.receive_bytes()
    return sent


async def _heard(socket: aiohttp.ClientWebSocketResponse) -> float:
    envelope = MSync.FromString(await socket.receive_bytes())
    assert envelope.command == MSync.NOTICE, envelope
    return time.perf_counter()


async def _run(server: Node) -> tuple[float, list[float], float]:
    """KiB a socket, milliseconds from sending to each notice, and how many were sent a second."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(user: str) -> aiohttp.ClientWebSocketResponse:
            async with gate:
                return await _sign_in(session, server.url, user)

        senders = [await one(name) for name in NAMES[SOCKETS:]]
        warm = [await one(name) for name in NAMES[:AT_ONCE]]
        before = server.memory_mib()
        sockets = warm + list(await asyncio.gather(*(one(name) for name in NAMES[AT_ONCE:SOCKETS])))
        socket_kib = (server.memory_mib() - before) * 1024 / (SOCKETS - AT_ONCE)
        heard = [asyncio.create_task(_heard(socket)) for socket in sockets]
        lanes = [NAMES[lane:SOCKETS:SENDERS] for lane in range(SENDERS)]
        began = time.perf_counter()
        sent: dict[str, float] = {}
        for times in await asyncio.gather(
            *(_send(socket, lane, SENDERS / RATE) for socket, lane in zip(senders, lanes, strict=True))
        ):
            sent |= times
        per_second = SOCKETS / (time.perf_counter() - began)
        arrived = await asyncio.gather(*heard)
        return socket_kib, [(at - sent[name]) * 1000 for name, at in zip(NAMES, arrived, strict=False)], per_second


def measure(environment: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows: what, the figure, goals."""
    data = scratch()
    people = "".join(f'[[people]]\nuid = "{name}"\n' for name in NAMES)
    (data / "bench.toml").write_text(SPACE + people)
    apply(data, environment, data / "bench.toml")
    with node(data, environment) as server:
        socket_kib, latencies, per_second = uvloop.run(_run(server))
    p99 = quantiles(latencies, n=100)[98]
    rows: list[tuple[Any, ...]] = [
        (f"KiB a signed-in socket, of {SOCKETS:,}", f"{socket_kib:.1f}", most("KiB", 40).judge(socket_kib)),
        (f"ms to a device's notice, p50, at {per_second:,.0f} messages/s", f"{median(latencies):.1f}", ""),
        ("ms to a device's notice, p99", f"{p99:.1f}", most("p99 ms", 100).judge(p99)),
    ]
    return rows
