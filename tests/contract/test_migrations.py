"""Schema upgrades: nothing is lost, whatever kills them (RELIABILITY R20)."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from subprocess import PIPE

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.engines import Cluster

from onebell.clock import SystemClock
from onebell.settings import Settings
from onebell.store import migrate
from onebell.store.engine import open_database
from onebell.store.postgres import open_server
from onebell.store.schema import address, metadata, person
from onebell.store.sqlite import open_file

ROWS = 10_000
STEP = "9999"

# A column of the parent table changes its type and its default: on SQLite the table is made anew and renamed.
CHANGE = '''
"""A column change of a parent table."""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{before}"


def upgrade() -> None:
    with op.batch_alter_table("person") as table:
        table.alter_column("language", new_column_name="tongue", existing_type=sa.Text())
        table.add_column(sa.Column("mood", sa.Text(), nullable=False, server_default="calm"))
'''

# For each number n that it reads it forks; the fork runs the upgrade and kills itself right before its n-th statement.
KILLED = """
import os, signal, sys
from pathlib import Path

import alembic.command
import sqlalchemy as sa

from onebell import log
from onebell.store import migrate, postgres

log.configure("error")
place, migrations = sys.argv[1], Path(sys.argv[2])


def upgrade(limit):
    count = 0

    @sa.event.listens_for(sa.engine.Engine, "before_cursor_execute")
    def before(connection, cursor, statement, parameters, context, executemany):
        nonlocal count
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    if place.startswith("postgresql"):
        migrate.upgrade_postgres(sa.make_url(place), migrations)
    else:
        migrate.upgrade_sqlite(Path(place), migrations)


