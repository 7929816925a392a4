"""Results gather while one transaction is under way; each call hears of its own."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.fakes.clock import MovedClock
from tests.fakes.node import HeardBell

from onebell.core.bell import Due
from onebell.core.ledger import TOGETHER, Ledger
from onebell.core.work import Closed, Job, Result
from onebell.errors import StoreUnavailable


class Queue:
    """Deliveries' ``close``: waits for the gate, refuses what it is told to."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.batches: list[list[int]] = []
        self.refused: set[int] = set()
        self.is_down = False

    async def close(self, results: Sequence[Result], now_ms: int, mint: Any) -> Closed:
        await self.gate.wait()
        ids = [result.job.id for result in results]
        if self.is_down:
            raise StoreUnavailable("gone")
        if self.refused & set(ids):
            raise ValueError("cannot store this")
        self.batches.append(ids)
        return Closed(watched=1 in ids)


def result(number: int) -> Result:
    job = Job(
        space=1,
        id=number,
        message=1,
        part=0,
        account=1,
        target=1,
        address="a",
        person=0,
        attempt=1,
        was_due_at=0,
        expires_at=0,
        created_at=0,
        lease_until=0,
    )
    return Result(job=job, outcome="sent", state="sent")


@pytest.fixture
async def queue() -> Queue:
    return Queue()


def ledger(queue: Queue, bell: HeardBell | None = None) -> Ledger:
    context = SimpleNamespace(
        clock=MovedClock(), mint=None, store=SimpleNamespace(deliveries=queue), bell=bell or HeardBell()
    )
    return Ledger(cast(Any, context))


async def stored(book: Ledger, queue: Queue, *pieces: Sequence[Result]) -> list[Any]:
    tasks = [asyncio.create_task(book.store(piece)) for piece in pieces]
    await asyncio.sleep(0)
    queue.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_results_of_many_calls_share_a_transaction(queue: Queue) -> None:
    """What came while the first was being written goes together in the next."""
    book = ledger(queue)
    first = asyncio.create_task(book.store([result(9)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await stored(book, queue, [result(1)], [result(2), result(3)]) == [None, None]

    await first
    assert queue.batches == [[9], [1, 2, 3]]


async def test_a_transaction_stays_bounded(queue: Queue) -> None:
    """Beyond the limit a second one follows; one call's results are never divided."""
    large = [result(number) for number in range(TOGETHER - 1)]

    await stored(ledger(queue), queue, large, [result(1), result(2)], [result(3)])

    assert [len(batch) for batch in queue.batches] == [TOGETHER - 1, 3]


async def test_one_that_cannot_be_stored_fails_alone(queue: Queue) -> None:
    """A defect in one call's results is that call's, not its neighbours'."""
    queue.refused = {2}

    outcomes = await stored(ledger(queue), queue, [result(1)], [result(2)], [result(3)])

    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert queue.batches == [[1], [3]]


async def test_every_call_hears_that_the_store_is_gone(queue: Queue) -> None:
    """Nothing is tried one by one against a store that is down."""
    queue.is_down = True

    outcomes = await stored(ledger(queue), queue, [result(1)], [result(2)])

    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)


async def test_a_call_that_was_cancelled_is_stored_all_the_same(queue: Queue) -> None:
    """What a carrier did is written whoever still listens; flush waits for it."""
    book = ledger(queue)
    call = asyncio.create_task(book.store([result(1)]))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    queue.gate.set()

    await book.flush()

    assert queue.batches == [[1]]


async def test_packers_are_woken(queue: Queue) -> None:
    """Events of watched messages ring."""
    bell = HeardBell()

    await stored(ledger(queue, bell), queue, [result(1)])

    assert bell.rung == [Due(space=0, queue="events")]
