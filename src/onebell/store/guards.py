"""Exact limits: quotas, windows and points, locked and charged in the accepting transaction (DESIGN §4)."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from onebell.errors import Reason, Refused
from onebell.store.hot import HotStatement, Raw, insert_into
from onebell.store.prepared import Prepared, Result
from onebell.store.schema import guard

Key: TypeAlias = tuple[int, str]
"""Space and guard."""

_COLUMNS = ("space_id", "key", "used", "expires_at")


class Guards:
    """What is used of each limit."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._lock = HotStatement(guard, _COLUMNS, dialect, _lock(dialect))
        self._settle = HotStatement(guard, _COLUMNS, dialect, _settle(dialect))

    def charge(
        self, raw: Raw, items: Sequence[Prepared], pending: Sequence[int], results: list[Result | None], now: int
    ) -> None:
        """Charge what the pending submissions use, in arrival order; refuse those that exceed a limit."""
        expiries: dict[Key, int] = {}
        for at in pending:
            item = items[at]
            for use in item.guards:
                key = (item.stored.space, use.key)
                expiries[key] = max(expiries.get(key, 0), now + use.keep_s * 1000)
        if not expiries:
            return
        rows = [(*key, 0, expiry) for key, expiry in sorted(expiries.items())]
        used = {(row[0], row[1]): row[2] for row in self._lock.run(raw, rows, {"now_ms": now})}
        before = dict(used)
        for at in pending:
            results[at] = _decide(items[at], used)
        changed = [(*key, used[key], expiries[key]) for key in sorted(used) if used[key] != before[key]]
        if changed:
            self._settle.run(raw, changed)


def _decide(item: Prepared, used: dict[Key, int]) -> Result | None:
    """A submission is charged for all its guards or for none."""
    space = item.stored.space
    asked: dict[Key, int] = {}
    for use in item.guards:
        key = (space, use.key)
        asked[key] = asked.get(key, 0) + use.amount
        if used[key] + asked[key] > use.limit:
            return Refused(Reason.GUARD_EXHAUSTED, use.key)
    for key, amount in asked.items():
        used[key] += amount
    return None


def _lock(dialect: sa.Dialect) -> Any:
    """Makes missing guards, empties expired ones, and holds all until the commit."""
    statement = insert_into(dialect, guard)
    gone = guard.c.expires_at <= sa.bindparam("now_ms", type_=sa.BigInteger)
    later = statement.excluded.expires_at
    return statement.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={
            "used": sa.case((gone, sa.literal_column("0")), else_=guard.c.used),
            "expires_at": sa.case((guard.c.expires_at > later, guard.c.expires_at), else_=later),
        },
    ).returning(guard.c.space_id, guard.c.key, guard.c.used)


def _settle(dialect: sa.Dialect) -> Any:
    statement = insert_into(dialect, guard)
    return statement.on_conflict_do_update(index_elements=["space_id", "key"], set_={"used": statement.excluded.used})
