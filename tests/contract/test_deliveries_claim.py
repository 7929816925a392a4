"""The queue of deliveries on both engines: what is claimed, in which order, under which lease."""

import asyncio

import pytest
from tests.rows import SPACE, Rows

from onebell.clock import SystemClock
from onebell.core.work import LEASE_S, Job, LaneClaim, Pause, Result
from onebell.errors import NotFound
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.deliveries import Deliveries
from onebell.store.engine import Database, open_database

LEASE_MS = round(LEASE_S * 1000)


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


async def claim(store: Store, rows: Rows, account: int, limit: int = 10, but: tuple[int, ...] = ()) -> tuple[Job, ...]:
    wanted = LaneClaim(space=SPACE, account=account, limit=limit, but=but)
    jobs, _ = await store.deliveries.claim_due(rows.clock.now_ms(), rows.node, [wanted], rows.mint)
    return jobs


async def lone(rows: Rows, **values: object) -> tuple[int, int, int]:
    """A message with one delivery: account, message, delivery."""
    account = await rows.account()
    message = await rows.message(watched=1)
    delivery = await rows.delivery(message, account, await rows.target(account, "a@x"), **values)
    return account, message, delivery


async def test_the_lease_is_written_before_the_call(store: Store, rows: Rows) -> None:
    """A claimed delivery carries its lease, its attempt number and its next due time before anybody sends it."""
    account, _, delivery = await lone(rows)

    (job,) = await claim(store, rows, account)

    row = await rows.one(schema.delivery, id=delivery)
    ends = rows.clock.now_ms() + LEASE_MS
    assert (row.attempts, row.lease_until, row.due_at, row.node) == (1, ends, ends, rows.node)
    assert (job.id, job.attempt, job.address) == (delivery, 1, "a@x")
    begun = await rows.one(schema.attempt)
    assert (begun.no, begun.outcome, begun.started_at) == (1, "", rows.clock.now_ms())


async def test_a_held_delivery_is_claimed_once(store: Store, rows: Rows) -> None:
    """While its lease lasts nobody gets a delivery again."""
    account, _, _ = await lone(rows)
    await claim(store, rows, account)
    rows.clock.move(LEASE_S - 1)

    assert await claim(store, rows, account) == ()


async def test_a_dead_node_costs_one_lease(store: Store, rows: Rows) -> None:
    """After the lease another node takes the delivery over as its next attempt; the first one counts as interrupted."""
    account, _, delivery = await lone(rows)
    await claim(store, rows, account)
    rows.clock.move(LEASE_S)

    (job,) = await claim(store, rows, account)

    assert (job.id, job.attempt) == (delivery, 2)
    assert [row.outcome for row in await rows.all(schema.attempt)] == ["interrupted", ""]


async def test_the_longest_due_comes_first_then_the_most_urgent(store: Store, rows: Rows) -> None:
    """A lane is served by due time, then by priority, then in the order of acceptance."""
    account = await rows.account()
    message = await rows.message()
    now = rows.clock.now_ms()
    target = await rows.target(account, "a")
    plain = await rows.delivery(message, account, target)
    urgent = await rows.delivery(message, account, target, priority=5)
    old = await rows.delivery(message, account, target, priority=1, due_at=now - 1)
    later = await rows.delivery(message, account, target, priority=5, due_at=now + 1)

    jobs = await claim(store, rows, account)

    assert [job.id for job in jobs] == [old, urgent, plain]
    assert later not in [job.id for job in jobs]


async def test_what_a_node_has_in_hand_is_not_claimed_again(store: Store, rows: Rows) -> None:
    """A clock that jumps past every lease does not make a node send twice what it is still sending."""
    account, _, delivery = await lone(rows)
    await claim(store, rows, account)
    rows.clock.jump(86_400)

    assert await claim(store, rows, account, but=(delivery,)) == ()


async def test_two_nodes_never_get_the_same_delivery(store: Store, rows: Rows, store_settings: Settings) -> None:
    """Claims of two nodes at once share the queue out."""
    account = await rows.account()
    message = await rows.message()
    for number in range(40):
        await rows.delivery(message, account, await rows.target(account, str(number)))
    wanted = [LaneClaim(space=SPACE, account=account, limit=7)]
    queues = [store.deliveries]
    opened = None
    if store.db.kind == "postgresql":
        opened = await open_database(store_settings, SystemClock())
        queues.append(Deliveries(opened))

    now = rows.clock.now_ms()
    claims = [queues[node % len(queues)].claim_due(now, node, wanted, rows.mint) for node in range(1, 9)]
    taken = [job.id for jobs, _ in await asyncio.gather(*claims) for job in jobs]

    assert len(taken) == len(set(taken))
    assert len(taken) >= 7
    if opened is not None:
        await opened.close()


