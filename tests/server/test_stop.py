"""A node that is told to stop ends cleanly (DESIGN §3: SIGTERM drains and loses nothing)."""

from pathlib import Path

import aiohttp
from tests.process import ServerProcess

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
