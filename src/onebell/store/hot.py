"""Statements of the hot path: SQLAlchemy expressions compiled once, then widened to any number of rows.

One statement with many rows beats one with many runs twice over: each run gives up the interpreter and queues for it
again behind the event loop (measured: 32 rows beside a busy loop take 21 ms by ``executemany``, 4.7 ms by one
statement), and PostgreSQL answers once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Row: TypeAlias = tuple[Any, ...]
Raw: TypeAlias = Any
"""A DBAPI connection: sqlite3's or psycopg's."""

_VALUES = "VALUES ("
PARAMETERS = 30_000
"""Bind variables in one statement: SQLite takes 32,766 and PostgreSQL 65,535."""
COMPILED = 2_000
"""Statements whose text SQLAlchemy keeps: more than the program has."""
COPY_FROM = 8
"""Rows from which COPY is faster than a statement with all of them (measured on PostgreSQL 15)."""
SIZES = 128
"""Sizes of one statement whose text is kept."""
PREPARE_TO = 16
"""Statements of more rows than this come in too many sizes to be worth a plan kept on the server."""


def raw(connection: sa.Connection) -> Raw:
    """The driver's own connection, for statements compiled to strings beforehand."""
    return connection.connection.driver_connection


def insert_into(dialect: sa.Dialect, table: sa.Table) -> Any:
    """The dialect's own INSERT, which knows ON CONFLICT."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


class Widened:
    """An INSERT … VALUES of one row that can be had for any number of rows, with the same tail."""

    def __init__(self, statement: Any, columns: Sequence[str], dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))
        text = str(compiled)
        begin = text.index(_VALUES) + len(_VALUES) - 1
        end = text.index(")", begin) + 1
        order = tuple(compiled.positiontup)
        assert order[: len(columns)] == tuple(columns), f"columns in the table's order, as {order}"
        self.tail = order[len(columns) :]
        """Names of the parameters behind the rows, in order."""
        self.rows = max(1, PARAMETERS // len(columns))
        """How many rows one statement can hold."""
        self.sql: Callable[[int], str] = lru_cache(SIZES)(
            lambda count: text[:begin] + ", ".join([text[begin:end]] * count) + text[end:]
        )


class HotStatement:
    """One of the writer's multi-row INSERTs, on one engine."""

    def __init__(self, table: sa.Table, columns: Sequence[str], dialect: sa.Dialect, statement: Any = None) -> None:
        plain = statement is None
        self._widened = Widened(insert_into(dialect, table) if plain else statement, columns, dialect)
        self._is_postgres = dialect.name == "postgresql"
        self._types = tuple(_wire_type(table.c[name]) for name in columns)
        self._copy = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)" if plain else ""

    def run(self, raw: Raw, rows: list[Row], tail: dict[str, Any] | None = None) -> list[Row]:
        """Insert the rows, sorted by the caller; what RETURNING gives for them."""
        if self._is_postgres and self._copy and len(rows) >= COPY_FROM:
            self._copy_rows(raw, rows)
            return []
        behind = [tail[name] for name in self._widened.tail] if tail else []
        answered: list[Row] = []
        most = self._widened.rows
        for start in range(0, len(rows), most):
            some = rows if len(rows) <= most else rows[start : start + most]
            answered += self._execute(raw, len(some), [*chain.from_iterable(some), *behind])
        return answered

    def _execute(self, raw: Raw, count: int, values: list[Any]) -> list[Row]:
        sql = self._widened.sql(count)
        if not self._is_postgres:
            rows: list[Row] = raw.execute(sql, values).fetchall()
            return rows
        cursor = raw.execute(sql, values, prepare=None if count <= PREPARE_TO else False)
        return cursor.fetchall() if cursor.description else []

    def _copy_rows(self, raw: Raw, rows: list[Row]) -> None:
        with raw.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for row in rows:
                copy.write_row(row)


class Quick:
    """A statement that every message needs, compiled once per engine and run by the driver itself.

    For one row found by its key, SQLAlchemy's own way to the driver costs several times what the driver does.
    """

    def __init__(self, statement: sa.Select[Any] | sa.Update) -> None:
        """``statement`` has named parameters for texts and numbers; nothing in it grows with their values."""
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> list[Row]:
        """The rows that it gives, as tuples."""
        name = connection.dialect.name
        sql, order, own = self._compiled.get(name) or self._compile(connection.dialect)
        cursor = raw(connection).execute(sql, [values[one] if one in values else own[one] for one in order])
        rows: list[Row] = cursor.fetchall() if cursor.description else []
        return rows

    def _compile(self, dialect: sa.Dialect) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        compiled: Any = self._statement.compile(dialect=dialect)
        made = self._compiled[dialect.name] = (str(compiled), tuple(compiled.positiontup), compiled.params)
        return made


def _wire_type(column: sa.Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, sa.BigInteger):
        return "int8"
    if isinstance(kind, sa.Integer):
        return "int4"
    return "bytea" if isinstance(kind, sa.LargeBinary) else "text"
