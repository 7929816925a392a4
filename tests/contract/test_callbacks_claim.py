"""Claims of callbacks, on both engines also in the short run."""

from tests.rows import SPACE, Rows

from onebell.core.work import LEASE_MS
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


async def test_a_claim_outlives_the_wait_for_its_receiver(store: Store, database: Database) -> None:
    """Lease and next due time are stored before the call, later by as long as the receiver is waited for."""
    rows = Rows(database)
    await rows.space()
    now_ms = rows.clock.now_ms()
    row = {"space_id": SPACE, "id": 5, "dialect": "test", "kind": "k", "url": "http://a/", "timeout_s": 60}
    await rows.put(schema.callback, [{**row, "state": "due", "due_at": now_ms}])

    (job,) = await store.callbacks.claim_due(now_ms, 1, 9)

    found = await rows.one(schema.callback)
    until = now_ms + LEASE_MS + 60_000
    assert (job.id, job.attempt, found.attempts, found.lease_until, found.due_at) == (5, 1, 1, until, until)
