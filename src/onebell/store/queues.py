"""Mailboxes as devices read them: conversation by conversation, each from its own place (sheet easemob-msync §6).

A conversation is a feed of kind ``direct``; in one mailbox public ids rise with ``seq`` (DESIGN §4), so a place is
a ``seq`` and clients name it by the public id.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.conversations import Ack, Found, Pulled, Queued, Reader, Waiting, other_of
from onebell.core.mailbox import Change
from onebell.core.model import FeedKind, Keep, Shown
from onebell.errors import NotFound
from onebell.ids import IdMint
from onebell.store import devices, inbox_changes
from onebell.store.engine import Database
from onebell.store.hot import Quick
from onebell.store.inbox import AnyRow
from onebell.store.schema import account, device_position, entry, feed, mailbox, message, party, public_id
from onebell.store.upserts import pages

_FOUND = (
    entry.c.seq,
    entry.c.feed_id,
    entry.c.direction,
    entry.c.shown,
    entry.c.taken_at,
    entry.c.read_at,
    entry.c.recalled_at,
    entry.c.created_at,
    entry.c.message_id,
    message.c.sender,
    message.c.parts,
    message.c.extra,
)


HISTORY = (Keep.HISTORY.value, Keep.UNREAD_HISTORY.value)
"""How messages are kept that no device waits for."""


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


# Statements are made once: for every message each device asks three times, and making one costs more than running it.
_mine = sa.and_(entry.c.space_id == _number("space"), entry.c.mailbox_id == _number("mailbox"))
_alive = sa.and_(
    entry.c.public_id > 0,
    entry.c.recalled_at == 0,
    entry.c.deleted_at == 0,
    sa.or_(entry.c.expires_at == 0, entry.c.expires_at > _number("now")),
)
_to_device = sa.and_(  # not what was written on itself, not what is too old
    _mine,
    _alive,
    entry.c.created_at > _number("since"),
    *(message.c.keep != kept for kept in HISTORY),
    ~sa.and_(entry.c.direction == 1, message.c.device_id == _number("device")),
)
_below = Quick(
    sa.select(entry.c.seq)
    .where(
        _mine,
        _alive,
        entry.c.direction == 0,
        entry.c.shown < Shown.SIGNAL,
        entry.c.created_at <= _number("counted_until"),
        # Nothing arrives when it is sent but what is imported, which waits for nobody and replaces nothing that does.
        entry.c.taken_at != entry.c.created_at,
    )
    .order_by(entry.c.seq.desc())
    .offset(_number("kept"))
    .limit(1)
)


def _values(reader: Reader, now: int) -> dict[str, object]:
    return {**msgspec.structs.asdict(reader), "now": now}


def _floor(conn: Connection, values: Mapping[str, object]) -> int:
    """The newest message that does not wait any more because so many came after it: a seq, 0 = none."""
    rows = _below.run(conn, values)
    return int(rows[0][0]) if rows else 0


WITH_MESSAGE = entry.join(message, sa.and_(message.c.space_id == entry.c.space_id, message.c.id == entry.c.message_id))
QUEUED = (
    entry.c.seq,
    entry.c.public_id,
    entry.c.direction,
    entry.c.created_at,
    message.c.sender_name,
    message.c.parts,
    message.c.extra,
)
"""What a message in a conversation is made of; from ``WITH_MESSAGE``."""
_DIRECTION = 2


def _in_realm(dialect: str, realm: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        feed.c.dialect == dialect,
        feed.c.kind == FeedKind.DIRECT.value,
        feed.c.code.startswith(f"{realm}:", autoescape=True),
    )


OF_FEED = sa.and_(feed.c.space_id == entry.c.space_id, feed.c.id == entry.c.feed_id)


def _waits(conn: Connection, reader: Reader, now: int, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Of all that the device has not acknowledged."""
    values, place = _values(reader, now), device_position.alias("place")
    at = sa.and_(
        place.c.space_id == entry.c.space_id, place.c.device_id == reader.device, place.c.feed_id == entry.c.feed_id
    )
    return (
        sa.select(*columns)
        .select_from(WITH_MESSAGE.join(feed, OF_FEED).outerjoin(place, at))
        .where(
            _to_device,
            _in_realm(reader.dialect, reader.realm),
            entry.c.seq > _floor(conn, values),
            entry.c.seq > sa.func.coalesce(place.c.seq, 0),
        )
        .params(values)
    )


def waiting(conn: Connection, reader: Reader, now: int) -> list[Waiting]:
    """Conversations with something for the device, the one that waits longest first."""
    statement = _waits(conn, reader, now, entry.c.feed_id, sa.func.count())
    statement = statement.group_by(entry.c.feed_id).order_by(sa.func.min(entry.c.seq))
    return [Waiting(row[0], row[1]) for row in conn.execute(statement)]


def nth_waiting(conn: Connection, reader: Reader, number: int, now: int) -> int | None:
    """The seq of the so-many-th message that waits for the device, oldest first; None = there are not so many."""
    statement = _waits(conn, reader, now, entry.c.seq).order_by(entry.c.seq).offset(number - 1).limit(1)
    return conn.execute(statement).scalar()


