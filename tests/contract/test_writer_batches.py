"""How submissions come together in transactions, and what becomes of them when the store fails."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.engines import Cluster
from tests.writing import TABLES, Node, count, entries, key, make_mailboxes

from onebell.clock import SystemClock
from onebell.errors import StoreUnavailable
from onebell.settings import Settings
from onebell.store import writer
from onebell.store.engine import Database, open_database
from onebell.store.hot import raw
from onebell.store.prepared import Wait
from onebell.store.schema import message
from onebell.store.sqlite import SqliteDriver

STATEMENTS = 6


def ordinary(node: Node, number: int) -> object:
    """A submission with all that one normally has: key, two entries, public id, delivery."""
    return node.item(
        100 + number % 7, 100 + number % 11, idempotency=key(f"k{number}"), waits=[Wait(0, 1, number + 1, 0, 0)]
    )


def transactions(statements: list[str]) -> Iterator[list[str]]:
    """The statements between each BEGIN and its COMMIT."""
    inside: list[str] = []
    for statement in statements:
        if statement.startswith("BEGIN"):
            inside = []
        elif statement.startswith("COMMIT"):
            yield inside
        else:
            inside.append(statement)


async def test_six_statements_a_batch_on_sqlite(tmp_path: Path) -> None:
    """An ordinary batch of any size is at most six statements between BEGIN and COMMIT; SQLite's own trace counts."""
    database = await open_database(Settings(data=str(tmp_path)), SystemClock())
    node = Node(database)
    said: list[str] = []
    await database.write(lambda connection: raw(connection).set_trace_callback(said.append))

    await asyncio.gather(*(node.writer.accept(ordinary(node, n)) for n in range(200)))

    batches = list(transactions(said))
    assert max(len(batch) for batch in batches) <= STATEMENTS
    assert len(batches) <= 8  # one that began at once, and those that filled up behind it
    await database.close()


@pytest.mark.postgres
async def test_six_statements_a_batch_on_postgres(cluster: Cluster) -> None:
    """The same on PostgreSQL; its own log counts."""
    url = cluster.database()
    name = url.rpartition("/")[2]
    admin = await open_database(Settings(database_url=url), SystemClock())
    await admin.write(lambda c: c.exec_driver_sql(f"ALTER DATABASE {name} SET log_statement = 'all'"))
    await admin.close()
    database = await open_database(Settings(database_url=url), SystemClock())
    node = Node(database)
    mark = len(cluster.log())

    await asyncio.gather(*(node.writer.accept(ordinary(node, n)) for n in range(200)))
    await database.close()

    said: dict[str, list[str]] = {}
    for line in cluster.log()[mark:].splitlines():
        session, marked, statement = line.partition("LOG:  ")
        if marked:
            text = statement.partition(": ")[2]
            said.setdefault(session.split("[")[1], []).append(text)
    batches = [batch for lines in said.values() for batch in transactions(lines)]
    assert sum(any("COPY message" in text or "INTO message" in text for text in batch) for batch in batches) <= 8
    assert max(len(batch) for batch in batches) <= STATEMENTS


async def test_a_batch_forms_while_a_commit_runs(database: Database) -> None:
    """What arrives during a commit goes together in the next one; nothing waits when the writer is free."""
    node = Node(database)
    commits: list[int] = []
    commit = database._driver.commit
    running, may_go_on = threading.Event(), threading.Event()

    def counted(connection: sa.Connection) -> None:
        commits.append(1)
        running.set()
        may_go_on.wait(10)
        commit(connection)

    database._driver.commit = counted  # type: ignore[method-assign]
    first = asyncio.ensure_future(node.writer.accept(node.item(100)))
    await asyncio.to_thread(running.wait, 10)
    others = [asyncio.ensure_future(node.writer.accept(node.item(100))) for _ in range(50)]
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(first, *others)

    expected = 2 if database.kind == "sqlite" else 4  # PostgreSQL may begin the next one beside the first
    assert len(commits) <= expected
    assert [seq for _, seq, _, _ in await database.read(entries)] == list(range(1, 52))


