"""Conversations as their users look back on them (sheet easemob §1.8): pages of messages, and the list of them."""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.core.conversations import Channel, Queued, Roam
from onebell.core.model import FeedKind, Keep, Shown
from onebell.store.inbox import AnyRow
from onebell.store.queues import HISTORY, OF_FEED, QUEUED, WITH_MESSAGE, queued
from onebell.store.schema import clearing, entry, feed, mailbox, message
from onebell.store.upserts import insert_or_update


def page(connection: sa.Connection, asked: Roam) -> list[Queued]:
    """Messages of a conversation in both directions, in the order asked for, one more than the limit when there are.

    What the other side got is what its mailbox holds: a sender keeps no copy of what the server sent for him.
    """
    floor = _cleared_up_to(connection, asked.space, asked.me, asked.feed)
    mine = [queued(row, is_copy=False) for row in _rows(connection, asked, asked.me, floor, entry.c.deleted_at == 0)]
    his = [queued(row, is_copy=True) for row in _rows(connection, asked, asked.peer, floor, sa.true())]
    merged = sorted((*mine, *his), key=lambda one: one.public_id, reverse=not asked.is_forward)
    return merged[: asked.limit + 1]


def _rows(
    connection: sa.Connection, asked: Roam, box: int, floor: int, which: sa.ColumnElement[bool]
) -> Sequence[AnyRow]:
    conditions = [
        entry.c.space_id == asked.space,
        entry.c.mailbox_id == box,
        entry.c.feed_id == asked.feed,
        entry.c.direction == 0,
        entry.c.shown == Shown.PERSON,
        entry.c.recalled_at == 0,
        entry.c.public_id > floor,
        message.c.keep != Keep.WHILE_ONLINE.value,
        which,
    ]
    if asked.start:
        ahead = entry.c.public_id > asked.start if asked.is_forward else entry.c.public_id < asked.start
        conditions.append(ahead)
    if asked.since:
        conditions.append(entry.c.created_at >= asked.since)
    if asked.until:
        conditions.append(entry.c.created_at <= asked.until)
    order = entry.c.seq if asked.is_forward else entry.c.seq.desc()
    statement = sa.select(*QUEUED).select_from(WITH_MESSAGE).where(*conditions).order_by(order)
    return connection.execute(statement.limit(asked.limit + 1)).all()


def channels(connection: sa.Connection, space: int, me: int, realm: str) -> list[Channel]:
    """Conversations in which clients have written, or that were imported: the newest first, with their last message."""
    shown = sa.and_(
        entry.c.space_id == space,
        entry.c.mailbox_id == me,
        entry.c.shown == Shown.PERSON,
        entry.c.recalled_at == 0,
        entry.c.deleted_at == 0,
        feed.c.kind == FeedKind.DIRECT.value,
        feed.c.code.startswith(f"{realm}:", autoescape=True),
    )
    # What the server sends for somebody does not enter the list (sheet §1.3); what he writes in the page does, and
    # what is imported makes the conversation that it was part of (the document's own word on ``is_ack_read``).
    is_listed = sa.or_(message.c.device_id != 0, message.c.keep.in_(HISTORY))
    newest = (
        sa.select(sa.func.max(entry.c.seq))
        .select_from(WITH_MESSAGE.join(feed, OF_FEED))
        .where(shown, is_listed)
        .group_by(entry.c.feed_id)
    )
    rows = connection.execute(
        sa.select(*QUEUED, entry.c.feed_id)
        .select_from(WITH_MESSAGE)
        .where(entry.c.space_id == space, entry.c.mailbox_id == me, entry.c.seq.in_(newest))
        .order_by(entry.c.seq.desc())
    ).all()
    unread = _unread(connection, space, me, shown)
    hidden = {row.feed_id: row.list_up_to for row in _all_cleared(connection, space, me)}
    return [
        Channel(feed=row.feed_id, unread=unread.get(row.feed_id, 0), last=queued(row, is_copy=row.direction == 1))
        for row in rows
        if row.public_id > hidden.get(row.feed_id, 0)
    ]


def _unread(connection: sa.Connection, space: int, me: int, shown: sa.ColumnElement[bool]) -> dict[int, int]:
    read = sa.select(mailbox.c.read_up_to).where(mailbox.c.space_id == space, mailbox.c.id == me).scalar_subquery()
    rows = connection.execute(
        sa.select(entry.c.feed_id, sa.func.count())
        .select_from(entry.join(feed, OF_FEED))
        .where(shown, entry.c.direction == 0, entry.c.read_at == 0, entry.c.seq > read)
        .group_by(entry.c.feed_id)
    )
    return {row[0]: row[1] for row in rows}


def _all_cleared(connection: sa.Connection, space: int, me: int) -> Sequence[AnyRow]:
    return connection.execute(sa.select(clearing).where(clearing.c.space_id == space, clearing.c.party_id == me)).all()


def _cleared_up_to(connection: sa.Connection, space: int, me: int, which: int) -> int:
    statement = sa.select(clearing.c.roam_up_to).where(
        clearing.c.space_id == space, clearing.c.party_id == me, clearing.c.feed_id == which
    )
    return connection.execute(statement).scalar() or 0


def clear(connection: sa.Connection, space: int, me: int, which: int, up_to: int, now_ms: int) -> None:
    """Take a conversation off the list until something new comes."""
    row = {"space_id": space, "party_id": me, "feed_id": which, "list_up_to": up_to, "cleared_at": now_ms}
    insert_or_update(connection, clearing, [row], ["list_up_to", "cleared_at"])


def clear_history(connection: sa.Connection, space: int, me: int, which: int, up_to: int, now_ms: int) -> None:
    """Likewise, and nothing of it up to now is looked back on; the other side keeps it all."""
    row = {
        "space_id": space,
        "party_id": me,
        "feed_id": which,
        "list_up_to": up_to,
        "roam_up_to": up_to,
        "cleared_at": now_ms,
    }
    insert_or_update(connection, clearing, [row], ["list_up_to", "roam_up_to", "cleared_at"])
