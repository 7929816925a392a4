"""Rates that all nodes share, on both engines."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.engines import Cluster

from onebell.clock import SystemClock
from onebell.errors import StoreUnavailable
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.engine import Database, open_database
from onebell.store.limits import BUCKETS, SharedLimits, _Window


class StillClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> StillClock:
    """Time stands still until the test moves it."""
    return StillClock()


@pytest.fixture
def limits(database: Database, clock: StillClock) -> SharedLimits:
    """The limits of one node, flushed by hand."""
    return SharedLimits(database, clock)


async def test_the_limit_is_taken_and_then_refused(limits: SharedLimits, clock: StillClock):
    """Up to the limit every take is counted; one over is refused and not counted; the window slides on."""
    assert [await limits.take(1, "bot", 3, 60) for _ in range(5)] == [True, True, True, False, False]
    assert await limits.used(1, "bot", 60) == 3
    clock.ms += 60_000
    assert await limits.used(1, "bot", 60) == 0
    assert await limits.take(1, "bot", 3, 60)


async def test_amounts_are_all_or_nothing(limits: SharedLimits):
    """An amount that does not fit is refused whole."""
    assert await limits.take(1, "k", 10, 60, amount=7)
    assert not await limits.take(1, "k", 10, 60, amount=4)
    assert await limits.take(1, "k", 10, 60, amount=3)


async def test_keys_spaces_and_windows_are_apart(limits: SharedLimits):
    """Each (space, key, window) is counted by itself."""
    assert await limits.take(1, "k", 1, 60)
    assert await limits.take(2, "k", 1, 60)
    assert await limits.take(1, "l", 1, 60)
    assert await limits.take(1, "k", 1, 3600)
    assert not await limits.take(1, "k", 1, 60)


async def test_the_window_slides(limits: SharedLimits, clock: StillClock):
    """What was taken leaves the window after its length, not before (but for one part of it)."""
    assert await limits.take(1, "k", 2, 60)
    clock.ms += 30_000
    assert await limits.take(1, "k", 2, 60)
    clock.ms += 28_000
    assert not await limits.take(1, "k", 2, 60)
    clock.ms += 2_000
    assert await limits.take(1, "k", 2, 60)
    assert not await limits.take(1, "k", 2, 60)


async def test_a_clock_that_is_set_back_frees_the_window(limits: SharedLimits, clock: StillClock):
    """What stands in another hour is no reason to refuse until that comes again (RELIABILITY R12)."""
    assert [await limits.take(1, "bot", 2, 60) for _ in range(3)] == [True, True, False]
    await limits.flush()
    clock.ms -= 3_600_000

    assert [await limits.take(1, "bot", 2, 60) for _ in range(3)] == [True, True, False]


async def test_counts_survive_a_restart(database: Database, limits: SharedLimits, clock: StillClock):
    """What was flushed is known to the next process at its first take."""
    for _ in range(3):
        await limits.take(1, "k", 3, 60)
    await limits.flush()
    again = SharedLimits(database, clock)
    assert not await again.take(1, "k", 3, 60)
    assert await again.used(1, "k", 60) == 3


async def test_a_warm_take_asks_nobody(limits: SharedLimits):
    """After the first take of a key the next ones finish without giving the loop away."""
    await limits.take(1, "k", 10, 60)
    taking = limits.take(1, "k", 10, 60)
    with pytest.raises(StopIteration) as answered:
        taking.send(None)
    assert answered.value.value is True


async def test_a_flush_changes_no_decision(limits: SharedLimits, clock: StillClock):
    """Counts are the same before, during and after any flush."""
    taken = 0
    for step in range(200):
        taken += await limits.take(1, "k", 50, 60)
        if step % 7 == 0:
            flushing = asyncio.create_task(limits.flush())
            await asyncio.sleep(0)
            taken += await limits.take(1, "k", 50, 60)
            await flushing
        assert await limits.used(1, "k", 60) == taken
    assert taken == 50


async def test_a_failed_flush_loses_no_count(
    database: Database, limits: SharedLimits, clock: StillClock, monkeypatch: pytest.MonkeyPatch
):
    """While the store is away counting goes on in memory; it is written when the store is back."""
    await limits.take(1, "k", 10, 60, amount=4)

    async def away(work: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(database, "write", away)
        with pytest.raises(StoreUnavailable):
            await limits.flush()
        assert await limits.used(1, "k", 60) == 4
        assert await limits.take(1, "k", 10, 60, amount=4)
        assert not await limits.take(1, "k", 10, 60, amount=4)
    await limits.flush()
    assert await SharedLimits(database, clock).used(1, "k", 60) == 8


async def test_an_outage_is_told_once(database: Database, limits: SharedLimits, monkeypatch: pytest.MonkeyPatch):
    """However often the store is asked meanwhile: a disk that is full is not filled with log."""
    asked = asyncio.Queue[None]()

    async def away(*_: object) -> None:
        asked.put_nowait(None)
        raise StoreUnavailable("gone")

    monkeypatch.setattr("onebell.store.limits.FLUSH_S", 0)
    monkeypatch.setattr("onebell.store.limits.RETRY_S", 0)
    limits.count(1, "k", 60)
    with capture_logs() as logged, monkeypatch.context() as broken:
        broken.setattr(database, "write", away)
        running = asyncio.create_task(limits.run())
        for _ in range(3):
            await asked.get()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await limits.flush()

    assert [line["event"] for line in logged] == ["limits_not_shared"]
    assert await limits.used(1, "k", 60) == 1


async def test_old_counts_are_swept(database: Database, limits: SharedLimits, clock: StillClock):
    """Counts that no window can hold any more leave the table and the memory."""
    for number in range(5):
        await limits.take(1, f"k{number}", 10, 60)
    await limits.flush()
    clock.ms += 200_000
    await limits.take(1, "young", 10, 60)
    await limits.flush()
    keys = await database.read(lambda connection: connection.execute(sa.select(schema.counter.c.key)).scalars().all())
    assert keys == ["60:young"]
    assert len(limits._windows) == 1


async def test_made_up_keys_do_not_fill_the_memory(limits: SharedLimits, monkeypatch: pytest.MonkeyPatch):
    """More keys than the bound push out those that were not used lately and are written."""
    monkeypatch.setattr("onebell.store.limits.WINDOWS", 20)
    for number in range(100):
        assert await limits.take(1, f"k{number}", 1, 60)
        await limits.flush()
    assert len(limits._windows) <= 20
    assert not await limits.take(1, "k0", 1, 60)


async def test_run_flushes_once_more_when_it_ends(database: Database, limits: SharedLimits, clock: StillClock):
    """A graceful stop writes what was counted since the last flush."""
    running = asyncio.create_task(limits.run())
    await asyncio.sleep(0)
    await limits.take(1, "k", 5, 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await SharedLimits(database, clock).used(1, "k", 60) == 1


@pytest.fixture
async def two_nodes(cluster: Cluster, clock: StillClock) -> AsyncIterator[list[SharedLimits]]:
    """Two nodes on one store; SQLite belongs to one process."""
    settings = Settings(database_url=cluster.database())
    opened = [await open_database(settings, SystemClock()) for _ in range(2)]
    yield [SharedLimits(one, clock) for one in opened]
    for one in opened:
        await one.close()


@pytest.mark.postgres
async def test_two_nodes_decide_on_the_sum(two_nodes: list[SharedLimits]):
    """After a flush each node sees the other's counts: together they do not pass the limit again."""
    here, there = two_nodes
    assert await here.take(1, "k", 10, 60, amount=6)
    assert await there.take(1, "k", 10, 60, amount=3)
    await asyncio.gather(here.flush(), there.flush())
    await here.take(1, "k", 10, 60, amount=0)
    await here.flush()
    assert await here.used(1, "k", 60) == 9
    assert not await here.take(1, "k", 10, 60, amount=2)
    assert await there.take(1, "k", 10, 60, amount=1)


