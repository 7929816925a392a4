"""R4: a full disk. No success without a row; each service's own "system error"; back without a restart."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp
import pytest
from tests.faults.disks import Disk, file_limit, full_disk
from tests.faults.senders import Load, five, inbox_texts, ready_within, status_of
from tests.process import ServerProcess

BACK_S = 10.0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", [full_disk, pytest.param(file_limit, marks=pytest.mark.all)])
async def test_a_full_disk_refuses_and_recovers(tmp_path: Path, kind: Callable[[Path], AbstractContextManager[Disk]]):
    """While the disk is full all five services answer their system error and /readyz 503; then all goes on."""
    with kind(tmp_path / "disk") as disk:
        async with ServerProcess(disk.data) as server, aiohttp.ClientSession() as session:
            ways = await five(server.url, wecom="zhangsan")
            load = Load(lambda _: server.url, await five(server.url))
            async with load.running(16):
                await load.reach(100)
                disk.fill(server.pid)
                await ready_within(server.url, 503, 10)
                refusals = [await way(session, server.url, "refused-1") for way in ways]
                assert await status_of(session, f"{server.url}/healthz") == 200
                accepted = len(load.accepted)
                disk.free(server.pid)
                back = await ready_within(server.url, 200, BACK_S)
                await load.more(100)
            texts = set(await inbox_texts(server.url))

            print(f"{disk.kind}: {accepted} before, ready again after {back:.1f} s, lost {len(load.accepted - texts)}")
            assert [reply.dialect for reply in refusals if not reply.is_system_error] == [], refusals
            assert await inbox_texts(server.url, "refused") == []
            assert load.accepted - texts == set()
            assert load.broken == 0
            odd = [reply for reply in load.refused if not (reply.is_system_error or reply.is_rate_limit)]
            assert odd == []
            assert await server.stop() == 0
