"""What only PushPlus asks of the messages, and its access keys."""

import sqlalchemy as sa

from onebell.core.sent import SentFilter, SentMessage
from onebell.errors import NotFound
from onebell.store import credentials, pushplus_lists
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.schema import credential, record

_DIALECT = "pushplus"
_ACCESS = "access"


class PushPlusStore:
    """Verbs of the PushPlus dialect."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def message(self, short_code: str) -> SentMessage | None:
        """The message of a shortCode, whoever sent it: the code is what its reader shows (sheet pushplus §1.6)."""
        return await self._changes.database.read(
            lambda connection: pushplus_lists.by_short_code(connection, short_code)
        )

    async def sent(
        self, space: int, sender: int, wanted: SentFilter, start: int, size: int
    ) -> tuple[int, list[SentMessage]]:
        """How many messages a user has sent, and a page of them, newest first; recalled ones are not told of."""
        return await self._changes.database.read(
            lambda connection: pushplus_lists.sent(connection, space, sender, wanted, start, size)
        )

    async def issue_access_key(self, space: int, owner: int, value: str, *, expires_at: int, old_until: int) -> None:
        """Issue an access key; the owner's other ones end at ``old_until`` at the latest (milliseconds)."""
        new = NewCredential(
            id=self._changes.mint.mint(),
            dialect=_DIALECT,
            kind=_ACCESS,
            owner=owner,
            value=value,
            expires_at=expires_at,
        )
        now_ms = self._changes.clock.now_ms()

        def work(connection: sa.Connection) -> None:
            credentials.remove(connection, space, _ended(connection, space, owner, now_ms))
            connection.execute(
                sa.update(credential)
                .where(_keys_of(space, owner), credential.c.expires_at > old_until)
                .values(expires_at=old_until)
            )
            credentials.insert(connection, self._changes.vault, space, new, now_ms)

        await self._changes.write(space, work)

    async def edit_token(self, space: int, owner: int, which: int, *, name: str, expires_at: int) -> None:
        """Another name and end of a message token. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            statement = sa.update(credential).where(_token_of(space, owner, which))
            if not connection.execute(statement.values(name=name, expires_at=expires_at)).rowcount:
                raise NotFound(f"token {which}")
            credentials.mark_edited(connection, space, which)

        await self._changes.write(space, work)

    async def revoke_token(self, space: int, owner: int, which: int) -> None:
        """Take a message token away, and its default channel with it. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            if connection.scalar(sa.select(credential.c.id).where(_token_of(space, owner, which))) is None:
                raise NotFound(f"token {which}")
            credentials.remove(connection, space, [which])
            connection.execute(
                sa.delete(record).where(
                    record.c.space_id == space,
                    record.c.dialect == _DIALECT,
                    record.c.kind == "default",
                    record.c.owner_id == owner,
                    record.c.key == str(which),
                )
            )

        await self._changes.write(space, work)


def _token_of(space: int, owner: int, which: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        credential.c.space_id == space,
        credential.c.dialect == _DIALECT,
        credential.c.kind == "message",
        credential.c.owner_id == owner,
        credential.c.id == which,
    )


def _keys_of(space: int, owner: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        credential.c.space_id == space,
        credential.c.dialect == _DIALECT,
        credential.c.kind == _ACCESS,
        credential.c.owner_id == owner,
    )


def _ended(connection: sa.Connection, space: int, owner: int, now_ms: int) -> list[int]:
    statement = sa.select(credential.c.id).where(_keys_of(space, owner), credential.c.expires_at <= now_ms)
    return list(connection.scalars(statement))
