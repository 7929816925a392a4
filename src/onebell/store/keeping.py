"""What the keeper takes away, in pieces small enough that no sender waits for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from onebell.ids import IdMint
from onebell.store import easemob_names, easemob_tokens
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.queueing import ZERO, execute_many, keys_in
from onebell.store.schema import (
    attempt,
    callback,
    carrier_pause,
    counter,
    delivery,
    entry,
    event,
    expansion,
    file,
    guard,
    idempotency,
    interaction,
    mailbox,
    message,
    plan,
    public_id,
    receipt,
    recipient,
    space,
)

PIECE = 500
"""Rows that one transaction takes away."""

_LONG_AGO = 1
_PASSING: sa.ColumnElement[str] = sa.literal_column("'while_online'")
_OF_MESSAGE = (event, expansion, interaction, plan, public_id)
_OF_DELIVERY = (attempt, receipt, recipient)

Key = tuple[int, int]


class Keeping:
    """Each verb removes a piece and says how many rows that was; 0 = nothing is left to do."""

    def __init__(self, db: Database, changes: Changes) -> None:
        self._db = db
        self._changes = changes

    async def spaces(self) -> tuple[int, ...]:
        """Every space."""
        return await self._db.read(lambda connection: tuple(connection.execute(sa.select(space.c.id)).scalars()))

    async def expired(self, now_ms: int) -> int:
        """Idempotency keys, guards, counts and pauses whose time is over."""
        over = await self._db.read(lambda connection: _over(connection, now_ms))
        if not any(over.values()):
            return 0  # nearly always: then nobody writes
        return await self._db.write(lambda connection: _remove_over(connection, over, now_ms))

    async def passing(self, older_than_ms: int) -> int:
        """Messages that were only for who was online."""
        return await self._db.write(lambda connection: _passing(connection, older_than_ms))

    async def old_messages(self, space_id: int, older_than_ms: int) -> int:
        """Messages of a space from before an instant, with all that hangs on them."""
        return await self._db.write(lambda connection: _old_messages(connection, space_id, older_than_ms))

    async def old_callbacks(self, space_id: int, older_than_ms: int) -> int:
        """Closed callbacks and loose events of a space from before an instant."""
        return await self._db.write(lambda connection: _old_callbacks(connection, space_id, older_than_ms))

    async def old_tokens(self, space_id: int, expired_before_ms: int) -> int:
        """Issued tokens of a space that expired before an instant: until then they are told from unknown ones."""
        return await self._db.write(lambda connection: easemob_tokens.forget(connection, space_id, expired_before_ms))

    async def unclaimed_names(self, space_id: int) -> int:
        """Names of a space that nobody has and nothing was sent to for a week."""
        now_ms, mint = self._changes.clock.now_ms(), self._changes.mint.mint
        if not await self._db.read(lambda connection: easemob_names.over(connection, space_id, now_ms)):
            return 0
        return await self._changes.write(
            space_id, lambda connection: easemob_names.sweep(connection, space_id, mint, now_ms)
        )

    async def expired_files(self, now_ms: int) -> tuple[Key, ...]:
        """(space, id) of files whose time is over, or whose message is gone."""
        return await self._db.read(lambda connection: _expired_files(connection, now_ms))


def _over(connection: sa.Connection, now_ms: int) -> dict[sa.Column[int], Sequence[Any]]:
    """A piece of each table, found beside the writers: not every table has an index of its ends."""
    return {
        end: connection.execute(_oldest(end, sa.and_(end > 0, end < now_ms))).all()
        for end in (idempotency.c.expires_at, guard.c.expires_at, counter.c.expires_at, carrier_pause.c.until)
    }


def _remove_over(connection: sa.Connection, over: Mapping[sa.Column[int], Sequence[Any]], now_ms: int) -> int:
    for end, rows in over.items():
        _delete_rows(connection, end.table, rows, end < now_ms)  # what was used again meanwhile stays
    return sum(map(len, over.values()))


def _delete(connection: sa.Connection, oldest: sa.Column[int], condition: sa.ColumnElement[bool]) -> int:
    """A piece of a table, in order of a column that has an index."""
    piece = connection.execute(_oldest(oldest, condition)).all()
    _delete_rows(connection, oldest.table, piece)
    return len(piece)


def _oldest(column: sa.Column[int], condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Keys of a piece: neither engine can limit a DELETE itself."""
    return sa.select(*_key(column.table)).where(condition).order_by(column).limit(PIECE)


