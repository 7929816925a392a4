"""``onebell serve``: a node with its listener and its control socket, until it is told to stop; or without, for one
command."""

import asyncio
import contextlib
import gc
import sys
from pathlib import Path

import structlog

from onebell import demo, directory
from onebell.app import SECTIONS, Application
from onebell.clock import SystemClock
from onebell.commands import execute
from onebell.control import Call, ControlServer, Reply
from onebell.core.bell import ConfigChanged
from onebell.core.waking import woken
from onebell.errors import Conflict, StoreUnavailable
from onebell.http.server import HttpServer
from onebell.settings import Settings
from onebell.store.engine import open_database

log = structlog.get_logger()

LOOK_S = 30.0
"""How often public URLs are looked at although no bell has rung."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the others waiting (DESIGN §4: p99 of an accept fell from 76 to 14 ms)."""


async def run(settings: Settings, call: Call) -> Reply:
    """Run one command on a data directory that no server holds.

    Raises:
        OnebellError: it cannot be done.
    """
    async with Application(settings) as application:
        return await execute(application.context, application.tools, call)


async def migrate(settings: Settings) -> str:
    """Bring the database to this version's tables; what to tell."""
    database = await open_database(settings, SystemClock())  # opening brings it up to date
    await database.close()
    return f"the {database.kind} database has this version's tables"


async def serve(settings: Settings, *, demo_space: bool) -> None:
    """Run a node until SIGTERM or SIGINT; print one line when it accepts.

    Raises:
        CannotListen: the address is in use, or none of this machine's.
        NodeLost: another node has taken this one's number; it was stopped as by a signal.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    async with Application(settings) as application:
        await _describe(application, demo.directory(settings.port) if demo_space else "")
        control = ControlServer(Path(settings.data), lambda call: _command(application, call))
        await control.open()

        following: list[asyncio.Task[None]] = []

        async def ready(url: str) -> None:
            own = _OwnAddresses(application, settings.host, server.port)
            await own.tell()
            following.append(asyncio.create_task(own.follow(), name="own_addresses"))
            await _greet(application, url, demo_space=demo_space)

        server = HttpServer(application.router, settings, application.stop, ready)
        application.start(server.end)
        # What start-up made lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        try:
            await server.serve()
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            await control.close()
        if application.lost is not None:
            raise application.lost


class _OwnAddresses:
    """Keeps the outbound client off this server: a message that came back in would go round for ever."""

    def __init__(self, application: Application, host: str, port: int) -> None:
        self._application = application
        self._listening = [(host, port)]
        self._changed = asyncio.Event()
        application.context.bell.listen(ConfigChanged, lambda _: self._changed.set())

    async def tell(self) -> None:
        """Where we listen, and how the world calls us: the spaces' public URLs."""
        spaces = await self._application.context.lookups.spaces()
        self._application.outbound.keep_off(self._listening, [space.public_url for space in spaces])

    async def follow(self) -> None:
        """Tell again whenever a space may have changed, until cancelled."""
        while True:
            await woken(self._changed, LOOK_S)
            self._changed.clear()
            try:
                await self.tell()
            except StoreUnavailable:
                log.warning("own_addresses_unknown")


async def _describe(application: Application, demo_file: str) -> None:
    """The demo's file, if there is one; else, where nobody has described anything yet, a space to be set up.

    A demo that somebody has set up is his: its file would give him the password back that everybody can read.
    """
    store, spaces = application.context.store, await application.context.lookups.spaces()
    if demo_file and not (spaces and await store.sessions.is_set_up(spaces[0].id)):
        await directory.apply(store, SECTIONS, demo_file, dry_run=False)
    elif not spaces:
        with contextlib.suppress(Conflict):  # another node has just made it
            await directory.apply(store, SECTIONS, "", dry_run=False)


async def _greet(application: Application, url: str, *, demo_space: bool) -> None:
    print(f"onebell ready on {url}", flush=True)
    link = await application.setup_link(url)
    if link is not None:
        print(f"set-up link (works once): {link}", flush=True)
    if demo_space:
        password = "the password you chose" if link is None else "alice-password"
        print(f"try it (alice signs in with {password}):", *demo.curl_lines(url), sep="\n", flush=True)


async def _command(application: Application, call: Call) -> Reply:
    return await execute(application.context, application.tools, call)
