"""A plain request and its answer: uvicorn's cycle without its events and channels, answered in one write."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, cast

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from onebell.http.exchange import Answer, Request, StreamAnswer

log = structlog.get_logger()

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class Answers(Protocol):
    """An application that can be asked directly (``http.router.Router``)."""

    async def answer(self, request: Request) -> Answer | StreamAnswer: ...


class _Unheard:
    """Stands for the event of a cycle that nobody waits on."""

    def set(self) -> None:
        """Nobody hears it."""


_UNHEARD: Any = _Unheard()


class PlainCycle(RequestResponseCycle):
    """A request that is complete when its work begins.

    To the protocol it is a cycle like any other. It becomes a whole one, with channels, when its answer is a stream.
    """

    message_event: Any = _UNHEARD
    disconnected = False
    response_complete = False

    def __init__(  # uvicorn's own is called by ``_unfold``
        self,
        protocol: HttpToolsProtocol,
        scope: Scope,
        before: RequestResponseCycle | None,
        *,
        keep_alive: bool,
        body: bytes = b"",
        headers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.protocol = protocol
        self.scope = scope  # type: ignore[assignment]
        self.before = before
        """Its predecessor on the connection, which is answered first."""
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.default_headers = protocol.server_state.default_headers
        self.keep_alive = keep_alive
        self.on_response = protocol.on_response_complete
        self.body = body  # type: ignore[assignment]
        self.headers = headers

    async def run_asgi(self, app: ASGIApp) -> None:  # type: ignore[override]
        """Have it answered, and write the answer."""
        scope = cast(Scope, self.scope)
        try:
            request = Request(scope, scope["raw_path"], bytes(self.body), self.receive, self.headers)
            answer = await cast(Answers, app).answer(request)
            if isinstance(answer, Answer):
                await write_whole(self, answer.status, answer.headers, answer.body)
                return
        except Exception:
            log.exception("answer_failed", method=scope["method"])
            self._unfold()
            await self.send_500_response()
            return
        self._unfold()
        await super().run_asgi(_sent(answer))

    async def receive(self) -> Any:
        """For streams: how they notice that the caller has gone."""
        if self.message_event is _UNHEARD:
            self._unfold()
        return await super().receive()

    def _unfold(self) -> None:
        """Become a cycle with channels; the body was read already."""
        disconnected, protocol = self.disconnected, self.protocol
        super().__init__(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=False,
            default_headers=self.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=self.keep_alive,
            on_response=self.on_response,
        )
        self.disconnected = disconnected
        self.more_body = False


def _sent(answer: StreamAnswer) -> Any:
    """An answer as an ASGI application."""

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await answer.send(scope, send)

    return app


async def write_whole(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
    """Answer a request in one write: head and body that are complete need no state between two ASGI messages.

    What two messages cost was a sixth of the whole work of a small request.

    Raises:
        ValueError: a header holds a line break.
    """
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if not cycle.disconnected:
        _write(cycle, status, headers, body)


@lru_cache(maxsize=64)
def _begun(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Status line, and the headers that all answers of one second have."""
    return STATUS_LINE[status] + b"".join(map(_line, headers))


@lru_cache(maxsize=512)
def _line(header: tuple[bytes, bytes]) -> bytes:
    line = b"%b: %b\r\n" % header
    if line.count(b"\n") != 1 or line.count(b"\r") != 1:
        raise ValueError("a header holds a line break")
    return line


def _write(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
    begun = _begun(status, tuple(cycle.default_headers))
    own = b"".join(map(_line, headers))
    close = b"" if cycle.keep_alive else b"connection: close\r\n"
    shown = b"" if cycle.scope["method"] == "HEAD" else body
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"%b%b%bcontent-length: %d\r\n\r\n%b" % (begun, own, close, len(body), shown))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
