"""A PushPlus user's messages as its API shows them."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.model import Part
from onebell.core.sent import SentFilter, SentMessage
from onebell.store.messages import last_words
from onebell.store.packed import unpack_object
from onebell.store.schema import delivery, entry, mailbox, message, public_id, record

_DIALECT = "pushplus"
_PUSHPLUS: sa.ColumnElement[str] = sa.literal_column("'pushplus'")
"""Written into the statement: neither engine uses a partial index for a condition it learns later."""
_GONE = ("recalled", "refused")
_SENT = ("sent", "delivered")
_parts = msgspec.json.Decoder(tuple[Part, ...]).decode


def by_short_code(connection: sa.Connection, short_code: str) -> SentMessage | None:
    """The message of a shortCode, whoever sent it."""
    place = connection.execute(
        sa.select(public_id.c.space_id, public_id.c.message_id).where(
            public_id.c.dialect == _DIALECT, public_id.c.public_id == short_code
        )
    ).one_or_none()
    if place is None:
        return None
    row = connection.execute(
        _messages().where(message.c.space_id == place.space_id, message.c.id == place.message_id)
    ).one_or_none()
    return None if row is None else _read(row)


def sent(
    connection: sa.Connection, space: int, sender: int, wanted: SentFilter, start: int, size: int
) -> tuple[int, list[SentMessage]]:
    """How many messages a user has sent, and a page of them, newest first."""
    conditions = [
        message.c.space_id == space,
        message.c.sender == sender,
        message.c.dialect == _PUSHPLUS,
        message.c.state.not_in(_GONE),
        *_wanted(connection, wanted),
    ]
    total = connection.scalar(sa.select(sa.func.count()).select_from(message).where(*conditions)) or 0
    newest = _messages().where(*conditions).order_by(message.c.id.desc()).limit(size).offset(start)
    return total, [_read(row) for row in connection.execute(newest)]


def _wanted(connection: sa.Connection, wanted: SentFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.since_ms:
        conditions.append(message.c.created_at >= wanted.since_ms)
    if wanted.channel:
        conditions.append(_remembers(connection, f'"channel":{msgspec.json.encode(wanted.channel).decode()}'))
    if wanted.is_topic is not None:
        is_topic = _remembers(connection, '"topic":')
        conditions.append(is_topic if wanted.is_topic else sa.not_(is_topic))
    if wanted.is_read is not None:
        conditions.append(_is_read() if wanted.is_read else sa.not_(_is_read()))
    return conditions


def _remembers(connection: sa.Connection, piece: str) -> sa.ColumnElement[bool]:
    return _holds(connection, message.c.extra, piece)


def _holds(connection: sa.Connection, packed: sa.Column[bytes], piece: str) -> sa.ColumnElement[bool]:
    """Whether packed JSON holds a piece that begins with a key: inside a text its quotes would be escaped."""
    find = sa.func.pg_catalog.position if connection.dialect.name == "postgresql" else sa.func.instr
    return find(packed, sa.literal(piece.encode(), sa.LargeBinary)) > 0


def refusing(connection: sa.Connection, space: int) -> tuple[int, ...]:
    """Who has switched receiving off, found in the database: nobody's secrets are opened for it."""
    accounts = (record.c.space_id == space, record.c.dialect == _DIALECT, record.c.kind == "account")
    statement = sa.select(record.c.owner_id).where(*accounts, _holds(connection, record.c.data, '"recevie_limit":1'))
    return tuple(connection.scalars(statement.order_by(record.c.owner_id)))


def own_configs(connection: sa.Connection) -> tuple[sa.ColumnElement[bool], ...]:
    """Which of a user's records are config codes that he has made himself: those have a type."""
    is_his = _holds(connection, record.c.data, '"type":')
    return record.c.dialect == _DIALECT, record.c.kind == "webhook", is_his


def _is_read() -> sa.ColumnElement[bool]:
    is_mine = (entry.c.space_id == message.c.space_id, entry.c.message_id == message.c.id, entry.c.direction == 0)
    box = sa.and_(mailbox.c.space_id == entry.c.space_id, mailbox.c.id == entry.c.mailbox_id)
    was_read = sa.or_(entry.c.read_at > 0, entry.c.seq <= mailbox.c.read_up_to)
    return sa.select(1).select_from(entry.join(mailbox, box)).where(*is_mine, was_read).exists()


def _messages() -> sa.Select[Any]:
    return sa.select(message, _reached().label("is_reached"), last_words().label("why"))


def _read(row: Any) -> SentMessage:
    return SentMessage(
        id=row.id,
        space=row.space_id,
        public_id=row.public_id,
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


def sent_deliveries(connection: sa.Connection, space: int, which: int) -> int:
    """How many deliveries of a message a provider took."""
    here = (delivery.c.space_id == space, delivery.c.message_id == which, delivery.c.state.in_(_SENT))
    return connection.scalar(sa.select(sa.func.count()).select_from(delivery).where(*here)) or 0


def _reached() -> sa.ColumnElement[bool]:
    has_entry = (
        sa.select(1)
        .where(entry.c.space_id == message.c.space_id, entry.c.message_id == message.c.id, entry.c.direction == 0)
        .exists()
    )
    return sa.or_(has_entry, _deliveries(sa.select(1), delivery.c.state.in_(_SENT)).exists())


def _deliveries(statement: sa.Select[Any], condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return statement.where(delivery.c.space_id == message.c.space_id, delivery.c.message_id == message.c.id, condition)
