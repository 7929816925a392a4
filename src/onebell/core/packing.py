"""Packs events into callback requests, in the words of the dialect they belong to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from onebell.core.context import Context
from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.core.work import CallbackDraft, CallbackJob
from onebell.errors import Conflict, StoreUnavailable

log = structlog.get_logger()

AT_ONCE = 1_000
"""Events of one dialect that are read at once."""

_RANK = {
    EventKind.RESOLVED: 0,
    EventKind.UNRESOLVED: 0,
    EventKind.STORED: 1,
    EventKind.SENT: 2,
    EventKind.FAILED: 2,
    EventKind.EXPIRED: 2,
    EventKind.UNDELIVERED: 3,
    EventKind.DELIVERED: 4,
    EventKind.CLICKED: 5,
    EventKind.READ: 5,
}
"""The order in which one delivery's states follow; two nodes' clocks may number them otherwise."""
_LAST_RANK = 9


class Packer(Protocol):
    """What a dialect does with events; ``dialects.base.Dialect`` is one."""

    @property
    def callbacks(self) -> CallbackSchedule: ...
    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]: ...
    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None: ...


class Sealed(msgspec.Struct, frozen=True):
    """What of a request is stored sealed: its headers may hold a secret."""

    headers: dict[str, str]
    body: bytes
    events: tuple[int, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Sealed).decode


class Packing:
    """One per node."""

    def __init__(self, context: Context, packers: Mapping[str, Packer]) -> None:
        self._context = context
        self._packers = packers

    async def turn(self) -> tuple[int, float]:
        """Pack what is ready: how many callbacks that made, and seconds until more will be ready."""
        made, wait_s = 0, self._context.settings.poll_s
        for name, packer in self._packers.items():
            events = await self._context.store.callbacks.waiting(name, AT_ONCE)
            for own in _by_space(events):
                ready_s = self._ready_in(packer.callbacks, own)
                if ready_s > 0:
                    wait_s = min(wait_s, ready_s)
                else:
                    made += await self._pack(packer, own)
            if len(events) == AT_ONCE:
                wait_s = 0
        return made, wait_s

    def _ready_in(self, schedule: CallbackSchedule, events: Sequence[Event]) -> float:
        if len(events) >= schedule.gather:
            return 0
        ready_ms = min(event.at for event in events) + round(schedule.gather_s * 1000)
        return (ready_ms - self._context.clock.now_ms()) / 1000

    async def _pack(self, packer: Packer, events: Sequence[Event]) -> int:
        ordered = in_order(events)
        try:
            requests = await packer.pack(ordered)
        except StoreUnavailable:
            raise
        except Exception as error:
            return await self._defect(packer, ordered, error)
        drafts = [self._draft(ordered[0].dialect, request) for request in requests]
        try:
            now = self._context.clock.now_ms()
            keys = [(event.space, event.id) for event in ordered]
            await self._context.store.callbacks.store(keys, drafts, now, self._context.mint)
        except Conflict:
            return 0
        return len(drafts)

    async def _defect(self, packer: Packer, events: Sequence[Event], error: Exception) -> int:
        """One event that a dialect cannot pack must not stop the others."""
        if len(events) > 1:
            return sum([await self._pack(packer, [event]) for event in events])
        (event,) = events
        log.error("callback_pack_defect", dialect=event.dialect, number=event.id, kind=event.kind.value, exc_info=error)
        now = self._context.clock.now_ms()
        await self._context.store.callbacks.store([(event.space, event.id)], [], now, self._context.mint)
        return 0

    def _draft(self, dialect: str, request: CallbackRequest) -> CallbackDraft:
        sealed = Sealed(request.headers, request.body, request.events)
        return CallbackDraft(
            space=request.space,
            dialect=dialect,
            kind=request.kind,
            order_key=request.order_key,
            message=request.message,
            url=request.url,
            verified=request.verified,
            request=self._context.vault.seal(_encode(sealed).decode()),
            timeout_s=request.timeout_s,
            context=request.context,
            parked=request.parked,
        )

    def unpacked(self, job: CallbackJob) -> CallbackRequest:
        """The request as the dialect packed it."""
        sealed = _decode(self._context.vault.unseal(job.request))
        return CallbackRequest(
            kind=job.kind,
            space=job.space,
            url=job.url,
            verified=job.verified,
            headers=sealed.headers,
            body=sealed.body,
            order_key=job.order_key,
            message=job.message,
            events=sealed.events,
            timeout_s=job.timeout_s,
            context=job.context,
        )


def _by_space(events: Sequence[Event]) -> list[list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.space, []).append(event)
    return list(found.values())


def in_order(events: Sequence[Event]) -> list[Event]:
    """Oldest first; one delivery's states in the order in which they follow, whatever the clocks said."""
    ordered = sorted(events, key=lambda event: event.id)
    places: dict[tuple[int, int], list[int]] = {}
    for place, event in enumerate(ordered):
        if event.delivery:
            places.setdefault((event.message, event.delivery), []).append(place)
    result = list(ordered)
    for own in places.values():
        ranked = sorted((ordered[place] for place in own), key=lambda event: _RANK.get(event.kind, _LAST_RANK))
        for place, event in zip(own, ranked, strict=True):
            result[place] = event
    return result
