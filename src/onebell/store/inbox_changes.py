"""Changing mailboxes. Whatever readers must see takes a new ``rev`` under the mailbox's row lock (DESIGN §4)."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.events import EventKind
from onebell.core.mailbox import Change
from onebell.core.work import EventDraft, PlanDraft
from onebell.errors import NotFound
from onebell.ids import IdMint
from onebell.store.deliveries import cancel_open
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.hot import Quick
from onebell.store.inbox import AnyRow
from onebell.store.inbox_events import WATCHED, tell, watched
from onebell.store.plans import drop_plans, write_plans
from onebell.store.queueing import ZERO
from onebell.store.revisions import between
from onebell.store.schema import entry, mailbox, message

PAGE = 500
"""Mailboxes that one transaction of a recall touches."""


def lock(conn: Connection, change: Change) -> AnyRow:
    """The mailbox's row, held until the transaction ends."""
    row = conn.execute(
        sa.select(mailbox.c.last, mailbox.c.read_up_to, mailbox.c.taken_rev)
        .where(mailbox.c.space_id == change.space, mailbox.c.id == change.mailbox)
        .with_for_update()
    ).first()
    if row is None:
        raise NotFound("mailbox")
    return row


def entry_of(conn: Connection, change: Change, seq: int) -> AnyRow:
    """An entry that was not deleted, with what a change of it must know.

    Raises:
        NotFound: the mailbox has no such entry.
    """
    row = conn.execute(
        sa.select(
            entry.c.message_id,
            entry.c.public_id,
            entry.c.direction,
            entry.c.read_at,
            entry.c.taken_at,
            entry.c.recalled_at,
            message.c.dialect,
            message.c.watched,
        )
        .join(message, sa.and_(message.c.space_id == entry.c.space_id, message.c.id == entry.c.message_id))
        .where(
            entry.c.space_id == change.space,
            entry.c.mailbox_id == change.mailbox,
            entry.c.seq == seq,
            entry.c.deleted_at == 0,
        )
    ).first()
    if row is None:
        raise NotFound("entry")
    return row


def move(conn: Connection, change: Change, seq: int, **values: int) -> int:
    """Give an entry the mailbox's next place."""
    rev: int = conn.execute(
        sa.update(mailbox)
        .where(mailbox.c.space_id == change.space, mailbox.c.id == change.mailbox)
        .values(last=mailbox.c.last + 1)
        .returning(mailbox.c.last)
    ).scalar_one()
    conn.execute(
        sa.update(entry)
        .where(entry.c.space_id == change.space, entry.c.mailbox_id == change.mailbox, entry.c.seq == seq)
        .values(rev=rev, **values)
    )
    return rev


def mark_read(conn: Connection, change: Change, seq: int, mint: IdMint) -> int:
    """Mark an entry as read; its new rev, 0 when it was read already.

    Raises:
        NotFound: the mailbox has no such entry.
    """
    box = lock(conn, change)
    row = entry_of(conn, change, seq)
    if row.read_at or seq <= box.read_up_to:
        return 0
    taken = row.taken_at or change.now
    rev = move(conn, change, seq, read_at=change.now, taken_at=taken)
    if not row.taken_at:
        tell(conn, change, EventKind.DELIVERED, [row], mint)
    tell(conn, change, EventKind.READ, [row], mint)
    return rev


def read_up_to(conn: Connection, change: Change, seq: int, mint: IdMint) -> int:
    """Move the read marker to ``seq`` (never past the last entry, never back); its rev, 0 when it stayed.

    Raises:
        NotFound: there is no such mailbox.
    """
    box = lock(conn, change)
    seq = min(seq, box.last)
    if seq <= box.read_up_to:
        return 0
    rev: int = box.last + 1
    conn.execute(
        sa.update(mailbox)
        .where(mailbox.c.space_id == change.space, mailbox.c.id == change.mailbox)
        .values(last=rev, read_up_to=seq, read_rev=rev, marked_at=change.now)
    )
    passed = sa.and_(entry.c.seq > box.read_up_to, entry.c.seq <= seq, entry.c.read_at == 0)
    tell(conn, change, EventKind.READ, watched(conn, change, passed), mint)
    return rev


