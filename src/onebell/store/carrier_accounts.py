"""Carrier accounts: configured instances of a carrier."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import CarrierAccount
from onebell.errors import NotFound
from onebell.store import targets
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack, unpack_object, unpack_texts
from onebell.store.records import seal_object, unseal_object
from onebell.store.schema import carrier_account
from onebell.store.schema import space as spaces
from onebell.vault import ServerVault


class NewCarrierAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account starts with; fields that the manifest calls secret are kept apart from the others."""

    id: int
    code: str
    kind: str
    name: str = ""
    fields: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    allow_networks: tuple[str, ...] = ()
    max_age_s: int = 0
    owner: int = 0
    is_foreign: bool = False
    origin: str = Origin.API.value

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"NewCarrierAccount({self.id}, {self.code!r}, {self.kind})"


def split_secrets(fields: Mapping[str, Any], secret: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(open fields, secret fields)."""
    return (
        {name: value for name, value in fields.items() if name not in secret},
        {name: value for name, value in fields.items() if name in secret},
    )


def every(connection: sa.Connection, vault: ServerVault, space: int) -> list[CarrierAccount]:
    """All accounts, oldest first."""
    return _where(connection, vault, space, sa.true())


def origins(connection: sa.Connection, space: int) -> dict[str, str]:
    """Who made each account, by code."""
    statement = sa.select(carrier_account.c.code, carrier_account.c.origin).where(carrier_account.c.space_id == space)
    return {row.code: row.origin for row in connection.execute(statement)}


def by_code(connection: sa.Connection, vault: ServerVault, space: int, code: str) -> CarrierAccount | None:
    """The account of this code."""
    found = _where(connection, vault, space, carrier_account.c.code == code)
    return found[0] if found else None


def by_id(connection: sa.Connection, vault: ServerVault, space: int, which: int) -> CarrierAccount | None:
    """One account."""
    found = _where(connection, vault, space, carrier_account.c.id == which)
    return found[0] if found else None


def _where(
    connection: sa.Connection, vault: ServerVault, space: int, condition: sa.ColumnElement[bool]
) -> list[CarrierAccount]:
    statement = (
        sa.select(carrier_account, spaces.c.allow_callbacks)
        .join(spaces, spaces.c.id == carrier_account.c.space_id)
        .where(carrier_account.c.space_id == space, condition)
    )
    rows = connection.execute(statement.order_by(carrier_account.c.id)).mappings()
    return [read_row(row, vault) for row in rows]


def read_row(row: sa.RowMapping, vault: ServerVault) -> CarrierAccount:
    """A row of ``carrier_account``, with its space's ``allow_callbacks`` and its secrets in clear."""
    return CarrierAccount(
        id=row["id"],
        space=row["space_id"],
        code=row["code"],
        kind=row["kind"],
        name=row["name"],
        fields=unpack_object(row["fields"]) | unseal_object(vault, row["secrets"]),
        allow_networks=unpack_texts(row["allow_networks"]),
        max_age_s=row["max_age_s"],
        owner=row["owner_id"],
        enabled=bool(row["enabled"]),
        stopped_why=row["stopped_why"],
        is_foreign=bool(row["is_foreign"]),
        allow_origins=unpack_texts(row["allow_callbacks"]) if row["is_foreign"] else (),
    )


def insert(connection: sa.Connection, vault: ServerVault, space: int, new: NewCarrierAccount, now_ms: int) -> None:
    """Make an account."""
    connection.execute(
        sa.insert(carrier_account).values(
            space_id=space,
            id=new.id,
            code=new.code,
            kind=new.kind,
            name=new.name,
            fields=pack(new.fields),
            secrets=seal_object(vault, new.secrets),
            allow_networks=pack(new.allow_networks),
            max_age_s=new.max_age_s,
            owner_id=new.owner,
            is_foreign=int(new.is_foreign),
            origin=new.origin,
            created_at=now_ms,
            updated_at=now_ms,
        )
    )


def update(connection: sa.Connection, space: int, which: int, now_ms: int, **columns: Any) -> None:
    """Write columns of an account; with other fields it begins anew. Raises ``NotFound``."""
    statement = sa.update(carrier_account).where(carrier_account.c.space_id == space, carrier_account.c.id == which)
    if not connection.execute(statement.values(**columns, updated_at=now_ms)).rowcount:
        raise NotFound(f"carrier account {which}")
    if "fields" in columns:
        targets.begin_anew(connection, space, which)


def remove(connection: sa.Connection, space: int, ids: Sequence[int]) -> None:
    """Remove accounts; their deliveries stay as history."""
    connection.execute(
        sa.delete(carrier_account).where(carrier_account.c.space_id == space, carrier_account.c.id.in_(ids))
    )


def remove_of_owner(connection: sa.Connection, space: int, owner: int) -> None:
    """Remove what a person made for himself."""
    mine = (carrier_account.c.space_id == space, carrier_account.c.owner_id == owner)
    connection.execute(sa.delete(carrier_account).where(*mine, carrier_account.c.is_foreign == 1))


class CarrierAccounts:
    """What the console, the APIs and the dispatcher change of carrier accounts."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def every(self, space: int) -> list[CarrierAccount]:
        """All accounts, oldest first."""
        return await self._changes.database.read(lambda connection: every(connection, self._changes.vault, space))

    async def create(
        self,
        space: int,
        code: str,
        kind: str,
        fields: Mapping[str, Any],
        secret: Collection[str],
        *,
        name: str = "",
        allow_networks: Sequence[str] = (),
        owner: int = 0,
    ) -> CarrierAccount:
        """Make an account; ``secret`` names the manifest's secret fields. Raises ``Conflict``: the code is taken."""
        vault = self._changes.vault
        plain, hidden = split_secrets(fields, secret)
        new = NewCarrierAccount(
            id=self._changes.mint.mint(),
            code=code,
            kind=kind,
            name=name,
            fields=plain,
            secrets=hidden,
            allow_networks=tuple(allow_networks),
            owner=owner,
        )

        def work(connection: sa.Connection) -> CarrierAccount:
            insert(connection, vault, space, new, self._changes.clock.now_ms())
            made = by_id(connection, vault, space, new.id)
            assert made is not None, "inserted in this transaction"
            return made

        return await self._changes.write(space, work)

    async def set_fields(self, space: int, which: int, fields: Mapping[str, Any], secret: Collection[str]) -> None:
        """Replace an account's fields and let it go again if it had stopped. Raises ``NotFound``."""
        plain, hidden = split_secrets(fields, secret)
        sealed = seal_object(self._changes.vault, hidden)
        await self._edit(space, which, fields=pack(plain), secrets=sealed, stopped_why="")

    async def stop(self, space: int, which: int, why: str) -> None:
        """The provider refuses the account: nothing is sent before somebody looks at it. Raises ``NotFound``."""
        await self._write(space, which, stopped_why=why or "stopped")

    async def resume(self, space: int, which: int) -> None:
        """Send again. Raises ``NotFound``."""
        await self._write(space, which, stopped_why="")

    async def enable(self, space: int, which: int) -> None:
        """Switch on. Raises ``NotFound``."""
        await self._edit(space, which, enabled=1)

    async def disable(self, space: int, which: int) -> None:
        """Switch off. Raises ``NotFound``."""
        await self._edit(space, which, enabled=0)

    async def remove(self, space: int, which: int) -> None:
        """Remove an account; its deliveries stay as history."""
        await self._changes.write(space, lambda connection: remove(connection, space, [which]))

    async def _write(self, space: int, which: int, **columns: Any) -> None:
        now_ms = self._changes.clock.now_ms()
        await self._changes.write(space, lambda connection: update(connection, space, which, now_ms, **columns))

    async def _edit(self, space: int, which: int, **columns: Any) -> None:
        def work(connection: sa.Connection) -> None:
            update(connection, space, which, self._changes.clock.now_ms(), **columns)
            here = sa.and_(carrier_account.c.space_id == space, carrier_account.c.id == which)
            connection.execute(
                sa.update(carrier_account)
                .where(here, carrier_account.c.origin == Origin.FILE.value)
                .values(origin=Origin.EDITED.value)
            )

        await self._changes.write(space, work)
