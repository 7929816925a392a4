"""Several nodes write to one PostgreSQL at once: nothing is hidden from readers, nothing deadlocks, keys are shared."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from tests.engines import Cluster
from tests.writing import SPACE, Node, count, entries, key, make_mailboxes, use

from onebell.clock import SystemClock
from onebell.core.work import LEASE_MS
from onebell.errors import Busy, Refused
from onebell.settings import Settings
from onebell.store import writer
from onebell.store.engine import Database, open_database
from onebell.store.prepared import Box
from onebell.store.schema import entry, guard, idempotency, message

pytestmark = pytest.mark.postgres

MAILBOXES = tuple(range(100, 120))


@pytest.fixture
async def nodes(cluster: Cluster) -> AsyncIterator[list[Node]]:
    """Three nodes on one database, and a fourth that reads."""
    settings = Settings(database_url=cluster.database())
    opened = [await open_database(settings, SystemClock()) for _ in range(4)]
    await opened[0].write(make_mailboxes(*MAILBOXES))
    yield [Node(database, number) for number, database in enumerate(opened)]
    for database in opened:
        await database.close()


class Follower:
    """One reader per mailbox, as a stream has them: it asks for what is above the highest rev it has seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._positions = dict.fromkeys(MAILBOXES, 0)
        self.seen: set[tuple[int, int]] = set()

    async def look(self) -> None:
        """Catch up in every mailbox."""
        positions = dict(self._positions)

        def work(connection: sa.Connection) -> list[tuple[int, int]]:
            found: list[tuple[int, int]] = []
            for box, at in positions.items():
                rows = connection.execute(
                    sa.select(entry.c.mailbox_id, entry.c.rev)
                    .where(entry.c.space_id == SPACE, entry.c.mailbox_id == box, entry.c.rev > at)
                    .order_by(entry.c.rev)
                )
                found += [tuple(row) for row in rows]
            return found

        for box, rev in await self._database.read(work):
            self.seen.add((box, rev))
            self._positions[box] = max(self._positions[box], rev)

    async def follow(self, stop: asyncio.Event) -> None:
        """Look again and again."""
        while not stop.is_set():
            await self.look()
        await self.look()


