"""What senders are told when readers change a mailbox: events in the same transaction (DESIGN §3)."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.events import EventKind
from onebell.core.mailbox import Change
from onebell.core.work import EventDraft
from onebell.ids import IdMint
from onebell.store.events import write_events
from onebell.store.inbox import AnyRow
from onebell.store.schema import entry, message

WATCHED = (
    sa.select(entry.c.seq, entry.c.message_id, entry.c.public_id, message.c.dialect, message.c.watched)
    .join(message, sa.and_(message.c.space_id == entry.c.space_id, message.c.id == entry.c.message_id))
    .where(entry.c.direction == 0, message.c.watched == 1)
)
"""Entries whose senders want to hear what becomes of them."""


def watched(conn: Connection, change: Change, which: sa.ColumnElement[bool]) -> Sequence[AnyRow]:
    """Of these entries of a mailbox."""
    mine = sa.and_(entry.c.space_id == change.space, entry.c.mailbox_id == change.mailbox)
    return conn.execute(WATCHED.where(mine, which)).all()


def tell(conn: Connection, change: Change, kind: EventKind, rows: Sequence[AnyRow], mint: IdMint) -> None:
    """Events for those messages whose dialect watches them."""
    drafts = [
        EventDraft(
            space=change.space,
            dialect=row.dialect,
            message=row.message_id,
            kind=kind.value,
            at=change.now,
            person=change.mailbox,
            data={"public_id": str(row.public_id)} if row.public_id else {},
            watched=True,
        )
        for row in rows
        if row.watched
    ]
    write_events(conn, drafts, mint)
