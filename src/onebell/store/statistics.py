"""What SQLite's planner is told about the tables, once, instead of being left to guess.

Every key begins with ``space_id``. Without statistics SQLite takes one equal column for selective and reads a whole
space to find one message's deliveries, although an index has them (seen with EXPLAIN QUERY PLAN). Real statistics would
change plans with the data, and gathering them holds the writer; so the shape of a large store is written down here.
PostgreSQL gathers its own.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from sqlalchemy.sql.schema import Table

from onebell.store.schema import metadata

ROWS = 10_000_000
"""Of a large table."""
WAITING = 1_000
"""Rows of a partial index: what is due, never what was."""
DISTINCT = 100_000
"""Values of an ordinary column."""
FEW_VALUES = {"space_id": 1, "dialect": 5, "kind": 5, "scope": 3, "state": 5, "direction": 2, "part": 2, "done": 2}
"""Columns that by themselves find nothing."""


def seed_statistics(raw: sqlite3.Connection) -> None:
    """Write the planner's statistics where they differ; connections opened later plan by them."""
    wanted = sorted(_wanted(raw))
    if _has_statistics(raw) and sorted(raw.execute("SELECT tbl, idx, stat FROM sqlite_stat1")) == wanted:
        return
    raw.execute("PRAGMA analysis_limit=1")
    raw.execute("ANALYZE")  # only to have the table; a full one would read everything
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("DELETE FROM sqlite_stat1")
    raw.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", wanted)
    raw.execute("COMMIT")


def _has_statistics(raw: sqlite3.Connection) -> bool:
    return raw.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone() is not None


def _wanted(raw: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    for table in metadata.sorted_tables:
        for _, index, is_unique, _, is_partial in raw.execute(f'PRAGMA index_list("{table.name}")').fetchall():
            columns = [row[2] for row in raw.execute(f'PRAGMA index_info("{index}")')]
            rows = WAITING if is_partial else ROWS
            yield table.name, index, _stat(rows, _estimates(table, columns, rows, bool(is_unique)))


def _stat(rows: int, estimates: Iterable[int]) -> str:
    return " ".join(map(str, (rows, *estimates)))


def _estimates(table: Table, columns: list[str], rows: int, is_unique: bool) -> Iterator[int]:
    """Rows that are left after each further column is known."""
    left = rows
    for position, column in enumerate(columns, 1):
        left = max(1, left // FEW_VALUES.get(column, DISTINCT))
        yield 1 if is_unique and position == len(columns) else max(left, 2)
