"""Two nodes on one PostgreSQL, with NATS or without, and a round robin in front of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from tests.engines import Cluster
from tests.fakes.nats_process import NatsProcess, nats_process
from tests.running import DemoStore, RunningServer, running

from onebell.settings import Settings

POLL_S = 0.3
"""Without NATS the nodes find what they were not told of by looking."""
_CHUNK = 65_536


@dataclass
class Pair:
    """Two nodes of one store."""

    a: RunningServer
    b: RunningServer
    nats: NatsProcess | None

    def url(self, number: int) -> str:
        """The nodes in turn."""
        return (self.a, self.b)[number % 2].url


async def settings_of_two(store: DemoStore, place: Path, cluster: Cluster, **more: Any) -> list[Settings]:
    """Settings of two nodes with the same key on the same database."""
    first = msgspec.structs.replace(await store.postgres(place / "a", cluster), **more)
    (place / "b").mkdir()
    (place / "b" / "server.key").write_bytes((place / "a" / "server.key").read_bytes())
    return [first, msgspec.structs.replace(first, data=str(place / "b"))]


@asynccontextmanager
async def running_pair(
    store: DemoStore, place: Path, cluster: Cluster, *, nats: bool, **more: Any
) -> AsyncIterator[Pair]:
    """Two running nodes. With NATS they hardly poll: a poll would hide a bell that does not ring."""
    async with AsyncExitStack() as stack:
        bell = stack.enter_context(nats_process(place / "nats")) if nats else None
        more = {"poll_s": 60.0 if bell else POLL_S, "nats_url": bell.url if bell else "", **more}
        two = await settings_of_two(store, place, cluster, **more)
        a, b = [await stack.enter_async_context(running(settings)) for settings in two]
        if bell:
            await until(lambda: is_connected(a) and is_connected(b))
        yield Pair(a, b, bell)


def is_connected(node: RunningServer) -> bool:
    """Whether a node reaches NATS now."""
    return bool(getattr(node.application.context.bell, "is_connected", False))


async def until(condition: Callable[[], bool], within_s: float = 20) -> None:
    """Wait for something that another task does."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def round_robin(pair: Pair) -> AsyncIterator[RunningServer]:
    """One address for both nodes: each connection goes to the next one, and the session keeps none."""
    turns = cycle((pair.a.url, pair.b.url))
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(next(turns))
        back_reader, back_writer = await asyncio.open_connection(place.hostname, place.port)
        both = [asyncio.create_task(_pump(reader, back_writer)), asyncio.create_task(_pump(back_reader, writer))]
        pumps.update(both)
        await asyncio.wait(both)
        pumps.difference_update(both)
        writer.close()
        back_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield replace(pair.a, url=f"http://127.0.0.1:{port}", session=session)
    server.close()
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    await server.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """One direction until its end; what nobody takes any more is read all the same, or the sender gets a reset."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read(_CHUNK):
            with contextlib.suppress(ConnectionError):
                sink.write(data)
                await sink.drain()
        sink.write_eof()
