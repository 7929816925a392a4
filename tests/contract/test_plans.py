"""Durable timers on both engines: each step once, whoever is awake, also after a restart."""

import asyncio
import re
from dataclasses import dataclass, field

import msgspec
import pytest
from tests.fakes.node import HeardBell, context_of
from tests.rows import SPACE, Rows

from onebell.core.bell import Due
from onebell.core.defects import DEFECT_ATTEMPTS
from onebell.core.events import EventKind
from onebell.core.plans import Plans
from onebell.core.work import LEASE_S, PlanDraft, PlanJob
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.plans import drop_plans, write_plans


@dataclass
class Steps:
    """A handler: remembers the steps; goes on as told."""

    then: list[int | Exception | None] = field(default_factory=list)
    done: list[PlanJob] = field(default_factory=list)
    given_up = EventKind.NOT_RECALLED

    async def __call__(self, job: PlanJob) -> int | None:
        self.done.append(job)
        answer = self.then.pop(0) if self.then else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


def draft(rows: Rows, in_s: float = 0, kind: str = "step", message: int = 0) -> PlanDraft:
    due = rows.clock.now_ms() + round(in_s * 1000)
    return PlanDraft(space=SPACE, kind=kind, next_at=due, message=message, person=5, data=b'{"a":1}')


async def add(rows: Rows, drafts: list[PlanDraft]) -> None:
    """Set timers."""
    await rows.db.write(lambda connection: write_plans(connection, drafts, rows.mint))


async def test_a_timer_comes_once_at_its_time(store: Store, rows: Rows) -> None:
    """Not before its instant, then once, with what its maker wrote."""
    steps = Steps()
    plans = Plans(context_of(store, rows), {"step": steps})
    await add(rows, [draft(rows, 10, message=7)])
    assert await plans.turn() == 1.0
    rows.clock.move(9.999)
    await plans.turn()
    assert steps.done == []

    rows.clock.move(0.001)
    await plans.turn()
    await plans.turn()

    (job,) = steps.done
    assert (job.message, job.person, job.step, job.data) == (7, 5, 0, b'{"a":1}')
    assert (await rows.one(schema.plan)).done == 1


async def test_steps_follow_each_other(store: Store, rows: Rows) -> None:
    """A handler that names the next instant is called again then, one step further."""
    steps = Steps(then=[rows.clock.now_ms() + 5_000, None])
    plans = Plans(context_of(store, rows), {"step": steps})
    await add(rows, [draft(rows)])
    await plans.turn()
    await plans.turn()
    assert len(steps.done) == 1

    rows.clock.move(5)
    await plans.turn()

    assert [job.step for job in steps.done] == [0, 1]


async def test_a_defect_is_tried_again_later(store: Store, rows: Rows) -> None:
    """A handler that raises keeps its step and blocks no other timer."""
    steps, other = Steps(then=[ValueError("bug")]), Steps()
    plans = Plans(context_of(store, rows), {"step": steps, "other": other})
    await add(rows, [draft(rows), draft(rows, kind="other")])
    await plans.turn()
    assert len(other.done) == 1

    rows.clock.move(60)
    await plans.turn()

    assert [job.step for job in steps.done] == [0, 0]
    assert {row.done for row in await rows.all(schema.plan)} == {1}


async def test_a_timer_that_fails_every_time_is_parked(store: Store, rows: Rows) -> None:
    """R15: after the limit it is given up; the row and its message's timeline say why, with the log's trace."""
    message = await rows.message(watched=1)
    steps, bell = Steps(then=[ValueError("bug")] * DEFECT_ATTEMPTS), HeardBell()
    plans = Plans(context_of(store, rows, bell), {"step": steps})
    await add(rows, [draft(rows, message=message)])

    for _ in range(DEFECT_ATTEMPTS + 1):
        await plans.turn()
        rows.clock.move(60)

    assert len(steps.done) == DEFECT_ATTEMPTS
    row = await rows.one(schema.plan)
    assert (row.done, row.defects) == (1, DEFECT_ATTEMPTS)
    assert re.fullmatch(r"defect in the timer step: ValueError \(trace [0-9a-f]{16}\)", row.why)
    told = await rows.one(schema.event)
    assert (told.message_id, told.kind, told.packed) == (message, "not_recalled", 0)
    assert msgspec.json.decode(told.data) == {"code": 0, "message": row.why}
    assert Due(space=SPACE, queue="events") in bell.rung