async def flood(nodes: list[Node], submissions: int, fan_out: int) -> Follower:
    """Three nodes write at once while somebody reads along."""
    dice = random.Random(7)
    stop = asyncio.Event()
    follower = Follower(nodes[3].database)
    following = asyncio.create_task(follower.follow(stop))

    async def send(node: Node, share: int) -> None:
        for _ in range(share):
            await node.writer.accept(node.item(*dice.sample(MAILBOXES, fan_out)))

    clients = 24
    await asyncio.gather(*(send(nodes[n % 3], submissions // clients) for n in range(clients)))
    stop.set()
    await following
    return follower


async def assert_nothing_is_hidden(nodes: list[Node], follower: Follower, expected: int) -> None:
    rows = await nodes[0].database.read(
        lambda c: {tuple(row) for row in c.execute(sa.select(entry.c.mailbox_id, entry.c.rev))}
    )
    per_box: dict[int, list[int]] = {}
    for box, rev in sorted(rows):
        per_box.setdefault(box, []).append(rev)

    assert len(rows) == expected
    assert rows - follower.seen == set()
    assert all(revs == list(range(1, len(revs) + 1)) for revs in per_box.values())


async def test_readers_miss_nothing(nodes: list[Node]) -> None:
    """10,000 entries by three writers: a reader that follows rev is shown every row, and places have no gap."""
    follower = await flood(nodes, 2016, 5)

    await assert_nothing_is_hidden(nodes, follower, 2016 * 5)


@pytest.mark.all
async def test_readers_miss_nothing_in_a_hundred_thousand(nodes: list[Node]) -> None:
    """The same with 100,000 entries: rows never shown, 0."""
    follower = await flood(nodes, 20_016, 5)

    await assert_nothing_is_hidden(nodes, follower, 20_016 * 5)


async def test_opposite_orders_do_not_deadlock(nodes: list[Node]) -> None:
    """Submissions that name the same mailboxes, keys and guards in opposite orders on two nodes are all stored."""
    names = [f"k{n}" for n in range(40)]

    async def send(node: Node, order: list[str]) -> list[object]:
        items = [
            node.item(*(MAILBOXES if order[0] == "k0" else reversed(MAILBOXES)), guards=use(f"g{name}", 1000))
            for name in order
            for _ in range(3)
        ]
        keyed = [node.item(100, idempotency=key(name), guards=use(f"g{name}", 1000)) for name in order]
        return await asyncio.gather(*(node.writer.accept(item) for item in [*items, *keyed]))

    results = await asyncio.gather(send(nodes[0], names), send(nodes[1], names[::-1]))

    assert [receipt.repeated for receipts in results for receipt in receipts].count(True) == 40
    used = await nodes[2].database.read(lambda c: set(c.execute(sa.select(guard.c.used)).scalars()))
    assert used == {7}


async def test_a_frozen_node_lets_go_before_its_leases_end(nodes: list[Node]) -> None:
    """What stands still within a transaction keeps its rows from the others for less than a lease (R19)."""
    limit = "SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"

    held_ms = await nodes[0].database.write(lambda c: c.exec_driver_sql(limit).scalar_one())

    assert 0 < held_ms < LEASE_MS


async def test_a_duplicate_waits_for_the_first_one_elsewhere(nodes: list[Node]) -> None:
    """A second request with the same key on another node waits for the first one's commit and gets its answer."""
    first, second = nodes[0], nodes[1]
    written, may_commit = threading.Event(), threading.Event()
    commit = first.database._driver.commit

    def slow_commit(connection: sa.Connection) -> None:
        written.set()
        assert may_commit.wait(10)
        commit(connection)

    first.database._driver.commit = slow_commit  # type: ignore[method-assign]
    item = first.item(100, idempotency=key("k"))
    one = asyncio.ensure_future(first.writer.accept(item))
    await asyncio.to_thread(written.wait, 10)
    two = asyncio.ensure_future(second.writer.accept(second.item(100, idempotency=key("k"))))
    neighbour = asyncio.ensure_future(second.writer.accept(second.item(101)))
    await _waits_for_lock(nodes[2].database)

    assert not two.done()
    may_commit.set()
    receipts = await asyncio.gather(one, two, neighbour)
    assert [receipt.repeated for receipt in receipts] == [False, True, False]
    assert receipts[1].message == item.stored.id
    assert await nodes[2].database.read(count(message)) == 2


async def test_a_duplicate_whose_first_one_fails_is_stored(nodes: list[Node]) -> None:
    """When the first request's commit fails, the one that waited for it is the first one now."""
    blocker = await _hold_key(nodes[0].database, "k")
    waiting = asyncio.ensure_future(nodes[1].writer.accept(nodes[1].item(100, idempotency=key("k"))))
    await _waits_for_lock(nodes[2].database)
    await blocker.give_up()

    assert not (await waiting).repeated
    assert await nodes[2].database.read(count(message)) == 1


async def test_busy_when_the_first_one_does_not_finish(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """A duplicate whose first request hangs gets Busy when its patience ends; submissions beside it are stored."""
    monkeypatch.setattr(writer, "PATIENCE_S", 0.2)
    blocker = await _hold_key(nodes[0].database, "k")
    node = nodes[1]

    results = await asyncio.gather(
        node.writer.accept(node.item(100, idempotency=key("k"))),
        *(node.writer.accept(node.item(101)) for _ in range(5)),
        return_exceptions=True,
    )

    assert isinstance(results[0], Busy)
    stored = await asyncio.gather(*(node.writer.accept(node.item(102)) for _ in range(20)))
    assert len(stored) == 20
    await blocker.give_up()


async def test_one_guard_on_three_nodes(nodes: list[Node]) -> None:
    """A limit of 50 lets exactly 50 through, wherever they arrive."""
    results = await asyncio.gather(
        *(nodes[n % 3].writer.accept(nodes[n % 3].item(100, guards=use("g", 50))) for n in range(120)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, Refused) for result in results) == 70
    assert await nodes[0].database.read(count(message)) == 50


async def test_numbered_ids_rise_on_three_nodes(nodes: list[Node]) -> None:
    """In every mailbox the ids of numbered entries rise with their places, whichever node wrote them."""
    pairs = [[Box(100 + n % 3, 1), Box(110, 1, direction=1)] for n in range(90)]

    await asyncio.gather(
        *(nodes[n % 3].writer.accept(nodes[n % 3].item(boxes=boxes, slots=1)) for n, boxes in enumerate(pairs))
    )

    numbers: dict[int, list[int]] = {}
    for box, _, _, public in await nodes[3].database.read(entries):
        numbers.setdefault(box, []).append(public)
    assert len(numbers[110]) == 90
    assert all(ids == sorted(set(ids)) for ids in numbers.values())


class _Holder:
    """A transaction of another node that has claimed a key and does not end."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._holding, self._release = threading.Event(), threading.Event()
        self._task: asyncio.Future[None] | None = None

    async def hold(self) -> None:
        self._task = asyncio.ensure_future(self._database.write(self._work))
        await asyncio.to_thread(self._holding.wait, 10)

    def _work(self, connection: sa.Connection) -> None:
        connection.execute(
            idempotency.insert().values(
                space_id=SPACE, scope="s", key=self._name, expires_at=int(time.time() * 1000) + 60_000
            )
        )
        self._holding.set()
        assert self._release.wait(30)
        raise RuntimeError("the first one fails")

    async def give_up(self) -> None:
        self._release.set()
        assert self._task is not None
        with pytest.raises(RuntimeError):
            await self._task


async def _hold_key(database: Database, name: str) -> _Holder:
    holder = _Holder(database, name)
    await holder.hold()
    return holder


async def _waits_for_lock(database: Database) -> None:
    """Until some session of this database waits for another's lock."""
    asked = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(10):
        while not await database.read(lambda c: c.execute(asked).scalar_one()):
            await asyncio.sleep(0.01)
