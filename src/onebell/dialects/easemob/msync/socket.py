"""One socket from its opening to its end: frames in, in order; kicks and silence (sheet easemob-msync §2, §5, §6)."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from starlette.types import Receive

from onebell.core.conversations import REPLACED
from onebell.core.presence import LOST
from onebell.dialects.easemob import happenings, status
from onebell.dialects.easemob.app import KICKED_PASSWORD, KICKED_REMOVED
from onebell.dialects.easemob.msync import codec, refusals
from onebell.dialects.easemob.msync.codec import Undecodable
from onebell.dialects.easemob.msync.device import Device
from onebell.dialects.easemob.msync.framing import Framing, NotAFrame
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncUL, Logout, Meta, MSync, StatisticsBody
from onebell.dialects.easemob.msync.outbox import Outbox
from onebell.dialects.easemob.msync.provision import NotSeated
from onebell.dialects.easemob.msync.refusals import NotTaken
from onebell.dialects.easemob.msync.uplink import Uplink
from onebell.errors import StoreUnavailable

if TYPE_CHECKING:
    from onebell.dialects.easemob.msync.service import Msync

log = structlog.get_logger()

UPLINKS = 64
"""Frames of one client that wait to be stored."""
BAD_FRAMES = 5
"""Undecodable frames in a row after which the socket is closed."""
GOING_AWAY = 1001
TRY_AGAIN = 1013

KICKS: Final = {
    KICKED_REMOVED: StatisticsBody.USER_REMOVED,
    REPLACED: StatisticsBody.USER_LOGIN_ANOTHER_DEVICE,
    KICKED_PASSWORD: StatisticsBody.USER_KICKED_BY_CHANGE_PASSWORD,
}
"""By why a session has to end; whatever else is "kicked by another device"."""


class Over(Exception):
    """The server ends the socket now; the close code."""

    def __init__(self, code: int = 1000) -> None:
        super().__init__(code)
        self.code = code


class Socket:
    """One per connection."""

    __slots__ = ("__weakref__", "_bad", "_ending", "_framing", "_is_put_out", "_outbox", "_service", "_uplinks",
                 "_working", "device", "heard_at", "peer")  # fmt: skip

    def __init__(self, service: "Msync", framing: Framing, outbox: Outbox) -> None:
        self._service = service
        self._framing = framing
        self._outbox = outbox
        self._bad = 0
        self._is_put_out = False
        self.peer = ""
        """The client's address."""
        self._uplinks: deque[Meta] = deque()
        self._working: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.device: Device | None = None
        """Who has signed in; None = nobody yet."""
        self.heard_at = service.context.clock.monotonic()

    async def run(self, receive: Receive) -> None:
        """Read what the client sends until one side ends it."""
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                self.heard_at = self._service.context.clock.monotonic()
                try:
                    for frame in self._framing.frames(message):
                        await self._take(frame)
                    self._bad = 0
                except (NotAFrame, Undecodable):
                    self._bad += 1
                    if self._bad >= BAD_FRAMES:
                        raise Over from None
        except Over as over:
            await self._outbox.end(over.code)
        except StoreUnavailable:
            # The client comes back and asks again; nothing was promised.
            await self._outbox.end(TRY_AGAIN)

    async def _take(self, raw: bytes) -> None:
        envelope = codec.read(MSync, raw)
        match envelope.command:
            case MSync.PROVISION:
                await self._provision(envelope)
            case MSync.UNREAD:
                await self._seated().unread()
            case MSync.SYNC:
                await self._sync(codec.read(CommSyncUL, envelope.payload))
            case MSync.LOGOUT:
                self._outbox.put(codec.signed_out(codec.read(Logout, envelope.payload).session_id))
                raise Over

    def _seated(self) -> Device:
        if self.device is None:
            raise Over
        return self.device

    async def _provision(self, envelope: MSync) -> None:
        if self.device is not None:
            raise Over
        try:
            seated, signed_in = await self._service.entrance.seat(envelope)
        except NotSeated as refusal:
            self._outbox.put(codec.not_provisioned(refusal.code, refusal.reason))
            raise Over from None
        self.device = Device(self._service.context, seated, self._outbox, self._service.acks)
        self._service.presence.adopt(seated.session, self._kick)
        self._service.presence.tell(seated.space, signed_in.replaced)
        self._service.join(self.device)
        token = f'{{"expires_in":{seated.ends_at}}}' if seated.ends_at else ""
        self._outbox.put(codec.provisioned(seated.resource, token))
        await self._tell(happenings.LOGIN)

    async def _tell(self, reason: str) -> None:
        """Tell the app's own server, where it wants to know (sheet easemob §4.3)."""
        seated = self._seated().seated
        told = status.Device(
            user=seated.user,
            resource=seated.resource,
            os=seated.resource.partition("_")[0],
            ip=self.peer,
            version=seated.session.info.get("version", ""),
        )
        await status.tell_status(self._service.context, seated.space, seated.app, told, reason)

    async def _sync(self, asked: CommSyncUL) -> None:
        device = self._seated()
        if not asked.HasField("meta"):
            await device.pull(asked)
            return
        if asked.meta.ns == Meta.STATISTIC:
            now = self._service.context.clock.now_ms()
            self._outbox.put(codec.taken(asked.meta.id, self._service.context.mint.mint(), now))
            return
        self._uplinks.append(asked.meta)
        if self._working is None:
            self._working = asyncio.create_task(self._work(Uplink(self._service.context, device.seated)))
        if len(self._uplinks) >= UPLINKS:
            # Who sends faster than can be stored is not read any further.
            await asyncio.wait([self._working])

    async def _work(self, uplink: Uplink) -> None:
        """Take what the client sends, one after the other, beside its pulls: a pre-send callback must not stop them."""
        try:
            while self._uplinks:
                meta = self._uplinks.popleft()
                self._outbox.put(await self._taken(uplink, meta))
        finally:
            self._working = None

    async def _taken(self, uplink: Uplink, meta: Meta) -> bytes:
        try:
            answered = await uplink.take(meta)
        except NotTaken as refusal:
            return codec.refused(meta.id, refusal.code, refusal.reason)
        except StoreUnavailable:
            return codec.refused(meta.id, *refusals.BROKEN)
        except Exception:
            log.exception("uplink_failed")
            return codec.refused(meta.id, *refusals.BROKEN)
        now = self._service.context.clock.now_ms()
        return codec.taken(meta.id, answered.server_id, now, answered.metas)

    # ------------------------------------------------------------ the end

    def has_ended(self, now_ms: int) -> bool:
        """Whether the token that let it in has."""
        return self.device is not None and 0 < self.device.seated.ends_at <= now_ms

    def drop(self) -> None:
        """Its client is silent, or has no right to be here any more."""
        self._end(1000)

    async def stop(self) -> None:
        """The node stops; the client goes to another one."""
        await self._outbox.end(GOING_AWAY)

    def _kick(self, why: str) -> None:
        """Somebody wants it gone; the SDK stays unless the socket is closed behind that word."""
        device = self.device
        if device is None:
            return
        if why == LOST:  # nobody wants it gone
            self._end(GOING_AWAY)
            return
        self._is_put_out = True
        seated, context = device.seated, self._service.context
        operation = KICKS.get(why, StatisticsBody.USER_KICKED_BY_OTHER_DEVICE)
        queue = codec.user(seated.app, seated.user, seated.resource)
        self._outbox.put(codec.kicked(queue, context.mint.mint(), operation, context.clock.now_ms()))
        self._end(1000)

    def _end(self, code: int) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._outbox.end(code))

    async def gone(self) -> None:
        """Nobody is at the other side any more."""
        device = self.device
        if device is not None:
            self._service.leave(device)
            self._service.presence.leave(device.seated.session)
            with suppress(StoreUnavailable):  # nobody is left who could be told so
                await self._tell(happenings.REPLACED if self._is_put_out else happenings.LOGOUT)
        for task in (self._working, self._ending):
            if task is not None:
                await asyncio.wait([task])
        await self._outbox.gone()
