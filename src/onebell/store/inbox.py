"""Reading mailboxes: changes in order of ``rev``, history in order of ``seq``, what waits unread."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from onebell.core.conversations import other_of
from onebell.core.mailbox import PAGE, WINDOW, CaughtUp, EntryRow, FeedCount, Marker, Page, Place, Wanted
from onebell.core.model import FeedKind
from onebell.store.engine import Database
from onebell.store.interactions import with_answers
from onebell.store.revisions import between, first_behind
from onebell.store.schema import entry, feed, mailbox, member, message, party, person

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class packed_text(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - an SQL function's name
    """A ``Packed`` column as text that ``LIKE`` understands."""

    type = sa.Text()
    inherit_cache = True


@compiles(packed_text, "sqlite")
def _packed_text_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS TEXT)"


@compiles(packed_text, "postgresql")
def _packed_text_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"convert_from({compiler.process(element.clauses, **kw)}, 'UTF8')"


_space: sa.BindParameter[int] = sa.bindparam("space", type_=sa.BigInteger)
_box: sa.BindParameter[int] = sa.bindparam("mailbox", type_=sa.BigInteger)
_limit: sa.BindParameter[int] = sa.bindparam("limit", type_=sa.Integer)

_ENTRY = (
    entry.c.seq,
    entry.c.rev,
    entry.c.message_id,
    entry.c.feed_id,
    entry.c.direction,
    entry.c.public_id,
    entry.c.mentioned,
    entry.c.expires_at,
    entry.c.read_at,
    entry.c.recalled_at,
    entry.c.deleted_at,
    message.c.dialect,
    message.c.public_id,
    message.c.sender_kind,
    message.c.sender_name,
    message.c.severity,
    message.c.parts,
    message.c.created_at,
    message.c.expires_at,
    feed.c.kind,
    feed.c.name,
    feed.c.code,
    message.c.space_id,
    entry.c.shown,
    entry.c.delivered_at,
    entry.c.seen_at,
)
_BOX = (
    mailbox.c.id,
    mailbox.c.last,
    mailbox.c.floor,
    mailbox.c.read_up_to,
    mailbox.c.read_rev,
    mailbox.c.marked_at,
)
_COLUMNS = tuple(column.label(f"c{number}") for number, column in enumerate((*_BOX, *_ENTRY)))
_BOX_WIDTH = len(_BOX)


def _joined(left: sa.FromClause, entries: sa.ColumnElement[bool]) -> sa.FromClause:
    """Mailboxes, the entries asked for if there are any, their messages and feeds."""
    return (
        left.outerjoin(entry, sa.and_(entry.c.space_id == _space, entry.c.mailbox_id == mailbox.c.id, entries))
        .outerjoin(message, sa.and_(message.c.space_id == _space, message.c.id == entry.c.message_id))
        .outerjoin(feed, sa.and_(feed.c.space_id == _space, feed.c.id == entry.c.feed_id))
    )


def _one_mailbox(
    entries: sa.ColumnElement[bool], order: sa.ColumnElement[int], found: sa.FromClause | None = None
) -> sa.Select[Any]:
    left = mailbox if found is None else mailbox.outerjoin(found, sa.true())
    return (
        sa.select(*_COLUMNS)
        .select_from(_joined(left, entries))
        .where(mailbox.c.space_id == _space, mailbox.c.id == _box)
        .order_by(order)
        .limit(_limit)
    )


def _in_feed(wanted: Wanted) -> sa.ColumnElement[bool]:
    if not wanted.feed:
        return sa.true()
    return entry.c.feed_id == sa.bindparam("feed", type_=sa.BigInteger)


def _mentions(wanted: Wanted) -> sa.ColumnElement[bool]:
    """A first sieve over the packed parts; :func:`says` decides."""
    if not wanted.text:
        return sa.true()
    said = message.alias("said")
    packed: sa.ColumnElement[str] = packed_text(said.c.parts)
    holds = packed.ilike(sa.bindparam("pattern", type_=sa.Text), escape="!")
    return sa.select(said.c.id).where(said.c.space_id == _space, said.c.id == entry.c.message_id, holds).exists()


def _alive() -> sa.ColumnElement[bool]:
    now = sa.bindparam("now", type_=sa.BigInteger)
    return sa.and_(
        entry.c.shown == 0, entry.c.deleted_at == 0, sa.or_(entry.c.expires_at == 0, entry.c.expires_at > now)
    )


def _pattern(text: str) -> str:
    inner = msgspec.json.encode(text).decode()[1:-1]
    for special in "!%_":
        inner = inner.replace(special, "!" + special)
    return f"%{inner}%"


def _values(wanted: Wanted) -> dict[str, object]:
    # One row more than asked for tells whether there are more.
    values: dict[str, object] = {"space": wanted.space, "mailbox": wanted.mailbox, "limit": wanted.limit + 1}
    if wanted.feed:
        values["feed"] = wanted.feed
    if wanted.text:
        values["pattern"] = _pattern(wanted.text)
    return values


def _row(row: AnyRow) -> EntryRow:
    return EntryRow(row[0], *row[_BOX_WIDTH:])


def _page(conn: Connection, space: int, rows: Sequence[AnyRow], end: int | None) -> Page:
    """One mailbox's rows as a page; ``end`` is the last rev asked for, None = no end."""
    box = rows[0]
    found = tuple(_row(row) for row in rows if row[_BOX_WIDTH] is not None)
    last: int = box[1]
    position = last if end is None else min(last, end)
    return Page(
        mailbox=box[0],
        rows=with_answers(conn, space, found),
        marker=Marker(box[3], box[4], box[5]),
        position=position,
        last=last,
        floor=box[2],
        more=position < last,
    )


