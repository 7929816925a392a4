"""Requests as bytes on a connection: plain ones go a short way, and nobody can tell (RFC 9112)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

import pytest

from onebell.errors import StoreUnavailable
from onebell.http.areas import TABLE
from onebell.http.exchange import Answer, Request, StreamAnswer, text_answer
from onebell.http.protocol import HEAD_BYTES, PLAIN_BYTES, LenientProtocol
from onebell.http.router import Handler, Router
from onebell.http.server import HttpServer
from onebell.settings import Settings

LIMIT = 2 * PLAIN_BYTES
PATIENCE_S = 10


class Route(NamedTuple):
    methods: tuple[str, ...]
    pattern: str
    handler: Handler


@dataclass
class Echo:
    """Answers with what it was asked; ``/api/v1/slow`` waits until it may, the stream until its reader has gone."""

    body_limit: int = LIMIT
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[bytes] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> list[Route]:
        return [
            Route(("GET", "POST"), "/api/v1/echo", self._echo),
            Route(("POST",), "/api/v1/slow", self._slow),
            Route(("GET",), "/api/v1/stream", self._stream),
            Route(("GET",), "/api/v1/broken", self._broken),
            Route(("GET",), "/api/v1/injected", self._injected),
        ]

    def no_route(self, request: Request) -> Answer:
        return text_answer(404, "no route")

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        return text_answer(405, "wrong method")

    def too_large(self, request: Request) -> Answer:
        return text_answer(413, "too large")

    def failed(self, request: Request, error: Exception) -> Answer:
        return text_answer(503, "failed")

    async def _echo(self, request: Request, values: tuple[str, ...]) -> Answer:
        told = (request.method, request.query.decode(), request.client, request.text_header(b"x-mark"))
        return text_answer(200, " ".join([*told, request.body.decode()[:40], str(len(request.body))]))

    async def _slow(self, request: Request, values: tuple[str, ...]) -> Answer:
        self.asked.append(request.body)
        await self.may_answer.wait()
        self.done.set()
        return text_answer(200, f"slow {request.body.decode()}")

    async def _stream(self, request: Request, values: tuple[str, ...]) -> StreamAnswer:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            assert request.receive is not None
            assert (await request.receive())["type"] == "http.disconnect"
            self.done.set()

        return StreamAnswer(200, chunks(), [(b"content-type", b"text/plain")])

    async def _broken(self, request: Request, values: tuple[str, ...]) -> Answer:
        raise StoreUnavailable("gone")

    async def _injected(self, request: Request, values: tuple[str, ...]) -> Answer:
        return Answer(200, b"", [(b"x-name", b"a\r\nset-cookie: b")])


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(PATIENCE_S):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = [line.split(": ", 1) for line in lines[1:] if line]
        return int(lines[0].split(" ")[1]), dict(fields)

    async def answer(self) -> tuple[int, str, dict[str, str]]:
        status, headers = await self.head()
        body = await self.reader.readexactly(int(headers["content-length"]))
        return status, body.decode(), headers

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


@dataclass
class Listener:
    server: HttpServer
    echo: Echo

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    def connection(self) -> LenientProtocol:
        (found,) = self.server.server_state.connections
        assert isinstance(found, LenientProtocol)
        return found


async def nothing_under_way() -> None: ...


@asynccontextmanager
async def listening(
    settings: Settings, stopping: Callable[[], Awaitable[None]] = nothing_under_way
) -> AsyncIterator[Listener]:
    echo = Echo()
    started = asyncio.Event()

    async def ready(_: str) -> None:
        started.set()

    server = HttpServer(
        Router({**dict.fromkeys([area.name for area in TABLE], echo), "rest": echo}, {}), settings, stopping, ready
    )
    task = asyncio.create_task(server.serve())
    await started.wait()
    try:
        yield Listener(server, echo)
    finally:
        echo.may_answer.set()
        server.should_exit = True
        await task


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with listening(Settings(port=0)) as one:
        yield one


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers]).encode() + b"\r\n\r\n"


ECHO = "/api/v1/echo"


async def test_a_connection_serves_one_request_after_the_other(listener: Listener) -> None:
    """A connection stays open between requests, and each sees its own head and body only."""
    async with listener.client() as client:
        await client.say(post(f"{ECHO}?a=1", b"one", "X-Mark: m"))
        assert (await client.answer())[:2] == (200, "POST a=1 127.0.0.1 m one 3")
        await client.say(get(ECHO))
        status, body, headers = await client.answer()

    assert (status, body) == (200, "GET  127.0.0.1   0")
    assert "date" in headers
    assert "connection" not in headers


async def test_bytes_may_come_one_by_one(listener: Listener) -> None:
    """How a request is cut into packets changes nothing."""
    async with listener.client() as client:
        await client.say(*[bytes([byte]) for byte in post(f"{ECHO}?q=消息", "一二".encode())])
        status, body, _ = await client.answer()

    assert (status, body) == (200, "POST q=%E6%B6%88%E6%81%AF 127.0.0.1  一二 6")


async def test_pipelined_requests_are_answered_in_order(listener: Listener) -> None:
    """Requests sent without waiting are worked on one after the other, whichever way each of them goes."""
    chunked = b"POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
    async with listener.client() as client:
        await client.say(post("/api/v1/slow", b"one") + chunked + post(ECHO, b"three") + chunked + post(ECHO, b"five"))
        while not listener.echo.asked:
            await asyncio.sleep(0)
        listener.echo.may_answer.set()
        bodies = [(await client.answer())[1] for _ in range(5)]

    said = "POST  127.0.0.1  "
    assert bodies == ["slow one", f"{said}two 3", f"{said}three 5", f"{said}two 3", f"{said}five 4"]


CHUNKED = "POST /api/v1/echo?q=块 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7\r\na\r\n一b\r\n0\r\n\r\n".encode()


@pytest.mark.parametrize("size", [3, 1000, 1_000_000])
async def test_where_a_request_ends_is_known_to_the_byte(listener: Listener, size: int) -> None:
    """Raw UTF-8 counts in every request line and nowhere else, however requests share their packets."""
    requests = [
        post(f"{ECHO}?q=一", "消\n息".encode(), "X-Mark: é"),
        b"\r\n" + get(f"{ECHO}?q=二"),
        CHUNKED,
        post(f"{ECHO}?q=三", "文".encode() * 22_000),
        post(f"{ECHO}?q=四", b""),
    ]
    stream = b"".join(requests)
    async with listener.client() as client:
        await client.say(*[stream[at : at + size] for at in range(0, len(stream), size)])
        bodies = [(await client.answer())[1] for _ in requests]

    asked = [quote(mark) for mark in "一二块三四"]
    assert [body.split()[1] for body in bodies] == [f"q={mark}" for mark in asked]
    assert [body.split()[-1] for body in bodies] == ["7", "0", "7", "66000", "0"]


@pytest.mark.parametrize("cut", [1, 30, 90, 1_000_000])
async def test_a_head_that_came_before_changes_nothing(listener: Listener, cut: int) -> None:
    """However its requests are cut, pipelined behind a slow one or led by a blank line, and on any connection."""
    known = post(f"{ECHO}?q=known", b"abc", "X-Mark: m")
    for _ in range(3):
        async with listener.client() as client:
            await client.say(known)
            await client.answer()
            await client.say(known[:-3] + b"two")
            assert (await client.answer())[1] == "POST q=known 127.0.0.1 m two 3"
            stream = post("/api/v1/slow", b"one") + known + b"\r\n" + known + known[:-3] + b"\r\n\r"
            await client.say(*[stream[at : at + cut] for at in range(0, len(stream), cut)])
            await client.say(known)
            listener.echo.may_answer.set()
            bodies = [(await client.answer())[1] for _ in range(5)]
        said = "POST q=known 127.0.0.1 m "
        assert bodies == ["slow one", f"{said}abc 3", f"{said}abc 3", f"{said}\r\n\r 3", f"{said}abc 3"]


async def test_what_looks_like_a_known_request_within_another_is_that_ones(listener: Listener) -> None:
    """Bytes are a request only where one begins: not in a body, however it comes, and not in a head."""
    known = post(ECHO, b"abc")
    size = len(known)
    around = [
        (post(ECHO, known)[:-size], b"", str(size)),
        (post(ECHO, b"x" * PLAIN_BYTES + known)[:-size], b"", str(PLAIN_BYTES + size)),
        (b"POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size,
         b"\r\n0\r\n\r\n", str(size)),
        (b"POST /api/v1/echo HTTP/1.1\r\nX-Long: ", b"", "3"),
    ]  # fmt: skip
    async with listener.client() as client:
        await client.say(known)
        await client.answer()
        for before, after, expected in around:
            await client.say(before)
            await asyncio.sleep(0.02)  # a packet of its own
            await client.say(known)
            await asyncio.sleep(0.02)
            await client.say(after)
            status, body, _ = await client.answer()
            assert (status, body.split()[-1]) == (200, expected)


async def test_an_offer_of_http_2_changes_nothing(listener: Listener) -> None:
    """Java's HttpClient makes one with every request over http: it is left unanswered, and the body is read."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAAAAIAAAAB", "Upgrade: h2c")
    head, _, body = post(ECHO, b"in another packet", *offer).partition(b"\r\n\r\n")
    async with listener.client() as client:
        await client.say(post(ECHO, b"one", *offer) + get(ECHO, *offer) + head + b"\r\n\r\n", body)
        bodies = [(await client.answer())[1] for _ in range(3)]

    assert bodies == ["POST  127.0.0.1  one 3", "GET  127.0.0.1   0", "POST  127.0.0.1  in another packet 17"]


