"""Live readers: server-sent events and WebSocket. Each frame is a page of one item; its ``next`` is where to resume.

Ends of a WebSocket: 4400 bad request, 4401 sign in, 4403 forbidden, 4409 ended by the server (signed out),
1012 the server restarts.
A reader that takes nothing is cut without a word: nothing would reach it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import msgspec
from starlette.types import Receive, Scope, Send

from onebell.api.callers import Callers, mailbox_of
from onebell.api.errors import ApiError, explained, forbidden
from onebell.api.guard import number_of
from onebell.api.operations import Call, Caller, Operation, Parameter, Right
from onebell.core.context import Context
from onebell.core.presence import LOST, Presence, Session
from onebell.core.reader import Frame, Reader
from onebell.core.stream import SLOW, STOPPING, Hub
from onebell.core.takings import Takings
from onebell.errors import OnebellError
from onebell.http.exchange import Answer, Request, StreamAnswer
from onebell.http.socket_protocol import text_writer
from onebell.http.sockets import SocketHandler, abort, close

HEARTBEAT_S = 20.0
_PATIENCE_S = 2.0
"""How long a socket that the server ends may take to hear it."""
_CLOSES = {"bad_request": 4400, "invalid": 4400, "unauthorized": 4401, "forbidden": 4403}
_ENDED = 4409
_RESTART = 1012
_KIND = "inbox"
_EVENT_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
)


class Taken(msgspec.Struct, frozen=True):
    """What a client may say: it has everything up to this rev."""

    taken: int


_taken = msgspec.json.Decoder(Taken)


class Streams:
    """Serves the readers of this node."""

    def __init__(self, context: Context, callers: Callers, hub: Hub, presence: Presence, takings: Takings) -> None:
        self._context = context
        self._callers = callers
        self._hub = hub
        self._presence = presence
        self._takings = takings

    def operations(self) -> list[Operation]:
        """Rows of the table; the WebSocket stands in :meth:`websockets`."""
        return [
            Operation(
                method="GET",
                path="/inbox/stream",
                rights=frozenset({Right.INBOX}),
                do=self.events,
                tag="inbox",
                takes_ticket=True,
                parameters=(
                    Parameter(name="after", about="Resume after this rev; the end by default", is_number=True),
                    Parameter(name="Last-Event-ID", place="header", about="The same, as EventSource sends it"),
                    Parameter(name="ticket", about="In place of a credential, from POST /ticket"),
                ),
                about="Server-sent events: every change after a rev, then whatever comes. The id of each is its rev.",
            )
        ]

    def websockets(self) -> dict[str, SocketHandler]:
        """Handlers by path."""
        return {"/api/v1/inbox/ws": self.socket}

    async def _start(self, caller: Caller, text: str | None, request: Request) -> int:
        """Where a reader begins: where it says, else at the end of what there is."""
        if text is not None and text.isascii() and text.isdigit() and len(text) < 19:
            return int(text)
        if request.query_value("after") is not None:
            return number_of(request, "after", 0)
        box = mailbox_of(caller)
        return (await self._context.store.inbox.latest(caller.space, [box])).get(box, 0)

    # ------------------------------------------------------------ server-sent events

    async def events(self, call: Call) -> Answer | StreamAnswer:
        """A stream of events; to HEAD only that there is one."""
        if call.request.method == "HEAD":
            return Answer(200, b"", list(_EVENT_HEADERS))
        after = await self._start(call.who, call.request.text_header(b"last-event-id") or None, call.request)
        return EventStream(self, call.who, after, call.request.receive)

    def join(self, caller: Caller, after: int, wake: Callable[[], None]) -> Reader:
        """Begin to serve a reader, who has everything up to ``after``."""
        box = mailbox_of(caller)
        self._takings.note(caller.space, box, after)
        return self._hub.join(caller.space, box, after, wake)

    @contextlib.contextmanager
    def present(self, caller: Caller, reader: Reader) -> Iterator[Session]:
        """While a reader is here, his session is a row that any node can end."""

        def end(why: str) -> None:
            self._hub.end(reader, STOPPING if why == LOST else why)

        session = self._presence.enter(caller.space, _KIND, mailbox_of(caller), end, sign_in=caller.session)
        try:
            yield session
        finally:
            self._presence.leave(session)
            self._hub.leave(reader)

    # ------------------------------------------------------------ WebSocket

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until either side ends it."""
        await receive()  # websocket.connect
        request = Request({**scope, "method": "GET"}, scope.get("raw_path", b""), b"")
        # Before the socket opens: whoever writes as soon as it is open must hear of it.
        try:
            caller, after = await self._admitted(request)
        except OnebellError as error:
            await send({"type": "websocket.accept"})  # a refused upgrade could not say why
            await _refuse(send, explained(error))
            return
        await send({"type": "websocket.accept"})
        sender = _Sender(send)
        reader = self.join(caller, after, sender.wake)
        sender.begin(reader)
        with self.present(caller, reader):
            await self._listen(caller, receive)
        await sender.finish()

    async def _admitted(self, request: Request) -> tuple[Caller, int]:
        """Who reads, and from where."""
        caller = await self._callers.of(request, takes_ticket=True)
        if not caller.may(Right.INBOX):
            raise forbidden("this credential has no inbox")
        mailbox_of(caller)
        return caller, await self._start(caller, None, request)

    async def _listen(self, caller: Caller, receive: Receive) -> None:
        """Read what the client says until it has gone."""
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            with contextlib.suppress(msgspec.MsgspecError):
                said = _taken.decode(message.get("text") or message.get("bytes") or b"")
                self._takings.note(caller.space, mailbox_of(caller), said.taken)


