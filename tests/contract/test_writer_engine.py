"""The database's two verbs: reads that cannot write, writes that share commits and fail alone."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import sqlalchemy as sa
from tests.engines import Cluster

from onebell.clock import SystemClock
from onebell.errors import Conflict, StoreUnavailable
from onebell.settings import Settings
from onebell.store.engine import Database, open_database
from onebell.store.schema import guard, member
from onebell.store.sqlite import DamagedDatabase, SqliteDriver, refuse_network

T = TypeVar("T")


def put(key: str, used: int = 1):
    return lambda connection: connection.execute(guard.insert().values(space_id=1, key=key, used=used))


def keys(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(guard.c.key).order_by(guard.c.key)).scalars())


async def until_available(call: Callable[[], Awaitable[T]]) -> T:
    """Try until the store has found its server again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def test_a_write_is_there_for_the_next_read(database: Database) -> None:
    """What a write returned for is seen by every read after it."""
    got = await database.write(lambda c: (put("a")(c), "done")[1])

    assert got == "done"
    assert await database.read(keys) == ["a"]


async def test_a_read_cannot_write(database: Database) -> None:
    """A read's transaction refuses changes on both engines."""
    with pytest.raises(StoreUnavailable):
        await database.read(put("a"))

    assert await database.read(keys) == []


async def test_a_failing_write_fails_alone(database: Database) -> None:
    """Writes that were joined with one that fails are stored all the same, each with its own outcome."""
    await database.write(put("k50"))

    results = await asyncio.gather(*(database.write(put(f"k{n}")) for n in range(100)), return_exceptions=True)

    failed = [n for n, result in enumerate(results) if isinstance(result, Exception)]
    assert failed == [50]
    assert isinstance(results[50], sa.exc.IntegrityError)
    assert len(await database.read(keys)) == 100


async def test_our_own_errors_pass_unchanged(database: Database) -> None:
    """An error that a verb raises on purpose reaches its caller and rolls its write back."""

    def refuse(connection: sa.Connection) -> None:
        put("a")(connection)
        raise Conflict("taken")

    with pytest.raises(Conflict, match="taken"):
        await database.write(refuse)

    assert await database.read(keys) == []


async def test_a_cancelled_caller_does_not_disturb_the_others(database: Database) -> None:
    """A caller that goes away leaves the writes that were joined with his untouched."""
    gone = asyncio.ensure_future(database.write(put("gone")))
    await asyncio.sleep(0)
    gone.cancel()

    await database.write(put("stays"))

    assert "stays" in await database.read(keys)


async def test_a_read_sees_one_state(database: Database) -> None:
    """Two selects of one read see the same rows, whatever is committed between them."""
    first_done, committed = threading.Event(), threading.Event()

    def twice(connection: sa.Connection) -> tuple[list[str], list[str]]:
        before = keys(connection)
        first_done.set()
        assert committed.wait(10)
        return before, keys(connection)

    reading = asyncio.ensure_future(database.read(twice))
    await asyncio.to_thread(first_done.wait, 10)
    await database.write(put("a"))
    committed.set()

    assert await reading == ([], [])


async def test_foreign_keys_hold(database: Database) -> None:
    """A row cannot point to nothing."""
    with pytest.raises(sa.exc.IntegrityError):
        await database.write(lambda c: c.execute(member.insert().values(space_id=1, feed_id=9, party_id=9)))


async def test_a_closed_store_says_so(store_settings: Settings) -> None:
    """Reads and writes on a store that is not open are refused, not hung."""
    database = await open_database(store_settings, SystemClock())
    await database.close()

    with pytest.raises(StoreUnavailable):
        await database.write(put("a"))
    with pytest.raises(StoreUnavailable):
        await database.read(keys)


async def test_close_finishes_what_waits(store_settings: Settings) -> None:
    """Writes that were handed over before the close are committed by it."""
    database = await open_database(store_settings, SystemClock())
    writes = [asyncio.ensure_future(database.write(put(f"k{n}"))) for n in range(20)]
    await asyncio.sleep(0)

    await database.close()
    await asyncio.gather(*writes)

    again = await open_database(store_settings, SystemClock())
    assert len(await again.read(keys)) == 20
    await again.close()


@pytest.mark.postgres
async def test_a_restarted_server_is_found_again(cluster: Cluster) -> None:
    """While PostgreSQL is away everything is StoreUnavailable; when it is back the store works without a restart."""
    database = await open_database(Settings(database_url=cluster.database()), SystemClock())
    await database.write(put("before"))
    cluster.stop()
    try:
        with pytest.raises(StoreUnavailable):
            await database.write(put("lost"))
        with pytest.raises(StoreUnavailable):
            await database.read(keys)
    finally:
        cluster.start()

    await until_available(lambda: database.write(put("after")))
    found = await until_available(lambda: database.read(keys))
    assert found == ["after", "before"]
    await database.close()


@pytest.mark.postgres
async def test_postgresql_syncs_every_commit(cluster: Cluster) -> None:
    """Whatever the server's own setting, a commit that was answered outlives a power cut (R2)."""
    url = cluster.database()
    with psycopg.connect(url, autocommit=True) as own:
        own.execute(f'ALTER DATABASE "{own.info.dbname}" SET synchronous_commit = off')
    database = await open_database(Settings(database_url=url), SystemClock())

    said = await database.write(lambda connection: connection.scalar(sa.text("SHOW synchronous_commit")))

    assert said == "on"
    await database.close()


