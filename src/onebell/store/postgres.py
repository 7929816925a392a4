"""PostgreSQL through psycopg 3: a few writing connections, every commit synced."""

from functools import lru_cache

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from onebell.errors import InvalidInput
from onebell.store.hot import COMPILED

LOCK_MS = 2_000
"""How long a statement waits for a row lock: longer than the server's ``deadlock_timeout`` (1 s), so that a deadlock
is seen as one; then the transaction gives up what it holds and is run again."""
IDLE_MS = 15_000
"""How long a node that is frozen within a transaction keeps its rows from the others: longer than a busy machine keeps
a thread waiting, and well below a delivery's lease."""
_OPTIONS = {
    "synchronous_commit": "on",
    "lock_timeout": str(LOCK_MS),
    "statement_timeout": "60000",
    "idle_in_transaction_session_timeout": str(IDLE_MS),
    "timezone": "UTC",
    "client_min_messages": "warning",
    # Nothing here reads a table whole. Before a table's first statistics, PostgreSQL's own value (4, a disk that turns)
    # has it sort all people of a space for each page of them.
    "random_page_cost": "1.1",
}
_CONNECT_S = 5
_PLANS = 300  # kept per connection: the writer's small statements come in sizes


class PostgresDriver:
    """The engine of servers that outgrew one machine."""

    kind = "postgresql"
    readers = 8
    writers = 6  # batches, two that wait for somebody's lock, and the verbs
    joins = 1  # its connections write side by side, so there is little to gain and locks to hold longer

    def __init__(self, url: str) -> None:
        """Raises ``InvalidInput``."""
        try:
            self.url = sa.make_url(url).set(drivername="postgresql+psycopg")
        except (sa.exc.ArgumentError, ValueError) as error:  # its text has the password
            raise InvalidInput("setting database_url: must be postgresql://user:password@host:port/name") from error
        self.dialect: sa.Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]

    def prepare(self) -> None:
        """Migrate."""
        from onebell.store import migrate  # noqa: PLC0415 - migrate names this module

        migrate.upgrade_postgres(self.url)

    def connect(self) -> sa.Connection:
        """A writing connection."""
        return open_server(self.url)

    def connect_reader(self) -> sa.Connection:
        """A connection for reads."""
        return open_server(self.url)

    def begin(self, connection: sa.Connection) -> None:
        _execute(connection, "BEGIN")

    def begin_read(self, connection: sa.Connection) -> None:
        _execute(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self, connection: sa.Connection) -> None:
        """Commit; the server says ROLLBACK instead when an error in it was swallowed."""
        cursor = _execute(connection, "COMMIT")
        if cursor.statusmessage != "COMMIT":
            raise psycopg.OperationalError(f"the server answered {cursor.statusmessage} to COMMIT")

    def rollback(self, connection: sa.Connection) -> None:
        _execute(connection, "ROLLBACK")

    def is_transient(self, error: Exception) -> bool:
        cause = getattr(error, "orig", error)
        return isinstance(
            cause,
            psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure | psycopg.errors.LockNotAvailable,
        )

    def is_unavailable(self, error: Exception) -> bool:
        cause = getattr(error, "orig", error)
        return isinstance(
            cause,
            psycopg.OperationalError
            | psycopg.InterfaceError
            | psycopg.errors.ReadOnlySqlTransaction
            # What a node hears that was frozen in the middle of a transaction; psycopg takes it for a defect.
            | psycopg.errors.IdleInTransactionSessionTimeout,
        )


def open_server(url: sa.URL, **options: str) -> sa.Connection:
    """A connection whose transactions are ours alone to begin and end."""
    settings = " ".join(f"-c {name}={value}" for name, value in {**_OPTIONS, **options}.items())
    connection = _engine(url, settings).connect()
    raw = connection.connection.driver_connection
    assert raw is not None, "just connected"
    raw.prepared_max = _PLANS
    return connection


@lru_cache(4)
def _engine(url: sa.URL, settings: str) -> sa.Engine:
    """One for all connections: a statement that one of them has compiled, none compiles again."""
    return sa.create_engine(
        url,
        paramstyle="format",
        poolclass=sa.pool.NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        query_cache_size=COMPILED,
        connect_args={
            "options": settings,
            "connect_timeout": _CONNECT_S,
            "application_name": "onebell",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


def _execute(connection: sa.Connection, statement: str) -> psycopg.Cursor[object]:
    raw = connection.connection.driver_connection
    assert raw is not None, "the connection is open"
    cursor: psycopg.Cursor[object] = raw.execute(statement)
    return cursor
