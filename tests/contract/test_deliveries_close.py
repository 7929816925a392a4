"""Closing deliveries on both engines: state, attempt, pause, events and the message's end in one transaction."""

import asyncio
from typing import Any

import pytest
from tests.rows import SPACE, Rows

from onebell.clock import SystemClock
from onebell.core.work import LEASE_S, Job, LaneClaim, Pause, Result
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.deliveries import Deliveries
from onebell.store.engine import Database, open_database


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


async def jobs_of(store: Store, rows: Rows, account: int) -> tuple[Job, ...]:
    wanted = LaneClaim(space=SPACE, account=account, limit=100)
    jobs, _ = await store.deliveries.claim_due(rows.clock.now_ms(), rows.node, [wanted], rows.mint)
    return jobs


async def watched(rows: Rows, deliveries: int = 1) -> tuple[int, int]:
    """A watched message with this many open deliveries: account, message."""
    account = await rows.account()
    message = await rows.message(watched=1)
    for number in range(deliveries):
        await rows.delivery(message, account, await rows.target(account, f"{number}@x"), person_id=50 + number)
    return account, message


def sent(job: Job, **more: Any) -> Result:
    return Result(job=job, outcome="sent", state="sent", **more)


def failed(job: Job, why: str = "500 no such user", code: int = 500) -> Result:
    return Result(job=job, outcome="permanent", state="failed", why=why, code=code)


async def close(store: Store, rows: Rows, *results: Result) -> Any:
    return await store.deliveries.close(results, rows.clock.now_ms(), rows.mint)


async def test_a_sent_delivery_is_closed_with_its_event(store: Store, rows: Rows) -> None:
    """State, provider's id, attempt and events are there after one transaction; the message has ended well."""
    account, message = await watched(rows)
    (job,) = await jobs_of(store, rows, account)
    rows.clock.move(2)

    closed = await close(store, rows, sent(job, why="queued as 17", provider_ref="17"))

    row = await rows.one(schema.delivery)
    assert (row.state, row.provider_ref, row.why, row.lease_until) == ("sent", "17", "queued as 17", 0)
    assert row.closed_at == rows.clock.now_ms()
    attempt = await rows.one(schema.attempt)
    assert (attempt.outcome, attempt.ended_at, attempt.provider_ref) == ("sent", rows.clock.now_ms(), "17")
    events = await rows.all(schema.event)
    assert [(event.kind, event.person_id, event.packed) for event in events] == [("sent", 50, 0), ("finished", 0, 0)]
    assert events[1].data == b'{"ok":true,"message":""}'
    assert (closed.finished, closed.watched) == (((SPACE, message),), True)


async def test_a_message_that_reached_nobody_says_why(store: Store, rows: Rows) -> None:
    """FINISHED carries ok false and the last error's words when nothing got through."""
    account, _ = await watched(rows)
    (job,) = await jobs_of(store, rows, account)

    await close(store, rows, failed(job))

    events = await rows.all(schema.event)
    assert [(event.kind, event.data) for event in events] == [
        ("failed", b'{"code":500,"message":"500 no such user"}'),
        ("finished", b'{"ok":false,"message":"500 no such user"}'),
    ]


async def test_an_entry_alone_is_a_success(store: Store, rows: Rows) -> None:
    """A message that stands in somebody's inbox has succeeded, whatever its carriers say."""
    account, message = await watched(rows)
    await rows.put(schema.entry, [{"space_id": SPACE, "mailbox_id": 50, "seq": 1, "rev": 1, "message_id": message}])
    (job,) = await jobs_of(store, rows, account)

    await close(store, rows, failed(job))

    assert (await rows.one(schema.event, kind="finished")).data == b'{"ok":true,"message":""}'


async def test_one_success_makes_a_message_succeed(store: Store, rows: Rows) -> None:
    """Of several deliveries one is enough; FINISHED comes with the last of them."""
    account, _ = await watched(rows, 3)
    first, second, third = await jobs_of(store, rows, account)

    await close(store, rows, failed(first), sent(second))
    assert await rows.all(schema.event, kind="finished") == []
    await close(store, rows, failed(third))

    assert (await rows.one(schema.event, kind="finished")).data == b'{"ok":true,"message":""}'


async def test_a_message_still_expanding_is_not_finished(store: Store, rows: Rows) -> None:
    """While pages of an audience are to come, the last open delivery does not end the message."""
    account, message = await watched(rows)
    await rows.put(schema.expansion, [{"space_id": SPACE, "message_id": message, "no": 0, "audience": b"{}"}])
    (job,) = await jobs_of(store, rows, account)

    closed = await close(store, rows, sent(job))

    assert closed.finished == ()


async def test_unwatched_messages_fill_the_timeline_only(store: Store, rows: Rows) -> None:
    """Events of a message that nobody watches never wait for a callback."""
    account = await rows.account()
    message = await rows.message()
    await rows.delivery(message, account, await rows.target(account, "a"))
    (job,) = await jobs_of(store, rows, account)

    closed = await close(store, rows, sent(job))

    assert [(event.kind, event.packed) for event in await rows.all(schema.event)] == [("sent", 1)]
    assert closed.finished == ((SPACE, message),)
    assert not closed.watched


async def test_a_delivery_tried_later_stays_open(store: Store, rows: Rows) -> None:
    """A result that waits for another try sets the time and the end, and writes no event."""
    account, _ = await watched(rows)
    (job,) = await jobs_of(store, rows, account)
    due = rows.clock.now_ms() + 5_000

    waits = Result(job=job, outcome="temporary", state="due", why="503", due_at=due, expires_at=due + 10)
    closed = await close(store, rows, waits)

    row = await rows.one(schema.delivery)
    assert (row.state, row.due_at, row.expires_at, row.lease_until, row.closed_at) == ("due", due, due + 10, 0, 0)
    assert closed.finished == ()
    assert await rows.all(schema.event) == []


