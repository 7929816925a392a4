"""The queue of deliveries: who is next, and what became of it.

Lock order for every transaction here and in the neighbouring files: expansion, mailbox, delivery, target, message;
within a table by key. The claim skips what others hold.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.work import LEASE_MS, Closed, Job, Lane, LaneClaim, Result
from onebell.errors import NotFound
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.messages import Key, finish
from onebell.store.outcomes import write_results
from onebell.store.queueing import DUE, ZERO, execute_many, keys_in
from onebell.store.schema import attempt, carrier_account, carrier_pause, delivery, message, target
from onebell.store.unsent import EXPIRED, close_unsent, expire, give_up

MOST_INTERRUPTED = 10
"""A delivery that was begun this often without an end is what kills the process: it is parked as failed."""

_RETRYABLE = ("failed", "expired", "undelivered", "cancelled", "sent")


class Deliveries:
    """Verbs on the queue of deliveries."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def lanes(self, now_ms: int) -> tuple[Lane, ...]:
        """Every account with open deliveries, the longest waiting first."""
        return await self._db.read(lambda connection: _lanes(connection, now_ms))

    async def claim_due(
        self, now_ms: int, node: int, claims: Sequence[LaneClaim], mint: IdMint
    ) -> tuple[tuple[Job, ...], Closed]:
        """Take what is due: lease, attempt number and next due time are committed before any call goes out.

        Expired deliveries and those to dead addresses are closed on the way, with their events.
        """
        return await self._db.write(lambda connection: _claim(connection, now_ms, node, claims, mint))

    async def close(self, results: Sequence[Result], now_ms: int, mint: IdMint) -> Closed:
        """Store what became of jobs; events and the message's end are in the same transaction."""
        return await self._db.write(lambda connection: write_results(connection, results, now_ms, mint))

    async def give_up(self, lane: Lane, due_until: int, now_ms: int, mint: IdMint) -> Closed:
        """Close what has been due on a stopped account since ``due_until`` or longer, a piece at a time."""
        return await self._db.write(lambda connection: give_up(connection, lane, due_until, now_ms, mint))

    async def expire(self, lane: Lane, now_ms: int, mint: IdMint, but: Sequence[int] = ()) -> Closed:
        """Close what has expired on an account and cannot go out, a piece at a time; ``but`` are under way."""
        return await self._db.write(lambda connection: expire(connection, lane, now_ms, mint, but))

    async def give_back(self, jobs: Sequence[Job]) -> None:
        """Return jobs whose call never went out, to the places they had."""
        await self._db.write(lambda connection: _give_back(connection, jobs))

    async def retry(self, space: int, delivery_id: int, now_ms: int) -> None:
        """Try a closed delivery once more, now, on somebody's demand.

        Raises:
            NotFound: there is no such delivery, or it is still open.
        """
        if not await self._db.write(lambda connection: _retry(connection, space, delivery_id, now_ms)):
            raise NotFound("no closed delivery with this id")

    async def hold(self, space: int, message_id: int) -> None:
        """Keep a message's open deliveries back."""
        await self._db.write(lambda connection: _hold(connection, space, message_id))

    async def release(self, space: int, message_id: int, now_ms: int) -> None:
        """Let a message's held deliveries go; those due later keep their time."""
        await self._db.write(lambda connection: _release(connection, space, message_id, now_ms))

    async def release_some(self, space: int, ids: Sequence[int], now_ms: int) -> None:
        """Let these held deliveries go (a strategy's next step)."""
        await self._db.write(lambda connection: _release_some(connection, space, ids, now_ms))

    async def cancel(self, space: int, message_id: int, now_ms: int, mint: IdMint) -> Closed:
        """Close a message's open deliveries without sending them."""
        return await self._db.write(lambda connection: _cancel_alone(connection, space, message_id, now_ms, mint))

    async def resume(self, space: int, account: int) -> None:
        """Let a stopped or paused account send again."""
        await self._db.write(lambda connection: _resume(connection, space, account))