def take(conn: Connection, change: Change, rev: int, mint: IdMint) -> int:
    """A reader has everything up to ``rev``: those entries count as delivered. How many were not before.

    Raises:
        NotFound: there is no such mailbox.
    """
    box = lock(conn, change)
    rev = min(rev, box.last)
    if rev <= box.taken_rev:
        return 0
    conn.execute(
        sa.update(mailbox)
        .where(mailbox.c.space_id == change.space, mailbox.c.id == change.mailbox)
        .values(taken_rev=rev)
    )
    fresh = sa.and_(between(box.taken_rev, rev), entry.c.taken_at == 0)
    tell(conn, change, EventKind.DELIVERED, watched(conn, change, fresh), mint)
    return conn.execute(
        sa.update(entry)
        .where(entry.c.space_id == change.space, entry.c.mailbox_id == change.mailbox, fresh)
        .values(taken_at=change.now)
    ).rowcount


# Made once: devices acknowledge every message.
_span = {name: sa.bindparam(f"b_{name}", type_=sa.BigInteger) for name in ("space", "box", "feed", "after", "up_to")}
_mine_in_feed = sa.and_(
    entry.c.space_id == _span["space"], entry.c.mailbox_id == _span["box"], entry.c.feed_id == _span["feed"]
)
_fresh_in_feed = sa.and_(
    _mine_in_feed, entry.c.seq > _span["after"], entry.c.seq <= _span["up_to"], entry.c.taken_at == 0
)
_told_in_feed = WATCHED.where(_fresh_in_feed)
_is_told_in_feed = Quick(_told_in_feed)
_take_in_feed = Quick(
    sa.update(entry).where(_fresh_in_feed).values(taken_at=sa.bindparam("b_now", type_=sa.BigInteger))
)


def take_in_feed(conn: Connection, change: Change, feed: int, span: tuple[int, int], mint: IdMint) -> None:
    """A reader of one feed has its entries behind the first of these seqs, up to the second: they count as delivered.

    The mailbox is locked by the caller.
    """
    after, up_to = span
    values = {"b_space": change.space, "b_box": change.mailbox, "b_feed": feed, "b_after": after, "b_up_to": up_to}
    if _is_told_in_feed.run(conn, values):
        tell(conn, change, EventKind.DELIVERED, conn.execute(_told_in_feed, values).all(), mint)
    _take_in_feed.run(conn, {**values, "b_now": change.now})


def read_feed(conn: Connection, change: Change, feed: int, up_to: int, mint: IdMint) -> int:
    """Mark what one feed holds up to a seq as read; how many entries were not before.

    Raises:
        NotFound: there is no such mailbox.
    """
    box = lock(conn, change)
    unread = sa.and_(
        entry.c.feed_id == feed, entry.c.seq > box.read_up_to, entry.c.seq <= up_to, entry.c.read_at == 0,
        entry.c.shown == 0, entry.c.deleted_at == 0,
    )  # fmt: skip
    mine = sa.and_(entry.c.space_id == change.space, entry.c.mailbox_id == change.mailbox, entry.c.direction == 0)
    seqs = conn.execute(sa.select(entry.c.seq).where(mine, unread).order_by(entry.c.seq).limit(PAGE)).scalars().all()
    tell(conn, change, EventKind.READ, watched(conn, change, entry.c.seq.in_(seqs)), mint)
    for seq in seqs:
        move(conn, change, seq, read_at=change.now)
    return len(seqs)


def delete(conn: Connection, change: Change, seq: int) -> int:
    """Delete an entry: it stays as a tombstone for 30 days; its new rev.

    Raises:
        NotFound: the mailbox has no such entry.
    """
    lock(conn, change)
    entry_of(conn, change, seq)
    return move(conn, change, seq, deleted_at=change.now)


