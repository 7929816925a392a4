"""Easemob messages as its server API asks for them: by a receiver's id, and by the hour (sheet easemob §1.6, §1.7)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.conversations import HourPage, HourRecord, Numbered
from onebell.core.events import EventKind
from onebell.core.model import Keep, Part, PartyKind, Shown
from onebell.core.work import EventDraft
from onebell.ids import IdMint
from onebell.store import inbox_changes
from onebell.store.deliveries import cancel_open_to
from onebell.store.events import write_events
from onebell.store.packed import unpack_object
from onebell.store.schema import entry, feed, message, party, public_id

DIALECT = "easemob"
_part = msgspec.json.Decoder(tuple[Part, ...]).decode


def numbered(connection: sa.Connection, number: str) -> tuple[int, Numbered] | None:
    """The space and message of a receiver's id; None = nobody has it."""
    place = connection.execute(
        sa.select(public_id.c.space_id, public_id.c.message_id).where(
            public_id.c.dialect == DIALECT, public_id.c.public_id == number
        )
    ).first()
    if place is None:
        return None
    space, which = place
    entries = connection.execute(
        sa.select(entry).where(entry.c.space_id == space, entry.c.message_id == which, entry.c.direction == 0)
    ).all()
    mine = next((row for row in entries if row.public_id == int(number)), None)
    row = connection.execute(
        sa.select(message).where(message.c.space_id == space, message.c.id == which)
    ).mappings().first()  # fmt: skip
    if mine is None or row is None:
        return None
    found = Numbered(
        message=which,
        sender=row["sender"],
        sender_kind=row["sender_kind"],
        sender_name=row["sender_name"],
        created_at=row["created_at"],
        feed=mine.feed_id,
        mailbox=mine.mailbox_id,
        receivers=len(entries),
        shown=mine.shown,
        is_recalled=bool(mine.recalled_at or mine.deleted_at),
        part=_part(row["parts"])[0],
        extra=unpack_object(row["extra"]),
    )
    return space, found


def recall_numbered(
    conn: sa.Connection, space: int, message_id: int, owner: int, number: int, now: int, mint: IdMint
) -> tuple[int, ...]:
    """Recall what one receiver has of a message, and the sender's copy of that; the mailboxes, none when it was before.

    ``owner`` is the receiver, whom callbacks name. Deliveries to him that have not gone out stop.
    """
    boxes = inbox_changes.mark_entries(conn, space, message_id, now, entry.c.recalled_at, entry.c.public_id == number)
    if boxes:
        cancel_open_to(conn, space, message_id, boxes, now)
        mine = sa.select(message.c.dialect, message.c.watched)
        row = conn.execute(mine.where(message.c.space_id == space, message.c.id == message_id)).one()
        recalled = EventDraft(
            space=space,
            dialect=row.dialect,
            message=message_id,
            kind=EventKind.RECALLED.value,
            at=now,
            person=owner,
            data={"public_id": str(number)},
            watched=bool(row.watched),
        )
        write_events(conn, [recalled], mint)
    return boxes


def separate(conn: sa.Connection, space: int, message_id: int, number: int, which: int) -> None:
    """Give what one receiver has of a message, and the sender's copy of that, a message of its own, alike in all.

    Its deliveries stay with the first one: they say what was sent then. Nothing happens when it was done before.
    """
    mine = sa.and_(entry.c.space_id == space, entry.c.message_id == message_id, entry.c.public_id == number)
    if not conn.execute(sa.update(entry).where(mine).values(message_id=which)).rowcount:
        return
    new = {"id": sa.literal(which, message.c.id.type), "public_id": sa.literal(str(number))}
    copy = sa.select(*(new.get(column.name, column) for column in message.c))
    copy = copy.where(message.c.space_id == space, message.c.id == message_id)
    conn.execute(sa.insert(message).from_select([column.name for column in message.c], copy))
    known = sa.and_(public_id.c.dialect == DIALECT, public_id.c.public_id == str(number), public_id.c.space_id == space)
    conn.execute(sa.update(public_id).where(known).values(message_id=which))


def hour(
    connection: sa.Connection, space: int, app: str, span: tuple[int, int], after: tuple[int, int], limit: int
) -> HourPage:
    """What an app's users got in a span of time, of up to ``limit`` messages behind (instant, message)."""
    begin, end = span
    when, which = after
    later = sa.or_(message.c.created_at > when, sa.and_(message.c.created_at == when, message.c.id > which))
    rows = connection.execute(
        sa.select(message.c.id, message.c.created_at, message.c.parts)
        .join(feed, sa.and_(feed.c.space_id == message.c.space_id, feed.c.id == message.c.feed_id))
        .where(
            message.c.space_id == space,
            message.c.dialect == DIALECT,
            message.c.created_at >= max(begin, when),
            message.c.created_at < end,
            later,
            message.c.keep != Keep.WHILE_ONLINE.value,
            message.c.state != "recalled",
            feed.c.code.startswith(f"{app}:", autoescape=True),
        )
        .order_by(message.c.created_at, message.c.id)
        .limit(limit)
    ).all()
    if not rows:
        return HourPage(records=(), after=None)
    return HourPage(
        records=_records(connection, space, app, rows),
        after=(rows[-1].created_at, rows[-1].id) if len(rows) == limit else None,
    )


def _records(connection: sa.Connection, space: int, app: str, rows: Sequence[Any]) -> tuple[HourRecord, ...]:
    by_id = {row.id: row for row in rows}
    entries = connection.execute(
        sa.select(entry.c.message_id, entry.c.public_id, party.c.kind, party.c.name)
        .join(party, sa.and_(party.c.space_id == entry.c.space_id, party.c.id == entry.c.mailbox_id))
        .where(
            entry.c.space_id == space,
            entry.c.message_id.in_(list(by_id)),
            entry.c.direction == 0,
            entry.c.shown < Shown.SIGNAL,
            entry.c.recalled_at == 0,
            entry.c.deleted_at == 0,
        )
        .order_by(entry.c.message_id, entry.c.public_id)
    )
    return tuple(
        HourRecord(
            public_id=row.public_id,
            created_at=by_id[row.message_id].created_at,
            to=row.name.removeprefix(f"{app}/") if row.kind == PartyKind.NAME.value else row.name.lower(),
            part=_part(by_id[row.message_id].parts)[0],
        )
        for row in entries
    )
