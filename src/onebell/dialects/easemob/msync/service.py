"""All MSYNC sockets of this node (sheet easemob-msync §2, §5, §6)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog
from starlette.types import Receive, Scope, Send

from onebell.core.bell import Changed, Mark, NewEntries, StoredMessage
from onebell.core.context import Context
from onebell.core.presence import Presence
from onebell.dialects.easemob.app import DIALECT
from onebell.dialects.easemob.conversations import peers
from onebell.dialects.easemob.msync.acks import Acks
from onebell.dialects.easemob.msync.device import Device
from onebell.dialects.easemob.msync.framing import framing_of
from onebell.dialects.easemob.msync.outbox import Outbox
from onebell.dialects.easemob.msync.provision import Entrance
from onebell.dialects.easemob.msync.socket import Socket
from onebell.dialects.easemob.offline import KEPT_MS
from onebell.errors import StoreUnavailable
from onebell.http.sockets import SocketHandler

log = structlog.get_logger()

SILENCE_S = 90.0
"""A client sends a heartbeat every 30 s; who is silent for so long has gone."""
PROVISION_S = 10.0
"""A socket that has not signed in by then is closed: the SDK gives up after the same time."""
LOOK_S = 5.0
"""Between two looks for silent sockets."""
KEEP_S = 60.0
"""Between two notes of which devices are there."""
PAGE = 500


class Msync:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context, presence: Presence) -> None:
        self._context = context
        self._presence = presence
        self._entrance = Entrance(context, presence)
        self._acks = Acks(context)
        # Tuples that are replaced: a device may leave while its mailbox' devices are told something.
        self._devices: dict[tuple[int, int], tuple[Device, ...]] = {}
        self._sockets: set[Socket] = set()
        self._news: dict[tuple[int, int], list[tuple[Mark, int]]] = {}
        self._telling: asyncio.Task[None] | None = None
        context.bell.listen(NewEntries, self._on_entries)
        context.bell.listen(Changed, self._on_changed)

    def websockets(self) -> Mapping[str, SocketHandler]:
        """Handlers by path."""
        return dict.fromkeys(("/ws", "/ws/*", "/websocket"), self.serve)

    @property
    def count(self) -> int:
        """Devices that are signed in on this node."""
        return sum(len(devices) for devices in self._devices.values())

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until either side ends it."""
        await receive()  # websocket.connect
        framing = framing_of(scope["path"])
        await send({"type": "websocket.accept"})
        if framing.greeting:
            await send({"type": "websocket.send", "text": framing.greeting})
        socket = Socket(self, framing, Outbox(send, framing.wrap))
        socket.peer = str((scope.get("client") or ("",))[0])
        self._sockets.add(socket)
        try:
            await socket.run(receive)
        finally:
            self._sockets.discard(socket)
            await socket.gone()

    # ------------------------------------------------------------ what sockets ask for

    @property
    def context(self) -> Context:
        """The core's doors."""
        return self._context

    @property
    def entrance(self) -> Entrance:
        """Where they sign in."""
        return self._entrance

    @property
    def presence(self) -> Presence:
        """Where their session rows are kept alive."""
        return self._presence

    @property
    def acks(self) -> Acks:
        """Where what they have got is written down."""
        return self._acks

    def join(self, device: Device) -> None:
        """A device is there from now on."""
        key = _key(device)
        self._devices[key] = (*self._devices.get(key, ()), device)

    def leave(self, device: Device) -> None:
        """It has gone."""
        key = _key(device)
        left = tuple(other for other in self._devices.get(key, ()) if other is not device)
        if left:
            self._devices[key] = left
        else:
            self._devices.pop(key, None)

    # ------------------------------------------------------------ the bell

    def _on_entries(self, note: NewEntries) -> None:
        message = note.message
        for mark in note.marks:
            devices = self._devices.get((message.space, mark.mailbox))
            if devices is None:
                continue
            for device in devices:
                device.heard(mark.rev)
            if message.dialect == DIALECT:
                self._tell(message, mark)

    def _tell(self, message: StoredMessage, mark: Mark) -> None:
        """Names of conversations may have to be looked up, which must not hold up the bell: one task tells them all."""
        self._news.setdefault((message.space, mark.mailbox), []).append((mark, message.device))
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        try:
            while self._news:
                news, self._news = self._news, {}
                for key, marks in news.items():
                    try:
                        await self._tell_box(key, marks)
                    except StoreUnavailable:
                        for device in self._devices.get(key, ()):
                            device.sure = False  # the next look finds it
        finally:
            self._telling = None

    async def _tell_box(self, key: tuple[int, int], marks: list[tuple[Mark, int]]) -> None:
        for device in self._devices.get(key, ()):
            seated = device.seated
            feeds = [mark.feed for mark, _ in marks]
            names = await peers(self._context, seated.space, seated.app, mark_box(marks), feeds)
            for mark, origin in marks:
                is_own = mark.direction == 1 and origin == seated.reader.device
                if mark.feed in names and not is_own:
                    device.notice(mark.feed, names[mark.feed])

    def _on_changed(self, note: Changed) -> None:
        """Places that were given to changes: looked at when somebody looks for what was lost anyway."""
        for mailbox in note.mailboxes:
            for device in self._devices.get((note.space, mailbox), ()):
                device.sure = False

    # ------------------------------------------------------------ looking after them

    async def run(self) -> None:
        """Serve until cancelled; then every socket is closed, so that clients go to another node."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_forever())
                tasks.create_task(self._look_forever())
                tasks.create_task(self._keep_forever())
        finally:
            await asyncio.gather(*(socket.stop() for socket in list(self._sockets)))

    async def _watch_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now, now_ms = self._context.clock.monotonic(), self._context.clock.now_ms()
            for socket in list(self._sockets):
                patience = PROVISION_S if socket.device is None else SILENCE_S
                if now - socket.heard_at > patience or socket.has_ended(now_ms):
                    socket.drop()

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(self._context.settings.poll_s)
            try:
                await self._look()
            except StoreUnavailable:
                log.warning("msync_look_postponed", devices=self.count)

    async def _look(self) -> None:
        """Find what a lost bell missed."""
        by_space: dict[int, list[int]] = {}
        for space, mailbox in self._devices:
            by_space.setdefault(space, []).append(mailbox)
        for space, boxes in by_space.items():
            for start in range(0, len(boxes), PAGE):
                last = await self._context.store.inbox.latest(space, boxes[start : start + PAGE])
                for box, rev in last.items():
                    for device in self._devices.get((space, box), ()):
                        if not device.sure or device.rev < rev:
                            await device.look()

    async def _keep_forever(self) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            with suppress(StoreUnavailable):
                await self._keep()

    async def _keep(self) -> None:
        """Note which devices are there; drop those that nobody has used for long, with their places."""
        devices, now = self._context.store.devices, self._context.clock.now_ms()
        for space in await self._context.lookups.spaces():
            here = [
                one.seated.reader.device for key, some in self._devices.items() if key[0] == space.id for one in some
            ]
            for start in range(0, len(here), PAGE):
                await devices.seen(space.id, here[start : start + PAGE], now)
            await devices.forget(space.id, DIALECT, now - KEPT_MS, now)


def mark_box(marks: list[tuple[Mark, int]]) -> int:
    """The mailbox that all these marks are in."""
    return marks[0][0].mailbox


def _key(device: Device) -> tuple[int, int]:
    return device.seated.space, device.seated.reader.mailbox
