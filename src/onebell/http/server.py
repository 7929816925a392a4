"""uvicorn as onebell runs it: one process, our protocol, our way to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from onebell.errors import OnebellError
from onebell.http.protocol import LenientProtocol
from onebell.http.proxies import BehindProxies
from onebell.http.router import Router
from onebell.http.socket_protocol import SocketProtocol
from onebell.settings import Settings

log = structlog.get_logger()

_KEEP_ALIVE_S = 75
_SOCKET_MESSAGE_BYTES = 1024 * 1024
_UNSENT_IN_KERNEL = 128 * 1024
"""Linux takes up to 4 MiB a connection that nobody reads: a slow reader would not be seen, and none of it counted."""


class CannotListen(OnebellError):
    """The address is in use, or is none of this machine's."""


class HttpServer(uvicorn.Server):
    """Serves an ASGI application until told to stop; a second signal ends the process at once.

    Ending at once is safe: whatever was answered is committed, and leases hand open work to the next start.
    """

    def __init__(
        self,
        router: Router,
        settings: Settings,
        stopping: Callable[[], Awaitable[None]],
        ready: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                BehindProxies(router, settings.trusted_proxies) if settings.trusted_proxies else router,
                host=settings.host,
                port=settings.port,
                http=LenientProtocol,
                loop="uvloop",
                ws=SocketProtocol,
                ws_per_message_deflate=False,
                ws_max_size=_SOCKET_MESSAGE_BYTES,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # BehindProxies tells the caller's address
                timeout_keep_alive=_KEEP_ALIVE_S,
            )
        )
        self._drain_s = settings.drain_s
        self._stopping = stopping
        self._ready = ready

    @property
    def url(self) -> str:
        """Where it listens, with the port that was really taken."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def port(self) -> int:
        """The port that was really taken."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    def end(self) -> None:
        """Stop as the first signal does."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises ``CannotListen``."""
        try:
            await super().startup(sockets)
        except SystemExit as ended:  # uvicorn has logged why
            where = f"{self.config.host}:{self.config.port}"
            raise CannotListen(f"cannot listen on {where}: {_why(ended.__context__)}") from ended
        if self.started:
            self._bound_kernel_buffers()
            await self._ready(self.url)

    def _bound_kernel_buffers(self) -> None:
        """Connections inherit it from the socket that accepts them; macOS and Linux have it."""
        for listening in (one for server in self.servers for one in server.sockets):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        log.info("stopping", within_s=self._drain_s)
        ends = loop.time() + self._drain_s
        await self._stopping()
        # What is left of the time, and not as much again: one who never finishes his request must not lengthen it.
        self.config.timeout_graceful_shutdown = max(1, int(ends - loop.time()) - 1)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals():
            yield
            # uvicorn raises the signal once more when it has stopped serving. That would end the process before the
            # store, the node's number and the control socket are let go: the next start would find an unclean stop.
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            log.warning("stopped_at_once", signal=signal.Signals(sig).name)
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def _why(error: BaseException | None) -> str:
    """In the system's words. asyncio's own text of a failed bind names the address again; a name that is not found has
    a number that is no errno."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "see the log"