def _lanes(connection: sa.Connection, now_ms: int) -> tuple[Lane, ...]:
    # One step of the index per account, however many deliveries wait for it.
    first = sa.select(sa.func.min(delivery.c.account_id).label("id")).where(delivery.c.state == DUE)
    accounts = first.cte("accounts", recursive=True)
    following = sa.select(sa.func.min(delivery.c.account_id)).where(
        delivery.c.state == DUE, delivery.c.account_id > accounts.c.id
    )
    accounts = accounts.union_all(sa.select(following.scalar_subquery()).where(accounts.c.id.is_not(None)))
    of_account = (delivery.c.state == DUE, delivery.c.account_id == accounts.c.id)
    due_at = sa.select(sa.func.min(delivery.c.due_at)).where(*of_account).scalar_subquery()
    expires_at = (
        sa.select(delivery.c.expires_at)
        .where(*of_account, delivery.c.expires_at > ZERO, delivery.c.lease_until <= now_ms)
        .order_by(delivery.c.expires_at)
        .limit(1)
        .scalar_subquery()
    )
    space = sa.select(delivery.c.space_id).where(*of_account).limit(1).scalar_subquery()
    found = sa.select(
        accounts.c.id, due_at.label("due_at"), expires_at.label("expires_at"), space.label("space")
    ).where(accounts.c.id.is_not(None))
    lanes = found.subquery("lanes")
    rows = connection.execute(
        sa.select(
            lanes.c.space, lanes.c.id, lanes.c.due_at,
            sa.func.coalesce(lanes.c.expires_at, 0).label("expires_at"),
            sa.func.coalesce(carrier_pause.c.until, 0).label("until"),
            sa.func.coalesce(carrier_account.c.enabled, 1).label("enabled"),
            sa.func.coalesce(carrier_account.c.stopped_why, "").label("stopped_why"),
        )
        .select_from(lanes)
        .outerjoin(
            carrier_pause,
            sa.and_(
                carrier_pause.c.space_id == lanes.c.space,
                carrier_pause.c.account_id == lanes.c.id,
                carrier_pause.c.target_id == 0,
                carrier_pause.c.until > now_ms,
            ),
        )
        .outerjoin(
            carrier_account,
            sa.and_(carrier_account.c.space_id == lanes.c.space, carrier_account.c.id == lanes.c.id),
        )
        .order_by(lanes.c.due_at)
    )  # fmt: skip
    return tuple(
        Lane(
            space=row.space,
            account=row.id,
            due_at=row.due_at,
            expires_at=row.expires_at,
            blocked_until=row.until,
            stopped=bool(row.stopped_why) or not row.enabled,
        )
        for row in rows
        if row.space is not None
    )


def _claim(
    connection: sa.Connection, now_ms: int, node: int, claims: Sequence[LaneClaim], mint: IdMint
) -> tuple[tuple[Job, ...], Closed]:
    good: list[Any] = []
    bad: list[tuple[Any, str, str]] = []
    for claim in claims:
        for row in connection.execute(_next_of(claim, now_ms)):
            reason = _unsendable(row, now_ms)
            if reason is None:
                good.append(row)
            else:
                bad.append((row, *reason))
    lease_until = now_ms + LEASE_MS
    jobs = tuple(_job(row, lease_until) for row in good)
    _lease(connection, jobs, node, now_ms)
    return jobs, close_unsent(connection, bad, now_ms, mint)