async def test_the_provider_words_are_cut_to_what_is_kept(store: Store, rows: Rows) -> None:
    """At most 512 bytes of a stranger's words are stored, never half a character, never a NUL."""
    account, _ = await watched(rows)
    (job,) = await jobs_of(store, rows, account)

    await close(store, rows, failed(job, why="\0" + "错" * 400))

    assert (await rows.one(schema.delivery)).why == "错" * 170


async def test_a_result_of_a_lost_lease_changes_nothing(store: Store, rows: Rows) -> None:
    """After a takeover the first node's failure only ends its own attempt."""
    account, _ = await watched(rows)
    (old,) = await jobs_of(store, rows, account)
    rows.clock.move(LEASE_S)
    (new,) = await jobs_of(store, rows, account)

    await close(store, rows, failed(old))

    assert (await rows.one(schema.delivery)).state == "due"
    await close(store, rows, sent(new))
    assert (await rows.one(schema.delivery)).state == "sent"


async def test_a_late_success_ends_the_matter(store: Store, rows: Rows) -> None:
    """A node that was stopped in mid-call and comes back with a success saves the other one's repeat."""
    account, _ = await watched(rows)
    (old,) = await jobs_of(store, rows, account)
    rows.clock.move(LEASE_S)
    (new,) = await jobs_of(store, rows, account)

    await close(store, rows, sent(old))
    await close(store, rows, failed(new))

    assert (await rows.one(schema.delivery)).state == "sent"
    assert [event.kind for event in await rows.all(schema.event)] == ["sent", "finished"]


async def test_a_dead_address_is_buried(store: Store, rows: Rows) -> None:
    """A permanent refusal of the address itself marks it, with the provider's words."""
    account, _ = await watched(rows)
    (job,) = await jobs_of(store, rows, account)

    gone = Result(job=job, outcome="permanent", state="failed", why="410 gone", target_is_dead=True)
    await close(store, rows, gone)

    target = await rows.one(schema.target)
    assert (target.dead_at, target.dead_why) == (rows.clock.now_ms(), "410 gone")


async def test_a_pause_never_becomes_shorter(store: Store, rows: Rows) -> None:
    """Of two pauses the later end counts, whichever result comes first."""
    account, _ = await watched(rows, 2)
    first, second = await jobs_of(store, rows, account)
    now = rows.clock.now_ms()

    def throttled(job: Job, wait_ms: int) -> Result:
        pause = Pause(space=SPACE, account=account, target=0, until=now + wait_ms, why="429")
        return Result(job=job, outcome="throttled", state="due", pause=pause)

    await close(store, rows, throttled(first, 60_000))
    await close(store, rows, throttled(second, 1_000))

    assert (await rows.one(schema.carrier_pause)).until == now + 60_000


async def test_of_two_pauses_stored_together_the_longer_counts(store: Store, rows: Rows) -> None:
    """Results of calls that ended at the same moment share a transaction: their order says nothing."""
    account, _ = await watched(rows, 2)
    jobs = await jobs_of(store, rows, account)
    now = rows.clock.now_ms()

    pauses = [Pause(space=SPACE, account=account, target=0, until=now + ms, why="429") for ms in (60_000, 1_000)]
    results = [
        Result(job=job, outcome="throttled", state="due", pause=pause) for job, pause in zip(jobs, pauses, strict=True)
    ]
    await close(store, rows, *results)

    assert (await rows.one(schema.carrier_pause)).until == now + 60_000


async def test_a_throttled_delivery_keeps_its_place(store: Store, rows: Rows) -> None:
    """What was throttled is due as before, so that it goes first when the pause ends; it does not count as a try."""
    account, _ = await watched(rows)
    (job,) = await jobs_of(store, rows, account)

    await close(store, rows, Result(job=job, outcome="throttled", state="due"))

    row = await rows.one(schema.delivery)
    assert (row.due_at, row.attempts) == (job.was_due_at, 0)
    assert await rows.all(schema.attempt) == []


async def test_a_refused_credential_stops_the_account_once(store: Store, rows: Rows) -> None:
    """The account stops with the reason, caches hear of it, the operator finds it in the audit: once."""
    account, _ = await watched(rows, 2)
    first, second = await jobs_of(store, rows, account)

    def refused(job: Job) -> Result:
        return Result(job=job, outcome="unauthorized", state="due", why="401 bad token", stops_account=True)

    await close(store, rows, refused(first))
    await close(store, rows, refused(second))

    assert (await rows.one(schema.carrier_account)).stopped_why == "401 bad token"
    assert [(row.what, row.object) for row in await rows.all(schema.audit)] == [
        ("carrier_stopped", f"carrier/{account}")
    ]


async def test_two_nodes_finish_a_message_once(store: Store, rows: Rows, store_settings: Settings) -> None:
    """The last two deliveries closed by two nodes at the same moment: neither misses it, neither repeats it."""
    queues = [store.deliveries]
    opened = None
    if store.db.kind == "postgresql":
        opened = await open_database(store_settings, SystemClock())
        queues.append(Deliveries(opened))
    for _ in range(20):
        account, message = await rows.account(f"a{rows.mint.mint()}"), await rows.message(watched=1)
        for number in range(2):
            await rows.delivery(message, account, await rows.target(account, str(number)))
        pair = await jobs_of(store, rows, account)

        await asyncio.gather(
            *(
                queues[number % len(queues)].close([sent(job)], rows.clock.now_ms(), rows.mint)
                for number, job in enumerate(pair)
            )
        )

        assert len(await rows.all(schema.event, message_id=message, kind="finished")) == 1
    if opened is not None:
        await opened.close()
