"""The bell over NATS: rings on the other nodes too. It may lose everything and costs only a delay."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from onebell.core.bell import Changed, N, NewEntries, Note
from onebell.core.waking import woken
from onebell.store.bell import KINDS, LocalBell

log = structlog.get_logger()

SUBJECT = "onebell"
"""One subject per kind of note below it."""
WAITING = 10_000
"""Notes that may wait to go out; what comes while so many wait is lost, and a poll finds what it told of."""
PAYLOAD = 512 << 10
"""Bytes of one note at most; a server takes 1 MiB by default."""
RECONNECT_S = 1
MOMENT_S = 3
"""How long a check waits for the first connection."""
_MAX_PINGS = 2
_PING_S = 10


class NatsBell:
    """Rings here at once and on the other nodes through a NATS server, whenever there is one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = LocalBell()
        self._client: Client | None = None
        self._outgoing: asyncio.Queue[Note] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._has_complained = False
        self._is_subscribed = False  # the server knows what this node listens to
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Note).decode

    @property
    def is_connected(self) -> bool:
        """Whether the other nodes can be reached now, and reach this one."""
        return self._client is not None and self._client.is_connected and self._is_subscribed

    def ring(self, note: Note) -> None:
        """Here at once; to the others when their turn comes."""
        self._local.ring(note)
        with contextlib.suppress(asyncio.QueueFull):
            self._outgoing.put_nowait(note)

    def listen(self, kind: type[N], heard: Callable[[N], None]) -> None:
        """Hear every note of a kind, from here and from other nodes."""
        self._local.listen(kind, heard)

    async def reaches_others(self) -> bool:
        """Whether there is a connection, after a moment."""
        await woken(self._connected, MOMENT_S)
        return self.is_connected

    async def open(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Disconnect; what waits to go out is dropped."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _run(self) -> None:
        self._client = await self._connect()
        self._connected.set()
        while True:
            note = await self._outgoing.get()
            try:
                await self._publish(self._client, note)
            except Exception as error:
                # Gone for now: the client reconnects by itself, and this note is one of those that are lost.
                log.debug("bell_note_lost", why=repr(error))

    async def _connect(self) -> Client:
        """A connection that then reconnects for ever; the server may well start after us."""
        while True:
            client = Client()
            try:
                await client.connect(
                    self._url,
                    name="onebell",
                    no_echo=True,  # this node has heard its own notes already
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_S,
                    ping_interval=_PING_S,
                    max_outstanding_pings=_MAX_PINGS,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                )
                for kind in KINDS:
                    await client.subscribe(_subject(kind), cb=self._hear)
                await client.flush()
            except Exception as error:
                log.warning("bell_unreachable", why=repr(error))
                with contextlib.suppress(Exception):
                    await client.close()
                await asyncio.sleep(RECONNECT_S)
            else:
                self._is_subscribed = True
                log.info("bell_connected")
                return client

    async def _on_disconnect(self) -> None:
        self._is_subscribed = False
        log.warning("bell_disconnected")

    async def _on_reconnect(self) -> None:
        # The client calls itself connected before the server has read its subscriptions; this comes after that.
        self._is_subscribed = True
        log.info("bell_reconnected")

    async def _on_error(self, error: Exception) -> None:
        # The client tries for ever and tells nobody else: who mistyped the address must read it somewhere, once.
        if self._connected.is_set() or self._has_complained:
            log.debug("bell_error", why=repr(error))
            return
        self._has_complained = True
        log.warning("bell_unreachable", why=repr(error))

    async def _publish(self, client: Client, note: Note) -> None:
        if not client.is_connected:
            return
        payload = self._encode(note)
        if len(payload) > PAYLOAD and isinstance(note, NewEntries):
            boxes = tuple(mark.mailbox for mark in note.marks)
            note = Changed(space=note.message.space, mailboxes=boxes)
            payload = self._encode(note)
        await client.publish(_subject(type(note)), payload)

    async def _hear(self, message: Msg) -> None:
        try:
            note = self._decode(message.data)
        except msgspec.MsgspecError as error:
            # A node of another version; the poll finds what it meant.
            log.warning("bell_note_unreadable", subject=message.subject, why=str(error))
            return
        self._local.ring(note)


def _subject(kind: type[Note]) -> str:
    return f"{SUBJECT}.{kind.__struct_config__.tag}"
