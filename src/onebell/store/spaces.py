"""Spaces: one directory of people and all that hangs on it each."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.directory import Space
from onebell.errors import NotFound
from onebell.store.packed import pack, unpack_texts
from onebell.store.schema import space as table


def every(connection: sa.Connection) -> Sequence[Space]:
    """All spaces, oldest first."""
    return [_space(row) for row in connection.execute(sa.select(table).order_by(table.c.id)).mappings()]


def versions(connection: sa.Connection) -> dict[int, int]:
    """The version of every space's directory."""
    return {row.id: row.config_version for row in connection.execute(sa.select(table.c.id, table.c.config_version))}


def named(connection: sa.Connection, name: str) -> Space | None:
    """The space of this name."""
    row = connection.execute(sa.select(table).where(table.c.name == name)).mappings().first()
    return _space(row) if row is not None else None


def insert(connection: sa.Connection, space: Space, created_at: int) -> None:
    """Make a space."""
    connection.execute(sa.insert(table).values(id=space.id, created_at=created_at, **_columns(space)))


def update(connection: sa.Connection, space: Space) -> None:
    """Write what a space says of itself; its version is raised apart from this."""
    values = _columns(space)
    del values["config_version"]
    connection.execute(sa.update(table).where(table.c.id == space.id).values(values))


def raise_version(connection: sa.Connection, space: int) -> int:
    """Say that a space's directory has changed; the new version.

    Raises:
        NotFound: there is no such space.
    """
    statement = (
        sa.update(table)
        .where(table.c.id == space)
        .values(config_version=table.c.config_version + 1)
        .returning(table.c.config_version)
    )
    version = connection.execute(statement).scalar()
    if version is None:
        raise NotFound(f"space {space}")
    return int(version)


def _columns(space: Space) -> dict[str, Any]:
    return {
        "name": space.name,
        "timezone": space.timezone,
        "language": space.language,
        "public_url": space.public_url,
        "allow_callbacks": pack(space.allow_callbacks),
        "config_version": space.config_version,
    }


def _space(row: sa.RowMapping) -> Space:
    return Space(
        id=row["id"],
        name=row["name"],
        timezone=row["timezone"],
        language=row["language"],
        public_url=row["public_url"],
        allow_callbacks=unpack_texts(row["allow_callbacks"]),
        config_version=row["config_version"],
    )
