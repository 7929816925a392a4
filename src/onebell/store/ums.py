"""What only UMS asks of the directory."""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.store import schema
from onebell.store.engine import Database


class UmsStore:
    """Verbs of the UMS dialect."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def bound_tags(self, space: int, scope: str, tags: Sequence[str]) -> frozenset[str]:
        """Which of these tags anybody holds under this scope (sheet jpush-ums §3.1)."""
        table = schema.tag
        statement = (
            sa.select(table.c.tag)
            .where(table.c.space_id == space, table.c.scope == scope, table.c.tag.in_(tags))
            .distinct()
        )
        return await self._db.read(lambda connection: frozenset(connection.scalars(statement)))
