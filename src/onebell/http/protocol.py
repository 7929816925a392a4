"""uvicorn's HTTP protocol, made as lenient about the request line as the services onebell speaks for, and short.

PushPlus' own first example is a GET with raw UTF-8 in the URL (seed pushplus, example 1); clients behind an
``http_proxy`` send absolute-form targets; ``//send`` is used in the wild (sheet pushplus §1.1).

A plain request (no upgrade, no ``Expect``, not chunked, at most 64 KiB) is collected first and answered in one write.
uvicorn's cycle of events, channels and messages is left to all others: it cost a third of the work of an accept. One
whose head came before is not parsed again.
"""

import asyncio
import re
from functools import partial
from typing import Any, ClassVar, cast

import httptools
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from onebell.http.exchange import WHOLE_ANSWER, first_values
from onebell.http.heads import Head, Heads
from onebell.http.patience import Patience
from onebell.http.pieces import Pieces
from onebell.http.plain import PlainCycle, write_whole

PLAIN_BYTES = 64 * 1024
"""Bodies up to this are collected before anybody looks at them; every area reads at least as much anyway."""
HEAD_BYTES = 256 * 1024
"""Request line, headers, trailers and chunk sizes of one request: the parser holds them all (RELIABILITY S2). Its own
limit for the request line, where PushPlus takes whole messages, is 64 KiB."""
COMPLETE_S = 60.0
"""How long a head, or a body that is collected here, may take from its first byte on."""

_ABSOLUTE_FORM = re.compile(rb"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def origin_form(target: bytes) -> bytes:
    """A request target as path and query: absolute-form loses its origin, leading slashes are collapsed."""
    if not target.startswith(b"/"):
        target = _ABSOLUTE_FORM.sub(b"", target)
    return b"/" + target.lstrip(b"/")


class LenientProtocol(HttpToolsProtocol):
    """Accepts raw UTF-8 in the request line, offers of other protocols, absolute-form targets and doubled slashes."""

    _known: ClassVar = Heads()
    _pieces: Pieces
    _connection: dict[str, Any]
    """What the scopes of all its requests say."""
    _whole = b""
    """What has just come, when a request begins with it and nothing in it was mended."""
    _plain: PlainCycle | None = None
    """The plain request that is being received."""
    _in_head = False
    _framing = 0
    """Bytes of this request that were no body."""
    _patience: Patience
    _is_half_here = False
    """A request stands half received, and nobody but us waits for the rest."""
    _next: "asyncio.Future[PlainCycle | None] | None" = None
    """What the connection's task waits for."""
    _task: asyncio.Task[None]
    _is_over = False
    """No request comes any more: the connection is closed, or speaks another protocol."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._pieces = Pieces()
        super().connection_made(transport)
        self._connection = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
        }
        # uvicorn begins to count with the first answer; who never asks would stay for ever.
        self._patience = Patience(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.end()
        self._dismiss()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._pieces.is_between:
            known = self._known.find(data)
            if known is not None:
                self._received()
                self._receive_known(*known)
                return
        for piece in self._pieces.cut(data):
            self._whole = data if piece is data and self._pieces.is_between else b""
            self._framing += len(piece)
            super().data_received(piece)
            self._whole = b""
            if self._framing > HEAD_BYTES:
                self._refuse()
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
        if self._in_head:
            self._pieces.head_goes_on(data)
        if not self._is_half_here and (self._in_head or self._plain is not None):
            self._is_half_here = True
            self._patience.wait(COMPLETE_S)

    def _received(self) -> None:
        self._is_half_here = False
        self._patience.rest()

    def handle_websocket_upgrade(self) -> None:
        self._patience.end()
        self._dismiss()
        super().handle_websocket_upgrade()

    def _refuse(self) -> None:
        """No area's own words: where it was to go may not be known yet."""
        if self._in_head and not self.transport.is_closing():
            self.transport.write(b"%bconnection: close\r\ncontent-length: 0\r\n\r\n" % STATUS_LINE[431])
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        scope: Any = {**self._connection, "headers": self.headers, "state": self.app_state.copy()}
        self.scope = scope

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._received()
        if self.url[:1] != b"/" or self.url[:2] == b"//":
            self.url = origin_form(self.url)
        size = self._body_size()
        self._pieces.head_ends(size)
        if 0 <= size <= PLAIN_BYTES and self._is_plain():
            self._receive_plain()
            return
        super().on_headers_complete()
        if "path" in self.scope:  # else a socket is about to be opened, and there is no cycle
            extensions: dict[str, Any] = {WHOLE_ANSWER: partial(write_whole, self.cycle)}
            self.scope["extensions"] = extensions

    def _body_size(self) -> int:
        """In bytes; negative when the body comes in chunks."""
        size = 0
        for name, value in self.headers:
            if name == b"transfer-encoding":
                return -1
            if name == b"content-length":
                size = int(value)
        return size

    def _is_plain(self) -> bool:
        return not self.expect_100_continue and not self.parser.should_upgrade() and hasattr(self.app, "answer")

    def _receive_plain(self) -> None:
        url = httptools.parse_url(self.url)
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        keep_alive = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        self._plain = self.cycle = PlainCycle(self, cast(Scope, scope), self.cycle, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        self._pieces.took_body(len(body))
        if self._plain is None:
            super().on_body(body)
        else:
            self._plain.body += body

    def on_message_complete(self) -> None:
        self._pieces.request_ends()
        self._framing = 0
        self._received()
        plain = self._plain
        if plain is None:
            super().on_message_complete()
            return
        self._plain = None
        before, plain.before = plain.before, None
        if plain.body and plain.keep_alive and self._whole:
            self._known.learn(self._whole, _head_of(plain))
        self._have_answered(plain, before)

    def _receive_known(self, head: Head, body: bytes) -> None:
        scope: Any = {**self._connection, **head.told}
        before = self.cycle
        plain = self.cycle = PlainCycle(self, scope, None, keep_alive=True, body=body, headers=head.headers)
        self._have_answered(plain, before)

    def _have_answered(self, plain: PlainCycle, before: RequestResponseCycle | None) -> None:
        if before is None or before.response_complete:
            self._start_asgi_task(plain, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((plain, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A task for every request costs twice as much as one that waits for the connection's next."""
        if not isinstance(cycle, PlainCycle):
            super()._start_asgi_task(cycle, app)
        elif self._next is None:
            task = self._task = self.loop.create_task(self._answer_each(cycle, app))
            self.tasks.add(task)
        else:
            self.tasks.add(self._task)
            self._next.set_result(cycle)
            self._next = None

    async def _answer_each(self, first: PlainCycle, app: ASGIApp) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        cycle: PlainCycle | None = first
        try:
            while cycle is not None:
                await cycle.run_asgi(app)
                self.tasks.discard(task)
                if self._next is not None or self._is_over:
                    return  # a pipelined request has a task already, or there is no next one
                self._task = task
                self._next = self.loop.create_future()
                cycle = await self._next
        finally:
            self.tasks.discard(task)
            if self._task is task:  # cancelled while it waited
                self._next = None

    def _dismiss(self) -> None:
        self._is_over = True
        if self._next is not None:
            self._next.set_result(None)
            self._next = None

    def on_response_complete(self) -> None:
        """uvicorn's own makes a timer for every answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._is_half_here:
            self._patience.wait(self.timeout_keep_alive)


def _head_of(plain: PlainCycle) -> Head:
    scope = cast(Any, plain.scope)
    told = {name: scope[name] for name in ("method", "raw_path", "query_string", "headers")}
    return Head(told, first_values(scope["headers"]), len(plain.body))
