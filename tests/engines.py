"""Real engines for tests: a SQLite file in a directory, and one PostgreSQL cluster per test process."""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from onebell.settings import Settings
from onebell.store import migrate

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
"""For fixtures and tests that run on both."""

_TEMPLATE = "onebell_template"
KEPT = 30
"""Databases of a cluster that stay for tests that come back to theirs."""


def missing(what: str) -> None:
    """Skip with one clear line; where everything must be there (``CI=true``) fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true allows no skips")
    pytest.skip(what)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    return places[-1] if places else None


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A PostgreSQL server on loopback, with a migrated database that tests copy."""

    def __init__(self, programs: Path, place: Path, fsync: str = "off") -> None:
        self._programs = programs
        self._place = place
        self._fsync = fsync
        self._user = _user()
        self._numbers = count(1)
        self._made: deque[str] = deque()
        self.port = free_port()

    def create(self) -> None:
        """Make the cluster, start it, migrate the template."""
        if self._user is not None:
            shutil.chown(self._place, self._user)
        self._run(
            "initdb", "-D", str(self._data), "-A", "trust", "-U", "onebell", "-E", "UTF8", "--no-sync", "--locale=C"
        )
        self.start()
        self._create_database(_TEMPLATE, "template0")
        migrate.upgrade_postgres(sa.make_url(self.url(_TEMPLATE)).set(drivername="postgresql+psycopg"))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "deadlock_timeout=50ms",
            f"fsync={self._fsync}",
        )
        options = f"-p {self.port} " + " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._place / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; ``mode`` is pg_ctl's."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def template(self) -> str:
        """The URL of a new database with all tables and no rows, that stays as long as the cluster."""
        name = f"template_{next(self._numbers)}"
        self._create_database(name, template=_TEMPLATE)
        return self.url(name)

    def database(self) -> str:
        """The URL of a new database with all tables and no rows."""
        return self._new(_TEMPLATE)

    def copy_of(self, url: str) -> str:
        """The URL of a copy of a database that nobody has open."""
        return self._new(url.rsplit("/", 1)[1])

    def empty_database(self) -> str:
        """The URL of a new database without tables."""
        return self._new("template0")

    def _new(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._create_database(name, template)
        self._made.append(name)
        if len(self._made) > KEPT:
            self._drop_oldest()
        return self.url(name)

    def _drop_oldest(self) -> None:
        """A thousand tests' databases would fill the memory they lie in; one that is still open gets another turn."""
        name = self._made.popleft()
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # Asked for first: the server itself waits for 5 s before it says so.
            if connection.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s LIMIT 1", [name]).fetchone():
                self._made.append(name)
            else:
                connection.execute(f'DROP DATABASE "{name}"')

    def log(self) -> str:
        """What the server has logged."""
        return (self._place / "log").read_text()

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://onebell@127.0.0.1:{self.port}/{name}"

    @property
    def _data(self) -> Path:
        return self._place / "data"

    def _create_database(self, name: str, template: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as said:  # a file, because the server keeps pg_ctl's output open
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._place,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                check=False,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read().decode()}"


@contextmanager
def postgres_cluster(fsync: str = "off") -> Iterator[Cluster]:
    """A running cluster; skips when the server programs are missing. Tests need not sync, benches do."""
    programs = _programs()
    if programs is None:
        missing("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    place = Path(tempfile.mkdtemp(prefix="onebell-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    cluster = Cluster(programs, place, fsync)
    try:
        cluster.create()
        yield cluster
        cluster.stop("immediate")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lay_tables(data: Path) -> None:
    """A SQLite file with all tables and no rows: a copy costs a fiftieth of making them."""
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_migrated(), data / "onebell.db")


@cache
def _migrated() -> Path:
    place = Path(tempfile.mkdtemp(prefix="onebell-sqlite-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    migrate.upgrade_sqlite(place / "onebell.db")
    return place / "onebell.db"


def settings_for(engine: str, request: pytest.FixtureRequest, data: Path) -> Settings:
    """Settings of a node on a fresh store of this engine; starts the cluster only when it is asked for."""
    if engine == "sqlite":
        lay_tables(data)
        return Settings(data=str(data))
    cluster: Cluster = request.getfixturevalue("cluster")
    return Settings(data=str(data), database_url=cluster.database())
