"""Messages as their senders and operators see them: lists, timelines, parked callbacks."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.timeline import (
    AttemptRow,
    CallbackRow,
    DeliveryRow,
    EntryCounts,
    EventRow,
    MessageRow,
    Sought,
    Timeline,
)
from onebell.errors import NotFound
from onebell.store.engine import Database
from onebell.store.inbox import AnyRow
from onebell.store.schema import (
    attempt,
    callback,
    carrier_account,
    delivery,
    entry,
    event,
    message,
    person,
    public_id,
    target,
)

LIMIT = 500
"""Rows of each sort in one timeline."""
_data = msgspec.json.Decoder(dict[str, Any])
_MESSAGE = (
    message.c.id,
    message.c.space_id,
    message.c.dialect,
    message.c.public_id,
    message.c.sender,
    message.c.sender_kind,
    message.c.sender_name,
    message.c.credential_id,
    message.c.severity,
    message.c.state,
    message.c.parts,
    message.c.created_at,
    message.c.expires_at,
    message.c.finished_at,
)


def _message(row: AnyRow) -> MessageRow:
    return MessageRow(
        id=row.id,
        space=row.space_id,
        dialect=row.dialect,
        public_id=row.public_id,
        sender=row.sender,
        sender_kind=row.sender_kind,
        sender_name=row.sender_name,
        credential=row.credential_id,
        severity=row.severity,
        state=row.state,
        parts=row.parts or b"[]",
        created_at=row.created_at,
        expires_at=row.expires_at,
        finished_at=row.finished_at,
    )


def messages(conn: Connection, sought: Sought) -> list[MessageRow]:
    """Messages of a space, newest first."""
    statement = sa.select(*_MESSAGE).where(message.c.space_id == sought.space)
    if sought.before:
        statement = statement.where(message.c.id < sought.before)
    if sought.dialect:
        statement = statement.where(message.c.dialect == sought.dialect)
    if sought.state:
        statement = statement.where(message.c.state == sought.state)
    if sought.sender:
        statement = statement.where(message.c.sender == sought.sender)
    if sought.credential:
        statement = statement.where(message.c.credential_id == sought.credential)
    rows = conn.execute(statement.order_by(message.c.id.desc()).limit(sought.limit))
    return [_message(row) for row in rows]


def find(conn: Connection, space: int, public: str, dialects: Sequence[str]) -> MessageRow | None:
    """A message of a space by its public id, in the first of these dialects that has it."""
    rows = conn.execute(
        sa.select(public_id.c.dialect, public_id.c.message_id).where(
            public_id.c.dialect.in_(dialects), public_id.c.public_id == public, public_id.c.space_id == space
        )
    ).all()
    if not rows:
        return None
    first = min(rows, key=lambda row: dialects.index(row.dialect))
    row = conn.execute(
        sa.select(*_MESSAGE).where(message.c.space_id == space, message.c.id == first.message_id)
    ).first()
    return _message(row) if row is not None else None


def timeline(conn: Connection, found: MessageRow) -> Timeline:
    """Everything that is known about a message."""
    deliveries = _deliveries(conn, found)
    attempts = _attempts(conn, found.space, [one.id for one in deliveries[:LIMIT]])
    events = _events(conn, found)
    return Timeline(
        message=found,
        inbox=_counts(conn, found),
        deliveries=tuple(deliveries[:LIMIT]),
        attempts=tuple(attempts[:LIMIT]),
        events=tuple(events[:LIMIT]),
        more=max(len(deliveries), len(attempts), len(events)) > LIMIT,
    )


def _counts(conn: Connection, found: MessageRow) -> EntryCounts:
    def set_(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((column > 0, 1), else_=0)), 0)

    row = conn.execute(
        sa.select(
            sa.func.count().label("entries"),
            set_(entry.c.taken_at).label("taken"),
            set_(entry.c.read_at).label("read"),
            set_(entry.c.recalled_at).label("recalled"),
        ).where(entry.c.space_id == found.space, entry.c.message_id == found.id, entry.c.direction == 0)
    ).one()
    return EntryCounts(entries=row.entries, taken=int(row.taken), read=int(row.read), recalled=int(row.recalled))


def _deliveries(conn: Connection, found: MessageRow) -> list[DeliveryRow]:
    def same(other: sa.Table, column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return sa.and_(other.c.space_id == delivery.c.space_id, other.c.id == column)

    rows = conn.execute(
        sa.select(
            delivery,
            carrier_account.c.code.label("account_code"),
            carrier_account.c.kind.label("account_kind"),
            target.c.value.label("address"),
            person.c.uid,
        )
        .select_from(
            delivery.outerjoin(carrier_account, same(carrier_account, delivery.c.account_id))
            .outerjoin(target, same(target, delivery.c.target_id))
            .outerjoin(person, same(person, delivery.c.person_id))
        )
        .where(delivery.c.space_id == found.space, delivery.c.message_id == found.id)
        .order_by(delivery.c.id)
        .limit(LIMIT + 1)
    )
    return [
        DeliveryRow(
            id=row.id,
            account_code=row.account_code or "",
            account_kind=row.account_kind or "",
            target=row.address or "",
            person=row.person_id,
            uid=row.uid or "",
            state=row.state,
            attempts=row.attempts,
            due_at=row.due_at,
            why=row.why,
            code=row.code,
            provider_ref=row.provider_ref,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )
        for row in rows
    ]


def _attempts(conn: Connection, space: int, deliveries: Sequence[int]) -> list[AttemptRow]:
    rows = conn.execute(
        sa.select(attempt)
        .where(attempt.c.space_id == space, attempt.c.delivery_id.in_(deliveries))
        .order_by(attempt.c.delivery_id, attempt.c.no)
        .limit(LIMIT + 1)
    )
    return [
        AttemptRow(
            delivery=row.delivery_id,
            no=row.no,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            why=row.why,
            provider_ref=row.provider_ref,
        )
        for row in rows
    ]


def _events(conn: Connection, found: MessageRow) -> list[EventRow]:
    rows = conn.execute(
        sa.select(event)
        .where(event.c.space_id == found.space, event.c.message_id == found.id)
        .order_by(event.c.id)
        .limit(LIMIT + 1)
    )
    return [
        EventRow(
            id=row.id,
            kind=row.kind,
            delivery=row.delivery_id,
            person=row.person_id,
            data=_data.decode(row.data) if row.data else {},
            at=row.created_at,
        )
        for row in rows
    ]


def callbacks(conn: Connection, space: int, state: str, before: int, limit: int) -> list[CallbackRow]:
    """Callbacks of a space in a state, newest first."""
    statement = sa.select(callback).where(callback.c.space_id == space, callback.c.state == state)
    if before:
        statement = statement.where(callback.c.id < before)
    rows = conn.execute(statement.order_by(callback.c.id.desc()).limit(limit))
    return [
        CallbackRow(
            id=row.id,
            dialect=row.dialect,
            kind=row.kind,
            message=row.message_id,
            url=row.url,
            state=row.state,
            attempts=row.attempts,
            due_at=row.due_at,
            last_status=row.last_status,
            last_reply=row.last_reply,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )
        for row in rows
    ]


def replay(conn: Connection, space: int, callback_id: int, now: int) -> None:
    """Let a parked callback begin its schedule anew.

    Raises:
        NotFound: the space has no parked callback with this id.
    """
    changed = conn.execute(
        sa.update(callback)
        .where(callback.c.space_id == space, callback.c.id == callback_id, callback.c.state == "parked")
        .values(state="due", attempts=0, due_at=now, lease_until=0, closed_at=0)
    ).rowcount
    if not changed:
        raise NotFound("there is no parked callback with this id")


class Timelines:
    """Reads of messages and callbacks, each in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def messages(self, sought: Sought) -> list[MessageRow]:
        """See :func:`messages`."""
        return await self._db.read(lambda conn: messages(conn, sought))

    async def find(self, space: int, public: str, dialects: Sequence[str]) -> MessageRow | None:
        """See :func:`find`."""
        return await self._db.read(lambda conn: find(conn, space, public, dialects))

    async def timeline(self, found: MessageRow) -> Timeline:
        """See :func:`timeline`."""
        return await self._db.read(lambda conn: timeline(conn, found))

    async def callbacks(self, space: int, state: str, before: int, limit: int) -> list[CallbackRow]:
        """See :func:`callbacks`."""
        return await self._db.read(lambda conn: callbacks(conn, space, state, before, limit))

    async def replay(self, space: int, callback_id: int, now: int) -> None:
        """See :func:`replay`."""
        await self._db.write(lambda conn: replay(conn, space, callback_id, now))