async def test_a_body_that_comes_late_waits_its_turn(listener: Listener) -> None:
    """A second request whose body arrives after the first one's answer is answered then."""
    second = post(ECHO, b"late")
    async with listener.client() as client:
        await client.say(post("/api/v1/slow", b"one") + second[:-2])
        listener.echo.may_answer.set()
        assert (await client.answer())[1] == "slow one"
        await client.say(second[-2:])
        assert (await client.answer())[1] == "POST  127.0.0.1  late 4"


async def test_head_has_no_body(listener: Listener) -> None:
    """HEAD is GET without the body; what follows on the connection is the next answer."""
    async with listener.client() as client:
        await client.say(get(ECHO, method="HEAD") + get(ECHO))
        status, headers = await client.head()
        assert (status, headers["content-length"]) == (200, "19")
        assert (await client.answer())[1] == "GET  127.0.0.1   0"


@pytest.mark.parametrize(
    "request_bytes", [get(ECHO, version="1.0"), get(ECHO, "Connection: close"), post(ECHO, b"", "Connection: close")]
)
async def test_a_connection_that_is_not_kept_is_closed(listener: Listener, request_bytes: bytes) -> None:
    """HTTP/1.0 and ``Connection: close`` end with the answer, which says so."""
    async with listener.client() as client:
        await client.say(request_bytes)
        status, _, headers = await client.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.rest() == b""


