"""Small things a space remembers."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from onebell.store.packed import pack, unpack_object
from onebell.store.schema import setting
from onebell.store.upserts import insert_or_update


def read(connection: sa.Connection, space: int, key: str) -> dict[str, Any]:
    """An object that was written before; an empty one when none was."""
    statement = sa.select(setting.c.value).where(setting.c.space_id == space, setting.c.key == key)
    return unpack_object(connection.execute(statement).scalar())


def write(connection: sa.Connection, space: int, key: str, value: Mapping[str, Any]) -> None:
    """Remember an object."""
    row = {"space_id": space, "key": key, "value": pack(dict(value))}
    insert_or_update(connection, setting, [row], ["value"])
