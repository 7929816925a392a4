"""A foreign HTTP service on loopback: records the bytes it gets; answers, fails, hangs, redirects, never ends.

A raw asyncio server, so that a test sees exactly what went over the wire and can send what no library would.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class HttpService:
    """What it received, and the script that answers."""

    script: Script
    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    scheme: str = "http"
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answers(self, *scripts: Script) -> None:
        """Answer the next requests with these, one each; the last one stays."""
        queue = list(scripts)

        async def in_turn(request: Received, writer: asyncio.StreamWriter) -> None:
            script = queue.pop(0) if len(queue) > 1 else queue[0]
            await script(request, writer)

        self.script = in_turn

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, as long as the script keeps it."""
        self.connections += 1
        self._writers.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                await self.script(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def drop_all(self) -> None:
        """Cut every open connection."""
        for writer in list(self._writers):
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


@asynccontextmanager
async def http_service(script: Script | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpService]:
    """A running service; by default it answers 200 and an empty JSON object."""
    service = HttpService(script or answer(200, {}), scheme="https" if tls else "http")
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=tls, backlog=256)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        service.drop_all()
        await server.wait_closed()


def raw(head: str, body: bytes = b"", *, then_close: bool = False) -> Script:
    """Answer with these bytes; ``head`` has no final blank line."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        if then_close:
            await writer.drain()
            writer.close()

    return script


def answer(status: int, value: object = b"", **headers: str) -> Script:
    """A complete answer; anything but bytes goes out as JSON. ``retry_after="5"`` becomes ``retry-after: 5``."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    head = "\n".join([f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *lines])
    return raw(head, body)


def redirect(status: int, location: str) -> Script:
    """A redirect with an empty body."""
    return answer(status, location=location)


def hang() -> Script:
    """Take the request and say nothing."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return script


def drop() -> Script:
    """Take the request and cut the connection."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    return script


def endless(chunk: bytes = b"x" * 65_536, head: str = "HTTP/1.1 200 OK\nconnection: close") -> Script:
    """A body that never ends."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)  # drain alone gives way only when the buffer is full

    return script


def trickle() -> Script:
    """A body of which a byte comes now and then."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    return script


def endless_headers() -> Script:
    """A head that never ends."""

    async def script(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while True:
            number += 1
            writer.write(b"x-%d: " % number + b"y" * 4096 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    return script