def _key(table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    return [column for column in table.columns if column.primary_key]


def _delete_rows(
    connection: sa.Connection, table: sa.FromClause, rows: Sequence[Any], *still: sa.ColumnElement[bool]
) -> None:
    key = _key(table)
    mine = [column == sa.bindparam(f"k_{column.key}") for column in key]
    values = [dict(zip([f"k_{column.key}" for column in key], row, strict=True)) for row in rows]
    execute_many(connection, sa.delete(table).where(*mine, *still), values)  # type: ignore[arg-type]


def _passing(connection: sa.Connection, older_than_ms: int) -> int:
    untold = sa.exists().where(
        event.c.space_id == message.c.space_id, event.c.message_id == message.c.id, event.c.packed == ZERO
    )
    rows = connection.execute(
        sa.select(message.c.space_id, message.c.id)
        .where(message.c.keep == _PASSING, message.c.created_at < older_than_ms, ~untold)
        .order_by(message.c.created_at)
        .limit(PIECE)
    )
    # Nobody's gap: who was not there when it passed was never meant to get it. It was accepted all the same, and its
    # callbacks are delivered or parked like any others: they outlive it.
    outlive = sa.update(callback).values(message_id=0)
    return _take_away(connection, [(row.space_id, row.id) for row in rows], outlive, leaves_gap=False)


def _old_messages(connection: sa.Connection, space_id: int, older_than_ms: int) -> int:
    rows = connection.execute(
        sa.select(message.c.space_id, message.c.id)
        .where(message.c.space_id == space_id, message.c.id < IdMint.first_at(older_than_ms))
        .order_by(message.c.id)
        .limit(PIECE)
    )
    return _take_away(connection, [(row.space_id, row.id) for row in rows], sa.delete(callback), leaves_gap=True)


def _take_away(
    connection: sa.Connection, keys: Sequence[Key], callbacks: sa.Update | sa.Delete, *, leaves_gap: bool
) -> int:
    """A piece of what hangs on these messages, they themselves once nothing does; ``callbacks`` says what theirs do."""
    if not keys:
        return 0
    removed = _entries(connection, keys, leaves_gap=leaves_gap)
    if removed == 0:
        removed = _deliveries(connection, keys)
    if removed:
        return removed
    for table in _OF_MESSAGE:
        connection.execute(sa.delete(table).where(keys_in(table, keys, "message_id")))
    connection.execute(callbacks.where(keys_in(callback, keys, "message_id")))
    _let_go_of_files(connection, keys)
    connection.execute(sa.delete(message).where(keys_in(message, keys)))
    return len(keys)


def _entries(connection: sa.Connection, keys: Sequence[Key], *, leaves_gap: bool) -> int:
    rows = connection.execute(
        sa.select(entry.c.space_id, entry.c.mailbox_id, entry.c.seq, entry.c.rev)
        .where(keys_in(entry, keys, "message_id"))
        .limit(PIECE)
    ).all()
    if rows and leaves_gap:
        _raise_floors(connection, rows)
    if rows:
        own = (entry.c.space_id == sa.bindparam("s"), entry.c.mailbox_id == sa.bindparam("m"))
        connection.execute(
            sa.delete(entry).where(*own, entry.c.seq == sa.bindparam("q")),
            [{"s": row.space_id, "m": row.mailbox_id, "q": row.seq} for row in rows],
        )
    return len(rows)


def _raise_floors(connection: sa.Connection, rows: Sequence[Any]) -> None:
    """A reader that still stands before what was removed learns of a gap."""
    highest: dict[Key, int] = {}
    for row in rows:
        key = (row.space_id, row.mailbox_id)
        highest[key] = max(row.rev, highest.get(key, 0))
    connection.execute(
        sa.update(mailbox)
        .where(
            mailbox.c.space_id == sa.bindparam("s"),
            mailbox.c.id == sa.bindparam("m"),
            mailbox.c.floor < sa.bindparam("rev"),
        )
        .values(floor=sa.bindparam("rev")),
        [{"s": key[0], "m": key[1], "rev": rev} for key, rev in sorted(highest.items())],
    )


def _deliveries(connection: sa.Connection, keys: Sequence[Key]) -> int:
    rows = connection.execute(
        sa.select(delivery.c.space_id, delivery.c.id).where(keys_in(delivery, keys, "message_id")).limit(PIECE)
    ).all()
    own = [(row.space_id, row.id) for row in rows]
    if own:
        for table in _OF_DELIVERY:
            connection.execute(sa.delete(table).where(keys_in(table, own, "delivery_id")))
        connection.execute(sa.delete(delivery).where(keys_in(delivery, own)))
    return len(own)


def _old_callbacks(connection: sa.Connection, space_id: int, older_than_ms: int) -> int:
    bound = IdMint.first_at(older_than_ms)
    closed = sa.and_(callback.c.space_id == space_id, callback.c.id < bound, callback.c.state != "due")
    loose = sa.and_(event.c.space_id == space_id, event.c.id < bound)
    return _delete(connection, callback.c.id, closed) + _delete(connection, event.c.id, loose)


def _let_go_of_files(connection: sa.Connection, keys: Sequence[Key]) -> None:
    """What these messages named goes by its own time again, or now where it had none."""
    ends = sa.case((file.c.expires_at == 0, _LONG_AGO), else_=file.c.expires_at)
    connection.execute(sa.update(file).where(keys_in(file, keys, "message_id")).values(message_id=0, expires_at=ends))


def _expired_files(connection: sa.Connection, now_ms: int) -> tuple[Key, ...]:
    # What a message names stays as long as the message, whatever its own time; then it goes.
    rows = connection.execute(
        sa.select(file.c.space_id, file.c.id)
        .where(file.c.message_id == ZERO, file.c.expires_at > 0, file.c.expires_at < now_ms)
        .order_by(file.c.expires_at)
        .limit(PIECE)
    )
    return tuple((row.space_id, row.id) for row in rows)
