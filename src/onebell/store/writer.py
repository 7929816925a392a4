"""Group commit: submissions that arrive while a commit runs go together in the next one (DESIGN §4).

Nothing waits for company longer than one turn of the event loop: what that turn read from its sockets goes together.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import sqlalchemy as sa
import structlog

from onebell.clock import Clock
from onebell.core.bell import Due, NewEntries, Note
from onebell.core.model import Receipt
from onebell.errors import Busy, Conflict, OnebellError, StoreUnavailable
from onebell.ids import IdMint
from onebell.store.batch import Scribe
from onebell.store.engine import Database
from onebell.store.hot import raw
from onebell.store.prepared import Prepared, Result, Stored

log = structlog.get_logger()

BATCH = 256
"""Submissions in one transaction at most."""
BATCH_BYTES = 4 << 20
"""Payload in one transaction, about."""
WAITING = 8_192
"""Submissions that may wait; beyond that the store counts as unavailable rather than fill the memory."""
PATIENCE_S = 5.0
"""How long a repeat waits for the first request with its idempotency key (RELIABILITY R13)."""
JOBS = 2
"""Batches handed to the store at once, on an engine with several writers. SQLite's one writer gets the next batch when
the last one is answered: it is fuller then, and a batch's own cost weighs more than the pause (measured: 106 -> 96 us
of CPU per message)."""
PATIENT_JOBS = 2
"""Submissions that wait for somebody's row lock at once: they must not take all writers from the others."""


class Rings(Protocol):
    """The bell's half that the writer needs."""

    def ring(self, note: Note) -> None: ...


class _Place:
    """One submission and who waits for it."""

    __slots__ = ("asked_at", "future", "item")

    def __init__(self, item: Prepared, future: asyncio.Future[Receipt], asked_at: float) -> None:
        self.item = item
        self.future = future
        self.asked_at = asked_at


class _Contended(OnebellError):
    """Somebody else holds a row this batch needs, and has not let go of it in time."""


class BatchWriter:
    """The only writer of messages."""

    def __init__(self, database: Database, clock: Clock, mint: IdMint, bell: Rings) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell
        self._scribe = Scribe(database.dialect, mint, clock)
        self._waiting: deque[_Place] = deque()
        self._jobs = 0
        self._is_called = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._most_jobs = min(JOBS, database.writers)
        self._patient: deque[_Place] = deque()
        self._patient_jobs = 0

    async def accept(self, item: Prepared) -> Receipt:
        """Store a submission durably.

        Raises:
            Refused: a guard is exhausted; nothing is stored.
            Conflict: the idempotency key was used with another payload, or the public id is taken.
            Busy: the first request with this key did not finish within 5 s.
            StoreUnavailable: nothing is stored.
        """
        if len(self._waiting) >= WAITING:
            raise StoreUnavailable("too many submissions wait")
        loop = self._loop
        if loop is None:
            # Asked once: it asks the kernel for the process, which was 5 % of an accept under load (Python 3.11).
            loop = self._loop = asyncio.get_running_loop()
        place = _Place(item, loop.create_future(), self._clock.monotonic())
        self._waiting.append(place)
        if not self._is_called and self._jobs < self._most_jobs:
            # A writer woken at once would begin before the rest of this turn's requests are here, commit a handful, and
            # take the interpreter from them (measured at 64 connections: 66 -> 25 us of its time per message).
            self._is_called = True
            loop.call_soon(self._go_on)
        return await place.future

    def _go_on(self) -> None:
        self._is_called = False
        if self._waiting and self._jobs < self._most_jobs:
            self._jobs += 1
            self._hand_over(_Batch(self))

    def _hand_over(self, job: "_Batch | _Alone") -> None:
        try:
            self._database.submit(job)
        except OnebellError as error:
            job.finish(error)

    def draw(self) -> list[_Place]:
        """As much of what waits as one transaction takes. Called on writer threads, several at once."""
        drawn: list[_Place] = []
        weight = 0
        waiting = self._waiting
        while waiting and len(drawn) < BATCH and weight < BATCH_BYTES:
            try:
                place = waiting.popleft()
            except IndexError:  # another writer was faster
                break
            drawn.append(place)
            weight += place.item.weight
        return drawn

    def write(self, connection: sa.Connection, places: Sequence[_Place]) -> list[Result]:
        """Write one batch, on a writer thread."""
        try:
            return self._scribe.write(connection, raw(connection), [place.item for place in places])
        except Exception as error:
            if _is_lock_timeout(error):
                raise _Contended("a row is locked") from error
            raise

    def batch_ended(self, places: Sequence[_Place], outcome: "Sequence[Result] | Exception") -> None:
        """Answer everybody; on the loop, after the commit or the rollback."""
        self._jobs -= 1
        if not isinstance(outcome, Exception):
            self._answer(places, outcome)
        elif isinstance(outcome, StoreUnavailable):
            for place in places:
                _fail(place, outcome)
        else:
            # One of them is at fault: each runs alone, so that it fails alone.
            for place in places:
                if isinstance(outcome, _Contended):
                    self._wait_patiently(place)
                else:
                    self._hand_over(_Alone(self, place))
        self._go_on()

    def alone_ended(self, place: _Place, outcome: "Sequence[Result] | Exception") -> None:
        """Answer the one; on the loop."""
        if isinstance(outcome, _Contended):
            self._wait_patiently(place)
        elif isinstance(outcome, Exception):
            _fail(place, outcome)
        else:
            self._answer([place], outcome)

    def patient_ended(self, place: _Place, outcome: "Sequence[Result] | Exception") -> None:
        """As :meth:`alone_ended`, and the next one may wait."""
        self._patient_jobs -= 1
        self.alone_ended(place, outcome)
        self._go_on_patiently()

    def _wait_patiently(self, place: _Place) -> None:
        if self._clock.monotonic() - place.asked_at >= PATIENCE_S:
            _fail(place, Busy("somebody else holds what this submission needs"))
        elif place.item.idempotency is None:
            self._patient.appendleft(place)  # most likely a neighbour of the one that is at fault
        else:
            self._patient.append(place)
        self._go_on_patiently()

    def _go_on_patiently(self) -> None:
        while self._patient and self._patient_jobs < PATIENT_JOBS:
            self._patient_jobs += 1
            self._hand_over(_Patient(self, self._patient.popleft()))

    def _answer(self, places: Sequence[_Place], results: Sequence[Result]) -> None:
        for place, result in zip(places, results, strict=True):
            if place.future.done():  # the caller went away; the message is stored all the same
                continue
            if isinstance(result, Stored):
                place.future.set_result(result.receipt)
            else:
                place.future.set_exception(result)
        self._ring(zip(places, results, strict=True))

    def _ring(self, stored: Iterable[tuple[_Place, Result]]) -> None:
        due: dict[tuple[int, str], None] = {}
        for place, result in stored:
            if not isinstance(result, Stored) or result.receipt.repeated:
                continue
            item = place.item
            if result.marks:
                self._bell.ring(NewEntries(message=item.stored, marks=result.marks))
            for queue in _queues(item):
                due[item.space, queue] = None
        for space, queue in due:
            self._bell.ring(Due(space=space, queue=queue))


