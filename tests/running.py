"""A real server inside a test: the whole application behind its own listener, on a copy of a prepared store."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tests.engines import Cluster

from onebell import demo, directory
from onebell.app import SECTIONS, Application
from onebell.clock import Clock, SystemClock
from onebell.http.server import HttpServer
from onebell.settings import Settings

ALICE = ("alice", "alice-password")
BOB = ("bob", "bob-password")


@dataclass(frozen=True)
class RunningServer:
    """A node that answers at ``url``."""

    url: str
    application: Application
    session: aiohttp.ClientSession

    async def sign_in(self, uid: str, password: str) -> str:
        """A bearer token for somebody's inbox."""
        body = {"uid": uid, "password": password}
        async with self.session.post(f"{self.url}/api/v1/login", json=body) as answer:
            return str((await answer.json())["token"])

    async def inbox(self, person: tuple[str, str] = ALICE, after: int = 0) -> list[dict[str, Any]]:
        """What a reader sees of his inbox after a rev."""
        headers = {"Authorization": f"Bearer {await self.sign_in(*person)}"}
        async with self.session.get(f"{self.url}/api/v1/inbox?after={after}&limit=200", headers=headers) as answer:
            return list((await answer.json())["items"])


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[RunningServer]:
    """Start the application and its listener on a free port; stop both gracefully."""
    async with Application(settings, clock or SystemClock()) as application, aiohttp.ClientSession() as session:
        accepts: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def ready(url: str) -> None:
            accepts.set_result(url)

        server = HttpServer(application.router, settings, application.stop, ready)
        application.start()
        serving = asyncio.create_task(server.serve())
        try:
            yield RunningServer(await accepts, application, session)
        finally:
            await session.close()
            server.should_exit = True
            await serving


class DemoStore:
    """The demo space, applied once and copied for every test that wants it."""

    def __init__(self, place: Path) -> None:
        self._place = place / "template"
        self._databases: dict[str, str] = {}

    async def _apply(self, settings: Settings) -> None:
        async with Application(settings) as application:
            await directory.apply(application.context.store, SECTIONS, demo.directory(), dry_run=False)

    async def sqlite(self, data: Path) -> Settings:
        """A copy on SQLite."""
        if not self._place.exists():
            await self._apply(Settings(data=str(self._place)))
        shutil.copytree(self._place, data, dirs_exist_ok=True)
        return Settings(data=str(data), port=0)

    async def postgres(self, data: Path, cluster: Cluster) -> Settings:
        """A copy on PostgreSQL."""
        data.mkdir(parents=True, exist_ok=True)
        if "postgres" not in self._databases:
            template = cluster.template()
            key_place = self._place.with_name("template-postgres")
            await self._apply(Settings(data=str(key_place), database_url=template))
            self._databases["postgres"] = template
        key_place = self._place.with_name("template-postgres")
        shutil.copy(key_place / "server.key", data / "server.key")
        url = cluster.copy_of(self._databases["postgres"])
        return Settings(data=str(data), port=0, database_url=url)
