"""Records: the dialects' own configuration objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Record
from onebell.errors import NotFound
from onebell.store import room
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import record
from onebell.vault import ServerVault


class NewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a record holds; (dialect, kind, owner, key) is its name."""

    id: int
    dialect: str
    kind: str
    key: str
    owner: int = 0
    data: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    origin: str = Origin.API.value

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"NewRecord({self.id}, {self.dialect}, {self.kind}, {self.key!r})"


def seal_object(vault: ServerVault, secrets: Mapping[str, Any]) -> bytes | None:
    """An object of secrets, encrypted as one value; none when it is empty."""
    return vault.seal(msgspec.json.encode(secrets).decode()) if secrets else None


def unseal_object(vault: ServerVault, sealed: bytes | None) -> dict[str, Any]:
    """What :func:`seal_object` sealed."""
    return unpack_object(vault.unseal(sealed).encode()) if sealed else {}


def by_key(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, key: str, owner: int = 0
) -> Record | None:
    """One record."""
    condition = sa.and_(
        record.c.dialect == dialect, record.c.kind == kind, record.c.owner_id == owner, record.c.key == key
    )
    found = _where(connection, vault, space, condition)
    return found[0] if found else None


def is_elsewhere(connection: sa.Connection, space: int, dialect: str, kind: str, key: str) -> bool:
    """Whether another space has a record of this name."""
    theirs = sa.select(record.c.id).where(
        record.c.space_id != space, record.c.dialect == dialect, record.c.kind == kind, record.c.key == key
    )
    return connection.execute(theirs.limit(1)).first() is not None


def of_kind(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, owner: int | None = None
) -> list[Record]:
    """All records of a kind, of everybody or of one owner, oldest first."""
    condition = sa.and_(record.c.dialect == dialect, record.c.kind == kind)
    if owner is not None:
        condition &= record.c.owner_id == owner
    return _where(connection, vault, space, condition)


def of_origin(connection: sa.Connection, vault: ServerVault, space: int, origins: Sequence[str]) -> list[Record]:
    """All records that these origins made."""
    return _where(connection, vault, space, record.c.origin.in_(origins))


def origin_of(connection: sa.Connection, space: int, which: int) -> str:
    """Who made a record."""
    statement = sa.select(record.c.origin).where(record.c.space_id == space, record.c.id == which)
    return str(connection.execute(statement).scalar_one())


def _where(
    connection: sa.Connection, vault: ServerVault, space: int, condition: sa.ColumnElement[bool]
) -> list[Record]:
    statement = sa.select(record).where(record.c.space_id == space, condition).order_by(record.c.id)
    return [read_row(row, vault) for row in connection.execute(statement).mappings()]