def recall(conn: Connection, space: int, message_id: int, now: int) -> tuple[int, ...]:
    """Recall a message in up to ``PAGE`` mailboxes; which. Call again until it is empty."""
    return mark_entries(conn, space, message_id, now, entry.c.recalled_at)


def hide(conn: Connection, space: int, message_id: int, now: int) -> tuple[int, ...]:
    """Make tombstones of a message in up to ``PAGE`` mailboxes; which. Call again until it is empty."""
    return mark_entries(conn, space, message_id, now, entry.c.deleted_at)


def mark_entries(
    conn: Connection, space: int, message_id: int, now: int, mark: sa.Column[int], *which: sa.ColumnElement[bool]
) -> tuple[int, ...]:
    """Mark a message's entries in up to ``PAGE`` mailboxes, those of them that are meant; the mailboxes."""
    first = (
        sa.select(entry.c.mailbox_id, sa.func.min(entry.c.seq).label("seq"))
        .where(
            entry.c.space_id == space,
            entry.c.message_id == message_id,
            mark == 0,
            entry.c.deleted_at == 0,
            *which,
        )
        .group_by(entry.c.mailbox_id)
        .order_by(entry.c.mailbox_id)
        .limit(PAGE)
    )
    found = conn.execute(first).all()
    boxes = [row.mailbox_id for row in found]
    if not boxes:
        return ()
    mine = sa.and_(mailbox.c.space_id == space, mailbox.c.id.in_(boxes))
    # In the writer's order, so that two transactions never wait for each other.
    conn.execute(sa.select(mailbox.c.id).where(mine).order_by(mailbox.c.id).with_for_update())
    conn.execute(sa.update(mailbox).where(mine).values(last=mailbox.c.last + 1))
    place = (
        sa.select(mailbox.c.last)
        .where(mailbox.c.space_id == entry.c.space_id, mailbox.c.id == entry.c.mailbox_id)
        .scalar_subquery()
    )
    conn.execute(
        sa.update(entry)
        .where(
            entry.c.space_id == space,
            entry.c.mailbox_id == sa.bindparam("b_mailbox"),
            entry.c.seq == sa.bindparam("b_seq"),
        )
        .values({entry.c.rev: place, mark: now}),
        [{"b_mailbox": row.mailbox_id, "b_seq": row.seq} for row in found],
    )
    return tuple(boxes)


def rewrite(conn: Connection, space: int, message_id: int, change: Callable[[bytes], bytes]) -> tuple[int, ...]:
    """Replace the parts of a message; its entries take a new rev. The mailboxes that have one.

    ``change`` gets the parts as they are, while nobody else can change them; what it raises leaves all as it was.

    Raises:
        NotFound: the space has no such message.
    """
    mine = sa.and_(message.c.space_id == space, message.c.id == message_id)
    parts = conn.execute(sa.select(message.c.parts).where(mine).with_for_update()).scalar()
    if parts is None:
        raise NotFound("message")
    conn.execute(sa.update(message).where(mine).values(parts=change(parts)))
    places = conn.execute(
        sa.select(entry.c.mailbox_id, entry.c.seq)
        .where(entry.c.space_id == space, entry.c.message_id == message_id, entry.c.deleted_at == 0)
        .order_by(entry.c.mailbox_id, entry.c.seq)
    ).all()
    for place in places:
        move(conn, Change(space=space, mailbox=place.mailbox_id, now=0), place.seq)
    return tuple(dict.fromkeys(place.mailbox_id for place in places))