@pytest.mark.postgres
async def test_nodes_that_flush_at_once_lose_nothing(two_nodes: list[SharedLimits], clock: StillClock):
    """Both nodes add to the same rows in whatever order, again and again: the sum is exact."""
    order = random.Random(1)
    total = 0
    for _ in range(20):
        for node in two_nodes:
            keys = [f"k{number}" for number in range(30)]
            order.shuffle(keys)
            for key in keys:
                total += await node.take(1, key, 1_000_000, 60)
        clock.ms += 500
        await asyncio.gather(*(node.flush() for node in two_nodes))
    clock.ms += 1_001
    assert sum([await two_nodes[0].used(1, f"k{number}", 60) for number in range(30)]) == total == 1200


@pytest.mark.postgres
async def test_an_idle_node_looks_before_it_decides(two_nodes: list[SharedLimits], clock: StillClock):
    """A node that did not use a key for a second reads what the others took meanwhile."""
    here, there = two_nodes
    await there.take(1, "k", 2, 60)
    await there.flush()
    assert await here.take(1, "k", 2, 60)
    await here.flush()
    clock.ms += 1_500
    assert not await there.take(1, "k", 2, 60)


@settings(max_examples=200)
@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 5), st.sampled_from("tfl")), max_size=40),
)
def test_a_window_holds_what_was_taken_in_its_length(window_s: int, steps: list[tuple[int, int, str]]):
    """Whatever is taken and flushed: the window holds all of its own length less one part, and nothing older."""
    window = _Window(window_s)
    now_ms, taken = 1_700_000_000_000, []
    stored: dict[int, int] = {}
    for later_ms, amount, what in steps:
        now_ms += later_ms
        if what == "t":
            window.add(now_ms, amount)
            taken.append((now_ms, amount))
        elif what == "f":
            for bucket, count in window.take_off().items():
                stored[bucket] = stored.get(bucket, 0) + count
            window.land(stored, now_ms)
        else:
            window.take_off()
            window.come_back()
        part_ms = max(1, window_s * 1000 // BUCKETS)
        at_least = sum(count for at, count in taken if at > now_ms - window_s * 1000 + part_ms)
        at_most = sum(count for at, count in taken if at > now_ms - window_s * 1000)
        assert at_least <= window.held(now_ms) <= at_most