async def test_a_timer_of_no_message_is_parked_too(store: Store, rows: Rows) -> None:
    """With nobody's timeline to stand in, the reason stands in the row alone."""
    plans = Plans(context_of(store, rows), {"step": Steps(then=[ValueError("bug")] * DEFECT_ATTEMPTS)})
    await add(rows, [draft(rows)])

    for _ in range(DEFECT_ATTEMPTS):
        await plans.turn()
        rows.clock.move(60)

    assert (await rows.one(schema.plan)).why.startswith("defect in the timer step: ValueError")
    assert await rows.all(schema.event) == []


async def test_defects_are_counted_by_step(store: Store, rows: Rows) -> None:
    """A step that succeeds at last leaves the next one all its tries."""
    bugs: list[int | Exception | None] = [ValueError("bug")] * (DEFECT_ATTEMPTS - 1)
    steps = Steps(then=[*bugs, rows.clock.now_ms(), *bugs, None])
    plans = Plans(context_of(store, rows), {"step": steps})
    await add(rows, [draft(rows)])

    for _ in range(2 * DEFECT_ATTEMPTS):
        await plans.turn()
        rows.clock.move(60)

    assert [job.step for job in steps.done] == [0] * DEFECT_ATTEMPTS + [1] * DEFECT_ATTEMPTS
    assert (await rows.one(schema.plan)).why == ""


async def test_two_nodes_share_timers(store: Store, rows: Rows) -> None:
    """However many nodes look at once, each timer is handled by one."""
    await add(rows, [draft(rows) for _ in range(20)])
    all_steps = [Steps() for _ in range(3)]

    await asyncio.gather(*(Plans(context_of(store, rows), {"step": steps}).turn() for steps in all_steps))

    handled = [job.id for steps in all_steps for job in steps.done]
    assert len(handled) == len(set(handled))
    assert len(handled) >= 16


async def test_a_timer_of_a_dead_node_is_taken_over(store: Store, rows: Rows) -> None:
    """A step whose node died is done by another one lease later; what the first says then changes nothing."""
    await add(rows, [draft(rows)])
    (lost,) = await store.plans.claim_due(rows.clock.now_ms(), ["step"], 5)
    steps = Steps(then=[rows.clock.now_ms() + 999_000])
    plans = Plans(context_of(store, rows), {"step": steps})
    await plans.turn()
    assert steps.done == []

    rows.clock.move(LEASE_S)
    await plans.turn()
    await store.plans.finish(lost)

    assert len(steps.done) == 1
    row = await rows.one(schema.plan)
    assert (row.done, row.step) == (0, 1)


async def test_an_overdue_timer_runs_once_after_a_restart(store: Store, rows: Rows) -> None:
    """What came while nobody was awake comes at once, one time."""
    await add(rows, [draft(rows)])
    rows.clock.move(86_400)
    steps = Steps()
    plans = Plans(context_of(store, rows), {"step": steps})

    await plans.turn()
    await plans.turn()

    assert len(steps.done) == 1


async def test_unknown_kinds_wait(store: Store, rows: Rows) -> None:
    """A timer that nobody here handles is left for a node that does."""
    await add(rows, [draft(rows, kind="elsewhere")])

    assert await Plans(context_of(store, rows), {"step": Steps()}).turn() == 5.0

    assert (await rows.one(schema.plan)).lease_until == 0


async def test_a_recalled_message_has_no_timers(store: Store, rows: Rows) -> None:
    """Dropping a message's timers ends them and no others."""
    await add(rows, [draft(rows, message=1), draft(rows, message=2)])

    await rows.db.write(lambda connection: drop_plans(connection, SPACE, 1))

    assert {row.message_id: row.done for row in await rows.all(schema.plan)} == {1: 1, 2: 0}


async def test_the_bell_wakes_it(store: Store, rows: Rows) -> None:
    """A ring runs what is due at once; the task ends when told."""
    bell, steps = HeardBell(), Steps()
    plans = Plans(context_of(store, rows, bell, poll_s=3600), {"step": steps})
    running = asyncio.create_task(plans.run())
    await asyncio.sleep(0.05)
    await add(rows, [draft(rows)])

    bell.ring(Due(space=SPACE, queue="plans"))
    async with asyncio.timeout(20):
        while not steps.done:
            await asyncio.sleep(0.01)
    plans.stop()
    await running
