"""Friends: for each direction a token that only one of the two may show to write to the other.

Owner of the token is who receives, holder is who writes.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.core.directory import Credential
from onebell.errors import NotFound
from onebell.ids import IdMint, hex32
from onebell.store import blocks, credentials
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import credential
from onebell.vault import ServerVault

_KIND = "friend"


def _held(space: int, dialect: str, holder: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        credential.c.space_id == space,
        credential.c.holder_id == holder,
        credential.c.dialect == dialect,
        credential.c.kind == _KIND,
    )


def count(connection: sa.Connection, space: int, dialect: str, holder: int) -> int:
    """How many friends a person may write to."""
    held = _held(space, dialect, holder)
    return connection.scalar(sa.select(sa.func.count()).select_from(credential).where(held)) or 0


def token_id(connection: sa.Connection, space: int, dialect: str, holder: int, friend: int) -> int:
    """The credential with which ``holder`` writes to ``friend``; 0 = he may not."""
    statement = sa.select(credential.c.id).where(_held(space, dialect, holder), credential.c.owner_id == friend)
    return connection.scalar(statement.order_by(credential.c.id).limit(1)) or 0


def befriend(
    connection: sa.Connection,
    vault: ServerVault,
    space: int,
    dialect: str,
    people: tuple[int, int],
    mint: IdMint,
    now_ms: int,
) -> None:
    """Give each of two people a token for the other; one that exists stays."""
    for holder, friend in (people, people[::-1]):
        if not token_id(connection, space, dialect, holder, friend):
            new = NewCredential(id=mint.mint(), dialect=dialect, kind=_KIND, owner=friend, holder=holder, value=hex32())
            credentials.insert(connection, vault, space, new, now_ms)


def part(connection: sa.Connection, space: int, dialect: str, one: int, other: int) -> None:
    """Take both tokens away."""
    ids = [token_id(connection, space, dialect, *pair) for pair in ((one, other), (other, one))]
    credentials.remove(connection, space, [which for which in ids if which])


class Friends:
    """Friends as one of them sees them."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def page(
        self, space: int, dialect: str, holder: int, offset: int, limit: int
    ) -> tuple[Sequence[Credential], int]:
        """Tokens that a person holds, newest first, and how many those are."""
        held = _held(space, dialect, holder)

        def work(connection: sa.Connection) -> tuple[list[Credential], int]:
            rows = connection.execute(
                sa.select(credential).where(held).order_by(credential.c.id.desc()).offset(offset).limit(limit)
            ).mappings()
            found = [credentials.read_row(row, self._changes.vault) for row in rows]
            return found, count(connection, space, dialect, holder)

        return await self._changes.database.read(work)

    async def token_id(self, space: int, dialect: str, holder: int, friend: int) -> int:
        """The credential with which ``holder`` writes to ``friend``; 0 = he may not."""
        return await self._changes.database.read(
            lambda connection: token_id(connection, space, dialect, holder, friend)
        )

    async def remark(self, space: int, dialect: str, holder: int, which: int, text: str) -> None:
        """What a holder notes about the friend behind a token. Raises ``NotFound``."""
        mine = sa.and_(_held(space, dialect, holder), credential.c.id == which)

        def work(connection: sa.Connection) -> None:
            known = connection.execute(sa.select(credential.c.settings).where(mine).with_for_update()).one_or_none()
            if known is None:
                raise NotFound(f"friend token {which}")
            settings = {**unpack_object(known.settings), "remark": text}
            connection.execute(sa.update(credential).where(mine).values(settings=pack(settings)))

        await self._changes.write(space, work)

    async def part(self, space: int, dialect: str, one: int, other: int) -> None:
        """End a friendship for both."""
        await self._changes.write(space, lambda connection: part(connection, space, dialect, one, other))

    async def block(self, space: int, dialect: str, who: int, friend: int) -> None:
        """End it, and let ``friend`` not become one of ``who`` again."""
        number, now_ms = self._changes.mint.mint(), self._changes.clock.now_ms()

        def work(connection: sa.Connection) -> None:
            part(connection, space, dialect, who, friend)
            blocks.add(connection, space, dialect, who, friend, number, now_ms)

        await self._changes.write(space, work)
