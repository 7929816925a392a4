"""Writes one batch of submissions inside one transaction: read and lock, decide in arrival order, write (DESIGN §4)."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from onebell.clock import Clock
from onebell.core.bell import Mark
from onebell.core.events import EventKind
from onebell.core.model import EntryRef, Keep, Receipt
from onebell.core.presence import SOCKETS
from onebell.errors import Conflict
from onebell.ids import IdMint
from onebell.store.claims import Claims, differs
from onebell.store.counters import Counters, Owner
from onebell.store.guards import Guards
from onebell.store.hot import HotStatement, Raw, Row
from onebell.store.prepared import PLAIN, Box, Prepared, Result, Stored, message_row
from onebell.store.schema import entry, file, session

ONLINE_MS = 60_000
"""How long an entry of a ``while_online`` message lives (DESIGN §5)."""

_encode = msgspec.json.Encoder().encode
_NAME_FILE = (
    sa.update(file)
    .where(file.c.space_id == sa.bindparam("s"), file.c.id == sa.bindparam("f"))
    .values(message_id=sa.bindparam("m"))
)
_OF_MESSAGE = (entry.c.space_id == sa.bindparam("s"), entry.c.message_id == sa.bindparam("m"))
_TAKEN = sa.update(entry).where(*_OF_MESSAGE).values(taken_at=sa.bindparam("at"))
_CLOSE_HISTORY = {
    Keep.HISTORY.value: _TAKEN.values(read_at=sa.bindparam("at")),
    Keep.UNREAD_HISTORY.value: _TAKEN,
}
"""By how a message is kept."""

Tables: TypeAlias = dict[str, list[Row]]


class Scribe:
    """Knows the statements of one engine. Used by several writer threads at once: keeps nothing of a batch."""

    def __init__(self, dialect: sa.Dialect, mint: IdMint, clock: Clock) -> None:
        self._mint = mint
        self._clock = clock
        self._claims = Claims(dialect)
        self._guards = Guards(dialect)
        self._counters = Counters(dialect, mint)
        self._plain = [(table.name, HotStatement(table, columns, dialect)) for table, columns in PLAIN]

    def write(self, connection: sa.Connection, raw: Raw, items: Sequence[Prepared]) -> list[Result]:
        """One result per submission, in order; valid once the transaction is committed."""
        now = self._clock.now_ms()
        results: list[Result | None] = [None] * len(items)
        firsts = self._claims.take(connection, raw, items, results, now)
        pending = [at for at, result in enumerate(results) if result is None and at not in firsts]
        self._guards.charge(raw, items, pending, results, now)
        self._claims.give_back(connection, items, results)
        accepted = [at for at in pending if results[at] is None]
        self._store(connection, raw, items, accepted, results, now)
        for at, first in firsts.items():
            results[at] = _repeat(items[at], items[first], results[first])
        return [result for result in results if result is not None]

    def _store(
        self,
        connection: sa.Connection,
        raw: Raw,
        items: Sequence[Prepared],
        accepted: list[int],
        results: list[Result | None],
        now: int,
    ) -> None:
        chosen = [items[at] for at in accepted]
        online = _online(connection, chosen, now)
        boxes = [_open_boxes(item, online) for item in chosen]
        places, numbers = self._counters.advance(raw, chosen, boxes, now)
        tables: Tables = {name: [] for name, _ in self._plain}
        for at, item, its_boxes, ids in zip(accepted, chosen, boxes, numbers, strict=True):
            marks = _entries(item, its_boxes, ids, places, tables["entry"])
            self._rows(item, ids, marks, online, tables)
            results[at] = Stored(_receipt(item, marks, ids), marks)
        for name, statement in self._plain:
            rows = tables[name]
            if rows:
                rows.sort()
                statement.run(raw, rows)
        _name_files(connection, chosen)
        _close_history(connection, chosen)
        self._claims.remember(connection, ((item, results[at]) for at, item in zip(accepted, chosen, strict=True)))

    def _rows(
        self, item: Prepared, ids: Sequence[int], marks: tuple[Mark, ...], online: set[Owner], tables: Tables
    ) -> None:
        stored = item.stored
        space, message = stored.space, stored.id
        tables["message"].append(message_row(item))
        if stored.public_id:
            tables["public_id"].append((stored.dialect, stored.public_id, space, message))
        for number in ids:
            tables["public_id"].append((stored.dialect, str(number), space, message))
        if item.waits:
            self._deliveries(item, tables)
        for no, page in enumerate(item.expansions):
            tables["expansion"].append((space, message, no, page.spread, page.due_at))
        for timer in item.timers:
            tables["plan"].append((space, self._mint.mint(), timer.kind, message, timer.data, timer.next_at))
        if item.watched:
            self._events(item, marks, ids, online, tables["event"])

    def _deliveries(self, item: Prepared, tables: Tables) -> None:
        stored = item.stored
        space, mint = stored.space, self._mint.mint
        for wait in item.waits:
            delivery = mint()
            tables["delivery"].append((
                space, delivery, stored.id, wait.part, wait.account, wait.target, wait.person, item.priority,
                wait.due_at, stored.expires_ms, stored.created_ms,
            ))  # fmt: skip
            for person in wait.shared:
                tables["recipient"].append((space, delivery, person))

    def _events(
        self, item: Prepared, marks: Iterable[Mark], ids: Sequence[int], online: set[Owner], rows: list[Row]
    ) -> None:
        stored = item.stored

        def add(kind: EventKind, person: int, data: dict[str, Any]) -> None:
            rows.append((
                stored.space, self._mint.mint(), stored.dialect, stored.id, person, kind.value, _encode(data), 0,
                stored.created_ms,
            ))  # fmt: skip

        for mark in marks:
            if mark.direction == 0:
                offline = (stored.space, mark.mailbox) not in online
                public = str(mark.public_id) if mark.public_id else ""
                add(EventKind.STORED, mark.mailbox, {"public_id": public, "offline": offline})
        for box in _missing(item, online):
            add(EventKind.MISSED, box.mailbox, {"public_id": str(ids[box.slot]) if ids else "", "offline": True})
        for first in item.events:
            add(first.kind, first.person, first.data)


def _open_boxes(item: Prepared, online: set[Owner]) -> Sequence[Box]:
    if not item.only_online:
        return item.boxes
    return [box for box in item.boxes if (item.space, box.mailbox) in online]


def _missing(item: Prepared, online: set[Owner]) -> Sequence[Box]:
    """Receivers who get no entry of a message that waits for nobody."""
    if not item.only_online:
        return ()
    return [box for box in item.boxes if box.direction == 0 and (item.space, box.mailbox) not in online]


def _entries(
    item: Prepared, boxes: Sequence[Box], ids: Sequence[int], places: dict[Owner, int], rows: list[Row]
) -> tuple[Mark, ...]:
    stored = item.stored
    space, message, created = stored.space, stored.id, stored.created_ms
    expires = created + ONLINE_MS if item.only_online else 0
    marks = []
    for box in boxes:
        owner = (space, box.mailbox)
        place = places[owner] + 1
        places[owner] = place
        public = ids[box.slot] if ids else 0
        rows.append((
            space, box.mailbox, place, place, message, box.feed, box.direction, public, box.mentioned, item.severity,
            created, expires, item.shown,
        ))  # fmt: skip
        marks.append(Mark(box.mailbox, box.feed, place, place, public, box.direction, box.mentioned, item.shown))
    return tuple(marks)


def _receipt(item: Prepared, marks: tuple[Mark, ...], ids: Sequence[int]) -> Receipt:
    stored = item.stored
    if not item.slots:
        return Receipt(message=stored.id, public_id=stored.public_id)
    places = {mark.mailbox: mark.seq for mark in marks}
    # Also of who is not online: the sender's own copy has that number, and the caller must hear the same.
    entries = tuple(
        EntryRef(mailbox=box.mailbox, seq=places.get(box.mailbox, 0), public_id=str(ids[box.slot]))
        for box in item.boxes
        if box.direction == 0
    )
    return Receipt(message=stored.id, public_id=stored.public_id, entries=entries)


def _repeat(item: Prepared, first: Prepared, result: Result | None) -> Result:
    """What a repeat in the same batch gets: the first one's receipt, or its refusal."""
    assert result is not None, "firsts are decided before their repeats"
    mine, its = item.idempotency, first.idempotency
    if not isinstance(result, Stored) or mine is None or its is None:
        return result
    if differs(mine.fingerprint, its.fingerprint):
        return Conflict("the idempotency key was used with another payload")
    receipt = result.receipt
    if not receipt.repeated:
        receipt = msgspec.structs.replace(receipt, repeated=True, extra=msgspec.json.decode(first.extra))
    return Stored(receipt)


