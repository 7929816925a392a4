"""``onebell serve``: a node with its listener and its control socket, until it is told to stop."""

import gc
import sys
from pathlib import Path

from onebell import demo, directory
from onebell.app import SECTIONS, Application
from onebell.commands import execute
from onebell.control import Call, ControlServer, Reply
from onebell.http.server import HttpServer
from onebell.settings import Settings

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the others waiting (DESIGN §4: p99 of an accept fell from 76 to 14 ms)."""


async def serve(settings: Settings, *, demo_space: bool) -> None:
    """Run a node until SIGTERM or SIGINT; print one line when it accepts."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    async with Application(settings) as application:
        if demo_space:
            await directory.apply(application.context.store, SECTIONS, demo.directory(), dry_run=False)
        control = ControlServer(Path(settings.data), lambda call: _command(application, call))
        await control.open()

        async def ready(url: str) -> None:
            application.outbound.keep_off([(settings.host, server.port)])
            await _greet(application, url, demo_space=demo_space)

        server = HttpServer(application.router, settings, application.stop, ready)
        application.start()
        # What start-up made lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await server.serve()
        await control.close()


async def _greet(application: Application, url: str, *, demo_space: bool) -> None:
    print(f"onebell ready on {url}", flush=True)
    link = await application.setup_link(url)
    if link is not None:
        print(f"set-up link (works once): {link}", flush=True)
    if demo_space:
        print("try it (alice signs in with alice-password):", *demo.curl_lines(url), sep="\n", flush=True)


async def _command(application: Application, call: Call) -> Reply:
    return await execute(application.context, application.tools, call)