def _next_of(claim: LaneClaim, now_ms: int) -> sa.Select[Any]:
    paused = (
        sa.select(1)
        .where(
            carrier_pause.c.space_id == delivery.c.space_id,
            carrier_pause.c.account_id == delivery.c.account_id,
            carrier_pause.c.target_id.in_((0, delivery.c.target_id)),
            carrier_pause.c.until > now_ms,
        )
        .exists()
    )
    return (
        sa.select(
            delivery, target.c.value, target.c.dead_at, target.c.dead_why, message.c.dialect, message.c.watched,
            message.c.state.label("message_state"), _interrupted().label("interrupted"),
        )
        .outerjoin(target, sa.and_(target.c.space_id == delivery.c.space_id, target.c.id == delivery.c.target_id))
        .outerjoin(message, sa.and_(message.c.space_id == delivery.c.space_id, message.c.id == delivery.c.message_id))
        .where(
            delivery.c.state == DUE,
            delivery.c.account_id == claim.account,
            delivery.c.space_id == claim.space,
            delivery.c.due_at <= now_ms,
            delivery.c.id.not_in(claim.but),
            ~paused,
        )
        .order_by(delivery.c.due_at, delivery.c.priority.desc(), delivery.c.id)
        .limit(claim.limit)
        .with_for_update(skip_locked=True, of=delivery)
    )  # fmt: skip


def _interrupted() -> sa.ScalarSelect[int]:
    of_delivery = (attempt.c.space_id == delivery.c.space_id, attempt.c.delivery_id == delivery.c.id)
    # Also the one whose lease has just ended, which nobody has marked yet.
    ended_badly = sa.or_(attempt.c.outcome == "interrupted", attempt.c.ended_at == 0)
    return sa.select(sa.func.count()).select_from(attempt).where(*of_delivery, ended_badly).scalar_subquery()


def _unsendable(row: Any, now_ms: int) -> tuple[str, str] | None:
    """State and reason when this delivery must be closed instead of sent."""
    if row.dialect is None or row.value is None:
        return "failed", "the message or its address was removed"
    if row.message_state == "recalled":
        return "cancelled", "the message was recalled"
    if row.expires_at and row.expires_at <= now_ms:
        return "expired", row.why or EXPIRED
    if row.dead_at:
        return "failed", f"this address is dead: {row.dead_why}"
    if row.interrupted >= MOST_INTERRUPTED:
        return "failed", f"begun {row.interrupted} times without an end"
    return None


def _job(row: Any, lease_until: int) -> Job:
    return Job(
        space=row.space_id,
        id=row.id,
        message=row.message_id,
        part=row.part,
        account=row.account_id,
        target=row.target_id,
        address=row.value,
        person=row.person_id,
        attempt=row.attempts + 1,
        was_due_at=row.due_at,
        expires_at=row.expires_at,
        created_at=row.created_at,
        lease_until=lease_until,
    )


def _lease(connection: sa.Connection, jobs: Sequence[Job], node: int, now_ms: int) -> None:
    if not jobs:
        return
    keys = [(job.space, job.id) for job in jobs]
    # Written before the call: a crash then costs one lease, never a hot loop.
    connection.execute(
        sa.update(delivery)
        .where(keys_in(delivery, keys))
        .values(
            attempts=delivery.c.attempts + 1,
            lease_until=jobs[0].lease_until,
            due_at=jobs[0].lease_until,
            node=node,
        )
    )
    if any(job.attempt > 1 for job in jobs):
        connection.execute(
            sa.update(attempt)
            .where(keys_in(attempt, keys, "delivery_id"), attempt.c.ended_at == 0)
            .values(ended_at=now_ms, outcome="interrupted", why="its node stopped or lost the lease")
        )
    execute_many(
        connection,
        sa.insert(attempt),
        [
            {"space_id": job.space, "delivery_id": job.id, "no": job.attempt, "node": node, "started_at": now_ms}
            for job in jobs
        ],
    )


def _give_back(connection: sa.Connection, jobs: Sequence[Job]) -> None:
    still_held = (
        delivery.c.space_id == sa.bindparam("s"),
        delivery.c.id == sa.bindparam("d"),
        delivery.c.state == DUE,
        delivery.c.attempts == sa.bindparam("tried"),
    )
    rows = [{"s": job.space, "d": job.id, "tried": job.attempt, "was": job.was_due_at} for job in jobs]
    execute_many(
        connection,
        sa.delete(attempt).where(
            attempt.c.space_id == sa.bindparam("s"),
            attempt.c.delivery_id == sa.bindparam("d"),
            attempt.c.no == sa.bindparam("tried"),
        ),
        [{"s": row["s"], "d": row["d"], "tried": row["tried"]} for row in rows],
    )
    execute_many(
        connection,
        sa.update(delivery)
        .where(*still_held)
        .values(attempts=delivery.c.attempts - 1, due_at=sa.bindparam("was"), lease_until=0),
        rows,
    )


