"""Idempotency keys: claimed by one statement, which on PostgreSQL waits for another node's first one to commit."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from onebell.core.model import IdempotencyKey, Receipt
from onebell.errors import Busy, Conflict, Refused
from onebell.store.hot import HotStatement, Quick, Raw, Row, insert_into
from onebell.store.prepared import FirstReceipt, Prepared, Result, Stored, remembered
from onebell.store.schema import idempotency

Key: TypeAlias = tuple[int, str, str]
"""Space, scope, key."""

_COLUMNS = ("space_id", "scope", "key", "fingerprint", "message_id", "public_id", "receipt", "expires_at")
_TABLE = idempotency.c
_KEY = sa.tuple_(_TABLE.space_id, _TABLE.scope, _TABLE.key)
_decode = msgspec.json.Decoder(FirstReceipt).decode
_complete = Quick(
    sa.update(idempotency)
    .where(
        _TABLE.space_id == sa.bindparam("s", type_=sa.BigInteger),
        _TABLE.scope == sa.bindparam("in_scope", type_=sa.Text),
        _TABLE.key == sa.bindparam("k", type_=sa.Text),
    )
    .values(receipt=sa.bindparam("got", type_=sa.LargeBinary))
)


class Claims:
    """Who came first."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._claim = HotStatement(idempotency, _COLUMNS, dialect, _claim(dialect))

    def take(
        self, connection: sa.Connection, raw: Raw, items: Sequence[Prepared], results: list[Result | None], now: int
    ) -> dict[int, int]:
        """Claim the keys of a batch. Repeats of what is stored already get their result now.

        Returns:
            Position of a repeat in this batch → position of its first, whose result it will share.
        """
        first: dict[Key, int] = {}
        repeats: dict[int, int] = {}
        for at, item in enumerate(items):
            if item.idempotency is not None:
                earlier = first.setdefault(_key(item, item.idempotency), at)
                if earlier != at:
                    repeats[at] = earlier
        if not first:
            return repeats
        rows = [_row(key, items[at], now) for key, at in sorted(first.items())]
        claimed = {tuple(row) for row in self._claim.run(raw, rows, {"now_ms": now})}
        taken = [key for key in first if key not in claimed]
        if taken:
            found = _read(connection, taken)
            for key in taken:
                results[first[key]] = _earlier(items[first[key]], found.get(key))
        return repeats

    def give_back(self, connection: sa.Connection, items: Sequence[Prepared], results: Sequence[Result | None]) -> None:
        """Free the keys of submissions that were claimed and then refused: nothing is stored under them."""
        refused = [
            _key(item, item.idempotency)
            for item, result in zip(items, results, strict=True)
            if item.idempotency is not None and isinstance(result, Refused)
        ]
        if refused:
            connection.execute(sa.delete(idempotency).where(_KEY.in_(refused)))

    def remember(self, connection: sa.Connection, stored: Iterable[tuple[Prepared, Result | None]]) -> None:
        """Complete the rows of numbered submissions, whose entries were not known when they were claimed."""
        for item, result in stored:
            if item.idempotency is not None and item.slots and isinstance(result, Stored):
                space, scope, key = _key(item, item.idempotency)
                receipt = remembered(item.extra, result.receipt.entries)
                _complete.run(connection, {"s": space, "in_scope": scope, "k": key, "got": receipt})


def first_ids(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, str]:
    """The public id of the first entry, or else the message, that was stored under each key; others are not in it."""
    found: dict[Key, str] = {}
    for key, row in _read(connection, keys).items():
        entries = _decode(row.receipt).entries
        found[key] = entries[0].public_id if entries else row.public_id
    return found


def differs(mine: str, its: str) -> bool:
    """Whether two fingerprints say that the payloads are not the same; an empty one says nothing."""
    return bool(mine and its and mine != its)


def _key(item: Prepared, key: IdempotencyKey) -> Key:
    return item.stored.space, key.scope, key.key


def _row(key: Key, item: Prepared, now: int) -> Row:
    asked = item.idempotency
    assert asked is not None, "only submissions with a key come here"
    stored = item.stored
    expires = now + asked.keep_s * 1000
    return (*key, asked.fingerprint, stored.id, stored.public_id, remembered(item.extra), expires)


def _read(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, sa.Row[Any]]:
    rows = connection.execute(sa.select(idempotency).where(_KEY.in_(keys)))
    return {(row.space_id, row.scope, row.key): row for row in rows}


def _earlier(item: Prepared, row: sa.Row[Any] | None) -> Result:
    """What a repeat of a stored submission gets."""
    if row is None:
        return Busy("the first request with this key has just been forgotten")
    assert item.idempotency is not None, "only submissions with a key come here"
    if differs(item.idempotency.fingerprint, row.fingerprint):
        return Conflict("the idempotency key was used with another payload")
    first = _decode(row.receipt)
    return Stored(
        Receipt(
            message=row.message_id,
            public_id=row.public_id,
            repeated=True,
            entries=first.entries,
            extra=msgspec.json.decode(first.extra),
        )
    )


def _claim(dialect: sa.Dialect) -> Any:
    """A row that has expired is as good as none."""
    statement = insert_into(dialect, idempotency)
    new = {name: statement.excluded[name] for name in _COLUMNS[3:]}
    return statement.on_conflict_do_update(
        index_elements=["space_id", "scope", "key"],
        set_=new,
        where=_TABLE.expires_at <= sa.bindparam("now_ms", type_=sa.BigInteger),
    ).returning(_TABLE.space_id, _TABLE.scope, _TABLE.key)
