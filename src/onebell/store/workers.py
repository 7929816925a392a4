"""Writer threads: take what waits, run it in one transaction, tell the loop once."""

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import sqlalchemy as sa
import structlog

from onebell.errors import OnebellError, StoreUnavailable

if TYPE_CHECKING:
    from onebell.store.engine import Driver

log = structlog.get_logger()

TRIES = 10
"""How often a transaction that lost a deadlock or serialisation conflict is run."""
LONGEST_PAUSE_S = 0.5
DOWN_S = 0.5
"""After a failed connect, work fails at once for this long instead of each waiting for a time-out."""


class Job(Protocol):
    """Something to write."""

    is_batch: bool
    """Full by itself: at most one of these goes into a transaction, beside any number of others."""

    def run(self, connection: sa.Connection) -> None:
        """Do it, on a writer thread inside a transaction; called again when that had to be rolled back."""
        ...

    def finish(self, error: Exception | None) -> None:
        """It is committed, or failed for good; on the event loop."""
        ...


Finished: TypeAlias = Sequence[tuple[Job, Exception | None]]


class Writer(threading.Thread):
    """One writing connection and its thread."""

    def __init__(
        self,
        name: str,
        driver: "Driver",
        jobs: "queue.SimpleQueue[Job | None]",
        deliver: Callable[[Finished], None],
        latency_s: float,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._driver = driver
        self._jobs = jobs
        self._deliver = deliver
        self._latency_s = latency_s
        self._connection: sa.Connection | None = None
        self._down_until = 0.0
        self._last = False
        self._kept: Job | None = None

    def run(self) -> None:
        """Work until the stop mark comes."""
        while not self._last:
            jobs = self._take()
            if jobs:
                self._deliver(self._perform(jobs))
        self._disconnect()

    def _take(self) -> list[Job]:
        """One job, and all that wait with it as far as the engine joins them."""
        jobs: list[Job] = []
        job = self._kept or self._jobs.get()
        self._kept = None
        has_batch = False
        while job is not None:
            if job.is_batch and has_batch:
                self._kept = job
                return jobs
            has_batch = has_batch or job.is_batch
            jobs.append(job)
            if len(jobs) >= self._driver.joins:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        self._last = True
        return jobs

    def _perform(self, jobs: list[Job]) -> Finished:
        try:
            self._transact(jobs)
        except Exception as error:
            if len(jobs) == 1 or isinstance(error, StoreUnavailable):
                return [(job, error) for job in jobs]
            # One of them is at fault: each runs alone, so that it fails alone.
            return [self._alone(job) for job in jobs]
        return [(job, None) for job in jobs]

    def _alone(self, job: Job) -> tuple[Job, Exception | None]:
        try:
            self._transact([job])
        except Exception as error:
            return job, error
        return job, None

    def _transact(self, jobs: list[Job]) -> None:
        for tried in range(1, TRIES + 1):
            try:
                self._once(jobs)
            except OnebellError:
                raise
            except Exception as error:
                if self._driver.is_transient(error) and tried < TRIES:
                    # Who lost goes later; without chance in it the same two would meet again.
                    time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.005 * 2**tried)))  # noqa: S311
                    continue
                if not (self._driver.is_unavailable(error) or self._driver.is_transient(error)):
                    raise
                log.warning("store_write_failed", why=words_of(error))
                # Opened anew the next time: the cause may have gone away, and the old one's state is unknown.
                self._disconnect()
                raise StoreUnavailable(words_of(error)) from error
            return

    def _once(self, jobs: list[Job]) -> None:
        connection = self._begin()
        try:
            for job in jobs:
                job.run(connection)
            if self._latency_s:
                time.sleep(self._latency_s)
            self._driver.commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise

    def _begin(self) -> sa.Connection:
        if self._connection is not None:
            try:
                self._driver.begin(self._connection)
            except Exception as error:
                # The server went away since the last write; nothing of this one has been sent yet.
                if not self._driver.is_unavailable(error):
                    raise
                self._disconnect()
            else:
                return self._connection
        self._connection = self._connect()
        self._driver.begin(self._connection)
        return self._connection

    def _connect(self) -> sa.Connection:
        if time.monotonic() < self._down_until:
            raise StoreUnavailable("the database is gone")
        try:
            return self._driver.connect()
        except Exception:
            self._down_until = time.monotonic() + DOWN_S
            raise

    def _roll_back(self, connection: sa.Connection) -> None:
        try:
            self._driver.rollback(connection)
        except Exception:
            # A connection that cannot roll back is not used again; the cause is already on its way up.
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None


def words_of(error: Exception) -> str:
    """One line of the driver's own: SQLAlchemy adds the statement and what was bound to it, which no log may have."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__
