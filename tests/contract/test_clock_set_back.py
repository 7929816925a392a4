"""R12 on both engines: the wall's clock is set back, and nothing waits for the old time to come again."""

import pytest
from tests.fakes.carriers import FakeCarrier, FakeCarriers
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import SPACE, Rows

from onebell.core.bell import Due
from onebell.core.clock_watch import ClockWatch
from onebell.core.context import Context
from onebell.core.dispatch import Dispatcher
from onebell.core.outcomes import Temporary
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database

HOUR_S = 3600


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


@pytest.fixture
def context(store: Store, rows: Rows) -> Context:
    return context_of(store, rows, HeardBell())


async def test_what_failed_before_is_tried_in_its_time(context: Context, rows: Rows) -> None:
    """A second try that was put off by 5 s comes after 5 s, once, although an hour was taken back."""
    carrier = FakeCarrier()
    account = await rows.account("main")
    await rows.delivery(await rows.message(), account, await rows.target(account, "a"))
    carrier.script("a", Temporary(why="no network yet"))
    dispatcher = Dispatcher(context, FakeCarriers(by_code={"main": carrier}), plain_render)
    watch = ClockWatch(context)
    await dispatcher.turn()
    await dispatcher.idle()

    rows.clock.jump(-HOUR_S)
    await watch.look()
    await dispatcher.turn()
    assert len(carrier.batches) == 1
    rows.clock.move(6)
    await watch.look()
    await dispatcher.turn()
    await dispatcher.idle()

    assert [batch.addresses[0].attempt for batch in carrier.batches] == [1, 2]


async def test_what_was_due_is_due_and_what_is_meant_for_later_stays(context: Context, rows: Rows) -> None:
    """Fresh and unsent comes at once; a scheduled message, and what another node has put off, keep their instants."""
    account, now = await rows.account("main"), rows.clock.now_ms()
    message, target = await rows.message(), await rows.target(account, "a")
    fresh = await rows.delivery(message, account, target)
    later = await rows.delivery(message, account, target, due_at=now + 60_000)
    others = await rows.delivery(message, account, target, due_at=now + 9_000, attempts=1, node=99)
    hook = {"space_id": SPACE, "id": 1, "due_at": now + 5_000, "attempts": 1, "node": rows.mint.node}
    await rows.put(schema.callback, [hook])
    broadcast = {"space_id": SPACE, "message_id": message, "no": 0, "node": rows.mint.node, "lease_until": now + 9_000}
    await rows.put(schema.expansion, [broadcast, {**broadcast, "message_id": await rows.message(due_at=now + 9_000)}])
    await rows.put(schema.carrier_pause, [{"space_id": SPACE, "account_id": 5, "target_id": 0, "until": now + 9_000}])
    watch = ClockWatch(context)

    rows.clock.jump(-HOUR_S)
    await watch.look()

    back = rows.clock.now_ms()
    due = {row.id: row.due_at for row in await rows.all(schema.delivery)}
    assert due == {fresh: back, later: now + 60_000, others: now + 9_000}
    assert (await rows.one(schema.callback)).due_at == back + 5_000
    assert [row.lease_until for row in await rows.all(schema.expansion)] == [back, now + 9_000]
    pause = (await rows.one(schema.carrier_pause)).until
    assert pause == (back + 9_000 if rows.db.kind == "sqlite" else now + 9_000)
    assert Due(space=0, queue="deliveries") in context.bell.rung  # type: ignore[attr-defined]


async def test_a_clock_that_goes_as_it_should_changes_nothing(context: Context, rows: Rows) -> None:
    """Time passes, a time server corrects a second, a machine sleeps: all keep what they were put off to."""
    account = await rows.account("main")
    await rows.delivery(await rows.message(), account, 1, due_at=rows.clock.now_ms() + 90_000, attempts=1, node=1)
    before = (await rows.one(schema.delivery)).due_at
    watch = ClockWatch(context)

    for change in (lambda: rows.clock.move(5), lambda: rows.clock.jump(-1), lambda: rows.clock.jump(30)):
        change()
        await watch.look()

    assert (await rows.one(schema.delivery)).due_at == before