def _cut(page: Page, limit: int) -> Page:
    """At most ``limit`` rows; the position falls back to the last one that stays."""
    if len(page.rows) <= limit:
        return page
    rows = page.rows[:limit]
    return msgspec.structs.replace(page, rows=rows, position=rows[-1].rev, more=True)


def after(conn: Connection, wanted: Wanted, rev: int) -> Page | None:
    """Changes after ``rev``, oldest first; None = no such mailbox. Tombstones are among them."""
    mine = (entry.c.space_id == _space, entry.c.mailbox_id == _box, _in_feed(wanted), _mentions(wanted))
    behind = first_behind(sa.bindparam("rev", type_=sa.BigInteger), mine, _limit)
    values = {**_values(wanted), "rev": rev}
    rows = conn.execute(_one_mailbox(entry.c.seq == behind.c.seq, entry.c.rev.asc(), behind), values).all()
    return _cut(_page(conn, wanted.space, rows, None), wanted.limit) if rows else None


def before(conn: Connection, wanted: Wanted, seq: int, now: int) -> Page | None:
    """Entries before ``seq``, newest first, without what was deleted or has expired; None = no such mailbox."""
    entries = sa.and_(
        entry.c.seq < sa.bindparam("seq", type_=sa.BigInteger), _alive(), _in_feed(wanted), _mentions(wanted)
    )
    values = {**_values(wanted), "seq": seq, "now": now}
    rows = conn.execute(_one_mailbox(entries, entry.c.seq.desc()), values).all()
    if not rows:
        return None
    page = _page(conn, wanted.space, rows, None)
    return msgspec.structs.replace(page, rows=page.rows[: wanted.limit], more=len(page.rows) > wanted.limit)


_one = _one_mailbox(
    sa.and_(entry.c.seq == sa.bindparam("seq", type_=sa.BigInteger), entry.c.deleted_at == 0), entry.c.seq.asc()
)


def one(conn: Connection, space: int, box: int, seq: int) -> Page | None:
    """A single entry as a page; None = there is none, or it was deleted."""
    rows = conn.execute(_one, {"space": space, "mailbox": box, "seq": seq, "limit": 1}).all()
    page = _page(conn, space, rows, None) if rows else None
    return page if page is not None and page.rows else None


def _places(kind: str) -> sa.CTE:
    """Readers' places as a table: one bound parameter, so that the statement is compiled once for any number."""
    packed = sa.bindparam("places", type_=sa.Text)
    if kind == "postgresql":
        each = sa.func.json_array_elements(sa.cast(packed, sa.JSON)).table_valued("value", name="each_place")
    else:
        each = sa.func.json_each(packed).table_valued("value", name="each_place")

    def item(number: int) -> sa.ColumnElement[int]:
        return sa.cast(each.c.value.op("->>")(sa.literal_column(str(number))), sa.BigInteger)

    return sa.select(item(0).label("mailbox"), item(1).label("rev")).cte("place")


def _catch_up(kind: str) -> sa.Select[Any]:
    place = _places(kind)
    boxes = place.join(mailbox, sa.and_(mailbox.c.space_id == _space, mailbox.c.id == place.c.mailbox))
    fresh = between(place.c.rev, place.c.rev + WINDOW)
    return sa.select(*_COLUMNS).select_from(_joined(boxes, fresh)).order_by(mailbox.c.id, entry.c.rev).limit(_limit)


_CATCH_UP = {kind: _catch_up(kind) for kind in ("sqlite", "postgresql")}


def catch_up(conn: Connection, space: int, places: Sequence[Place]) -> CaughtUp:
    """What readers at these places (one per mailbox) have not seen, in one statement of at most ``PAGE`` rows."""
    rev = {place.mailbox: place.rev for place in places}
    values = {"space": space, "places": msgspec.json.encode(places).decode(), "limit": PAGE + 1}
    rows = conn.execute(_CATCH_UP[conn.dialect.name], values).all()
    complete = len(rows) <= PAGE
    by_box: dict[int, list[AnyRow]] = {}
    for row in rows[:PAGE]:
        by_box.setdefault(row[0], []).append(row)
    pages = [_page(conn, space, part, rev[box] + WINDOW) for box, part in by_box.items()]
    if not complete and pages[-1].rows:
        pages[-1] = _until_last_row(pages[-1])
    return CaughtUp(pages=tuple(pages), complete=complete)


