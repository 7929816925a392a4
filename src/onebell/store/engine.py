"""The database as everybody sees it: short reads on threads, writes through writers that join transactions.

A verb hands over a function of a connection; the function fetches what it selects and returns plain values, so that
no statement stays open over an ``await``. A write may be run more than once (joined transactions that fail are run
again one by one; PostgreSQL's deadlocks are retried), so it must not touch anything but its connection.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Protocol, TypeAlias, TypeVar

import sqlalchemy as sa
import structlog

from onebell.clock import Clock
from onebell.errors import OnebellError, StoreUnavailable
from onebell.settings import Settings
from onebell.store.workers import DOWN_S, Job, Writer, words_of

log = structlog.get_logger()

T = TypeVar("T")
Work: TypeAlias = Callable[[sa.Connection], T]

QUEUE_LIMIT = 10_000
"""Writes, and reads, that may wait at once: a database that hangs must not fill the memory (RELIABILITY R5)."""


class Driver(Protocol):
    """What differs between the engines. Everything here runs on store threads and may block."""

    kind: str
    readers: int
    """Threads that read at the same time."""
    writers: int
    """Threads that write at the same time."""
    joins: int
    """How many waiting writes may share one transaction."""
    dialect: sa.Dialect

    def prepare(self) -> None:
        """Check the place and bring the schema up to date, before the first connection."""
        ...

    def connect(self) -> sa.Connection: ...
    def connect_reader(self) -> sa.Connection: ...
    def begin(self, connection: sa.Connection) -> None: ...
    def begin_read(self, connection: sa.Connection) -> None: ...
    def commit(self, connection: sa.Connection) -> None: ...
    def rollback(self, connection: sa.Connection) -> None: ...
    def is_transient(self, error: Exception) -> bool:
        """A deadlock, serialisation failure or lock time-out: the same transaction may well work the next time."""
        ...

    def is_unavailable(self, error: Exception) -> bool:
        """The store is at fault, not the statement: disk full, gone, locked."""
        ...


class _Write(Generic[T]):
    """One verb's write; runs on a writer, finishes on the loop."""

    __slots__ = ("_result", "_work", "future")
    is_batch = False

    def __init__(self, work: Work[T], future: asyncio.Future[T]) -> None:
        self._work = work
        self.future = future

    def run(self, connection: sa.Connection) -> None:
        self._result = self._work(connection)

    def finish(self, error: Exception | None) -> None:
        if self.future.done():  # the caller was cancelled
            return
        if error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(error)