def read_row(row: sa.RowMapping, vault: ServerVault) -> Record:
    """A row of ``record`` with its secrets in clear."""
    return Record(
        id=row["id"],
        space=row["space_id"],
        dialect=row["dialect"],
        kind=row["kind"],
        key=row["key"],
        owner=row["owner_id"],
        data=unpack_object(row["data"]),
        secrets=unseal_object(vault, row["secrets"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def insert(connection: sa.Connection, vault: ServerVault, space: int, new: NewRecord, now_ms: int) -> None:
    """Make a record."""
    connection.execute(
        sa.insert(record).values(
            space_id=space,
            id=new.id,
            dialect=new.dialect,
            kind=new.kind,
            key=new.key,
            owner_id=new.owner,
            data=pack(new.data),
            secrets=seal_object(vault, new.secrets),
            origin=new.origin,
            created_at=now_ms,
            updated_at=now_ms,
        )
    )


def update(connection: sa.Connection, space: int, which: int, now_ms: int, **columns: Any) -> None:
    """Write columns of a record. Raises ``NotFound``."""
    statement = sa.update(record).where(record.c.space_id == space, record.c.id == which)
    if not connection.execute(statement.values(**columns, updated_at=now_ms)).rowcount:
        raise NotFound(f"record {which}")


def mark_edited(connection: sa.Connection, space: int, which: int) -> None:
    """Note that what a file made was changed by somebody else."""
    connection.execute(
        sa.update(record)
        .where(record.c.space_id == space, record.c.id == which, record.c.origin == Origin.FILE.value)
        .values(origin=Origin.EDITED.value)
    )


def _own(space: int, owner: int, which: int) -> sa.ColumnElement[bool]:
    return sa.and_(record.c.space_id == space, record.c.owner_id == owner, record.c.id == which)


def _locked(space: int, dialect: str, kind: str, key: str, owner: int) -> sa.Select[Any]:
    return (
        sa.select(record.c.id, record.c.data)
        .where(
            record.c.space_id == space,
            record.c.dialect == dialect,
            record.c.kind == kind,
            record.c.owner_id == owner,
            record.c.key == key,
        )
        .with_for_update()
    )


def rewrite(
    connection: sa.Connection, space: int, owner: int, which: int, key: str, data: Mapping[str, Any], now_ms: int
) -> None:
    """Another key and other data of an owner's record. Raises ``NotFound``."""
    statement = sa.update(record).where(_own(space, owner, which))
    if not connection.execute(statement.values(key=key, data=pack(dict(data)), updated_at=now_ms)).rowcount:
        raise NotFound(f"record {which}")
    mark_edited(connection, space, which)


def discard(connection: sa.Connection, space: int, owner: int, which: int) -> None:
    """Remove an owner's record. Raises ``NotFound``."""
    if not connection.execute(sa.delete(record).where(_own(space, owner, which))).rowcount:
        raise NotFound(f"record {which}")


def remove(connection: sa.Connection, space: int, ids: Sequence[int]) -> None:
    """Remove records."""
    connection.execute(sa.delete(record).where(record.c.space_id == space, record.c.id.in_(ids)))


def remove_of_owner(connection: sa.Connection, space: int, owner: int) -> None:
    """Remove all records of a person or feed."""
    connection.execute(sa.delete(record).where(record.c.space_id == space, record.c.owner_id == owner))


class Records:
    """What the dialects' management APIs do with records."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def create(
        self,
        space: int,
        dialect: str,
        kind: str,
        key: str,
        *,
        owner: int = 0,
        data: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        most: int = 0,
    ) -> Record:
        """Make a record.

        Raises:
            Conflict: the owner has one of this kind and key.
            TooMany: he has ``most`` of this kind (0 = no limit).
        """
        vault = self._changes.vault
        new = NewRecord(
            id=self._changes.mint.mint(),
            dialect=dialect,
            kind=kind,
            key=key,
            owner=owner,
            data=dict(data or {}),
            secrets=dict(secrets or {}),
        )

        alike = (record.c.dialect == dialect, record.c.kind == kind)

        def work(connection: sa.Connection) -> Record:
            room.check(connection, record, space, owner, most, *alike)
            insert(connection, vault, space, new, self._changes.clock.now_ms())
            made = by_key(connection, vault, space, dialect, kind, key, owner)
            assert made is not None, "inserted in this transaction"
            return made

        return await self._changes.write(space, work)

    async def set_data(self, space: int, which: int, data: Mapping[str, Any]) -> None:
        """Replace a record's data. Raises ``NotFound``."""
        await self._edit(space, which, data=pack(dict(data)))

    async def set_secrets(self, space: int, which: int, secrets: Mapping[str, str]) -> None:
        """Replace a record's secrets. Raises ``NotFound``."""
        await self._edit(space, which, secrets=seal_object(self._changes.vault, secrets))

    async def remove(self, space: int, which: int) -> None:
        """Remove a record."""
        await self._changes.write(space, lambda connection: remove(connection, space, [which]))

    async def _edit(self, space: int, which: int, **columns: Any) -> None:
        def work(connection: sa.Connection) -> None:
            update(connection, space, which, self._changes.clock.now_ms(), **columns)
            mark_edited(connection, space, which)

        await self._changes.write(space, work)

    # ------------------------------------------------------------ what an owner does with his own

    async def owner_of(self, space: int, which: int) -> int | None:
        """Whose a record is; None when there is none."""
        statement = sa.select(record.c.owner_id).where(record.c.space_id == space, record.c.id == which)
        return await self._changes.database.read(lambda connection: connection.scalar(statement))

    async def rewrite(self, space: int, owner: int, which: int, key: str, data: Mapping[str, Any]) -> None:
        """Another key and other data. Raises ``NotFound``, ``Conflict`` when he has one of this key."""

        def work(connection: sa.Connection) -> None:
            rewrite(connection, space, owner, which, key, data, self._changes.clock.now_ms())

        await self._changes.write(space, work)

    async def discard(self, space: int, owner: int, which: int) -> None:
        """Remove an owner's record. Raises ``NotFound``."""
        await self._changes.write(space, lambda connection: discard(connection, space, owner, which))

    async def merge(
        self, space: int, dialect: str, kind: str, key: str, owner: int, changes: Mapping[str, Any]
    ) -> None:
        """Write these keys of a record's data and leave the others; the record is made when it is missing."""
        new = NewRecord(
            id=self._changes.mint.mint(), dialect=dialect, kind=kind, key=key, owner=owner, data=dict(changes)
        )

        def work(connection: sa.Connection) -> None:
            now_ms = self._changes.clock.now_ms()
            row = connection.execute(_locked(space, dialect, kind, key, owner)).one_or_none()
            if row is None:
                insert(connection, self._changes.vault, space, new, now_ms)
                return
            update(connection, space, row.id, now_ms, data=pack({**unpack_object(row.data), **changes}))
            mark_edited(connection, space, row.id)

        await self._changes.write(space, work)
