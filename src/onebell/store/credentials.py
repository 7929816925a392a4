"""Credentials: issued values, found by their digest, and chosen passwords, found by a name."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Credential
from onebell.errors import Conflict, InvalidInput, NotFound
from onebell.store import room
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import credential, credential_lookup
from onebell.store.upserts import pages
from onebell.vault import ServerVault


class NewCredential(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential starts with: an issued ``value`` or a chosen ``password_hash``."""

    id: int
    dialect: str
    kind: str
    name: str = ""
    owner: int = 0
    holder: int = 0
    value: str = ""
    password_hash: str = ""
    settings: dict[str, Any] = {}
    expires_at: int = 0
    origin: str = Origin.API.value

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"NewCredential({self.id}, {self.dialect}, {self.kind}, {self.name!r})"


# ---------------------------------------------------------------- reading


def found_by(connection: sa.Connection, digest: bytes) -> tuple[int, int] | None:
    """(space, credential) of an issued value's digest."""
    statement = sa.select(credential_lookup.c.space_id, credential_lookup.c.credential_id)
    row = connection.execute(statement.where(credential_lookup.c.digest == digest)).first()
    return (row.space_id, row.credential_id) if row is not None else None


def by_ids(connection: sa.Connection, vault: ServerVault, space: int, ids: Sequence[int]) -> list[Credential]:
    """These credentials, as far as they exist."""
    return [found for page in pages(ids) for found in _where(connection, vault, space, credential.c.id.in_(page))]


def by_id(connection: sa.Connection, vault: ServerVault, space: int, which: int) -> Credential | None:
    """One credential."""
    found = by_ids(connection, vault, space, [which])
    return found[0] if found else None


def named(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, name: str
) -> Credential | None:
    """The credential of this name; the oldest when several share it."""
    found = all_named(connection, vault, space, dialect, kind, name)
    return found[0] if found else None


def all_named(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, name: str
) -> list[Credential]:
    """All credentials of this name, oldest first."""
    condition = sa.and_(credential.c.dialect == dialect, credential.c.kind == kind, credential.c.name == name)
    return _where(connection, vault, space, condition)


def of_origin(connection: sa.Connection, vault: ServerVault, space: int, origins: Sequence[str]) -> list[Credential]:
    """All credentials that these origins made."""
    return _where(connection, vault, space, credential.c.origin.in_(origins))


def origins(connection: sa.Connection, space: int, ids: Sequence[int]) -> dict[int, str]:
    """Who made each of these."""
    found: dict[int, str] = {}
    for page in pages(ids):
        statement = sa.select(credential.c.id, credential.c.origin)
        rows = connection.execute(statement.where(credential.c.space_id == space, credential.c.id.in_(page)))
        found.update((row.id, row.origin) for row in rows)
    return found


def of_kind(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, owner: int | None = None
) -> list[Credential]:
    """All credentials of a kind, of everybody or of one owner, oldest first."""
    condition = sa.and_(credential.c.dialect == dialect, credential.c.kind == kind)
    if owner is not None:
        condition &= credential.c.owner_id == owner
    return _where(connection, vault, space, condition)


def of_holder(
    connection: sa.Connection, vault: ServerVault, space: int, dialect: str, kind: str, holder: int
) -> list[Credential]:
    """All credentials of a kind that only this person may show, oldest first."""
    condition = sa.and_(credential.c.dialect == dialect, credential.c.kind == kind, credential.c.holder_id == holder)
    return _where(connection, vault, space, condition)


def _where(
    connection: sa.Connection, vault: ServerVault, space: int, condition: sa.ColumnElement[bool]
) -> list[Credential]:
    statement = sa.select(credential).where(credential.c.space_id == space, condition).order_by(credential.c.id)
    return [read_row(row, vault) for row in connection.execute(statement).mappings()]


def read_row(row: sa.RowMapping, vault: ServerVault) -> Credential:
    """A row of ``credential`` with its value in clear."""
    return Credential(
        id=row["id"],
        space=row["space_id"],
        dialect=row["dialect"],
        kind=row["kind"],
        name=row["name"],
        owner=row["owner_id"],
        value=vault.unseal(row["value"]) if row["value"] else "",
        password_hash=row["password_hash"],
        settings=unpack_object(row["settings"]),
        enabled=bool(row["enabled"]),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        holder=row["holder_id"],
    )


# ---------------------------------------------------------------- writing


def insert(connection: sa.Connection, vault: ServerVault, space: int, new: NewCredential, now_ms: int) -> None:
    """Make a credential. Raises ``Conflict`` when the value is issued already, in whatever space."""
    if new.value:
        add_lookup(connection, vault, space, new.id, new.dialect, new.kind, new.value)
    connection.execute(
        sa.insert(credential).values(
            space_id=space,
            id=new.id,
            dialect=new.dialect,
            kind=new.kind,
            name=new.name,
            owner_id=new.owner,
            holder_id=new.holder,
            value=vault.seal(new.value) if new.value else None,
            password_hash=new.password_hash,
            settings=pack(new.settings),
            expires_at=new.expires_at,
            origin=new.origin,
            created_at=now_ms,
        )
    )


def add_lookup(
    connection: sa.Connection, vault: ServerVault, space: int, which: int, dialect: str, kind: str, value: str
) -> None:
    """Let a value be found. Raises ``Conflict`` when it is issued already, in whatever space."""
    digest = vault.digest(dialect, kind, value)
    if found_by(connection, digest) is not None:
        raise Conflict(f"this {dialect} {kind} is issued already")
    connection.execute(sa.insert(credential_lookup).values(digest=digest, space_id=space, credential_id=which))


