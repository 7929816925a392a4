"""Columns as every table writes them, and the one ``MetaData``."""

import sqlalchemy as sa

metadata = sa.MetaData()

Packed = sa.LargeBinary
Big = sa.BigInteger


def table(name: str, *columns: sa.schema.SchemaItem, filled: int = 100) -> sa.Table:
    """A table whose rows are clustered by their key: SQLite then keeps one tree instead of two.

    ``filled`` is what inserts may fill of a page, in percent: a row that changes with every message finds room for its
    next version beside it, and no index has to hear of it (PostgreSQL).
    """
    return sa.Table(name, metadata, *columns, sqlite_with_rowid=False, postgresql_with={"fillfactor": filled})


def space_id() -> sa.Column[int]:
    """The owner in front of every key."""
    return sa.Column("space_id", Big, primary_key=True, autoincrement=False)


def own_id(name: str = "id") -> sa.Column[int]:
    """An id minted in Python (:mod:`onebell.ids`)."""
    return sa.Column(name, Big, primary_key=True, autoincrement=False)


def key(name: str) -> sa.Column[str]:
    """Text that is part of the key."""
    return sa.Column(name, sa.Text, primary_key=True)


def text(name: str, default: str = "") -> sa.Column[str]:
    """Text, never null."""
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def big(name: str, default: int = 0) -> sa.Column[int]:
    """A 63-bit number, never null: an id, an instant in ms, a count."""
    return sa.Column(name, Big, nullable=False, server_default=sa.text(str(default)))


def small(name: str, default: int = 0) -> sa.Column[int]:
    """A 31-bit number, never null."""
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text(str(default)))


def packed(name: str) -> sa.Column[bytes]:
    """Compact JSON or sealed bytes; null = none."""
    return sa.Column(name, Packed, nullable=True)