def recall_message(
    conn: Connection, space: int, message_id: int, now: int, mint: IdMint, timer: PlanDraft | None = None
) -> bool:
    """Mark the message itself as recalled and stop its deliveries that have not gone out; False when it was before.

    Its timers end, and ``timer`` is set in their place: whoever dies behind this leaves the rest to that.

    Raises:
        NotFound: the space has no such message.
    """
    row = conn.execute(
        sa.select(message.c.id.label("message_id"), message.c.dialect, message.c.state, message.c.watched)
        .where(message.c.space_id == space, message.c.id == message_id)
        .with_for_update()
    ).first()
    if row is None:
        raise NotFound("message")
    if row.state == "recalled":
        return False
    conn.execute(
        sa.update(message)
        .where(message.c.space_id == space, message.c.id == message_id)
        .values(state="recalled", finished_at=now)
    )
    cancel_open(conn, space, message_id, now)
    drop_plans(conn, space, message_id)
    write_plans(conn, [] if timer is None else [timer], mint)
    recalled = EventDraft(
        space=space,
        dialect=row.dialect,
        message=message_id,
        kind=EventKind.RECALLED.value,
        at=now,
        watched=bool(row.watched),
    )
    write_events(conn, [recalled], mint)
    return True


def bury(conn: Connection, space: int, deleted_before: int) -> int:
    """Remove up to ``PAGE`` tombstones older than an instant for good; readers that still stand before them learn
    of a gap. How many."""
    found = conn.execute(
        sa.select(entry.c.mailbox_id, entry.c.seq, entry.c.rev)
        .where(entry.c.space_id == space, entry.c.deleted_at > ZERO, entry.c.deleted_at < deleted_before)
        .order_by(entry.c.deleted_at)
        .limit(PAGE)
    ).all()
    highest: dict[int, int] = {}
    for row in found:
        highest[row.mailbox_id] = max(row.rev, highest.get(row.mailbox_id, 0))
    for box, rev in sorted(highest.items()):
        conn.execute(
            sa.update(mailbox)
            .where(mailbox.c.space_id == space, mailbox.c.id == box, mailbox.c.floor < rev)
            .values(floor=rev)
        )
    for row in found:
        conn.execute(
            sa.delete(entry).where(
                entry.c.space_id == space, entry.c.mailbox_id == row.mailbox_id, entry.c.seq == row.seq
            )
        )
    return len(found)


class InboxChanges:
    """What readers do, each in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def mark_read(self, change: Change, seq: int, mint: IdMint) -> int:
        """See :func:`mark_read`."""
        return await self._db.write(lambda conn: mark_read(conn, change, seq, mint))

    async def read_up_to(self, change: Change, seq: int, mint: IdMint) -> int:
        """See :func:`read_up_to`."""
        return await self._db.write(lambda conn: read_up_to(conn, change, seq, mint))

    async def take(self, change: Change, rev: int, mint: IdMint) -> int:
        """See :func:`take`."""
        return await self._db.write(lambda conn: take(conn, change, rev, mint))

    async def read_feed(self, change: Change, feed: int, up_to: int, mint: IdMint) -> int:
        """See :func:`read_feed`."""
        return await self._db.write(lambda conn: read_feed(conn, change, feed, up_to, mint))

    async def delete(self, change: Change, seq: int) -> int:
        """See :func:`delete`."""
        return await self._db.write(lambda conn: delete(conn, change, seq))

    async def recall(self, space: int, message_id: int, now: int) -> tuple[int, ...]:
        """See :func:`recall`."""
        return await self._db.write(lambda conn: recall(conn, space, message_id, now))

    async def hide(self, space: int, message_id: int, now: int) -> tuple[int, ...]:
        """See :func:`hide`."""
        return await self._db.write(lambda conn: hide(conn, space, message_id, now))

    async def rewrite(self, space: int, message_id: int, change: Callable[[bytes], bytes]) -> tuple[int, ...]:
        """See :func:`rewrite`."""
        return await self._db.write(lambda conn: rewrite(conn, space, message_id, change))

    async def recall_message(
        self, space: int, message_id: int, now: int, mint: IdMint, timer: PlanDraft | None = None
    ) -> bool:
        """See :func:`recall_message`."""
        return await self._db.write(lambda conn: recall_message(conn, space, message_id, now, mint, timer))

    async def bury(self, space: int, deleted_before: int) -> int:
        """See :func:`bury`."""
        return await self._db.write(lambda conn: bury(conn, space, deleted_before))