async def test_a_batch_has_a_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one transaction takes goes into several, by number and by weight, and all are stored."""
    monkeypatch.setattr(writer, "BATCH", 10)
    monkeypatch.setattr(writer, "BATCH_BYTES", 5000)
    node = Node(database)

    await asyncio.gather(*(node.writer.accept(node.item(100, parts=b"x" * (1 + n % 2 * 3000))) for n in range(95)))

    assert await database.read(count(message)) == 95


async def test_an_audience_larger_than_a_statement(database: Database) -> None:
    """Entries beyond what one statement holds go into several of the same transaction."""
    node = Node(database)

    await node.writer.accept(node.item(*range(1000, 6000)))

    assert len(await database.read(entries)) == 5000


async def test_a_commit_that_fails_gives_no_receipt(database: Database) -> None:
    """R3: when the commit fails, nobody of the batch gets a receipt and no row is there; the next batch works."""
    node = Node(database)
    await database.write(make_mailboxes(100))
    commit = database._driver.commit
    broken = sqlite3.OperationalError("database or disk is full")
    broken.sqlite_errorcode = sqlite3.SQLITE_FULL
    fail = True

    def failing(connection: sa.Connection) -> None:
        if fail:
            raise broken if database.kind == "sqlite" else OSError("gone")
        commit(connection)

    database._driver.commit = failing  # type: ignore[method-assign]
    results = await asyncio.gather(
        *(node.writer.accept(node.item(100, idempotency=key(f"k{n}"))) for n in range(20)), return_exceptions=True
    )
    fail = False

    assert all(isinstance(result, Exception) for result in results)
    assert [await database.read(count(table)) for table in TABLES] == [0, 0, 0]
    assert not node.bell.notes
    assert not (await node.writer.accept(node.item(100, idempotency=key("k1")))).repeated


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """R4: with the disk full every submission is StoreUnavailable and none is half stored; with room it goes on."""
    database = await open_database(Settings(data=str(tmp_path)), SystemClock())
    node = Node(database)
    await node.writer.accept(node.item(100))
    shrunk: list[int] = []
    connect = SqliteDriver.connect

    def small(driver: SqliteDriver) -> sa.Connection:
        connection = connect(driver)
        if shrunk:
            connection.exec_driver_sql(f"PRAGMA max_page_count={shrunk[0]}")
        return connection

    database._driver.connect = small.__get__(database._driver)  # type: ignore[method-assign]
    shrunk.append(await database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one()))
    await database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={shrunk[0]}"))

    big = b"x" * 200_000
    full = await asyncio.gather(
        *(node.writer.accept(node.item(100, parts=big)) for _ in range(10)), return_exceptions=True
    )
    stored = await database.read(count(message))
    shrunk.clear()
    # The writer may have opened its file anew meanwhile, still within the small disk.
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1073741823"))
    after = await node.writer.accept(node.item(100, parts=big))

    assert all(isinstance(result, StoreUnavailable) for result in full)
    assert stored == 1
    assert after.message
    assert [seq for _, seq, _, _ in await database.read(entries)] == [1, 2]
    await database.close()


@pytest.mark.postgres
async def test_a_server_that_goes_away(cluster: Cluster) -> None:
    """R5: with PostgreSQL gone submissions are StoreUnavailable at once; when it is back they are stored."""
    database = await open_database(Settings(database_url=cluster.database()), SystemClock())
    node = Node(database)
    await node.writer.accept(node.item(100))
    cluster.stop("immediate")
    try:
        gone = await asyncio.gather(*(node.writer.accept(node.item(100)) for _ in range(50)), return_exceptions=True)
    finally:
        cluster.start()
    async with asyncio.timeout(10):
        while isinstance(await _try(node), StoreUnavailable):
            await asyncio.sleep(0.1)

    assert all(isinstance(result, StoreUnavailable) for result in gone)
    assert [seq for _, seq, _, _ in await database.read(entries)] == [1, 2]
    await database.close()


async def test_a_closed_store_answers_everybody(store_settings: Settings) -> None:
    """Submissions after the close are StoreUnavailable, none hangs; those before it are stored."""
    database = await open_database(store_settings, SystemClock())
    node = Node(database)
    early = [asyncio.ensure_future(node.writer.accept(node.item(100))) for _ in range(5)]
    for _ in range(2):  # one turn of the loop for them to ask, one for the writer to hear of it
        await asyncio.sleep(0)
    await database.close()

    results = await asyncio.gather(*early, _try(node))

    assert isinstance(results[-1], StoreUnavailable)
    again = await open_database(store_settings, SystemClock())
    assert await again.read(count(message)) == 5
    await again.close()


async def test_too_many_that_wait_are_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs does not fill the memory: beyond a number of waiting submissions the next is refused."""
    monkeypatch.setattr(writer, "WAITING", 20)
    node = Node(database)

    results = await asyncio.gather(*(_try(node) for _ in range(60)))

    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    assert 0 < len(refused) <= 40
    assert await database.read(count(message)) == 60 - len(refused)


async def _try(node: Node) -> object:
    try:
        return await node.writer.accept(node.item(100))
    except StoreUnavailable as error:
        return error
