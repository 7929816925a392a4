"""R1: ``kill -9`` under load over all five dialects. What was answered with success is never lost."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.engines import Cluster
from tests.faults.senders import Load, five, inbox_texts
from tests.process import ServerProcess

BIG = os.environ.get("ONEBELL_TEST_ALL") == "1"
KILLS, WANTED = (20, 20_000) if BIG else (5, 5_000)
SENDERS = 40


async def kill_often(server: ServerProcess) -> None:
    """Kills at chance moments while messages are accepted; all of these must be there afterwards."""
    load = Load(lambda _: server.url, await five(server.url), "kill")
    chance = random.Random(20261121)
    async with load.running(SENDERS):
        for kill in range(1, KILLS + 1):
            await load.reach(WANTED * kill // KILLS)
            await asyncio.sleep(chance.random() / 4)
            await server.kill()
            await server.start()

    texts = await inbox_texts(server.url, "kill")
    lost = load.accepted - set(texts)
    print(f"kill -9: {KILLS} kills, {len(load.accepted)} accepted, {len(lost)} lost, {len(load.refused)} refused")
    assert await server.stop() == 0
    assert len(load.accepted) >= WANTED
    assert lost == set()
    assert len(texts) == len(set(texts))


@pytest.mark.timeout(1800)
async def test_no_accepted_message_is_lost(tmp_path: Path) -> None:
    """Of 5,000 accepted messages none is lost over five kills, none is there twice; ``test-all``: 20,000 and 20."""
    async with ServerProcess(tmp_path / "data") as server:
        await kill_often(server)


@pytest.mark.all
@pytest.mark.postgres
@pytest.mark.timeout(1800)
async def test_no_accepted_message_is_lost_on_postgresql(tmp_path: Path, cluster: Cluster) -> None:
    """The same with the messages in PostgreSQL."""
    async with ServerProcess(tmp_path / "data", {"ONEBELL_DATABASE_URL": cluster.database()}) as server:
        await kill_often(server)