def _name_files(connection: sa.Connection, items: Iterable[Prepared]) -> None:
    """Files belong to the newest message that names them. Almost no submission names any: then nothing is asked."""
    newest = {(item.space, number): item.stored.id for item in items for number in item.files}
    if newest:
        rows = [{"s": space, "f": number, "m": newest[space, number]} for space, number in sorted(newest)]
        connection.execute(_NAME_FILE, rows)


def _close_history(connection: sa.Connection, items: Iterable[Prepared]) -> None:
    """What happened before counts as delivered, and mostly as read. Almost no submission is like that."""
    for item in items:
        if (close := _CLOSE_HISTORY.get(item.keep)) is not None:
            connection.execute(close, {"s": item.space, "m": item.stored.id, "at": item.stored.created_ms})


def _online(connection: sa.Connection, items: Iterable[Prepared], now: int) -> set[Owner]:
    """Mailboxes with an open socket, asked only for submissions that depend on it."""
    wanted: dict[int, set[int]] = {}
    for item in items:
        if item.only_online or item.watched:
            wanted.setdefault(item.space, set()).update(box.mailbox for box in item.boxes)
    found: set[Owner] = set()
    for space, boxes in wanted.items():
        rows = connection.execute(
            sa.select(session.c.mailbox_id)
            .distinct()
            .where(
                session.c.space_id == space,
                session.c.mailbox_id.in_(boxes),
                session.c.lease_until > now,
                session.c.kind.in_(SOCKETS),
            )
        )
        found.update((space, box) for box in rows.scalars())
    return found
