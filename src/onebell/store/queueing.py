"""Small pieces that statements of several verb groups are made of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

DUE: sa.ColumnElement[str] = sa.literal_column("'due'")
"""Written into the statement: neither engine uses a partial index for a condition it learns later."""
ZERO: sa.ColumnElement[int] = sa.literal_column("0")
"""Likewise."""


def inserter(kind: str, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    """An insert that can say what happens on a conflict; both engines spell it alike. ``kind`` is the engine's."""
    return postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)


def keys_in(table: sa.Table, keys: Iterable[tuple[int, int]], column: str = "id") -> sa.ColumnElement[bool]:
    """Rows whose (space, ``column``) is one of these; there must be at least one."""
    by_space: dict[int, list[int]] = {}
    for space, key in keys:
        by_space.setdefault(space, []).append(key)
    # Space by space: SQLite reads the whole table for a list of pairs.
    return sa.or_(*(sa.and_(table.c.space_id == space, table.c[column].in_(own)) for space, own in by_space.items()))


def execute_many(connection: sa.Connection, statement: sa.Executable, rows: Sequence[dict[str, Any]]) -> None:
    """Run a statement once per row; not at all without rows."""
    if rows:
        connection.execute(statement, rows)


def inserted(connection: sa.Connection, statement: sa.Insert, values: Mapping[str, Any]) -> int:
    """How many rows an ``INSERT … SELECT`` wrote."""
    return connection.execute(statement.execution_options(preserve_rowcount=True), values).rowcount