def _retry(connection: sa.Connection, space: int, delivery_id: int, now_ms: int) -> bool:
    changed = connection.execute(
        sa.update(delivery)
        .where(delivery.c.space_id == space, delivery.c.id == delivery_id, delivery.c.state.in_(_RETRYABLE))
        .values(state="due", due_at=now_ms, lease_until=0, closed_at=0, expires_at=0, poll_at=0)
    )
    return changed.rowcount == 1


def _hold(connection: sa.Connection, space: int, message_id: int) -> None:
    connection.execute(
        sa.update(delivery)
        .where(delivery.c.space_id == space, delivery.c.message_id == message_id, delivery.c.state == "due")
        .values(state="held")
    )
    _change_message(connection, space, message_id, "accepted", "held")


def _release(connection: sa.Connection, space: int, message_id: int, now_ms: int) -> None:
    connection.execute(
        sa.update(delivery)
        .where(delivery.c.space_id == space, delivery.c.message_id == message_id, delivery.c.state == "held")
        .values(state="due", due_at=sa.case((delivery.c.due_at < now_ms, now_ms), else_=delivery.c.due_at))
    )
    _change_message(connection, space, message_id, "held", "accepted")


def _change_message(connection: sa.Connection, space: int, message_id: int, before: str, after: str) -> None:
    connection.execute(
        sa.update(message)
        .where(message.c.space_id == space, message.c.id == message_id, message.c.state == before)
        .values(state=after)
    )


def _release_some(connection: sa.Connection, space: int, ids: Sequence[int], now_ms: int) -> None:
    connection.execute(
        sa.update(delivery)
        .where(delivery.c.space_id == space, delivery.c.id.in_(ids), delivery.c.state == "held")
        .values(state="due", due_at=now_ms)
    )


def cancel_open(connection: sa.Connection, space: int, message_id: int, now_ms: int) -> None:
    """Close a message's open deliveries, inside somebody's transaction."""
    _cancel(connection, space, message_id, now_ms)


def cancel_open_to(connection: sa.Connection, space: int, message_id: int, people: Sequence[int], now_ms: int) -> None:
    """Likewise, only those to these people; an address they share with others still gets it."""
    _cancel(connection, space, message_id, now_ms, delivery.c.person_id.in_(people))


def _cancel(
    connection: sa.Connection, space: int, message_id: int, now_ms: int, *which: sa.ColumnElement[bool]
) -> None:
    of_message = (delivery.c.space_id == space, delivery.c.message_id == message_id, *which)
    open_ones = (*of_message, delivery.c.state.in_(("due", "held")))
    connection.execute(sa.select(delivery.c.id).where(*open_ones).order_by(delivery.c.id).with_for_update()).all()
    connection.execute(sa.update(delivery).where(*open_ones).values(state="cancelled", closed_at=now_ms, lease_until=0))


def _cancel_alone(connection: sa.Connection, space: int, message_id: int, now_ms: int, mint: IdMint) -> Closed:
    cancel_open(connection, space, message_id, now_ms)
    key: Key = (space, message_id)
    finished = finish(connection, [key], now_ms, mint)
    return Closed(finished=finished, watched=bool(finished))


def _resume(connection: sa.Connection, space: int, account: int) -> None:
    connection.execute(
        sa.delete(carrier_pause).where(carrier_pause.c.space_id == space, carrier_pause.c.account_id == account)
    )
    connection.execute(
        sa.update(carrier_account)
        .where(carrier_account.c.space_id == space, carrier_account.c.id == account)
        .values(stopped_why="")
    )