class Database:
    """One store, open on one event loop."""

    def __init__(self, driver: Driver, latency_s: float = 0) -> None:
        self._driver = driver
        self._latency_s = latency_s
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._writers: list[Writer] = []
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._read_connections: list[sa.Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading = 0
        self._down_until = 0.0

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._driver.kind

    @property
    def dialect(self) -> sa.Dialect:
        """For statements that are compiled once."""
        return self._driver.dialect

    @property
    def writers(self) -> int:
        """How many transactions can be under way at once."""
        return self._driver.writers

    async def open(self) -> None:
        """Migrate, check and connect.

        Raises:
            StoreUnavailable: the database is not there or cannot be opened.
        """
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(self._driver.readers, "store-reader")
        try:
            await self._loop.run_in_executor(self._readers, self._prepare)
        except BaseException:
            self._readers.shutdown(wait=False)
            self._readers = None
            raise
        for number in range(self._driver.writers):
            writer = Writer(f"store-writer-{number}", self._driver, self._jobs, self._deliver, self._latency_s)
            writer.start()
            self._writers.append(writer)

    async def close(self) -> None:
        """Finish the writes that wait, then disconnect. Readers go first: SQLite's last connection must be able
        to checkpoint."""
        if self._loop is None or self._readers is None:
            return
        self._readers.shutdown(wait=True)
        self._readers = None
        for connection in self._read_connections:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                connection.close()
        for _ in self._writers:
            self._jobs.put(None)
        for writer in self._writers:
            await self._loop.run_in_executor(None, writer.join)
        await asyncio.sleep(0)  # what the writers delivered last is on the loop's list by now

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that sees one state of the database and cannot write.

        Raises:
            StoreUnavailable: the database cannot be read now.
        """
        if self._loop is None or self._readers is None:
            raise StoreUnavailable("the store is not open")
        if self._reading >= QUEUE_LIMIT:
            raise StoreUnavailable("too many reads wait")
        self._reading += 1
        try:
            return await self._loop.run_in_executor(self._readers, self._read, work)
        finally:
            self._reading -= 1

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction and return its result once that is committed.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.submit(_Write(work, future))
        return await future

    def submit(self, job: Job) -> None:
        """Queue a job for a writer; :meth:`Job.finish` is called on the loop. Any thread may call this."""
        if self._readers is None:
            raise StoreUnavailable("the store is not open")
        if self._jobs.qsize() >= QUEUE_LIMIT:
            raise StoreUnavailable("too many writes wait")
        self._jobs.put(job)

    def _deliver(self, finished: Sequence[tuple[Job, Exception | None]]) -> None:
        assert self._loop is not None, "open() came first"
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_finish, finished)

    def _prepare(self) -> None:
        try:
            self._driver.prepare()
            self._reader()
        except OnebellError:
            raise
        except Exception as error:
            if self._driver.is_unavailable(error):
                raise StoreUnavailable(words_of(error)) from error
            raise

    def _reader(self) -> sa.Connection:
        connection: sa.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect_reader()
            self._read_connections.append(connection)
        return connection

    def _connect_reader(self) -> sa.Connection:
        if time.monotonic() < self._down_until:
            raise StoreUnavailable("the database is gone")
        try:
            return self._driver.connect_reader()
        except Exception:
            self._down_until = time.monotonic() + DOWN_S
            raise

    def _forget_reader(self) -> None:
        connection = self._local.connection
        self._local.connection = None
        self._read_connections.remove(connection)
        with contextlib.suppress(Exception):
            connection.close()

    def _read(self, work: Work[T]) -> T:
        try:
            connection = self._begin_read()
            try:
                return work(connection)
            finally:
                self._end_read(connection)
        except OnebellError:
            raise
        except Exception as error:
            if not self._driver.is_unavailable(error):
                raise
            log.warning("store_read_failed", why=words_of(error))
            raise StoreUnavailable(words_of(error)) from error

    def _begin_read(self) -> sa.Connection:
        connection = self._reader()
        try:
            self._driver.begin_read(connection)
        except Exception as error:
            # The server went away since the last read; it may be back.
            if not self._driver.is_unavailable(error):
                raise
            self._forget_reader()
            connection = self._reader()
            self._driver.begin_read(connection)
        return connection

    def _end_read(self, connection: sa.Connection) -> None:
        try:
            self._driver.rollback(connection)
        except Exception:
            # Whatever it was shows in the work's own error; this connection is not used again.
            self._forget_reader()


def _finish(finished: Sequence[tuple[Job, Exception | None]]) -> None:
    for job, error in finished:
        job.finish(error)


def build_database(settings: Settings) -> Database:
    """The store that the settings name, not yet open."""
    return Database(_driver(settings), settings.store_latency_ms / 1000)


async def open_database(settings: Settings, clock: Clock) -> Database:
    """The store that the settings name: migrated, checked, open.

    Raises:
        StoreUnavailable: it is not there or cannot be opened.
    """
    database = build_database(settings)
    began = clock.monotonic()
    await database.open()
    log.info("store_open", kind=database.kind, took_ms=round((clock.monotonic() - began) * 1000))
    return database


def _driver(settings: Settings) -> Driver:
    # Imported when chosen: psycopg costs a SQLite server's start 0.1 s and 10 MiB.
    if settings.database_url:
        from onebell.store.postgres import PostgresDriver  # noqa: PLC0415

        return PostgresDriver(settings.database_url)
    from onebell.store.sqlite import SqliteDriver  # noqa: PLC0415

    return SqliteDriver(Path(settings.data) / "onebell.db")