@pytest.mark.postgres
async def test_a_transaction_that_the_server_ended_is_unavailability(cluster: Cluster) -> None:
    """A node that was frozen in the middle of one finds it gone: nothing is stored, the next write works (R19)."""
    url = cluster.database()
    database = await open_database(Settings(database_url=url), SystemClock())

    def frozen(connection: sa.Connection) -> None:
        put("lost")(connection)
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 1"))
        with psycopg.connect(url, autocommit=True) as watch:
            while watch.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
                pass
        put("lost too")(connection)

    with pytest.raises(StoreUnavailable):
        await database.write(frozen)

    await database.write(put("after"))
    assert await database.read(keys) == ["after"]
    await database.close()


@pytest.mark.postgres
async def test_deadlocks_are_run_again(cluster: Cluster) -> None:
    """Writes that lock rows in opposite order all succeed: the loser of a deadlock is repeated."""
    database = await open_database(Settings(database_url=cluster.database()), SystemClock())
    await database.write(put("a", 0))
    await database.write(put("b", 0))

    def raise_both(first: str, second: str):
        def work(connection: sa.Connection) -> None:
            for key in (first, second):
                connection.execute(sa.update(guard).where(guard.c.key == key).values(used=guard.c.used + 1))
                connection.execute(sa.text("SELECT pg_sleep(0.01)"))

        return work

    await asyncio.gather(*(database.write(raise_both("a", "b") if n % 2 else raise_both("b", "a")) for n in range(8)))

    used = await database.read(lambda c: list(c.execute(sa.select(guard.c.used)).scalars()))
    assert used == [8, 8]
    await database.close()


async def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """A disk that is full refuses the write and nothing else; when there is room again writes go on."""
    database = await open_database(Settings(data=str(tmp_path)), SystemClock())
    await database.write(put("before"))

    def shrink(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill(connection: sa.Connection) -> None:
        shrink(connection)
        connection.execute(guard.insert().values(space_id=1, key="x" * 500_000))

    with pytest.raises(StoreUnavailable):
        await database.write(fill)

    await database.write(put("after"))
    assert await database.read(keys) == ["after", "before"]
    await database.close()


async def test_another_process_lock_is_unavailability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that outlasts the wait is StoreUnavailable, and gone with the lock."""
    monkeypatch.setattr("onebell.store.sqlite.BUSY_S", 0.05)
    database = await open_database(Settings(data=str(tmp_path)), SystemClock())
    other = sqlite3.connect(tmp_path / "onebell.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        await database.write(put("a"))
    other.execute("ROLLBACK")
    await database.write(put("b"))

    assert await database.read(keys) == ["b"]
    other.close()
    await database.close()


async def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    """The writing connection runs WAL with synchronous=FULL and foreign keys, as the design fixes it."""
    connection = SqliteDriver(tmp_path / "onebell.db").connect()

    settings = {
        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }

    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    connection.close()


async def test_damage_is_found_after_an_unclean_stop(tmp_path: Path) -> None:
    """A file that was not closed is checked before it is served; damage stops the start loudly."""
    database = await open_database(Settings(data=str(tmp_path)), SystemClock())
    for n in range(50):
        await database.write(put(f"k{n}" + "x" * 2000))
    await database.close()
    file = tmp_path / "onebell.db"
    damaged = bytearray(file.read_bytes())
    for at in range(8192, len(damaged), 4096):
        damaged[at : at + 64] = b"\xff" * 64
    file.write_bytes(damaged)
    (tmp_path / "onebell.db-wal").write_bytes(b"left over")

    with pytest.raises(DamagedDatabase):
        await open_database(Settings(data=str(tmp_path)), SystemClock())


async def test_another_sort_of_file_is_named(tmp_path: Path) -> None:
    """A file that never was a database stops the start with its path; it stays as it is."""
    file = tmp_path / "onebell.db"
    file.write_bytes(b"notes\n" * 1000)

    with pytest.raises(DamagedDatabase, match=f"^{file} is no SQLite database"):
        await open_database(Settings(data=str(tmp_path)), SystemClock())
    assert file.read_bytes() == b"notes\n" * 1000


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "smb3"])
def test_network_file_systems_are_refused(kind: str, tmp_path: Path) -> None:
    """SQLite's locks do not work over a network: such a directory is refused with the reason."""
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n"

    with pytest.raises(StoreUnavailable, match=kind.replace(".", r"\.")):
        refuse_network(tmp_path / "data", mounts)


def test_local_disks_are_taken(tmp_path: Path) -> None:
    """The longest mount point that holds the directory decides."""
    mounts = f"server:/x / nfs rw 0 0\n/dev/sda1 {tmp_path} ext4 rw 0 0\n"

    refuse_network(tmp_path / "data", mounts)


async def test_a_hanging_store_does_not_fill_the_memory(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of reads and writes that wait, the next is refused at once; the others come through."""
    monkeypatch.setattr("onebell.store.engine.QUEUE_LIMIT", 10)
    hang, release = threading.Event(), threading.Event()

    def wait(connection: sa.Connection) -> None:
        hang.set()
        release.wait(10)

    reads = [asyncio.ensure_future(database.read(wait)) for _ in range(30)]
    writes = [asyncio.ensure_future(database.write(wait)) for _ in range(30)]
    await asyncio.to_thread(hang.wait, 10)
    release.set()
    results = [await asyncio.gather(*some, return_exceptions=True) for some in (reads, writes)]

    for some in results:
        refused = [result for result in some if isinstance(result, StoreUnavailable)]
        assert 0 < len(refused) <= 20
        assert all(result is None or isinstance(result, StoreUnavailable) for result in some)


@pytest.mark.postgres
async def test_a_server_that_is_away_at_the_start(cluster: Cluster) -> None:
    """A store that cannot be reached refuses to open, and says so by its type."""
    url = cluster.database().replace(f":{cluster.port}/", ":1/")

    with pytest.raises(StoreUnavailable):
        await open_database(Settings(database_url=url), SystemClock())
