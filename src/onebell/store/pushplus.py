"""What only PushPlus asks of the messages, and its access keys."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.model import Part
from onebell.core.sent import SentMessage
from onebell.store import credentials
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.packed import unpack_object
from onebell.store.schema import credential, delivery, entry, message, public_id

_DIALECT = "pushplus"
_ACCESS = "access"
_parts = msgspec.json.Decoder(tuple[Part, ...]).decode


class PushPlusStore:
    """Verbs of the PushPlus dialect."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def message(self, short_code: str) -> SentMessage | None:
        """The message of a shortCode, whoever sent it: the code is what its reader shows (sheet pushplus §1.6)."""
        return await self._changes.database.read(lambda connection: _message(connection, short_code))

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


def _message(connection: sa.Connection, short_code: str) -> SentMessage | None:
    place = connection.execute(
        sa.select(public_id.c.space_id, public_id.c.message_id).where(
            public_id.c.dialect == _DIALECT, public_id.c.public_id == short_code
        )
    ).one_or_none()
    if place is None:
        return None
    row = connection.execute(
        sa.select(message, _reached().label("is_reached"), _last_words().label("why")).where(
            message.c.space_id == place.space_id, message.c.id == place.message_id
        )
    ).one_or_none()
    if row is None:
        return None
    return SentMessage(
        id=row.id,
        space=row.space_id,
        public_id=short_code,
        sender=row.sender,
        sender_name=row.sender_name,
        parts=_parts(row.parts),
        extra=unpack_object(row.extra),
        state=row.state,
        created_at=row.created_at,
        finished_at=row.finished_at,
        is_reached=bool(row.is_reached),
        why=row.why or "",
    )


def _reached() -> sa.ColumnElement[bool]:
    has_entry = (
        sa.select(1)
        .where(entry.c.space_id == message.c.space_id, entry.c.message_id == message.c.id, entry.c.direction == 0)
        .exists()
    )
    return sa.or_(has_entry, _deliveries(sa.select(1), delivery.c.state.in_(("sent", "delivered"))).exists())


def _last_words() -> sa.ScalarSelect[str]:
    said = _deliveries(sa.select(delivery.c.why), delivery.c.why != "")
    return said.order_by(delivery.c.closed_at.desc(), delivery.c.id.desc()).limit(1).scalar_subquery()


def _deliveries(statement: sa.Select[Any], condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return statement.where(delivery.c.space_id == message.c.space_id, delivery.c.message_id == message.c.id, condition)