_place = Quick(
    sa.select(device_position.c.seq).where(
        device_position.c.space_id == _number("space"),
        device_position.c.device_id == _number("device"),
        device_position.c.feed_id == _number("feed"),
    )
)
_pulled = Quick(
    sa.select(*QUEUED)
    .select_from(WITH_MESSAGE)
    .where(_to_device, entry.c.feed_id == _number("feed"), entry.c.seq > _number("after"))
    .order_by(entry.c.seq)
    .limit(_number("limit"))
)


def pull(conn: Connection, reader: Reader, which: int, after: int | None, limit: int, now: int) -> Pulled:
    """The oldest messages of a conversation behind a place; None = where the device has stopped."""
    values = _values(reader, now)
    values["feed"] = which
    if after is None:
        places = _place.run(conn, values)
        after = max(places[0][0] if places else 0, _floor(conn, values))
    rows = _pulled.run(conn, {**values, "after": after, "limit": limit})
    return Pulled(after=after, rows=tuple(queued(row, is_copy=row[_DIRECTION] == 1) for row in rows))


def queued(row: Sequence[Any], *, is_copy: bool) -> Queued:
    """A row that begins with :data:`QUEUED`."""
    seq, number, _, created_at, sender_name, parts, extra = row[: len(QUEUED)]
    return Queued(
        seq=seq,
        public_id=number,
        is_copy=is_copy,
        created_at=created_at,
        sender_name=sender_name,
        parts=parts,
        extra=extra,
    )


_newest_up_to = (
    sa.select(entry.c.seq, entry.c.public_id)
    .where(_mine, entry.c.feed_id == _number("feed"), entry.c.public_id > 0, entry.c.public_id <= _number("key"))
    .order_by(entry.c.seq.desc())
    .limit(1)
)


def place_of(conn: Connection, reader: Reader, which: int, key: int) -> tuple[int, int]:
    """The newest message of a conversation up to a public id: (seq, public id); (0, 0) = none."""
    values = {"space": reader.space, "mailbox": reader.mailbox, "feed": which, "key": key}
    row = conn.execute(_newest_up_to, values).first()
    return (row[0], row[1]) if row is not None else (0, 0)


def acknowledge(conn: Connection, acks: Sequence[Ack], mint: IdMint) -> None:
    """Move the devices' places; what they have got counts as delivered."""
    ordered = sorted(acks, key=lambda ack: (ack.reader.space, ack.reader.mailbox, ack.reader.device, ack.feed, ack.seq))
    if conn.dialect.name == "postgresql":
        boxes = sorted({(ack.reader.space, ack.reader.mailbox) for ack in ordered})
        key = sa.tuple_(mailbox.c.space_id, mailbox.c.id)
        # In the writer's order, so that two transactions never wait for each other.
        lock = sa.select(mailbox.c.id).where(key.in_(boxes)).order_by(mailbox.c.space_id, mailbox.c.id)
        conn.execute(lock.with_for_update())
    places = {(ack.reader.space, ack.reader.device, ack.feed): ack for ack in ordered}
    devices.advance(conn, [(*key, ack.seq, ack.public_id) for key, ack in sorted(places.items())])
    for ack in ordered:
        change = Change(space=ack.reader.space, mailbox=ack.reader.mailbox, now=ack.at)
        inbox_changes.take_in_feed(conn, change, ack.feed, (ack.after, ack.seq), mint)


_people = sa.bindparam("people", type_=sa.BigInteger, expanding=True)
_directs = sa.select(feed.c.id, feed.c.code).where(
    feed.c.space_id == _number("space"),
    feed.c.id.in_(sa.bindparam("feeds", type_=sa.BigInteger, expanding=True)),
    feed.c.dialect == sa.bindparam("of_dialect", type_=sa.Text),
    feed.c.kind == FeedKind.DIRECT.value,
)
_parties = sa.select(party.c.id, party.c.name).where(party.c.space_id == _number("space"), party.c.id.in_(_people))
_accounts = sa.select(account.c.person_id, account.c.name).where(
    account.c.space_id == _number("space"),
    account.c.app == sa.bindparam("realm", type_=sa.Text),
    account.c.person_id.in_(_people),
)


def peers(conn: Connection, space: int, dialect: str, realm: str, me: int, feeds: Sequence[int]) -> dict[int, str]:
    """The name of the other side of each of these conversations, as far as they are of the realm; "" = it is gone."""
    others: dict[int, int] = {}
    for page in pages(feeds):
        directs = conn.execute(_directs, {"space": space, "of_dialect": dialect, "feeds": page})
        others.update((number, other_of(code, me)) for number, code in directs if code.startswith(f"{realm}:"))
    names: dict[int, str] = {}
    for page in pages(sorted(set(others.values()))):
        values = {"space": space, "realm": realm, "people": page}
        # Of who is no user: "acme/demo/admin".
        names.update((number, name.removeprefix(f"{realm}/")) for number, name in conn.execute(_parties, values))
        names.update((number, name) for number, name in conn.execute(_accounts, values))
    return {which: names.get(other, "") for which, other in others.items()}


