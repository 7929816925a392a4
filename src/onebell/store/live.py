"""Who has a socket open now, and where a page's message stands in the mailboxes that are read by them."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from onebell.core.bell import Mark
from onebell.core.presence import SOCKETS
from onebell.store.page import AFTER, LAST, NOW
from onebell.store.schema import entry, session

_decode = msgspec.json.Decoder(list[tuple[int, int, int]]).decode


class packed_rows(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - an SQL function's name
    """All rows of a select as one JSON array of arrays, null or empty without any.

    SQLite's driver gives the interpreter away for each row it hands out, and beside a busy event loop it waits half a
    millisecond to have it back: a thousand rows cost more than what made them.
    """

    type = sa.Text()
    inherit_cache = True


@compiles(packed_rows, "sqlite")
def _packed_rows_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **kw)}))"


@compiles(packed_rows, "postgresql")
def _packed_rows_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(json_agg(json_build_array({compiler.process(element.clauses, **kw)})) AS TEXT)"


def has_socket(
    space: sa.ColumnElement[int] | int, mailbox: sa.ColumnElement[int], now: sa.ColumnElement[int] | int
) -> sa.ColumnElement[bool]:
    """Somebody reads the mailbox by a socket that is open: being signed in is not enough (DESIGN §5)."""
    return sa.select(1).where(session.c.space_id == space, session.c.mailbox_id == mailbox, *_alive(now)).exists()


def _alive(now: sa.ColumnElement[int] | int) -> tuple[sa.ColumnElement[bool], ...]:
    return session.c.lease_until > now, session.c.kind.in_(SOCKETS)


class LiveMarks:
    """The statement for one expansion, made once."""

    def __init__(self, space: int, message: int, feed: int) -> None:
        self._feed = feed
        # From the sockets to the entries: in a space of a million there are never so many of them.
        readers = sa.select(session.c.mailbox_id).where(
            session.c.space_id == space,
            session.c.mailbox_id > AFTER,
            session.c.mailbox_id <= LAST,
            *_alive(NOW),
        )
        self._select = sa.select(packed_rows(entry.c.mailbox_id, entry.c.seq, entry.c.mentioned)).where(
            entry.c.space_id == space,
            entry.c.message_id == message,
            entry.c.mailbox_id > AFTER,
            entry.c.mailbox_id <= LAST,
            entry.c.mailbox_id.in_(readers),
        )

    def read(self, connection: sa.Connection, page: dict[str, Any]) -> tuple[Mark, ...]:
        """Marks of the entries that a page has just written."""
        packed = connection.scalar(self._select, page)
        return tuple(
            Mark(box, self._feed, seq, seq, 0, 0, mentioned) for box, seq, mentioned in _decode(packed or "[]")
        )
