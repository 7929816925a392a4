"""Rows as the accepting transaction leaves them, for tests of what comes after it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from tests.fakes.clock import MovedClock

from onebell.core.model import CallbackTarget, Content, Part
from onebell.ids import IdMint
from onebell.store import schema
from onebell.store.engine import Database

SPACE = 7


@dataclass
class Rows:
    """Writes rows into a store; every id is minted."""

    db: Database
    clock: MovedClock = field(default_factory=MovedClock)
    node: int = 1

    def __post_init__(self) -> None:
        self.mint = IdMint(self.clock, self.node)

    async def put(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows."""
        await self.db.write(lambda connection: connection.execute(sa.insert(table), list(rows)))

    async def all(self, table: sa.Table, **where: Any) -> list[Any]:
        """Rows of the space, in order of their keys."""
        statement = sa.select(table).where(table.c.space_id == SPACE, *(table.c[k] == v for k, v in where.items()))
        statement = statement.order_by(*table.primary_key.columns)
        return await self.db.read(lambda connection: list(connection.execute(statement)))

    async def one(self, table: sa.Table, **where: Any) -> Any:
        """The only row that matches."""
        (row,) = await self.all(table, **where)
        return row

    async def space(self, **values: Any) -> None:
        """The space itself."""
        await self.put(schema.space, [{"id": SPACE, "name": "test", "public_url": "https://bell.example", **values}])

    async def account(self, code: str = "fake", kind: str = "fake", **values: Any) -> int:
        """A carrier account."""
        new = self.mint.mint()
        await self.put(schema.carrier_account, [{"space_id": SPACE, "id": new, "code": code, "kind": kind, **values}])
        return new

    async def target(self, account: int, value: str, **values: Any) -> int:
        """An address on an account."""
        new = self.mint.mint()
        row = {"space_id": SPACE, "id": new, "account_id": account, "value": value, **values}
        await self.put(schema.target, [row])
        return new

    async def message(
        self, *, parts: Sequence[Part] = (), callback: CallbackTarget | None = None, **values: Any
    ) -> int:
        """An accepted message."""
        new = self.mint.mint()
        stored = parts or (Part(content=Content(title="t", body="b")),)
        row = {
            "space_id": SPACE,
            "id": new,
            "dialect": "test",
            "public_id": f"public-{new}",
            "parts": msgspec.json.encode(stored),
            "callback": msgspec.json.encode(callback),
            "created_at": self.clock.now_ms(),
            **values,
        }
        await self.put(schema.message, [row])
        return new

    async def delivery(self, message: int, account: int, target: int, **values: Any) -> int:
        """An open delivery."""
        new = self.mint.mint()
        now = self.clock.now_ms()
        row = {
            "space_id": SPACE,
            "id": new,
            "message_id": message,
            "account_id": account,
            "target_id": target,
            "due_at": now,
            "created_at": now,
            **values,
        }
        await self.put(schema.delivery, [row])
        return new

    async def person(self, uid: str, **values: Any) -> int:
        """A person with his party and his mailbox."""
        (new,) = await self.people([uid], **values)
        return new

    async def people(self, uids: Sequence[str], **values: Any) -> list[int]:
        """People with their parties and mailboxes."""
        ids = [self.mint.mint() for _ in uids]
        named = list(zip(ids, uids, strict=True))
        await self.put(
            schema.party, [{"space_id": SPACE, "id": new, "kind": "person", "name": uid} for new, uid in named]
        )
        await self.put(
            schema.person,
            [{"space_id": SPACE, "id": new, "uid": uid, "uid_key": uid.lower(), **values} for new, uid in named],
        )
        await self.put(schema.mailbox, [{"space_id": SPACE, "id": new, "kind": "person"} for new in ids])
        return ids
