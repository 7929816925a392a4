"""Durable timers: what happens with a message later, once, whoever is awake then."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.events import EventKind
from onebell.core.work import LEASE_MS, Closed, EventDraft, PlanDraft, PlanJob
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.queueing import ZERO, execute_many, keys_in
from onebell.store.schema import message, plan


class Plans:
    """Verbs on timers."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim_due(self, now_ms: int, kinds: Collection[str], limit: int) -> tuple[PlanJob, ...]:
        """Take timers of these kinds that have come; the lease is committed before anything happens."""
        return await self._db.write(lambda connection: _claim(connection, now_ms, kinds, limit))

    async def next_due(self, kinds: Collection[str]) -> int | None:
        """When the earliest open timer of these kinds comes, in ms."""
        earliest = sa.select(sa.func.min(plan.c.next_at)).where(plan.c.done == ZERO, plan.c.kind.in_(sorted(kinds)))
        return await self._db.read(lambda connection: connection.scalar(earliest))

    async def finish(self, job: PlanJob) -> None:
        """It has happened and will not again."""
        await self._db.write(lambda connection: _change(connection, job, done=1))

    async def move_on(self, job: PlanJob, next_at: int) -> None:
        """Its next step comes then."""
        onward = {"next_at": next_at, "step": job.step + 1, "lease_until": 0, "defects": 0}
        await self._db.write(lambda connection: _change(connection, job, **onward))

    async def put_off(self, job: PlanJob, next_at: int) -> None:
        """Our code failed on it once more; the same step is tried again then."""
        again = {"next_at": next_at, "lease_until": 0, "defects": plan.c.defects + 1}
        await self._db.write(lambda connection: _change(connection, job, **again))

    async def park(self, job: PlanJob, kind: EventKind, why: str, now_ms: int, mint: IdMint) -> Closed:
        """Give a timer up: its message's timeline says why, with an event of this kind."""
        return await self._db.write(lambda connection: _park(connection, job, kind, why, now_ms, mint))


def write_plans(connection: sa.Connection, drafts: Sequence[PlanDraft], mint: IdMint) -> None:
    """Set timers, inside somebody's transaction."""
    rows = [
        {
            "space_id": draft.space,
            "id": mint.mint(),
            "kind": draft.kind,
            "message_id": draft.message,
            "person_id": draft.person,
            "step": draft.step,
            "data": draft.data,
            "next_at": draft.next_at,
        }
        for draft in drafts
    ]
    execute_many(connection, sa.insert(plan), rows)


def drop_plans(connection: sa.Connection, space: int, message: int) -> None:
    """End all timers of a message, inside somebody's transaction."""
    of_message = (plan.c.space_id == space, plan.c.message_id == message, plan.c.done == ZERO)
    connection.execute(sa.update(plan).where(*of_message).values(done=1))


def _change(connection: sa.Connection, job: PlanJob, **values: Any) -> bool:
    # Only while it stands where it was claimed: a node that lost its lease must not undo the other's step.
    same = (plan.c.space_id == job.space, plan.c.id == job.id, plan.c.done == ZERO, plan.c.step == job.step)
    return connection.execute(sa.update(plan).where(*same).values(**values)).rowcount == 1


def _park(connection: sa.Connection, job: PlanJob, kind: EventKind, why: str, now_ms: int, mint: IdMint) -> Closed:
    if not _change(connection, job, done=1, why=why, defects=plan.c.defects + 1):
        return Closed()
    of_message = (message.c.space_id == job.space, message.c.id == job.message)
    row = connection.execute(sa.select(message.c.dialect, message.c.watched).where(*of_message)).one_or_none()
    if row is None:
        return Closed()
    draft = EventDraft(
        space=job.space,
        dialect=row.dialect,
        message=job.message,
        person=job.person,
        kind=kind.value,
        at=now_ms,
        data={"code": 0, "message": why},
        watched=bool(row.watched),
    )
    write_events(connection, [draft], mint)
    return Closed(watched=draft.watched)


def _claim(connection: sa.Connection, now_ms: int, kinds: Collection[str], limit: int) -> tuple[PlanJob, ...]:
    rows = connection.execute(
        sa.select(plan)
        .where(
            plan.c.done == ZERO,
            plan.c.next_at <= now_ms,
            plan.c.lease_until <= now_ms,
            plan.c.kind.in_(sorted(kinds)),
        )
        .order_by(plan.c.next_at, plan.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection.execute(
            sa.update(plan)
            .where(keys_in(plan, [(row.space_id, row.id) for row in rows]))
            .values(lease_until=now_ms + LEASE_MS)
        )
    return tuple(
        PlanJob(
            space=row.space_id,
            id=row.id,
            kind=row.kind,
            message=row.message_id,
            person=row.person_id,
            step=row.step,
            data=row.data or b"{}",
            next_at=row.next_at,
            defects=row.defects,
        )
        for row in rows
    )