class _Batch:
    """One job of the store: filled when a writer begins it, so that it takes all that waits by then."""

    __slots__ = ("_places", "_results", "_writer")
    is_batch = True

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer
        self._places: list[_Place] | None = None
        self._results: list[Result] = []

    def run(self, connection: sa.Connection) -> None:
        places = self._fill()
        self._results = self._writer.write(connection, places) if places else []

    def finish(self, error: Exception | None) -> None:
        # A store that could not even begin has not filled it: those who wait must hear of it, not wait on.
        self._writer.batch_ended(self._fill(), error or self._results)

    def _fill(self) -> list[_Place]:
        if self._places is None:
            self._places = self._writer.draw()
        return self._places


class _Alone:
    """A submission whose batch failed."""

    __slots__ = ("_ended", "_place", "_results", "_writer")
    is_batch = False

    def __init__(self, writer: BatchWriter, place: _Place) -> None:
        self._writer = writer
        self._place = place
        self._results: list[Result] = []
        self._ended = writer.alone_ended

    def run(self, connection: sa.Connection) -> None:
        self._results = self._writer.write(connection, [self._place])

    def finish(self, error: Exception | None) -> None:
        self._ended(self._place, error or self._results)


class _Patient(_Alone):
    """A submission that waits for a row lock."""

    __slots__ = ()

    def __init__(self, writer: BatchWriter, place: _Place) -> None:
        super().__init__(writer, place)
        self._ended = writer.patient_ended


def _queues(item: Prepared) -> list[str]:
    queues = []
    if item.waits:
        queues.append("deliveries")
    if item.expansions:
        queues.append("expansions")
    if item.timers:
        queues.append("plans")
    if item.watched and (item.events or item.boxes):
        queues.append("events")
    return queues


def _fail(place: _Place, error: Exception) -> None:
    if place.future.done():
        return
    if _is_taken(error):
        error = Conflict("the public id is taken")
    place.future.set_exception(error)


def _is_lock_timeout(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) == "55P03"


def _is_taken(error: Exception) -> bool:
    """A unique key of the message itself: both drivers name the table in their text."""
    return type(error).__name__ in {"IntegrityError", "UniqueViolation"} and "public_id" in str(error)
