"""Small numbers for objects whose own ids are too long for the clients of an API.

An id of ours has 60 bits and more. A JavaScript client reads a JSON number with 53 bits of precision, so it would ask
for another object than it was shown (PushPlus' own MCP server is one of them).
"""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.store.engine import Database
from onebell.store.schema import shown_number, space
from onebell.store.upserts import pages


class Numbers:
    """Gives each object of a kind its number at first sight: 1, 2, 3 … in its space, never given twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def shown(self, at: int, kind: str, objects: Sequence[str]) -> dict[str, int]:
        """The number of each of these objects of space ``at``; ``objects`` are ids of ours, as text."""
        wanted = list(dict.fromkeys(objects))
        found = await self._database.read(lambda connection: _known(connection, at, kind, wanted))
        if len(found) == len(wanted):
            return found
        return await self._database.write(lambda connection: _ensure(connection, at, kind, wanted))

    async def meant(self, at: int, kind: str, number: int) -> str:
        """The object that has a number; empty when none has."""
        statement = sa.select(shown_number.c.object).where(
            shown_number.c.space_id == at, shown_number.c.kind == kind, shown_number.c.no == number
        )
        return await self._database.read(lambda connection: connection.scalar(statement)) or ""


def _known(connection: sa.Connection, at: int, kind: str, objects: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for page in pages(objects):
        statement = sa.select(shown_number.c.object, shown_number.c.no).where(
            shown_number.c.space_id == at, shown_number.c.kind == kind, shown_number.c.object.in_(page)
        )
        found.update((row.object, row.no) for row in connection.execute(statement))
    return found


def _ensure(connection: sa.Connection, at: int, kind: str, objects: Sequence[str]) -> dict[str, int]:
    # Two nodes that number at the same time wait for each other here; SQLite has one writer anyway.
    connection.execute(sa.select(space.c.id).where(space.c.id == at).with_for_update())
    found = _known(connection, at, kind, objects)
    highest = sa.select(sa.func.max(shown_number.c.no)).where(
        shown_number.c.space_id == at, shown_number.c.kind == kind
    )
    first = (connection.scalar(highest) or 0) + 1
    new = {one: first + place for place, one in enumerate(name for name in objects if name not in found)}
    rows = [{"space_id": at, "kind": kind, "no": number, "object": one} for one, number in new.items()]
    if rows:
        connection.execute(sa.insert(shown_number), rows)
    return found | new
