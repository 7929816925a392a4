"""Inserts that meet rows of another node, and lists cut into pages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

PAGE = 500
"""Values in one ``IN`` list and rows in one fetch (DESIGN §4)."""
T = TypeVar("T")
Row = Mapping[str, Any]


def pages(values: Sequence[T], size: int = PAGE) -> Iterator[Sequence[T]]:
    """``values`` in slices that one statement takes."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _insert(connection: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert what is not there yet. Rows should come sorted by key: two nodes then never wait for each other."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def insert_or_update(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], changed: Sequence[str]) -> None:
    """Insert; where the primary key exists, take these columns from the new row."""
    statement = _insert(connection, table)
    _upsert(connection, statement, table, rows, {name: statement.excluded[name] for name in changed})


def insert_or_add(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], added: str) -> None:
    """Insert; where the primary key exists, add the new row's ``added`` to it."""
    statement = _insert(connection, table)
    _upsert(connection, statement, table, rows, {added: table.c[added] + statement.excluded[added]})


def _upsert(
    connection: sa.Connection,
    statement: Any,  # sqlite's or PostgreSQL's insert: alike, without a common class
    table: sa.Table,
    rows: Sequence[Row],
    changes: Mapping[str, Any],
) -> None:
    if rows:
        key = list(table.primary_key.columns)
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), list(rows))