async def test_a_lane_is_named_once_however_much_waits(store: Store, rows: Rows) -> None:
    """The list of lanes has each account once, with its earliest due time, the longest waiting first."""
    now = rows.clock.now_ms()
    message = await rows.message()
    first, second = await rows.account("one"), await rows.account("two")
    for age in (5, 9, 2):
        await rows.delivery(message, second, await rows.target(second, str(age)), due_at=now - age)
    await rows.delivery(message, first, await rows.target(first, "x"), due_at=now + 50)
    await rows.delivery(message, await rows.account("idle"), 1, state="sent")

    lanes = await store.deliveries.lanes(now)

    assert [(lane.account, lane.due_at, lane.space) for lane in lanes] == [
        (second, now - 9, SPACE),
        (first, now + 50, SPACE),
    ]


async def test_lanes_say_what_is_paused_and_what_is_stopped(store: Store, rows: Rows) -> None:
    """A pause and a stopped account show in the lane, so that nobody claims from it."""
    message = await rows.message()
    paused, stopped, off = (
        await rows.account("a"),
        await rows.account("b", stopped_why="401"),
        await rows.account("c", enabled=0),
    )
    for account in (paused, stopped, off):
        await rows.delivery(message, account, await rows.target(account, "x"))
    until = rows.clock.now_ms() + 9_000
    await rows.put(schema.carrier_pause, [{"space_id": SPACE, "account_id": paused, "target_id": 0, "until": until}])

    lanes = {lane.account: lane for lane in await store.deliveries.lanes(rows.clock.now_ms())}

    assert lanes[paused].blocked_until == until
    assert not lanes[paused].stopped
    assert lanes[stopped].stopped
    assert lanes[off].stopped


async def test_a_paused_address_waits_and_the_others_go(store: Store, rows: Rows) -> None:
    """A pause of one address holds only what goes there, until its instant."""
    account = await rows.account()
    message = await rows.message()
    slow, free = await rows.target(account, "slow"), await rows.target(account, "free")
    held = await rows.delivery(message, account, slow)
    goes = await rows.delivery(message, account, free)
    until = rows.clock.now_ms() + 5_000
    await rows.put(
        schema.carrier_pause, [{"space_id": SPACE, "account_id": account, "target_id": slow, "until": until}]
    )

    assert [job.id for job in await claim(store, rows, account)] == [goes]
    rows.clock.move(5)
    assert [job.id for job in await claim(store, rows, account)] == [held]


async def test_an_expired_delivery_is_closed_unsent(store: Store, rows: Rows) -> None:
    """A delivery whose time passed before its turn is closed as expired, with its event, and ends its message."""
    account, message, delivery = await lone(rows, expires_at=rows.clock.now_ms())

    assert await claim(store, rows, account) == ()

    row = await rows.one(schema.delivery, id=delivery)
    assert (row.state, row.attempts, row.why) == ("expired", 0, "expired before it could be delivered")
    assert [event.kind for event in await rows.all(schema.event)] == ["expired", "finished"]
    assert (await rows.one(schema.message, id=message)).state == "finished"


async def test_nothing_goes_to_a_dead_address(store: Store, rows: Rows) -> None:
    """A delivery to an address that a provider called dead is closed with the reason, and no attempt is made."""
    account = await rows.account()
    target = await rows.target(account, "gone", dead_at=1, dead_why="410 Unregistered")
    delivery = await rows.delivery(await rows.message(), account, target)

    assert await claim(store, rows, account) == ()

    row = await rows.one(schema.delivery, id=delivery)
    assert (row.state, row.why) == ("failed", "this address is dead: 410 Unregistered")
    assert await rows.all(schema.attempt) == []


async def test_what_kills_its_process_is_parked(store: Store, rows: Rows) -> None:
    """A delivery that was begun ten times without an end fails instead of going round for ever."""
    account, _, delivery = await lone(rows)
    for _ in range(10):
        assert await claim(store, rows, account)
        rows.clock.move(LEASE_S)

    assert await claim(store, rows, account) == ()

    assert (await rows.one(schema.delivery, id=delivery)).why == "begun 10 times without an end"


