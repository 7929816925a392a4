"""A node that is told to stop ends cleanly (DESIGN §3: SIGTERM drains and loses nothing)."""

import asyncio
import gc
import sqlite3
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.process import ServerProcess
from tests.rows import SPACE, Rows

from onebell.app import Application
from onebell.clock import SystemClock
from onebell.core.model import Content, Part, PeopleQuery
from onebell.core.work import Spread
from onebell.serving import serve
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.engine import open_database
from onebell.store.nodes import NodeLost

SENT = {"token": "0123456789abcdef0123456789abcdef", "content": "written before the stop"}


async def test_the_first_signal_closes_everything(tmp_path: Path) -> None:
    """After SIGTERM the status is 0 and the store is closed: no log is left that the next start must check."""
    server = await ServerProcess(tmp_path).start()
    async with aiohttp.ClientSession() as session, session.post(f"{server.url}/send", json=SENT) as answer:
        assert (await answer.json(content_type=None))["code"] == 200

    assert await server.stop() == 0

    left = {path.name for path in tmp_path.iterdir()}
    assert "onebell.db" in left
    assert not left & {"onebell.db-wal", "control.sock"}


async def test_an_open_connection_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """A kept connection that is idle is closed; nobody has to hang up first."""
    server = await ServerProcess(tmp_path).start()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/healthz") as answer:
            assert answer.status == 200
        assert await server.stop() == 0


async def test_a_node_whose_number_was_taken_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen for longer than its lease, it would mint the ids of its successor: it stops serving, with an error."""
    monkeypatch.setattr("onebell.store.nodes.RENEW_S", 0.02)
    serving = asyncio.create_task(serve(Settings(data=str(tmp_path), port=0), demo_space=False))
    while not (tmp_path / "control.sock").exists():
        await asyncio.sleep(0.01)

    with sqlite3.connect(tmp_path / "onebell.db", timeout=10) as successor:
        successor.execute("UPDATE node SET name = 'successor'")

    with pytest.raises(NodeLost):
        await asyncio.wait_for(serving, 60)
    gc.unfreeze()


async def test_a_stop_in_the_middle_of_a_broadcast_leaves_no_lease(tmp_path: Path) -> None:
    """The page under way is written and the audience given back: the next start goes on at once, not after 45 s."""
    settings = Settings(data=str(tmp_path))
    database = await open_database(settings, SystemClock())
    rows = Rows(database)
    await rows.space()
    for start in range(0, 8_000, 500):
        await rows.people([f"u{number}" for number in range(start, start + 500)])
    message = await rows.message(state="expanding", parts=(Part(content=Content(body="all"), carriers=("inbox",)),))
    audience = msgspec.json.encode(Spread(audience=PeopleQuery(feed=9)))
    await rows.put(schema.expansion, [{"space_id": SPACE, "message_id": message, "no": 0, "audience": audience}])
    await database.close()

    async with Application(settings) as application:
        application.start()
        while await application.context.store.expansions.next_due() == 0:
            await asyncio.sleep(0.001)

    database = await open_database(settings, SystemClock())
    row = await Rows(database).one(schema.expansion)
    await database.close()
    assert row.done or row.lease_until == 0
