"""Live readers over real sockets: WebSocket and server-sent events, resumption, slow readers, many at once."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest
from tests.native_server import Native

from onebell.api import streams
from onebell.core.timeline import Sought

URL = "/api/v1/inbox"


@pytest.fixture
async def rita(native: Native) -> str:
    return await native.sign_in("rita")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def take(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    """So many items."""
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(items) < count:
            message = await ws.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            frame = json.loads(message.data)
            assert frame["next"] == frame["items"][-1]["rev"]
            items += frame["items"]
    return items


class Events:
    """An EventSource: reads events, remembers the last id."""

    def __init__(self, native: Native, token: str, last: str = "", query: str = "") -> None:
        headers = bearer(token) | ({"Last-Event-ID": last} if last else {})
        self._asked = native.session.get(f"{native.url}{URL}/stream{query}", headers=headers)
        self.last = last

    async def __aenter__(self) -> "Events":
        self.answer = await self._asked.__aenter__()
        assert self.answer.status == 200
        return self

    async def __aexit__(self, *error: object) -> None:
        self.answer.close()

    async def take(self, count: int) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while len(items) < count:
                line = (await self.answer.content.readline()).decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last = value
                elif name == "data":
                    items += json.loads(value)["items"]
        return items


async def test_an_open_socket_hears_what_is_written_then(
    native: Native, rita: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the end is that a reader begins at is settled before the socket opens, however long that takes."""
    inbox = native.context.store.inbox
    latest = inbox.latest

    async def slowly(space: int, mailboxes: list[int]) -> dict[int, int]:
        await asyncio.sleep(0.2)
        return await latest(space, mailboxes)

    monkeypatch.setattr(inbox, "latest", slowly)
    async with native.session.ws_connect(f"{native.url}{URL}/ws", headers=bearer(rita)) as ws:
        await native.send("rita", "at once")
        assert [item["title"] for item in await take(ws, 1)] == ["at once"]


async def test_a_socket_resumes_where_it_stopped(native: Native, rita: str) -> None:
    """Two connections, one after the other, see every message once and in order."""
    for number in range(3):
        await native.send("rita", f"m{number}")
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as ws:
        first = await take(ws, 3)
        await native.send("rita", "m3")
        first += await take(ws, 1)
    await native.send("rita", "m4")
    after = first[-1]["rev"]
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after={after}", headers=bearer(rita)) as ws:
        second = await take(ws, 1)

    assert [item["title"] for item in first + second] == ["m0", "m1", "m2", "m3", "m4"]


async def test_without_a_position_a_stream_begins_with_what_comes(native: Native, rita: str) -> None:
    """A new reader that wants no past gets none."""
    await native.send("rita", "past")
    async with (
        native.session.ws_connect(f"{native.url}{URL}/ws", headers=bearer(rita)) as ws,
        Events(native, rita) as events,
    ):
        async with asyncio.timeout(10):
            while native.api.hub.count < 2:
                await asyncio.sleep(0.005)
        await native.send("rita", "future")

        assert [item["title"] for item in await take(ws, 1)] == ["future"]
        assert [item["title"] for item in await events.take(1)] == ["future"]


async def test_events_resume_by_their_id(native: Native, rita: str) -> None:
    """EventSource sends the last id it has; the stream goes on right after it."""
    for number in range(3):
        await native.send("rita", f"m{number}")
    async with Events(native, rita, query="?after=1") as events:
        assert events.answer.content_type == "text/event-stream"
        assert [item["title"] for item in await events.take(2)] == ["m1", "m2"]
    await native.send("rita", "m3")
    async with Events(native, rita, last=events.last) as again:
        assert [item["title"] for item in await again.take(1)] == ["m3"]
    async with asyncio.timeout(10):
        while native.api.hub.count:
            await asyncio.sleep(0.005)