async def _refuse(send: Send, error: ApiError) -> None:
    code = _CLOSES.get(error.code, 1013)
    with contextlib.suppress(OSError):
        await send({"type": "websocket.close", "code": code, "reason": error.code})


class _Sender:
    """Writes a reader's frames to its socket.

    Only a send that must wait for the transport gets a task.
    """

    __slots__ = ("_reader", "_send", "_task", "_write_texts")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._write_texts = text_writer(send)
        self._reader: Reader | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, reader: Reader) -> None:
        self._reader = reader
        self.wake()

    def wake(self) -> None:
        reader = self._reader
        if reader is None:
            return
        if reader.ended == SLOW:
            abort(self._send)
        elif self._task is None:
            self._write(reader)

    def _write(self, reader: Reader) -> None:
        while frames := reader.next():
            if not self._write_texts(frame.text for frame in frames):
                self._task = asyncio.get_running_loop().create_task(self._wait(reader, frames))
                return
            reader.sent(frames)
        if reader.ended:
            self._task = asyncio.get_running_loop().create_task(self._close(reader.ended))

    async def _wait(self, reader: Reader, frames: Sequence[Frame]) -> None:
        """The transport is full: wait until it has taken these, then go on."""
        try:
            for frame in frames:
                await self._send({"type": "websocket.send", "text": frame.text})
                reader.sent([frame])
        except OSError:
            return  # the client has gone; the handler hears of it by itself
        self._task = None
        self._write(reader)

    async def _close(self, why: str) -> None:
        code = _RESTART if why == STOPPING else _ENDED
        await close(self._send, code, why[:100], _PATIENCE_S)

    async def finish(self) -> None:
        """Wait for the task, whose peer has gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._task


class EventStream(StreamAnswer):
    """An endless answer in the format of EventSource."""

    __slots__ = ("_after", "_caller", "_news", "_over", "_reader", "_receive", "_streams")

    def __init__(self, streams: Streams, caller: Caller, after: int, receive: Receive | None) -> None:
        super().__init__(200, self._chunks(), list(_EVENT_HEADERS))
        self._streams = streams
        self._caller = caller
        self._after = after
        self._receive = receive
        self._news = asyncio.Event()
        self._over = False
        self._reader: Reader | None = None

    async def send(self, scope: Scope, send: Send) -> None:
        """Write events until the client goes or is cut."""

        def wake() -> None:
            if self._reader is not None and self._reader.ended == SLOW:
                abort(send)
            self._news.set()

        self._reader = self._streams.join(self._caller, self._after, wake)
        watch = asyncio.create_task(self._watch())
        try:
            with self._streams.present(self._caller, self._reader):
                await super().send(scope, send)
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch(self) -> None:
        """Notice that the client has gone: what is written to it then goes nowhere without an error."""
        assert self._receive is not None, "requests of the listener carry their receive channel"
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._over = True
        self._news.set()

    async def _chunks(self) -> AsyncIterator[bytes]:
        reader = self._reader
        assert reader is not None, "send() has joined"
        yield b"retry: 2000\n\n"
        while not self._over and not reader.ended:
            self._news.clear()
            while not self._over and (frames := reader.next()):
                yield "".join(f"id: {frame.rev}\ndata: {frame.text}\n\n" for frame in frames).encode()
                reader.sent(frames)
            if self._over or reader.ended or reader.has_frames:
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._news.wait()
            except TimeoutError:
                yield b": \n\n"