def _until_last_row(page: Page) -> Page:
    return msgspec.structs.replace(page, position=page.rows[-1].rev, more=True)


_latest = sa.select(mailbox.c.id, mailbox.c.last).where(
    mailbox.c.space_id == _space, mailbox.c.id.in_(sa.bindparam("mailboxes", expanding=True))
)


def latest(conn: Connection, space: int, mailboxes: Sequence[int]) -> dict[int, int]:
    """The last place of each mailbox that exists."""
    rows = conn.execute(_latest, {"space": space, "mailboxes": list(mailboxes)})
    return {row[0]: row[1] for row in rows}


_unseen = sa.and_(
    entry.c.direction == 0, entry.c.read_at == 0, entry.c.recalled_at == 0, entry.c.seq > mailbox.c.read_up_to
)
_feeds = (
    sa.select(
        entry.c.feed_id,
        sa.func.count().label("entries"),
        sa.func.sum(sa.case((_unseen, 1), else_=0)).label("unread"),
        sa.func.max(entry.c.seq).label("last_seq"),
        sa.func.max(entry.c.created_at).label("last_at"),
    )
    .select_from(
        mailbox.join(entry, sa.and_(entry.c.space_id == mailbox.c.space_id, entry.c.mailbox_id == mailbox.c.id))
    )
    .where(mailbox.c.space_id == _space, mailbox.c.id == _box, _alive())
    .group_by(entry.c.feed_id)
    .subquery("counted")
)


def _other_side(name: sa.ColumnElement[str]) -> sa.ScalarSelect[str]:
    """Of a direct feed, which bears no name: each side calls it by the other. A feed of one with himself has none."""
    others = member.join(party, sa.and_(party.c.space_id == member.c.space_id, party.c.id == member.c.party_id))
    return (
        sa.select(name)
        .select_from(
            others.outerjoin(person, sa.and_(person.c.space_id == party.c.space_id, person.c.id == party.c.id))
        )
        .where(
            member.c.space_id == _space,
            member.c.feed_id == feed.c.id,
            member.c.party_id != _box,
            feed.c.kind == FeedKind.DIRECT.value,
        )
        .limit(1)
        .scalar_subquery()
    )


_feeds_named = (
    sa.select(
        _feeds,
        feed.c.kind,
        feed.c.name,
        feed.c.code,
        feed.c.dialect,
        _other_side(person.c.name),
        _other_side(party.c.name),
    )
    .select_from(_feeds.outerjoin(feed, sa.and_(feed.c.space_id == _space, feed.c.id == _feeds.c.feed_id)))
    .order_by(_feeds.c.last_seq.desc())
)


def feeds(conn: Connection, space: int, box: int, now: int) -> list[FeedCount]:
    """Feeds that have entries in a mailbox, the liveliest first."""
    rows = conn.execute(_feeds_named, {"space": space, "mailbox": box, "now": now})
    return [
        FeedCount(
            feed=row.feed_id,
            kind=row.kind or "",
            name=row.name or _name_of(*row[-2:]),
            code=row.code or "",
            dialect=row.dialect or "",
            entries=row.entries,
            unread=int(row.unread),
            last_seq=row.last_seq,
            last_at=row.last_at,
            peer=other_of(row.code, box) if row.kind == FeedKind.DIRECT.value else 0,
        )
        for row in rows
    ]


def _name_of(person_name: str | None, party_name: str | None) -> str:
    # The key of a party that is no person begins with where it belongs: "acme/demo/ghost".
    return person_name or (party_name or "").rsplit("/", 1)[-1]


class Inbox:
    """Reads of mailboxes, each in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def after(self, wanted: Wanted, rev: int) -> Page | None:
        """See :func:`after`."""
        return await self._db.read(lambda conn: after(conn, wanted, rev))

    async def before(self, wanted: Wanted, seq: int, now: int) -> Page | None:
        """See :func:`before`."""
        return await self._db.read(lambda conn: before(conn, wanted, seq, now))

    async def one(self, space: int, box: int, seq: int) -> Page | None:
        """See :func:`one`."""
        return await self._db.read(lambda conn: one(conn, space, box, seq))

    async def catch_up(self, space: int, places: Sequence[Place]) -> CaughtUp:
        """See :func:`catch_up`."""
        return await self._db.read(lambda conn: catch_up(conn, space, places))

    async def latest(self, space: int, mailboxes: Sequence[int]) -> dict[int, int]:
        """See :func:`latest`."""
        return await self._db.read(lambda conn: latest(conn, space, mailboxes))

    async def feeds(self, space: int, box: int, now: int) -> list[FeedCount]:
        """See :func:`feeds`."""
        return await self._db.read(lambda conn: feeds(conn, space, box, now))