@pytest.mark.parametrize("size", [PLAIN_BYTES - 1, PLAIN_BYTES, PLAIN_BYTES + 1, LIMIT])
async def test_bodies_of_any_size_are_read_whole(listener: Listener, size: int) -> None:
    """Where the short way ends nothing changes for the caller."""
    async with listener.client() as client:
        await client.say(post(ECHO, b"x" * size))
        assert (await client.answer())[1].endswith(f" {size}")


async def test_expectations_are_met(listener: Listener) -> None:
    """``Expect: 100-continue`` gets its interim answer before the body is sent (curl does so beyond 1 MiB)."""
    whole = post(ECHO, b"body", "Expect: 100-continue")
    async with listener.client() as client:
        await client.say(whole[:-4])
        assert (await client.head())[0] == 100
        await client.say(whole[-4:])
        assert (await client.answer())[1] == "POST  127.0.0.1  body 4"


@pytest.mark.parametrize("size", [20, LIMIT + 1])
async def test_bodies_beyond_the_limit_are_refused(listener: Listener, size: int) -> None:
    """Each area says in its own words that a body is too large, whichever way the request goes."""
    listener.echo.body_limit = min(listener.echo.body_limit, size - 1)
    async with listener.client() as client:
        await client.say(post(ECHO, b"x" * size))
        assert (await client.answer())[:2] == (413, "too large")


