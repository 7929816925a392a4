"""Targets: addresses on a carrier account, made when they are first needed."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from onebell.store.changes import Changes
from onebell.store.schema import carrier_pause, target
from onebell.store.upserts import insert_missing, pages


def known(connection: sa.Connection, space: int, account: int, values: Sequence[str]) -> dict[str, int]:
    """Ids of these addresses, as far as they exist."""
    found: dict[str, int] = {}
    for page in pages(values):
        statement = sa.select(target.c.value, target.c.id).where(
            target.c.space_id == space, target.c.account_id == account, target.c.value.in_(page)
        )
        found.update((row.value, row.id) for row in connection.execute(statement))
    return found


def ensure(
    connection: sa.Connection, space: int, account: int, values: Sequence[str], mint: Callable[[], int]
) -> dict[str, int]:
    """Ids of these addresses; what is missing is made. Another node may make the same ones meanwhile."""
    insert_missing(
        connection,
        target,
        [{"space_id": space, "id": mint(), "account_id": account, "value": value} for value in sorted(set(values))],
    )
    return known(connection, space, account, values)


def dead(connection: sa.Connection, space: int, ids: Sequence[int]) -> set[int]:
    """Those of these targets that a provider called dead."""
    found: set[int] = set()
    for page in pages(ids):
        statement = sa.select(target.c.id).where(
            target.c.space_id == space, target.c.id.in_(page), target.c.dead_at > 0
        )
        found.update(connection.execute(statement).scalars())
    return found


def begin_anew(connection: sa.Connection, space: int, account: int) -> None:
    """An account that was changed may reach what it could not before, and its provider may let it send at once."""
    here = sa.and_(target.c.space_id == space, target.c.account_id == account, target.c.dead_at > 0)
    connection.execute(sa.update(target).where(here).values(dead_at=0, dead_why=""))
    paused = sa.and_(carrier_pause.c.space_id == space, carrier_pause.c.account_id == account)
    connection.execute(sa.delete(carrier_pause).where(paused))


class Targets:
    """What becomes of addresses."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def bury(self, space: int, which: int, why: str) -> None:
        """The provider called the address dead: no message goes there any more."""
        now_ms = self._changes.clock.now_ms()
        await self._set(space, which, now_ms, why)

    async def revive(self, space: int, which: int) -> None:
        """The address was registered anew."""
        await self._set(space, which, 0, "")

    async def _set(self, space: int, which: int, dead_at: int, why: str) -> None:
        statement = sa.update(target).where(target.c.space_id == space, target.c.id == which)
        statement = statement.values(dead_at=dead_at, dead_why=why)

        def work(connection: sa.Connection) -> None:
            connection.execute(statement)

        await self._changes.write(space, work)
