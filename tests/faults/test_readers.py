"""R16, R17: many readers over real sockets; some never read, all drop at once and come back."""

import asyncio
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.faults.senders import sign_in
from tests.running import DemoStore, RunningServer, running
from tests.two_nodes import until

BIG = os.environ.get("ONEBELL_TEST_ALL") == "1"
READERS = 1000 if BIG else 200
DEAF = 50 if BIG else 10
MESSAGES = 60
WHOLE = 1000 if BIG else 600
CHANNEL = "06J0FZG1Y8XGG14VTQ4Y3G10MR"
STALL_S = 60
"""A reader who is told nothing for so long has been forgotten."""


@pytest.fixture
async def node(tmp_path: Path, demo_store: DemoStore):
    """A node with the demo space."""
    async with running(await demo_store.sqlite(tmp_path / "node")) as server:
        yield server


class Follower:
    """One socket that remembers where it stands, drops and resumes."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._headers = headers
        self.revs: list[int] = []
        self.at = 0

    async def follow(self, session: aiohttp.ClientSession, until: int) -> None:
        """Read from where it stands until it has so many."""
        place = f"{self._url}/api/v1/inbox/ws?after={self.at}"
        async with session.ws_connect(place, headers=self._headers) as ws:
            while len(self.revs) < until:
                frame = await ws.receive_json(timeout=STALL_S)
                self.revs += [item["rev"] for item in frame["items"]]
                self.at = frame["next"]


async def send(session: aiohttp.ClientSession, node: RunningServer, first: int, count: int) -> list[float]:
    """How long each sender waited, in seconds."""
    took = []
    for number in range(first, first + count):
        began = time.perf_counter()
        body = {"channel_id": CHANNEL, "password": "channel-password", "title": f"load-{number}", "body": "x" * 900}
        async with session.post(f"{node.url}/message", json=body) as answer:
            assert answer.status == 200
        took.append(time.perf_counter() - began)
    return took


@pytest.mark.timeout(900)
async def test_all_drop_and_return_at_once(node: RunningServer) -> None:
    """Every reader is cut in the middle and comes back with its last rev: no gap, no double."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        headers = await sign_in(session, node.url)
        readers = [Follower(node.url, headers) for _ in range(READERS)]
        first = asyncio.gather(*(reader.follow(session, 20) for reader in readers))
        await send(session, node, 0, 20)
        await first  # all sockets are closed now
        await send(session, node, 20, 20)
        began = time.monotonic()
        second = asyncio.gather(*(reader.follow(session, MESSAGES) for reader in readers))
        await send(session, node, 40, 20)
        await second
        steady_s = time.monotonic() - began

    whole = readers[0].revs
    print(f"mass reconnect: {READERS} readers, {MESSAGES} messages each, steady after {steady_s:.1f} s")
    assert whole == list(range(whole[0], whole[0] + MESSAGES))
    assert all(reader.revs == whole for reader in readers)


@pytest.mark.timeout(900)
async def test_readers_that_never_read_are_cut_and_harm_nobody(node: RunningServer) -> None:
    """Beside readers that read, some take nothing: those are cut, hold little memory, and can resume."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        headers = await sign_in(session, node.url)
        good = [Follower(node.url, headers) for _ in range(READERS // 10)]
        hub = node.application.native.hub
        following = asyncio.gather(*(reader.follow(session, WHOLE) for reader in good))
        deaf = [await open_deaf(node.url, headers["Authorization"]) for _ in range(DEAF)]
        try:
            number = 0
            while hub.cut < DEAF:
                await send(session, node, number, 20)
                number += 20
                assert number < 4_000, f"only {hub.cut} of {DEAF} were cut"
            if number < WHOLE:
                await send(session, node, number, WHOLE - number)
            await following
            await until(lambda: hub.count == 0)
        finally:
            for one in deaf:
                one.close()

    whole = good[0].revs[:WHOLE]
    print(f"deaf readers: {DEAF} cut after {number} messages; {len(good)} others got all of theirs")
    assert all(reader.revs[:WHOLE] == whole for reader in good)
    assert whole == list(range(whole[0], whole[0] + WHOLE))


async def open_deaf(url: str, authorization: str) -> socket.socket:
    """A WebSocket whose client never reads."""
    place = urlsplit(url)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, (place.hostname, place.port))
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    head = f"GET /api/v1/inbox/ws?after=0 HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: {authorization}\r\n"
    await loop.sock_sendall(made, f"{head}{upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    return made
