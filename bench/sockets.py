"""A bare WebSocket client for fan-out: it parses frames just enough to count them, so that the server is measured."""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast


class CountingReader(asyncio.Protocol):
    """One connection that counts complete text frames and tells when each came in."""

    def __init__(self, host: str, path: str, token: str, on_frame: Callable[[bytes], None]) -> None:
        self._host = host
        self._token = token
        self._path = path
        self._on_frame = on_frame
        self._buffer = bytearray()
        self._upgraded = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            (
                f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                f"Authorization: Bearer {self._token}\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            status = bytes(self._buffer[:12])
            del self._buffer[: end + 4]
            if status != b"HTTP/1.1 101":
                self.open.set_exception(RuntimeError(f"no upgrade: {status!r}"))
                return
            self._upgraded = True
            self.open.set_result(None)
        self._take_frames()

    def _take_frames(self) -> None:
        buffer = self._buffer
        start = 0
        while len(buffer) - start >= 2:
            length, head = buffer[start + 1] & 0x7F, 2
            if length == 126:
                length, head = int.from_bytes(buffer[start + 2 : start + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(buffer[start + 2 : start + 10], "big"), 10
            end = start + head + length
            if len(buffer) < end:
                break
            opcode = buffer[start] & 0x0F
            if opcode == 1:
                self._on_frame(bytes(buffer[start + head : end]))
            elif opcode == 9 and self.transport is not None:
                self.transport.write(_pong(bytes(buffer[start + head : end])))
            start = end
        del buffer[:start]

    def close(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.abort()


def _pong(payload: bytes) -> bytes:
    return bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def connect(port: int, path: str, token: str, on_frame: Callable[[bytes], None]) -> CountingReader:
    """Open one reader."""
    loop = asyncio.get_running_loop()
    host = "127.0.0.1"
    _, reader = await loop.create_connection(
        lambda: CountingReader(f"{host}:{port}", path, token, on_frame), host, port
    )
    await reader.open
    return reader
