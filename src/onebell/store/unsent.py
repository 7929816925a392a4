"""Deliveries that are closed although nothing was sent: expired, recalled, to a dead address, given up."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.events import EventKind
from onebell.core.work import Closed, EventDraft, Lane, words
from onebell.ids import IdMint
from onebell.store.events import write_events
from onebell.store.messages import finish
from onebell.store.queueing import DUE, ZERO, execute_many
from onebell.store.schema import carrier_account, delivery, message

AT_ONCE = 500
EXPIRED = "expired before it could be delivered"


def give_up(connection: sa.Connection, lane: Lane, due_until: int, now_ms: int, mint: IdMint) -> Closed:
    """Close the oldest that wait for a stopped account; they say what stopped it."""
    oldest = _waiting(lane, delivery.c.due_at <= due_until).order_by(delivery.c.due_at, delivery.c.id)
    rows = connection.execute(oldest).all()
    given_up = [(row, "expired", row.why or row.stopped_why or "the carrier account is switched off") for row in rows]
    return close_unsent(connection, given_up, now_ms, mint)


def expire(connection: sa.Connection, lane: Lane, now_ms: int, mint: IdMint, but: Sequence[int]) -> Closed:
    """Close what has expired on an account that sends nothing now, or to addresses that it sends nothing to."""
    # Nothing that is under way, here (``but``: the clock may have jumped past its lease) or on another node.
    is_free = (delivery.c.lease_until <= now_ms, delivery.c.id.not_in(but))
    over = _waiting(lane, delivery.c.expires_at > ZERO, delivery.c.expires_at <= now_ms, *is_free)
    rows = connection.execute(over.order_by(delivery.c.expires_at, delivery.c.id)).all()
    expired = [(row, "expired", row.why or row.stopped_why or EXPIRED) for row in rows]
    return close_unsent(connection, expired, now_ms, mint)


def _waiting(lane: Lane, *which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(delivery, message.c.dialect, message.c.watched, carrier_account.c.stopped_why)
        .outerjoin(message, sa.and_(message.c.space_id == delivery.c.space_id, message.c.id == delivery.c.message_id))
        .outerjoin(
            carrier_account,
            sa.and_(carrier_account.c.space_id == delivery.c.space_id, carrier_account.c.id == delivery.c.account_id),
        )
        .where(
            delivery.c.state == DUE,
            delivery.c.account_id == lane.account,
            delivery.c.space_id == lane.space,
            *which,
        )
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=delivery)
    )


def close_unsent(connection: sa.Connection, bad: Sequence[tuple[Any, str, str]], now_ms: int, mint: IdMint) -> Closed:
    """Close deliveries without a call: each row with its new state and why; events and the message's end with it."""
    if not bad:
        return Closed()
    execute_many(
        connection,
        sa.update(delivery)
        .where(delivery.c.space_id == sa.bindparam("s"), delivery.c.id == sa.bindparam("d"))
        .values(state=sa.bindparam("new_state"), why=sa.bindparam("words"), closed_at=now_ms, lease_until=0),
        [{"s": row.space_id, "d": row.id, "new_state": state, "words": words(why)} for row, state, why in bad],
    )
    drafts = [_closing_event(row, state, why, now_ms) for row, state, why in bad if state != "cancelled"]
    write_events(connection, drafts, mint)
    finished = finish(connection, ((row.space_id, row.message_id) for row, _, _ in bad), now_ms, mint)
    return Closed(finished=finished, watched=any(draft.watched for draft in drafts))


def _closing_event(row: Any, state: str, why: str, now_ms: int) -> EventDraft:
    kind = EventKind.EXPIRED if state == "expired" else EventKind.FAILED
    return EventDraft(
        space=row.space_id,
        dialect=row.dialect or "",
        message=row.message_id,
        delivery=row.id,
        person=row.person_id,
        kind=kind.value,
        at=now_ms,
        data={"code": row.code, "message": words(why)},
        watched=bool(row.watched),
    )
