"""R5: the database goes away or is locked, and comes back by itself."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from tests.engines import Cluster
from tests.faults.senders import Load, five, inbox_texts, ready_within
from tests.running import DemoStore, running

BACK_S = 10.0


@pytest.mark.postgres
@pytest.mark.timeout(180)
async def test_postgresql_stops_and_starts_under_load(tmp_path: Path, demo_store: DemoStore, cluster: Cluster) -> None:
    """While it is away every service says so in its own words; afterwards nothing that was accepted is missing."""
    settings = await demo_store.postgres(tmp_path / "node", cluster)
    async with running(settings) as server, aiohttp.ClientSession() as session:
        ways = await five(server.url, wecom="zhangsan")
        load = Load(lambda _: server.url, await five(server.url))
        async with load.running(16):
            await load.reach(100)
            await asyncio.to_thread(cluster.stop, "immediate")
            try:
                await ready_within(server.url, 503, 60)
                refusals = [await way(session, server.url, "refused-1") for way in ways]
            finally:
                await asyncio.to_thread(cluster.start)
            back = await ready_within(server.url, 200, BACK_S)
            began = time.monotonic()
            await load.more(100)
        texts = set(await inbox_texts(server.url))

    print(
        f"PostgreSQL gone: ready again after {back:.1f} s, 100 more after {time.monotonic() - began:.1f} s, "
        f"{len(load.accepted)} accepted, {len(load.accepted - texts)} lost"
    )
    assert [reply.dialect for reply in refusals if not reply.is_system_error] == [], refusals
    assert load.accepted - texts == set()


@contextlib.contextmanager
def locked(database: Path) -> Iterator[int]:
    """Somebody else holds SQLite's write lock; how many messages were stored before."""
    foreign = sqlite3.connect(database, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    try:
        yield int(foreign.execute("SELECT count(*) FROM message").fetchone()[0])
    finally:
        foreign.execute("ROLLBACK")
        foreign.close()


async def test_a_short_foreign_lock_only_delays(tmp_path: Path, demo_store: DemoStore) -> None:
    """A backup tool or a shell that holds SQLite's lock for a while makes senders wait; none is refused."""
    settings = await demo_store.sqlite(tmp_path / "node")
    async with running(settings) as server:
        load = Load(lambda _: server.url, await five(server.url))
        async with load.running(8):
            await load.reach(50)
            with locked(tmp_path / "node" / "onebell.db") as stored:
                await asyncio.sleep(1.5)
                assert len(load.accepted) <= stored
            await load.more(50)
        texts = set(await inbox_texts(server.url))

    assert load.accepted - texts == set()
    assert {reply.dialect for reply in load.refused if reply.is_system_error} == set()


@pytest.mark.all
async def test_a_long_foreign_lock_is_unavailability(tmp_path: Path, demo_store: DemoStore) -> None:
    """Held for longer than the server waits, the lock makes every service answer its system error, and /readyz 503."""
    settings = await demo_store.sqlite(tmp_path / "node")
    async with running(settings) as server, aiohttp.ClientSession() as session:
        ways = await five(server.url, wecom="zhangsan")
        with locked(tmp_path / "node" / "onebell.db"):
            refusals = await asyncio.gather(*(way(session, server.url, "refused-1") for way in ways))
            await ready_within(server.url, 503, 30)
        await ready_within(server.url, 200, BACK_S)
        texts = set(await inbox_texts(server.url, "refused"))

        assert [reply.dialect for reply in refusals if not reply.is_system_error] == [], refusals
        assert texts == set()
        assert [reply for way in ways if not (reply := await way(session, server.url, "after-1")).is_success] == []
