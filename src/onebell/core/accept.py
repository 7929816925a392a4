"""The only door in: interceptors, then who gets it, then the group commit (DESIGN §3)."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from onebell.clock import Clock
from onebell.core.audience import Reached, known, resolve
from onebell.core.bell import StoredMessage
from onebell.core.bodies import ROW_BYTES, beside_row
from onebell.core.context import Files, Lookups
from onebell.core.events import EventKind
from onebell.core.files import files_named
from onebell.core.interceptors import Hold, Interceptor, intercept
from onebell.core.model import Addresses, FirstEvent, Keep, Receipt, Submission
from onebell.ids import IdMint
from onebell.store.base import Prepared, Timer

_encode = msgspec.json.Encoder().encode
_NOTHING = _encode({})


class Writer(Protocol):
    """Stores what is decided (``store.writer``)."""

    async def accept(self, item: Prepared) -> Receipt: ...


class Accept:
    """Implements :class:`onebell.core.context.Acceptor`."""

    def __init__(
        self,
        writer: Writer,
        lookups: Lookups,
        files: Files,
        clock: Clock,
        mint: IdMint,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        self._writer = writer
        self._lookups = lookups
        self._files = files
        self._clock = clock
        self._mint = mint
        self._interceptors = interceptors

    async def __call__(self, submission: Submission) -> Receipt:
        if self._interceptors:
            verdict = await intercept(self._interceptors, submission)
            if isinstance(verdict, Hold):
                return await self._writer.accept(await self._held(verdict))
            submission = verdict.submission
        parts = _encode(submission.parts)
        if len(parts) > ROW_BYTES:
            submission, parts = await self._beside_row(submission)
        now = self._clock.now_ms()
        reached = known(self._lookups, submission) or await resolve(self._lookups, submission, now)
        return await self._writer.accept(self._prepared(submission, parts, reached, now))

    async def _beside_row(self, submission: Submission) -> tuple[Submission, bytes]:
        """The submission as it is stored, and its parts as their row holds them: something in them may be too long."""
        submission = await beside_row(self._files, submission)
        return submission, _encode(submission.parts)

    def _prepared(self, submission: Submission, parts: bytes, reached: Reached, now: int) -> Prepared:
        item = self._item(submission, parts, now)
        item.boxes = reached.boxes
        item.waits = reached.waits
        item.expansions = reached.expansions
        item.slots = reached.slots
        item.state = _state(reached)
        if submission.watched:
            # Only then is there an end that is not to be told again; readers' events are told of all others.
            item.is_told = reached.is_open and _is_done(submission, reached)
            item.events = _events(submission, reached)
        return item

    async def _held(self, verdict: Hold) -> Prepared:
        submission, parts = await self._beside_row(verdict.submission)
        item = self._item(submission, parts, self._clock.now_ms())
        item.state = "held"
        item.timers = [Timer(verdict.kind, _encode(submission), verdict.next_at)]
        return item

    def _item(self, submission: Submission, parts: bytes, now: int) -> Prepared:
        """What does not depend on who gets it.

        Enums are asked for their ``_value_``: ``value`` is a property in Python, a call each.
        """
        severity = int(submission.severity)
        extra = _encode(submission.extra) if submission.extra else _NOTHING
        return Prepared(
            stored=self._stored(submission, severity, now),
            feed=_feed(submission),
            state="accepted",
            severity=severity,
            priority=submission.priority or severity,
            credential=submission.credential,
            keep=submission.keep._value_,
            watched=submission.watched,
            parts=parts,
            extra=extra,
            callback=b"" if submission.callback is None else _encode(submission.callback),
            due_at=submission.due_ms,
            boxes=[],
            shown=submission.shown._value_,
            only_online=submission.keep is Keep.WHILE_ONLINE,
            idempotency=submission.idempotency,
            guards=submission.guards,
            files=files_named(submission, parts, extra),
        )

    def _stored(self, submission: Submission, severity: int, now: int) -> StoredMessage:
        sender = submission.sender
        return StoredMessage(
            id=self._mint.mint(),
            space=submission.space,
            dialect=submission.dialect,
            public_id=submission.public_id,
            sender=sender.party,
            sender_kind=sender.kind._value_,
            # PostgreSQL's text refuses NUL, which a display name may hold.
            sender_name=sender.name.replace("\0", ""),
            parent=submission.parent,
            severity=severity,
            parts=submission.parts,
            created_ms=submission.happened_ms or now,
            expires_ms=submission.expires_ms,
            device=submission.device,
        )


def _feed(submission: Submission) -> int:
    """The first audience's feed; raw addresses have none."""
    for one in submission.audience:
        if not isinstance(one, Addresses):
            return one.feed
    return 0


def _state(reached: Reached) -> str:
    if reached.expansions:
        return "expanding"
    return "accepted" if reached.waits else "finished"


def _is_done(submission: Submission, reached: Reached) -> bool:
    return not reached.is_open or (submission.inbox_suffices and bool(reached.boxes))


def _events(submission: Submission, reached: Reached) -> list[FirstEvent]:
    """What is true from the start; the last is that nothing is left to be told of."""
    events = [*submission.events, *reached.events]
    if _is_done(submission, reached):
        done = {"ok": bool(reached.boxes), "message": ""}
        events.append(FirstEvent(kind=EventKind.FINISHED, data=done))
    return events
