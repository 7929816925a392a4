"""Messages as the background tasks see them: what is sent, and when nothing is open any more."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.bell import StoredMessage
from onebell.core.events import EventKind
from onebell.core.model import Part, Severity
from onebell.core.work import EventDraft, MessageFacts
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.queueing import keys_in
from onebell.store.schema import delivery, entry, expansion, message

_parts = msgspec.json.Decoder(tuple[Part, ...]).decode
_OPEN = ("due", "held")
_REACHED = ("sent", "delivered")

Key = tuple[int, int]


class Messages:
    """Verbs on whole messages."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def facts(self, space: int, message_id: int) -> MessageFacts | None:
        """What rendering and sending need of a message; ``None`` when it was removed."""
        return await self._db.read(lambda connection: _facts(connection, space, message_id))

    async def entry_ids(self, space: int, message_id: int) -> dict[int, str]:
        """The public ids of a numbered message's entries by their mailboxes."""
        return await self._db.read(lambda connection: _entry_ids(connection, space, message_id))


def _facts(connection: sa.Connection, space: int, message_id: int) -> MessageFacts | None:
    row = connection.execute(
        sa.select(message).where(message.c.space_id == space, message.c.id == message_id)
    ).one_or_none()
    if row is None:
        return None
    return MessageFacts(
        id=row.id,
        space=row.space_id,
        dialect=row.dialect,
        public_id=row.public_id,
        state=row.state,
        sender_name=row.sender_name,
        severity=Severity(row.severity),
        parts=_parts(row.parts or b"[]"),
        watched=bool(row.watched),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def stored_message(row: Mapping[Any, Any]) -> StoredMessage:
    """What readers get, from a row that holds the message's columns."""
    return StoredMessage(
        id=row[message.c.id],
        space=row[message.c.space_id],
        dialect=row[message.c.dialect],
        public_id=row[message.c.public_id],
        sender=row[message.c.sender],
        sender_kind=row[message.c.sender_kind],
        sender_name=row[message.c.sender_name],
        parent=row[message.c.parent_id],
        severity=row[message.c.severity],
        parts=_parts(row[message.c.parts] or b"[]"),
        created_ms=row[message.c.created_at],
        expires_ms=row[message.c.expires_at],
    )


def _entry_ids(connection: sa.Connection, space: int, message_id: int) -> dict[int, str]:
    rows = connection.execute(
        sa.select(entry.c.mailbox_id, entry.c.public_id).where(
            entry.c.space_id == space, entry.c.message_id == message_id, entry.c.direction == 0, entry.c.public_id > 0
        )
    )
    return {row.mailbox_id: str(row.public_id) for row in rows}


def finish(connection: sa.Connection, keys: Iterable[Key], now_ms: int, mint: IdMint) -> tuple[Key, ...]:
    """Finish those of these messages that have nothing open any more; each is finished once.

    Call it last in a transaction: message rows are locked after all others, in order of their keys.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return ()
    # Locked before the count: of two nodes that close the last two deliveries at once, the second one then sees both.
    locked = connection.execute(
        sa.select(message.c.space_id, message.c.id, message.c.dialect, message.c.watched)
        .where(keys_in(message, wanted), message.c.finished_at == 0, message.c.state.in_(("accepted", "expanding")))
        .order_by(message.c.space_id, message.c.id)
        .with_for_update()
    ).all()
    if not locked:
        return ()
    open_keys = _open(connection, [(row.space_id, row.id) for row in locked])
    done = [row for row in locked if (row.space_id, row.id) not in open_keys]
    if not done:
        return ()
    finished = tuple((row.space_id, row.id) for row in done)
    connection.execute(
        sa.update(message).where(keys_in(message, finished)).values(state="finished", finished_at=now_ms)
    )
    drafts = [_finished_event(connection, row, now_ms) for row in done if row.watched]
    write_events(connection, drafts, mint)
    return finished


def _open(connection: sa.Connection, keys: list[Key]) -> set[Key]:
    waiting = [_has_delivery(state) for state in _OPEN]
    expanding = (
        sa.select(1)
        .where(
            expansion.c.space_id == message.c.space_id, expansion.c.message_id == message.c.id, expansion.c.done == 0
        )
        .exists()
    )
    rows = connection.execute(
        sa.select(message.c.space_id, message.c.id).where(keys_in(message, keys), sa.or_(expanding, *waiting))
    )
    return {(row.space_id, row.id) for row in rows}


def _has_delivery(state: str) -> sa.ColumnElement[bool]:
    # One probe per state: each ends at the first row of the index delivery_of_message.
    return (
        sa.select(1)
        .where(
            delivery.c.space_id == message.c.space_id,
            delivery.c.message_id == message.c.id,
            delivery.c.state == state,
        )
        .exists()
    )


def _finished_event(connection: sa.Connection, row: Any, now_ms: int) -> EventDraft:
    has_entry = (
        sa.select(1)
        .where(entry.c.space_id == message.c.space_id, entry.c.message_id == message.c.id, entry.c.direction == 0)
        .exists()
    )
    reached = sa.or_(has_entry, *[_has_delivery(state) for state in _REACHED])
    ok = bool(connection.scalar(sa.select(reached).where(message.c.space_id == row.space_id, message.c.id == row.id)))
    return EventDraft(
        space=row.space_id,
        dialect=row.dialect,
        message=row.id,
        kind=EventKind.FINISHED.value,
        at=now_ms,
        data={"ok": ok, "message": "" if ok else _last_words(connection, row.space_id, row.id)},
        watched=True,
    )


def _last_words(connection: sa.Connection, space: int, message_id: int) -> str:
    said = sa.select(last_words()).where(message.c.space_id == space, message.c.id == message_id)
    return connection.scalar(said) or ""


def last_words() -> sa.ColumnElement[str | None]:
    """Why a message of the enclosing statement did not reach somebody: its audience's defect, or its deliveries' last
    words; null where nothing was said."""
    parked = (
        sa.select(expansion.c.why)
        .where(
            expansion.c.space_id == message.c.space_id, expansion.c.message_id == message.c.id, expansion.c.why != ""
        )
        .limit(1)
    )
    said = (
        sa.select(delivery.c.why)
        .where(delivery.c.space_id == message.c.space_id, delivery.c.message_id == message.c.id, delivery.c.why != "")
        .order_by(delivery.c.closed_at.desc(), delivery.c.id.desc())
        .limit(1)
    )
    return sa.func.coalesce(parked.scalar_subquery(), said.scalar_subquery())