for line in sys.stdin:
    child = os.fork()
    if not child:
        upgrade(int(line))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our migrations and one more step."""
    place = tmp_path_factory.mktemp("steps") / "migrations"
    shutil.copytree(migrate.MIGRATIONS, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "versions" / f"{STEP}_change.py").write_text(CHANGE.format(before=migrate.newest()))
    return place


def fill(connection: sa.Connection) -> None:
    """Parents and children, by references that cascade."""
    people = [{"space_id": 1, "id": n, "uid": f"u{n}", "uid_key": f"u{n}", "language": "en"} for n in range(ROWS)]
    addresses = [{"space_id": 1, "id": n, "person_id": n, "carrier": "email", "value": "x"} for n in range(ROWS)]
    connection.execute(person.insert(), people)
    connection.execute(address.insert(), addresses)


def counts(connection: sa.Connection) -> tuple[int, int]:
    one, other = (
        connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (person, address)
    )
    return one, other


def every_kill(place: str, migrations: Path) -> Iterator[int]:
    """Kill before the first statement, the second, … until one run comes through."""
    command = [sys.executable, "-c", KILLED, place, str(migrations)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True, bufsize=1) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        for limit in count(1):
            forks.stdin.write(f"{limit}\n")
            ended = int(forks.stdout.readline())
            if ended != -signal.SIGKILL:
                break
            yield limit
    assert (ended, forks.returncode) == (0, 0)


def test_killed_at_each_statement_on_sqlite(tmp_path: Path, migrations: Path) -> None:
    """A column change that is killed before any of its statements loses nothing and can be run again."""
    file = tmp_path / "onebell.db"
    migrate.upgrade_sqlite(file)
    with open_file(file) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        fill(connection)
        connection.exec_driver_sql("COMMIT")

    kills = 0
    for _ in every_kill(str(file), migrations):
        kills += 1
        with open_file(file) as connection:
            assert counts(connection) == (ROWS, ROWS)
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []

    with open_file(file) as connection:
        assert counts(connection) == (ROWS, ROWS)
        assert connection.exec_driver_sql("SELECT DISTINCT tongue, mood FROM person").fetchall() == [("en", "calm")]
        assert connection.exec_driver_sql("PRAGMA quick_check").scalar_one() == "ok"
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == STEP
    assert kills > 10


@pytest.mark.postgres
def test_killed_at_each_statement_on_postgres(cluster: Cluster, migrations: Path) -> None:
    """The same on PostgreSQL."""
    url = cluster.database().replace("postgresql:", "postgresql+psycopg:")
    with open_server(sa.make_url(url)) as connection:
        connection.exec_driver_sql("BEGIN")
        fill(connection)
        connection.exec_driver_sql("COMMIT")

    kills = 0
    for _ in every_kill(url, migrations):
        kills += 1
        with open_server(sa.make_url(url)) as connection:
            assert counts(connection) == (ROWS, ROWS)

    with open_server(sa.make_url(url)) as connection:
        assert counts(connection) == (ROWS, ROWS)
        assert connection.exec_driver_sql("SELECT DISTINCT tongue, mood FROM person").fetchall() == [("en", "calm")]
    assert kills > 5


def test_a_copy_is_made_before(tmp_path: Path, migrations: Path) -> None:
    """Before an upgrade the file is copied beside itself, with all its rows and its old revision."""
    file = tmp_path / "onebell.db"
    migrate.upgrade_sqlite(file)
    with open_file(file) as connection:
        connection.execute(person.insert().values(space_id=1, id=1, uid="a", uid_key="a"))

    migrate.upgrade_sqlite(file, migrations)

    with sqlite3.connect(tmp_path / f"before-{STEP}.db") as copy:
        assert copy.execute("SELECT uid, language FROM person").fetchall() == [("a", "")]
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.newest(),)
    copy.close()


def test_a_new_file_is_not_copied(tmp_path: Path) -> None:
    """A first start leaves one file."""
    migrate.upgrade_sqlite(tmp_path / "onebell.db")

    assert [path.name for path in tmp_path.iterdir()] == ["onebell.db"]


def test_the_short_way_equals_the_long_one_on_sqlite(tmp_path: Path) -> None:
    """A database made at once has the very tables that all steps make."""
    short, long = tmp_path / "short.db", tmp_path / "long.db"
    migrate.upgrade_sqlite(short)
    with open_file(long) as connection:
        migrate.run_steps(connection)

    def tables(file: Path) -> list[tuple[object, ...]]:
        with open_file(file) as connection:
            rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
            return [tuple(str(value).split() for value in row) for row in rows]

    assert tables(short) == tables(long)


@pytest.mark.postgres
def test_the_short_way_equals_the_long_one_on_postgres(cluster: Cluster) -> None:
    """The same on PostgreSQL, by its own catalogue."""
    short, long = (sa.make_url(url).set(drivername="postgresql+psycopg") for url in _two(cluster))
    migrate.upgrade_postgres(short)
    with open_server(long) as connection:
        migrate.run_steps(connection)

    def columns(url: sa.URL) -> list[tuple[object, ...]]:
        asked = (
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
        with open_server(url) as connection:
            return [
                *map(tuple, connection.exec_driver_sql(asked)),
                *map(tuple, connection.exec_driver_sql(indexes)),
            ]

    assert columns(short) == columns(long) != []


def _two(cluster: Cluster) -> tuple[str, str]:
    return cluster.empty_database(), cluster.empty_database()


def test_the_steps_make_the_tables_as_they_are_declared(tmp_path: Path) -> None:
    """Alembic finds no difference between the migrated database and the declared tables."""
    file = tmp_path / "onebell.db"
    with open_file(file) as connection:
        migrate.run_steps(connection)
        context = MigrationContext.configure(connection)

        assert compare_metadata(context, metadata) == []


def test_an_upgrade_that_breaks_references_is_undone(tmp_path: Path, migrations: Path) -> None:
    """Foreign keys are checked before the commit: rows that point nowhere undo the whole upgrade."""
    file = tmp_path / "onebell.db"
    migrate.upgrade_sqlite(file)
    with open_file(file) as connection:  # foreign keys are off on this connection
        connection.execute(address.insert().values(space_id=1, id=1, person_id=404, carrier="email", value="x"))

    with pytest.raises(migrate.BrokenReferences, match="address"):
        migrate.upgrade_sqlite(file, migrations)

    with open_file(file) as connection:
        assert "language" in {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(person)")}


def test_a_newer_database_is_refused(tmp_path: Path, migrations: Path) -> None:
    """An older onebell does not touch a database that a newer one has upgraded."""
    file = tmp_path / "onebell.db"
    migrate.upgrade_sqlite(file)
    migrate.upgrade_sqlite(file, migrations)

    with pytest.raises(migrate.NewerDatabase, match=STEP):
        migrate.upgrade_sqlite(file)


def test_a_database_that_only_says_it_is_up_to_date_is_refused(tmp_path: Path) -> None:
    """The first revision changes until the first release: who comes from before is told at the start, not by each
    write that fails."""
    file = tmp_path / "onebell.db"
    migrate.upgrade_sqlite(file)
    with open_file(file) as connection:
        connection.exec_driver_sql("ALTER TABLE callback DROP COLUMN last_reply")

    with pytest.raises(migrate.OtherTables, match=r"callback\.last_reply"):
        migrate.upgrade_sqlite(file)


@pytest.mark.postgres
async def test_nodes_that_start_together_migrate_once(cluster: Cluster) -> None:
    """Three nodes that open an empty database at once all come up on the same tables."""
    url = cluster.empty_database()
    script = (
        "import asyncio, sys\n"
        "from onebell.clock import SystemClock\n"
        "from onebell.settings import Settings\n"
        "from onebell.store.engine import open_database\n"
        "async def main():\n"
        "    database = await open_database(Settings(database_url=sys.argv[1]), SystemClock())\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen([sys.executable, "-c", script, url], env=environment, stderr=subprocess.PIPE) for _ in range(3)
    ]

    assert [process.communicate()[1] for process in started] == [b"", b"", b""]
    database = await open_database(Settings(database_url=url), SystemClock())
    assert await database.read(lambda c: c.exec_driver_sql("SELECT version_num FROM alembic_version").all()) == [
        (migrate.newest(),)
    ]
    await database.close()
