"""Black lists: whom a feed or a person does not let (back) in."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from onebell.store.changes import Changes
from onebell.store.schema import block
from onebell.store.upserts import insert_missing


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a black list."""

    id: int
    owner: int  # feed or person
    party: int
    created_at: int


def is_blocked(connection: sa.Connection, space: int, dialect: str, owner: int, party: int) -> bool:
    """Whether ``owner`` has ``party`` on the black list."""
    statement = sa.select(block.c.id).where(_of(space, dialect, owner), block.c.party_id == party)
    return connection.execute(statement).first() is not None


def add(connection: sa.Connection, space: int, dialect: str, owner: int, party: int, which: int, now_ms: int) -> None:
    """Put ``party`` on the black list; who is on it stays as he is."""
    row = {
        "space_id": space,
        "id": which,
        "dialect": dialect,
        "owner_id": owner,
        "party_id": party,
        "created_at": now_ms,
    }
    insert_missing(connection, block, [row])


def remove_of(connection: sa.Connection, space: int, whoever: int) -> None:
    """Forget the black list of a feed or person, and a person on all others."""
    his = sa.or_(block.c.owner_id == whoever, block.c.party_id == whoever)
    connection.execute(sa.delete(block).where(block.c.space_id == space, his))


def _of(space: int, dialect: str, owner: int) -> sa.ColumnElement[bool]:
    return sa.and_(block.c.space_id == space, block.c.dialect == dialect, block.c.owner_id == owner)


class Blocks:
    """Black lists as their owners see them."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def page(self, space: int, dialect: str, owner: int, offset: int, limit: int) -> tuple[Sequence[Block], int]:
        """Entries, newest first, and how many there are."""

        def work(connection: sa.Connection) -> tuple[list[Block], int]:
            own = _of(space, dialect, owner)
            total = connection.scalar(sa.select(sa.func.count()).select_from(block).where(own)) or 0
            rows = connection.execute(
                sa.select(block).where(own).order_by(block.c.id.desc()).offset(offset).limit(limit)
            )
            return [Block(id=row.id, owner=owner, party=row.party_id, created_at=row.created_at) for row in rows], total

        return await self._changes.database.read(work)

    async def one(self, space: int, which: int) -> Block | None:
        """One entry, whoever's."""
        statement = sa.select(block).where(block.c.space_id == space, block.c.id == which)

        def work(connection: sa.Connection) -> Block | None:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            return Block(id=row.id, owner=row.owner_id, party=row.party_id, created_at=row.created_at)

        return await self._changes.database.read(work)

    async def lift(self, space: int, owner: int, which: int) -> None:
        """Take an entry off its owner's black list."""
        statement = sa.delete(block).where(block.c.space_id == space, block.c.owner_id == owner, block.c.id == which)

        def work(connection: sa.Connection) -> None:
            connection.execute(statement)

        await self._changes.write(space, work)
