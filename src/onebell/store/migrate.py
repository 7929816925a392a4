"""Brings a database's schema up to date before the store opens (DESIGN §4, RELIABILITY §2.2).

Steps are Alembic revisions in ``migrations/versions``, named ``NNNN_what.py`` and only ever added. A new database gets
all tables at once and the newest revision's stamp; a test holds the two ways equal.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
import structlog

from onebell.errors import OnebellError
from onebell.store.schema import metadata
from onebell.store.sqlite import open_file

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6F6E6562656C6C  # "onebell": the advisory lock under which one node migrates

# As Alembic itself makes it.
_version = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class NewerDatabase(OnebellError):
    """The database was made by a newer onebell; start that one, or restore the copy from before its upgrade."""


class OtherTables(OnebellError):
    """The database says it has this version's tables and has not: a version from before the first release made it."""


class BrokenReferences(OnebellError):
    """A migration left rows that point nowhere; it was rolled back."""


def newest(migrations: Path = MIGRATIONS) -> str:
    """The newest revision there is; read from the file names, so that a start need not import Alembic."""
    return max(path.name.split("_")[0] for path in (migrations / "versions").glob("[0-9]*_*.py"))


def upgrade_sqlite(path: Path, migrations: Path = MIGRATIONS) -> None:
    """Create or upgrade a SQLite file; a file that had data is first copied to ``before-<revision>.db`` beside it.

    Raises:
        NewerDatabase: its revision is not known here.
        OtherTables: it lacks columns that its revision has.
        BrokenReferences: a step broke a foreign key; the file is as before.
    """
    goal = newest(migrations)
    with contextlib.closing(open_file(path)) as connection:
        execute = connection.exec_driver_sql
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        # Before BEGIN, where it still has an effect: Alembic drops and remakes tables, and a cascade would
        # delete their children without a word.
        execute("PRAGMA foreign_keys=OFF")
        current = _current(connection)
        if current == goal:
            _check_tables(connection)
            return
        if current:
            _copy(connection, path.with_name(f"before-{goal}.db"))
        execute("BEGIN IMMEDIATE")
        with _transaction(connection):
            _bring_up(connection, goal, migrations)
            broken = execute("PRAGMA foreign_key_check").fetchmany(5)
            if broken:
                raise BrokenReferences(f"{path}: {[tuple(row) for row in broken]}")


def upgrade_postgres(url: sa.URL, migrations: Path = MIGRATIONS) -> None:
    """Create or upgrade a PostgreSQL database; nodes that start together wait for the one that does it.

    Raises:
        NewerDatabase: its revision is not known here.
        OtherTables: it lacks columns that its revision has.
    """
    from onebell.store.postgres import open_server  # noqa: PLC0415 - psycopg only where it is used

    goal = newest(migrations)
    with contextlib.closing(open_server(url, lock_timeout="0", statement_timeout="0")) as connection:
        if _current(connection) == goal:
            _check_tables(connection)
            return
        execute = connection.exec_driver_sql
        execute(f"SELECT pg_advisory_lock({_LOCK})")
        execute("BEGIN")
        with _transaction(connection):
            _bring_up(connection, goal, migrations)


@contextlib.contextmanager
def _transaction(connection: sa.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _bring_up(connection: sa.Connection, goal: str, migrations: Path) -> None:
    current = _current(connection)
    if current == goal:  # another node was faster
        return
    log.info("store_migrating", old=current, new=goal)
    if not current:
        metadata.create_all(connection)
        _version.create(connection)
        connection.execute(_version.insert().values(version_num=newest()))
        if goal == newest():
            return
    elif current > goal:
        raise NewerDatabase(f"the database has revision {current}, this onebell knows {goal}")
    run_steps(connection, migrations)


def run_steps(connection: sa.Connection, migrations: Path = MIGRATIONS) -> None:
    """Run the Alembic steps that are missing, inside the caller's transaction."""
    from alembic import command  # noqa: PLC0415 - 0.3 s of a start that mostly has nothing to do
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: sa.Connection) -> str:
    """The revision of the database; empty when it has no tables."""
    if not sa.inspect(connection).has_table(_version.name):
        return ""
    return connection.execute(sa.select(_version.c.version_num)).scalar_one_or_none() or ""


def _check_tables(connection: sa.Connection) -> None:
    """Raises ``OtherTables``: until the first release the first revision changes, and writes would fail one by one."""
    found = sa.inspect(connection).get_multi_columns()
    there = {f"{table}.{column['name']}" for (_, table), columns in found.items() for column in columns}
    wanted = {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns}
    if missing := sorted(wanted - there):
        raise OtherTables(
            f"the database lacks {missing[0]}{' and more' if missing[1:] else ''}: a version from before the first "
            "release made it; begin with an empty one"
        )


def _copy(connection: sa.Connection, goal: Path) -> None:
    """A copy that is there is complete: it gets its name when it is written and synced."""
    part = goal.with_suffix(".part")
    part.unlink(missing_ok=True)
    connection.exec_driver_sql("VACUUM INTO ?", (str(part),))
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(goal)