async def test_a_quiet_stream_has_a_heartbeat(native: Native, rita: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment keeps proxies from closing a stream on which nothing happens."""
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.01)
    async with Events(native, rita) as events, asyncio.timeout(10):
        assert await events.answer.content.readline() == b"retry: 2000\n"
        assert await events.answer.content.readline() == b"\n"
        assert await events.answer.content.readline() == b": \n"


async def test_both_pages_of_a_person_see_a_reading(native: Native, rita: str) -> None:
    """What one page marks as read, the other shows as read, in the same place of the order."""
    await native.send("rita")
    async with (
        native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as one,
        Events(native, rita, query="?after=0") as other,
    ):
        await take(one, 1)
        await other.take(1)
        await native.call("POST", f"{URL}/1/read", rita)
        read = await take(one, 1)

        assert read == await other.take(1)
        assert (read[0]["rev"], read[0]["read_at"] is not None) == (2, True)


async def test_what_a_client_says_is_heard_or_ignored(native: Native, rita: str) -> None:
    """``taken`` is written down; anything else a client sends does no harm."""
    await native.send("rita")
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as ws:
        await take(ws, 1)
        for text in ("", "{", "[]", '{"taken":"x"}', '{"taken":-5}', '{"other":1}'):
            await ws.send_str(text)
        await ws.send_bytes(b"\xff\x00")
        await ws.send_str('{"taken":1}')
        row = (await native.context.store.timelines.messages(Sought(space=native.space)))[0]
        async with asyncio.timeout(10):
            while not (await native.context.store.timelines.timeline(row)).inbox.taken:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("query", ["?after=x", "?after=-1", "?after=99999999999999999999999"])
async def test_a_bad_position_is_refused(native: Native, rita: str, query: str) -> None:
    """A position that is no number ends the socket with 4400 and the event stream with 422."""
    async with native.session.ws_connect(f"{native.url}{URL}/ws{query}", headers=bearer(rita)) as ws:
        await ws.receive()
        assert ws.close_code == 4400
    assert (await native.call("GET", f"{URL}/stream{query}", rita))[0] == 422


async def test_head_opens_no_stream(native: Native, rita: str) -> None:
    """HEAD tells the headers and ends: it does not hold a reader."""
    async with native.session.head(f"{native.url}{URL}/stream", headers=bearer(rita)) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
    assert native.api.hub.count == 0


class DeafSocket:
    """A client that opens a stream and then reads nothing."""

    def __init__(self, native: Native, token: str, *, websocket: bool) -> None:
        self._port = int(native.url.rsplit(":", 1)[1])
        upgrade = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        path = "/ws" if websocket else "/stream"
        self._request = (
            f"GET {URL}{path}?after=0 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"
            f"{upgrade if websocket else ''}\r\n"
        ).encode()

    async def open(self) -> "DeafSocket":
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self._port))
        await loop.sock_sendall(self.socket, self._request)
        return self

    async def rest(self) -> bytes:
        """Everything that still comes; the connection must end."""
        loop = asyncio.get_running_loop()
        found = b""
        try:
            while piece := await loop.sock_recv(self.socket, 65536):
                found += piece
        except ConnectionResetError:
            pass
        finally:
            self.socket.close()
        return found


@pytest.mark.parametrize("websocket", [True, False])
async def test_a_deaf_reader_is_cut_and_nobody_else_waits(native: Native, rita: str, websocket: bool) -> None:
    """Who reads nothing is cut when 256 KiB wait; the sender and the other reader do not notice; nothing is lost."""
    deaf = await DeafSocket(native, rita, websocket=websocket).open()
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as ws:
        async with asyncio.timeout(10):
            while native.api.hub.count < 2:
                await asyncio.sleep(0.005)
        sent = 0
        body = "x" * 15_000
        while native.api.hub.cut == 0:
            await native.send("rita", f"m{sent}", body=body)
            assert (await take(ws, 1))[0]["title"] == f"m{sent}"
            sent += 1
            assert sent < 500, "the deaf reader was never cut"

        async with asyncio.timeout(10):
            came = await deaf.rest()
            while native.api.hub.count > 1:
                await asyncio.sleep(0.005)
    got = came.count(b'"kind":"entry"')
    after = max((int(part.split(b",")[0]) for part in came.split(b'"rev":')[1:]), default=0)
    assert got < sent
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after={max(0, after - 1)}", headers=bearer(rita)) as ws:
        back = await take(ws, sent - max(0, after - 1))
    assert [item["rev"] for item in back] == list(range(max(0, after - 1) + 1, sent + 1))


async def test_a_thousand_messages_while_clients_reconnect(native: Native, rita: str) -> None:
    """Ten clients that drop and return all the time see each of 1,000 messages once, in order (RELIABILITY R17)."""
    total = 1000
    token = await native.token("send")

    async def client() -> list[int]:
        revs: list[int] = [0]
        while revs[-1] < total:
            url = f"{native.url}{URL}/ws?after={revs[-1]}"
            async with native.session.ws_connect(url, headers=bearer(rita)) as ws:
                for _ in range(min(137, total - revs[-1])):
                    revs.append((await take(ws, 1))[0]["rev"])
        return revs[1:]

    async def send() -> None:
        for start in range(0, total, 20):
            calls = [
                native.call("POST", "/api/v1/messages", token, {"to": "rita", "title": f"m{start + number}"})
                for number in range(20)
            ]
            assert {status for status, _ in await asyncio.gather(*calls)} == {201}

    async with asyncio.timeout(90):
        *seen, _ = await asyncio.gather(*(client() for _ in range(10)), send())

    assert all(revs == list(range(1, total + 1)) for revs in seen)


async def test_a_marker_and_a_removal_come_over_the_wire(native: Native, rita: str) -> None:
    """The other two kinds of items have their own shapes."""
    await native.send("rita")
    await native.send("rita")
    async with native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as ws:
        await take(ws, 2)
        await native.call("POST", f"{URL}/read", rita, {"up_to": 2})
        await native.call("DELETE", f"{URL}/1", rita)
        marker, removed = await take(ws, 2)

    assert set(marker) == {"kind", "rev", "seq", "at"}
    assert (marker["kind"], marker["rev"], marker["seq"]) == ("read_up_to", 3, 2)
    assert removed == {"kind": "removed", "rev": 4, "seq": 1}


async def test_a_stop_lets_every_reader_go(native: Native, rita: str) -> None:
    """When the node stops, sockets end with 1012 and event streams end, so that clients resume elsewhere."""
    async with (
        native.session.ws_connect(f"{native.url}{URL}/ws?after=0", headers=bearer(rita)) as ws,
        Events(native, rita, query="?after=0") as events,
    ):
        await native.send("rita")
        await take(ws, 1)
        await events.take(1)
        for reader in native.api.hub.readers():
            native.api.hub.end(reader, "stopping")

        await ws.receive(timeout=10)
        assert ws.close_code == 1012
        async with asyncio.timeout(10):
            assert await events.answer.content.read() == b"\n"