async def test_a_delivery_without_its_message_is_closed(store: Store, rows: Rows) -> None:
    """When the message or the address was removed the delivery fails and does not block its lane."""
    account = await rows.account()
    delivery = await rows.delivery(404, account, await rows.target(account, "x"))

    assert await claim(store, rows, account) == ()

    assert (await rows.one(schema.delivery, id=delivery)).state == "failed"


async def test_a_job_given_back_keeps_its_place(store: Store, rows: Rows) -> None:
    """A job whose call never went out is as it was before: same place, same attempt number."""
    account, _, delivery = await lone(rows)
    jobs = await claim(store, rows, account)
    due_at = jobs[0].was_due_at

    await store.deliveries.give_back(jobs)

    row = await rows.one(schema.delivery, id=delivery)
    assert (row.attempts, row.due_at, row.lease_until) == (0, due_at, 0)
    assert await rows.all(schema.attempt) == []


async def test_a_closed_delivery_can_be_tried_once_more(store: Store, rows: Rows) -> None:
    """Retry opens a closed delivery at once; an open or unknown one is refused; the message ends only once."""
    account, message, delivery = await lone(rows, expires_at=rows.clock.now_ms())
    await claim(store, rows, account)
    with pytest.raises(NotFound):
        await store.deliveries.retry(SPACE + 1, delivery, rows.clock.now_ms())

    await store.deliveries.retry(SPACE, delivery, rows.clock.now_ms())
    (job,) = await claim(store, rows, account)
    with pytest.raises(NotFound):
        await store.deliveries.retry(SPACE, delivery, rows.clock.now_ms())
    await store.deliveries.close([Result(job=job, outcome="sent", state="sent")], rows.clock.now_ms(), rows.mint)

    kinds = [event.kind for event in await rows.all(schema.event, message_id=message)]
    assert kinds == ["expired", "finished", "sent"]


async def test_held_deliveries_wait_for_their_release(store: Store, rows: Rows) -> None:
    """A held message sends nothing; released it goes at once, but what was due later keeps its time."""
    account, message, delivery = await lone(rows)
    later = await rows.delivery(message, account, 1, due_at=rows.clock.now_ms() + 60_000)
    await store.deliveries.hold(SPACE, message)
    assert await store.deliveries.lanes(rows.clock.now_ms()) == ()
    rows.clock.move(10)

    await store.deliveries.release(SPACE, message, rows.clock.now_ms())

    assert [job.id for job in await claim(store, rows, account)] == [delivery]
    assert (await rows.one(schema.delivery, id=later)).due_at == rows.clock.now_ms() + 50_000
    assert (await rows.one(schema.message)).state == "accepted"


async def test_a_step_releases_only_its_own(store: Store, rows: Rows) -> None:
    """A strategy's step lets the deliveries go that it names."""
    account, message, first = await lone(rows, state="held")
    second = await rows.delivery(message, account, 1, state="held")

    await store.deliveries.release_some(SPACE, [second], rows.clock.now_ms())

    states = {row.id: row.state for row in await rows.all(schema.delivery)}
    assert states == {first: "held", second: "due"}


async def test_a_cancelled_message_sends_nothing_more(store: Store, rows: Rows) -> None:
    """Cancel closes what is open and ends the message; a result that comes later changes nothing."""
    account, message, delivery = await lone(rows)
    (job,) = await claim(store, rows, account)

    closed = await store.deliveries.cancel(SPACE, message, rows.clock.now_ms(), rows.mint)
    late = Result(job=job, outcome="temporary", state="due", due_at=1)
    await store.deliveries.close([late], rows.clock.now_ms(), rows.mint)

    assert closed.finished == ((SPACE, message),)
    assert (await rows.one(schema.delivery, id=delivery)).state == "cancelled"


async def test_resume_clears_what_stopped_an_account(store: Store, rows: Rows) -> None:
    """A resumed account has neither pause nor stop."""
    account, _, _ = await lone(rows)
    (job,) = await claim(store, rows, account)
    pause = Pause(space=SPACE, account=account, target=0, until=rows.clock.now_ms() + 60_000, why="429")
    stopped = Result(job=job, outcome="unauthorized", state="due", why="401", stops_account=True, pause=pause)
    await store.deliveries.close([stopped], rows.clock.now_ms(), rows.mint)
    (lane,) = await store.deliveries.lanes(rows.clock.now_ms())
    assert lane.stopped
    assert lane.blocked_until

    await store.deliveries.resume(SPACE, account)

    (lane,) = await store.deliveries.lanes(rows.clock.now_ms())
    assert (lane.stopped, lane.blocked_until) == (False, 0)