async def test_areas_answer_their_own_errors(listener: Listener) -> None:
    """Unknown paths, methods and failures are answered by the area, and the connection goes on."""
    async with listener.client() as client:
        await client.say(get("/api/v1/none") + get(ECHO, method="PUT") + get("/api/v1/broken") + get(ECHO))
        assert [(await client.answer())[0] for _ in range(4)] == [404, 405, 503, 200]


async def test_no_header_can_be_smuggled_into_an_answer(listener: Listener) -> None:
    """A line break in a header's value is never written: the caller gets a 500."""
    async with listener.client() as client:
        await client.say(get("/api/v1/injected"))
        status, _, headers = await client.answer()

    assert status == 500
    assert "set-cookie" not in headers


async def test_what_is_no_request_gets_a_400(listener: Listener) -> None:
    """Bytes that are not HTTP are refused and the connection is closed."""
    async with listener.client() as client:
        await client.say(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_stream_notices_that_its_reader_has_gone(listener: Listener) -> None:
    """A streaming answer comes in pieces, and hears of the end of the connection."""
    async with listener.client() as client:
        await client.say(get("/api/v1/stream"))
        assert (await client.head())[1]["transfer-encoding"] == "chunked"
        assert await client.reader.readexactly(10) == b"5\r\nfirst\r\n"
    async with asyncio.timeout(PATIENCE_S):
        await listener.echo.done.wait()


async def test_work_goes_on_when_the_caller_has_gone(listener: Listener) -> None:
    """A message is stored to the end even if its sender hangs up before the answer."""
    async with listener.client() as client:
        await client.say(post("/api/v1/slow", b"one"))
        while not listener.echo.asked:
            await asyncio.sleep(0)
        protocol = listener.connection()
    while not protocol.cycle.disconnected:
        await asyncio.sleep(0)
    listener.echo.may_answer.set()
    async with asyncio.timeout(PATIENCE_S):
        await listener.echo.done.wait()
    while listener.server.server_state.tasks:
        await asyncio.sleep(0)


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {'A' * 22}==")


@pytest.mark.parametrize("last", [b"", get("/ws", *UPGRADE)], ids=["closed", "became a socket"])
async def test_a_connection_that_ends_leaves_no_task(listener: Listener, last: bytes) -> None:
    """One task answers a connection's requests, and none is left when there is no next one."""
    async with listener.client() as client:
        await client.say(post(ECHO, b"one"), post(ECHO, b"two"), post(ECHO, b"three") + post(ECHO, b"four"))
        for _ in range(4):
            await client.answer()
        assert len(answering()) == 1
        await client.say(last)
    async with asyncio.timeout(PATIENCE_S):
        while answering():
            await asyncio.sleep(0.01)


def answering() -> list[asyncio.Task[object]]:
    name = LenientProtocol._answer_each.__qualname__
    return [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == name]


async def test_half_a_request_leaves_nothing_behind(listener: Listener) -> None:
    """Who hangs up in the middle of a body is forgotten; nothing was begun."""
    async with listener.client() as client:
        await client.say(post("/api/v1/slow", b"one")[:-1])
        while not listener.server.server_state.connections:
            await asyncio.sleep(0)
    while listener.server.server_state.connections:
        await asyncio.sleep(0)

    assert not listener.server.server_state.tasks
    assert not listener.echo.asked


async def test_an_idle_connection_is_closed_after_a_while(listener: Listener) -> None:
    """The time that a connection may idle begins with each answer."""
    async with listener.client() as client:
        await client.say(get(ECHO))
        await client.answer()
        listener.connection().timeout_keep_alive = 0
        await client.say(get(ECHO))
        await client.answer()
        assert await client.rest() == b""


async def test_a_head_without_end_is_refused(listener: Listener) -> None:
    """Whether one header or many, in the head or behind a body: no more than 256 KiB of it is ever held (S2)."""
    many, one = b"X: " + b"y" * 1000 + b"\r\n", b"y" * 1000
    chunked = b"POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for start, piece in (
        (b"GET / HTTP/1.1\r\n", many),
        (b"GET /", one),
        (b"GET / HTTP/1.1\r\nX: ", one),
        (chunked, many),
    ):
        async with listener.client() as client:
            await client.say(start)
            with suppress(ConnectionError):
                for _ in range(3 * HEAD_BYTES // len(piece)):
                    await client.say(piece)
            with suppress(ConnectionError):
                said = await client.rest()
                assert said == b"" or said.startswith(b"HTTP/1.1 431 ")
    while listener.server.server_state.connections:
        await asyncio.sleep(0)


async def test_a_long_request_line_is_read_whole(listener: Listener) -> None:
    """A whole message in the query, as PushPlus' GET has it, is no attack."""
    async with listener.client() as client:
        await client.say(get(f"{ECHO}?content={'%E6%96%87' * 7_000}"))
        assert (await client.answer())[0] == 200


async def test_who_never_completes_his_request_is_closed(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither silence after the connection, nor half a head, nor half a body keeps a connection for ever."""
    monkeypatch.setattr("onebell.http.protocol.COMPLETE_S", 0.05)
    for half in (b"GET / HT", get(ECHO)[:-2], post(ECHO, b"one")[:-1]):
        async with listener.client() as client:
            await client.say(half)
            assert await client.rest() == b""
    monkeypatch.setattr(listener.server.config, "timeout_keep_alive", 0)
    async with listener.client() as client:
        assert await client.rest() == b""


async def test_a_stop_lets_the_request_under_way_end(listener: Listener) -> None:
    """While the server stops, what it took is still answered, and the answer says that the connection ends."""
    async with listener.client() as client:
        await client.say(post("/api/v1/slow", b"one"))
        while not listener.echo.asked:
            await asyncio.sleep(0)
        listener.server.should_exit = True
        while listener.connection().cycle.keep_alive:
            await asyncio.sleep(0.01)
        listener.echo.may_answer.set()
        status, body, headers = await client.answer()
        assert (status, body, headers["connection"]) == (200, "slow one", "close")
        assert await client.rest() == b""


async def test_requests_get_what_is_left_of_the_time_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work under way has used eight of the ten seconds: who never ends his request does not get ten more."""
    loop = asyncio.get_running_loop()
    time = loop.time

    async def eight_seconds() -> None:
        monkeypatch.setattr(loop, "time", lambda: time() + 8)

    async with listening(Settings(port=0, drain_s=10), eight_seconds) as listener:
        pass

    assert listener.server.config.timeout_graceful_shutdown == 1


async def test_a_trusted_proxy_names_the_caller() -> None:
    """Behind a proxy that the settings trust the caller's address is the one that it forwards."""
    chunked = post(ECHO, b"", "X-Forwarded-For: 203.0.113.8").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    async with listening(Settings(port=0, trusted_proxies=("127.0.0.0/8",))) as listener, listener.client() as client:
        for number in (9, 9, 10):
            await client.say(post(ECHO, b"x", f"X-Forwarded-For: 203.0.113.{number}"))
            assert (await client.answer())[1] == f"POST  203.0.113.{number}  x 1"
        await client.say(chunked + b"1\r\nx\r\n0\r\n\r\n")
        assert (await client.answer())[1] == "POST  203.0.113.8  x 1"


async def test_nobody_else_names_the_caller(listener: Listener) -> None:
    """Without a trusted proxy the header is only a header."""
    async with listener.client() as client:
        await client.say(post(ECHO, b"x", "X-Forwarded-For: 203.0.113.9"))
        assert (await client.answer())[1] == "POST  127.0.0.1  x 1"