def newest_each_way(conn: Connection, space: int, box: int, feeds: Sequence[int]) -> list[tuple[int, Queued]]:
    """Of each of these conversations the newest message from its other side, and the newest to it."""
    mine = sa.and_(entry.c.space_id == space, entry.c.mailbox_id == box)
    # What his own clients tell each other he gets, too.
    is_between = sa.and_(entry.c.public_id > 0, sa.or_(entry.c.direction == 1, message.c.sender != box))
    found: list[tuple[int, Queued]] = []
    for page in pages(feeds):
        newest = sa.select(sa.func.max(entry.c.seq)).select_from(WITH_MESSAGE)
        newest = newest.where(mine, entry.c.feed_id.in_(page), is_between)
        newest = newest.group_by(entry.c.feed_id, entry.c.direction)
        statement = sa.select(*QUEUED, entry.c.feed_id).select_from(WITH_MESSAGE).where(mine, entry.c.seq.in_(newest))
        rows = conn.execute(statement)
        found += [(row.feed_id, queued(row, is_copy=row[_DIRECTION] == 1)) for row in rows]
    return found


def other_side(conn: Connection, space: int, which: int, me: int) -> int:
    """The other party of a conversation.

    Raises:
        NotFound: there is no such conversation.
    """
    code = conn.execute(sa.select(feed.c.code).where(feed.c.space_id == space, feed.c.id == which)).scalar()
    if code is None:
        raise NotFound("conversation")
    return other_of(code, me)


def undelivered(conn: Connection, reader: Reader, now: int) -> int:
    """How many messages none of the owner's devices has got yet."""
    values = _values(reader, now)
    statement = (
        sa.select(sa.func.count())
        .select_from(entry.join(feed, OF_FEED))
        .where(
            _mine,
            _alive,
            _in_realm(reader.dialect, reader.realm),
            entry.c.direction == 0,
            entry.c.shown < Shown.SIGNAL,
            entry.c.taken_at == 0,
            entry.c.created_at > reader.since,
            entry.c.seq > _floor(conn, values),
        )
    )
    return conn.execute(statement, values).scalar_one()


def find(conn: Connection, space: int, box: int, dialect: str, key: int) -> Found | None:
    """A mailbox' entry by its public id; None = it has none."""
    numbered = sa.and_(
        public_id.c.space_id == entry.c.space_id,
        public_id.c.message_id == entry.c.message_id,
        public_id.c.dialect == dialect,
        public_id.c.public_id == str(key),
    )
    statement = (
        sa.select(*_FOUND)
        .select_from(WITH_MESSAGE.join(public_id, numbered))
        .where(_mine, entry.c.public_id == key)
        .limit(1)
    )
    row = conn.execute(statement, {"space": space, "mailbox": box}).first()
    return None if row is None else _found(row)


def _found(row: AnyRow) -> Found:
    return Found(*row)


class Queues:
    """Conversations of mailboxes, each verb in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def waiting(self, reader: Reader, now: int) -> list[Waiting]:
        """See :func:`waiting`."""
        return await self._db.read(lambda conn: waiting(conn, reader, now))

    async def pull(self, reader: Reader, which: int, after: int | None, limit: int, now: int) -> Pulled:
        """See :func:`pull`."""
        return await self._db.read(lambda conn: pull(conn, reader, which, after, limit, now))

    async def nth_waiting(self, reader: Reader, number: int, now: int) -> int | None:
        """See :func:`nth_waiting`."""
        return await self._db.read(lambda conn: nth_waiting(conn, reader, number, now))

    async def place_of(self, reader: Reader, which: int, key: int) -> tuple[int, int]:
        """See :func:`place_of`."""
        return await self._db.read(lambda conn: place_of(conn, reader, which, key))

    async def acknowledge(self, acks: Sequence[Ack], mint: IdMint) -> None:
        """See :func:`acknowledge`."""
        await self._db.write(lambda conn: acknowledge(conn, acks, mint))

    async def peers(self, space: int, dialect: str, realm: str, me: int, feeds: Sequence[int]) -> dict[int, str]:
        """See :func:`peers`."""
        return await self._db.read(lambda conn: peers(conn, space, dialect, realm, me, feeds))

    async def newest_each_way(self, space: int, box: int, feeds: Sequence[int]) -> list[tuple[int, Queued]]:
        """See :func:`newest_each_way`."""
        return await self._db.read(lambda conn: newest_each_way(conn, space, box, feeds))

    async def other_side(self, space: int, which: int, me: int) -> int:
        """See :func:`other_side`."""
        return await self._db.read(lambda conn: other_side(conn, space, which, me))

    async def undelivered(self, reader: Reader, now: int) -> int:
        """See :func:`undelivered`."""
        return await self._db.read(lambda conn: undelivered(conn, reader, now))

    async def find(self, space: int, box: int, dialect: str, key: int) -> Found | None:
        """See :func:`find`."""
        return await self._db.read(lambda conn: find(conn, space, box, dialect, key))