def replace_value(connection: sa.Connection, vault: ServerVault, space: int, old: Credential, value: str) -> None:
    """Give a credential another issued value; the old one is not found any more."""
    _remove_lookups(connection, space, [old.id])
    add_lookup(connection, vault, space, old.id, old.dialect, old.kind, value)
    update(connection, space, old.id, value=vault.seal(value))


def update(connection: sa.Connection, space: int, which: int, **columns: Any) -> None:
    """Write columns of a credential. Raises ``NotFound``."""
    statement = sa.update(credential).where(credential.c.space_id == space, credential.c.id == which)
    if not connection.execute(statement.values(**columns)).rowcount:
        raise NotFound(f"credential {which}")


def remove(connection: sa.Connection, space: int, ids: Sequence[int]) -> None:
    """Revoke credentials."""
    _remove_lookups(connection, space, ids)
    for page in pages(ids):
        connection.execute(sa.delete(credential).where(credential.c.space_id == space, credential.c.id.in_(page)))


def remove_of_owner(connection: sa.Connection, space: int, owner: int) -> None:
    """Revoke all credentials of a person or feed, and those that only this person may show."""
    theirs = sa.or_(credential.c.owner_id == owner, credential.c.holder_id == owner)
    statement = sa.select(credential.c.id).where(credential.c.space_id == space, theirs)
    remove(connection, space, connection.execute(statement).scalars().all())


def _remove_lookups(connection: sa.Connection, space: int, ids: Sequence[int]) -> None:
    for page in pages(ids):
        connection.execute(
            sa.delete(credential_lookup).where(
                credential_lookup.c.space_id == space, credential_lookup.c.credential_id.in_(page)
            )
        )


class Credentials:
    """What the APIs and the command line do with credentials."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def issue(
        self,
        space: int,
        dialect: str,
        kind: str,
        value: str,
        *,
        name: str = "",
        owner: int = 0,
        holder: int = 0,
        settings: Mapping[str, Any] | None = None,
        expires_at: int = 0,
        most: int = 0,
    ) -> Credential:
        """Issue ``value``, which the caller made random.

        Raises:
            Conflict: it is issued already.
            TooMany: the owner has ``most`` of this kind (0 = no limit).
        """
        if not value:
            raise InvalidInput("an issued value is not empty", "value")
        new = NewCredential(
            id=self._changes.mint.mint(),
            dialect=dialect,
            kind=kind,
            name=name,
            owner=owner,
            holder=holder,
            value=value,
            settings=dict(settings or {}),
            expires_at=expires_at,
        )
        return await self._insert(space, new, most)

    async def choose(
        self,
        space: int,
        dialect: str,
        kind: str,
        name: str,
        password: str,
        *,
        owner: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Credential:
        """Keep a chosen password under ``name``. Raises ``Conflict`` when there is one of this name."""
        new = NewCredential(
            id=self._changes.mint.mint(),
            dialect=dialect,
            kind=kind,
            name=name,
            owner=owner,
            password_hash=await self._changes.vault.hash_password(password),
            settings=dict(settings or {}),
        )
        return await self._insert(space, new)

    async def _insert(self, space: int, new: NewCredential, most: int = 0) -> Credential:
        vault = self._changes.vault
        alike = (credential.c.dialect == new.dialect, credential.c.kind == new.kind)

        def work(connection: sa.Connection) -> Credential:
            room.check(connection, credential, space, new.owner, most, *alike)
            taken = new.password_hash and named(connection, vault, space, new.dialect, new.kind, new.name)
            if taken:
                raise Conflict(f"{new.dialect} {new.kind} {new.name} exists")
            insert(connection, vault, space, new, self._changes.clock.now_ms())
            return by_ids(connection, vault, space, [new.id])[0]

        return await self._changes.write(space, work)

    async def reissue(self, space: int, old: Credential, value: str) -> None:
        """Another value for the same credential. Raises ``Conflict``, ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            replace_value(connection, self._changes.vault, space, old, value)
            mark_edited(connection, space, old.id)

        await self._changes.write(space, work)

    async def set_password(self, space: int, which: int, password: str) -> None:
        """Another chosen password. Raises ``NotFound``."""
        await self._edit(space, which, password_hash=await self._changes.vault.hash_password(password))

    async def set_settings(self, space: int, which: int, settings: Mapping[str, Any]) -> None:
        """Replace a credential's settings. Raises ``NotFound``."""
        await self._edit(space, which, settings=pack(dict(settings)))

    async def enable(self, space: int, which: int) -> None:
        """Let it work again. Raises ``NotFound``."""
        await self._edit(space, which, enabled=1)

    async def disable(self, space: int, which: int) -> None:
        """Keep it, but let nobody use it. Raises ``NotFound``."""
        await self._edit(space, which, enabled=0)

    async def remove(self, space: int, which: int) -> None:
        """Revoke it."""
        await self._changes.write(space, lambda connection: remove(connection, space, [which]))

    async def _edit(self, space: int, which: int, **columns: Any) -> None:
        def work(connection: sa.Connection) -> None:
            update(connection, space, which, **columns)
            mark_edited(connection, space, which)

        await self._changes.write(space, work)


def mark_edited(connection: sa.Connection, space: int, which: int) -> None:
    """Note that what a file made was changed by somebody else."""
    connection.execute(
        sa.update(credential)
        .where(
            credential.c.space_id == space,
            credential.c.id == which,
            credential.c.origin == Origin.FILE.value,
        )
        .values(origin=Origin.EDITED.value)
    )
