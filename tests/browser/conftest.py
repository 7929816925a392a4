"""Real Chromium before a real server: one browser per worker, one server and fresh contexts per test.

Everything here runs on the session's event loop, because a browser outlives the test that starts it.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect
from tests.browser.desk import SOON_MS, Desk
from tests.browser.quiet import quiet_settings
from tests.engines import missing
from tests.running import DemoStore, RunningServer, running
from tools.chromium import CHROMIUM, SWITCHES

from onebell.console.pages import WEB
from onebell.settings import Settings

HERE = Path(__file__).parent

expect.set_options(timeout=SOON_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; skips when Chromium or the built page is missing."""
    if not os.access(CHROMIUM, os.X_OK):
        missing("no Chromium at /usr/bin/chromium")
    if not (WEB / "index.html").is_file():
        missing("the web app is not built (make web)")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def quiet_store(demo_store: DemoStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo space without its ways out, to copy from."""
    settings = await quiet_settings(await demo_store.sqlite(tmp_path_factory.mktemp("quiet")))
    return Path(settings.data)


@pytest.fixture
def settings(quiet_store: Path, tmp_path: Path) -> Settings:
    """A copy of it."""
    data = shutil.copytree(quiet_store, tmp_path / "server")
    return Settings(data=str(data), port=0)


@pytest_asyncio.fixture(loop_scope="session")
async def server(settings: Settings) -> AsyncIterator[RunningServer]:
    """A server on it."""
    async with running(settings) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def desk(chromium: Browser, server: RunningServer) -> AsyncIterator[Desk]:
    """Pages before the server, and callers of its APIs."""
    desk = Desk(chromium, server)
    yield desk
    await desk.close()
