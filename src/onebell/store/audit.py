"""Who changed what, for the operator."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.clock import Clock
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import audit


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change; ``detail`` never holds secrets."""

    id: int
    who: str  # a uid, "file", or a credential's name
    what: str  # a verb: created, changed, removed, signed_in, applied …
    object: str  # "person alice"
    detail: dict[str, Any]
    created_at: int


def write(
    connection: sa.Connection,
    space: int,
    number: int,
    now_ms: int,
    who: str,
    what: str,
    thing: str,
    detail: Mapping[str, Any],
) -> None:
    """Note a change in the transaction that makes it."""
    connection.execute(
        sa.insert(audit).values(
            space_id=space,
            id=number,
            who=who,
            what=what,
            object=thing,
            detail=pack(dict(detail)),
            created_at=now_ms,
        )
    )


def newest(connection: sa.Connection, space: int, before: int, limit: int) -> list[AuditRow]:
    """Changes, newest first, older than the one with id ``before`` (0 = from the newest)."""
    statement = sa.select(audit).where(audit.c.space_id == space).order_by(audit.c.id.desc()).limit(limit)
    if before:
        statement = statement.where(audit.c.id < before)
    return [
        AuditRow(
            id=row["id"],
            who=row["who"],
            what=row["what"],
            object=row["object"],
            detail=unpack_object(row["detail"]),
            created_at=row["created_at"],
        )
        for row in connection.execute(statement).mappings()
    ]


class Audit:
    """The operator's log of changes."""

    def __init__(self, database: Database, mint: IdMint, clock: Clock) -> None:
        self._database = database
        self._mint = mint
        self._clock = clock

    async def note(self, space: int, who: str, what: str, thing: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note a change that has been made."""
        number, now_ms = self._mint.mint(), self._clock.now_ms()
        await self._database.write(
            lambda connection: write(connection, space, number, now_ms, who, what, thing, detail or {})
        )

    async def page(self, space: int, before: int = 0, limit: int = 100) -> list[AuditRow]:
        """Changes, newest first."""
        return await self._database.read(lambda connection: newest(connection, space, before, limit))
