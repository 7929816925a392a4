"""Conversations of two people as the inbox sees them: what is unread, one's own entries, and how the other side took
them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.mailbox import Change
from onebell.core.model import FeedKind
from onebell.core.replies import Unread
from onebell.store.engine import Database
from onebell.store.schema import entry, feed, mailbox, message
from onebell.store.upserts import pages

PAGE = 500
"""Entries that one read or one transaction takes."""


def _entries(space: int, box: int) -> sa.ColumnElement[bool]:
    return sa.and_(entry.c.space_id == space, entry.c.mailbox_id == box)


def unread(conn: Connection, change: Change, span: tuple[int, int], only: int) -> list[Unread]:
    """Incoming entries of conversations that nobody has read, behind the first of these seqs and up to the second.

    ``only`` is a feed; 0 = of any. At most ``PAGE``, oldest first.
    """
    after, up_to = span
    box = sa.and_(mailbox.c.space_id == entry.c.space_id, mailbox.c.id == entry.c.mailbox_id)
    place = sa.and_(feed.c.space_id == entry.c.space_id, feed.c.id == entry.c.feed_id)
    said = sa.and_(message.c.space_id == entry.c.space_id, message.c.id == entry.c.message_id)
    statement = (
        sa.select(entry.c.seq, entry.c.feed_id, feed.c.dialect, feed.c.code, entry.c.message_id, entry.c.public_id)
        .select_from(entry.join(mailbox, box).join(feed, place).join(message, said))
        .where(
            _entries(change.space, change.mailbox),
            entry.c.seq > after,
            entry.c.seq > mailbox.c.read_up_to,
            entry.c.seq <= up_to,
            entry.c.direction == 0,
            entry.c.shown == 0,
            entry.c.read_at == 0,
            entry.c.recalled_at == 0,
            entry.c.deleted_at == 0,
            feed.c.kind == FeedKind.DIRECT.value,
            feed.c.dialect == message.c.dialect,
        )
        .order_by(entry.c.seq)
        .limit(PAGE)
    )
    if only:
        statement = statement.where(entry.c.feed_id == only)
    return [
        Unread(
            seq=row.seq,
            feed=row.feed_id,
            dialect=row.dialect,
            code=row.code,
            message=row.message_id,
            public_id=row.public_id,
        )
        for row in conn.execute(statement)
    ]


def own_seq(conn: Connection, space: int, box: int, message_id: int) -> int:
    """Where a message that the mailbox' owner wrote stands in it; 0 = nowhere."""
    statement = sa.select(sa.func.min(entry.c.seq)).where(
        _entries(space, box), entry.c.message_id == message_id, entry.c.direction == 1
    )
    return conn.execute(statement).scalar() or 0


def delivered(conn: Connection, change: Change, which: int, messages: Sequence[int]) -> int:
    """A device of the other side has these messages of the mailbox' owner; how many are news."""
    return _mark(conn, change, which, messages, (entry.c.delivered_at,))


def seen(conn: Connection, change: Change, which: int, messages: Sequence[int]) -> int:
    """The other side has read these messages, and so has got them; how many are news."""
    return _mark(conn, change, which, messages, (entry.c.seen_at, entry.c.delivered_at))


def seen_all(conn: Connection, change: Change, which: int) -> int:
    """The other side has read everything of a conversation; up to ``PAGE`` messages are marked. Call again until 0."""
    statement = (
        sa.select(entry.c.message_id)
        .where(_outgoing(change, which), entry.c.seen_at == 0)
        .order_by(entry.c.seq.desc())
        .limit(PAGE)
    )
    return seen(conn, change, which, conn.execute(statement).scalars().all())


def _outgoing(change: Change, which: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        _entries(change.space, change.mailbox),
        entry.c.feed_id == which,
        entry.c.direction == 1,
        entry.c.shown == 0,
        entry.c.recalled_at == 0,
        entry.c.deleted_at == 0,
    )


def _mark(
    conn: Connection, change: Change, which: int, messages: Sequence[int], marks: Sequence[sa.Column[int]]
) -> int:
    """Set marks that are not set, where the first one is not; every entry takes a new rev (DESIGN §4)."""
    fresh = sa.and_(_outgoing(change, which), marks[0] == 0)
    found = [
        seq
        for page in pages(messages)
        for seq in conn.execute(sa.select(entry.c.seq).where(fresh, entry.c.message_id.in_(page))).scalars()
    ]
    if not found:
        return 0
    mine = sa.and_(mailbox.c.space_id == change.space, mailbox.c.id == change.mailbox)
    moved = sa.update(mailbox).where(mine).values(last=mailbox.c.last + len(found)).returning(mailbox.c.last)
    first = conn.execute(moved).scalar_one() - len(found) + 1
    values = {mark: sa.case((mark == 0, change.now), else_=mark) for mark in marks}
    conn.execute(
        sa.update(entry)
        .where(_entries(change.space, change.mailbox), entry.c.seq == sa.bindparam("b_seq"))
        .values({entry.c.rev: sa.bindparam("b_rev"), **values}),
        [{"b_seq": seq, "b_rev": first + number} for number, seq in enumerate(sorted(found))],
    )
    return len(found)


class Conversations:
    """Each verb in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def unread(self, change: Change, span: tuple[int, int], only: int = 0) -> list[Unread]:
        """See :func:`unread`."""
        return await self._db.read(lambda conn: unread(conn, change, span, only))

    async def own_seq(self, space: int, box: int, message_id: int) -> int:
        """See :func:`own_seq`."""
        return await self._db.read(lambda conn: own_seq(conn, space, box, message_id))

    async def delivered(self, change: Change, which: int, messages: Sequence[int]) -> int:
        """See :func:`delivered`."""
        return await self._db.write(lambda conn: delivered(conn, change, which, messages))

    async def seen(self, change: Change, which: int, messages: Sequence[int]) -> int:
        """See :func:`seen`."""
        return await self._db.write(lambda conn: seen(conn, change, which, messages))

    async def seen_all(self, change: Change, which: int) -> int:
        """See :func:`seen_all`."""
        return await self._db.write(lambda conn: seen_all(conn, change, which))
