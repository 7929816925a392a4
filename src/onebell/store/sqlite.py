"""SQLite: one writing connection in one process, read-only readers, WAL, every commit synced (DESIGN §4)."""

import contextlib
import os
import re
import sqlite3
import threading
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from onebell.errors import OnebellError, StoreUnavailable
from onebell.store.hot import COMPILED
from onebell.store.statistics import seed_statistics

log = structlog.get_logger()

BUSY_S = 10
"""How long a statement waits for another process' lock (a backup, a migration); RELIABILITY §2.2 asks for ≥ 5 s."""
WAL_LIMIT = 64 << 20
"""Bytes of write-ahead log that stay on disk after a checkpoint; a longer one is truncated."""
LOOK_EVERY = 256
"""Commits between two looks at the length of the log."""
FIXED_IN = (3, 51, 3)
"""Older versions have the rare WAL-reset race between several writers or checkpointers; we have only one."""
_STATEMENTS = 256  # prepared statements kept, up to 50 KiB each: the hot ones come in sizes
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PROTOCOL,
}
_MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat.html
# SQLite's locks and shared memory do not work over these (sqlite.org/wal.html, "same host computer").
_NETWORK_FILE_SYSTEMS = re.compile(
    r"^(nfs\d*|cifs|smb\w*|smbfs|9p|afs|ceph|glusterfs|lustre|ncpfs|coda|gfs2?|fuse\.(sshfs|glusterfs|s3fs|rclone|davfs2?))$"
)


class DamagedDatabase(OnebellError):
    """``quick_check`` found damage after an unclean stop; restore a backup, or repair with ``sqlite3 .recover``."""


class SqliteDriver:
    """The engine of a server that runs alone."""

    kind = "sqlite"
    readers = 4
    writers = 1
    joins = 64

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dialect: sa.Dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
        self._commits = 0

    def prepare(self) -> None:
        """Refuse a network file system, check after an unclean stop, migrate.

        Raises:
            DamagedDatabase: the file is damaged.
            StoreUnavailable: the directory cannot be used.
        """
        from onebell.store import migrate  # noqa: PLC0415 - migrate names this module

        self.path.parent.mkdir(parents=True, exist_ok=True)
        refuse_network(self.path.parent)
        _warn_of_version()
        _refuse_other_file(self.path)
        unclean = _is_nonempty(self.path.with_name(self.path.name + "-wal"))
        if unclean:
            log.info("store_unclean_start", path=str(self.path))
            quick_check(self.path)
        migrate.upgrade_sqlite(self.path)
        with contextlib.closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as raw:
            seed_statistics(raw)

    def connect(self) -> sa.Connection:
        """The writing connection."""
        connection = open_file(self.path)
        raw = connection.connection.driver_connection
        assert raw is not None, "just connected"
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"journal_size_limit={WAL_LIMIT}",
            "cache_size=-32768",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")
        return connection

    def connect_reader(self) -> sa.Connection:
        """A connection that cannot write."""
        return open_file(self.path, "mode=ro")

    def begin(self, connection: sa.Connection) -> None:
        """Take the write lock now: a transaction that upgrades from reading can fail half-way."""
        _execute(connection, "BEGIN IMMEDIATE")

    def begin_read(self, connection: sa.Connection) -> None:
        _execute(connection, "BEGIN")

    def commit(self, connection: sa.Connection) -> None:
        _execute(connection, "COMMIT")
        self._commits += 1
        if self._commits % LOOK_EVERY == 0:
            self._shorten_log(connection)

    def rollback(self, connection: sa.Connection) -> None:
        raw = connection.connection.driver_connection
        if raw is not None and raw.in_transaction:  # a full disk has rolled back by itself
            raw.execute("ROLLBACK")

    def is_transient(self, error: Exception) -> bool:
        return False

    def is_unavailable(self, error: Exception) -> bool:
        cause = getattr(error, "orig", error)
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:  # sqlite3.ProgrammingError "closed database", OSError of the directory
            return isinstance(cause, OSError) or "closed database" in str(cause)
        return code & 0xFF in _UNAVAILABLE

    def _shorten_log(self, connection: sa.Connection) -> None:
        """The commit that led here is done: whatever goes wrong now must not look like its failure."""
        log_file = self.path.with_name(self.path.name + "-wal")
        with contextlib.suppress(OSError, sqlite3.Error):
            if log_file.stat().st_size > WAL_LIMIT:
                _execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def open_file(path: Path, query: str = "") -> sa.Connection:
    """A connection whose transactions are ours alone to begin and end (``isolation_level=None``)."""
    _opening.uri = f"{path.absolute().as_uri()}?{query}"
    return _engine.connect()


class _Opening(threading.local):
    """Which file this thread opens: an engine's creator takes no argument."""

    uri = ""


_opening = _Opening()


def _create() -> sqlite3.Connection:
    return sqlite3.connect(
        _opening.uri,
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )


# One for all connections: a statement that one of them has compiled, none compiles again.
_engine = sa.create_engine(
    "sqlite://", creator=_create, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT", query_cache_size=COMPILED
)


def quick_check(path: Path) -> None:
    """Read the whole file's structure.

    Raises:
        DamagedDatabase: something is wrong with it.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as raw:
        try:
            found = [str(row[0]) for row in raw.execute("PRAGMA quick_check(5)")]
        except sqlite3.DatabaseError as error:
            raise DamagedDatabase(f"{path}: {error}") from error
    if found != ["ok"]:
        raise DamagedDatabase(f"{path}: {'; '.join(found)}")


def refuse_network(directory: Path, mounts: str | None = None) -> None:
    """Raises ``StoreUnavailable`` when the directory lies on a network file system."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return  # not Linux: there is nothing to read it from
    place = os.path.realpath(directory)
    best, kind = "", ""
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, name
    if _NETWORK_FILE_SYSTEMS.match(kind):
        raise StoreUnavailable(f"{directory} is on {kind}: SQLite needs a local disk; use PostgreSQL instead")


def _warn_of_version() -> None:
    version = sqlite3.sqlite_version_info
    if version < FIXED_IN:
        log.warning("sqlite_version_old", version=sqlite3.sqlite_version, fixed_in="3.51.3")
    else:
        log.info("sqlite_version", version=sqlite3.sqlite_version)


def _refuse_other_file(path: Path) -> None:
    if not _is_nonempty(path):
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise DamagedDatabase(f"{path} is no SQLite database: put a backup in its place, or choose another --data")


def _is_nonempty(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _execute(connection: sa.Connection, statement: str) -> None:
    raw = connection.connection.driver_connection
    assert raw is not None, "the connection is open"
    raw.execute(statement)
