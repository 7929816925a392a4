"""A way to a server that a test can cut, and turn to another server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_CHUNK = 65_536


class Cuttable:
    """Passes connections on to ``target``."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.opened = 0
        """Connections until now."""
        self.silence_at = b""
        """From the moment on when the server says this, nothing that its client says arrives, until it is cut."""
        self._is_silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset every connection that is open now."""
        self.silence_at, self._is_silent = b"", False
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends."""
        self.opened += 1
        place = urlsplit(self.target)
        back_reader, back_writer = await asyncio.open_connection(place.hostname, place.port)
        both = {writer, back_writer}
        self._writers |= both
        pumps = [
            asyncio.create_task(self._up(reader, back_writer)),
            asyncio.create_task(self._down(back_reader, writer)),
        ]
        self._pumps.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for one in both:
            one.transport.abort()
        await asyncio.wait(pumps)
        self._writers -= both
        self._pumps.difference_update(pumps)

    async def end(self) -> None:
        """Cut everything for good."""
        self.cut()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                if not self._is_silent:
                    sink.write(data)
                    await sink.drain()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                self._is_silent |= bool(self.silence_at) and self.silence_at in data
                sink.write(data)
                await sink.drain()


@asynccontextmanager
async def cuttable(target: str) -> AsyncIterator[Cuttable]:
    """A way to ``target`` at an address of its own."""
    way = Cuttable(target)
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        server.close()
        await way.end()
        await server.wait_closed()
