"""One running server per module, with the apps of the acceptance cases."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from tests.engines import settings_for
from tests.running import running
from tests.service import ENGINES
from tests.wire.easemob.desk import Desk, ShiftedClock, directory_text

from onebell import directory
from onebell.app import SECTIONS
from onebell.clock import SystemClock


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A caller of a server whose clock a test may move. Each test takes users of its own."""
    settings = settings_for(request.param, request, tmp_path_factory.mktemp("easemob"))
    clock = ShiftedClock(SystemClock())
    async with running(msgspec.structs.replace(settings, port=0), clock) as server:
        text = directory_text(**getattr(request.module, "APP_SETTINGS", {}))
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        yield Desk(server, clock)
