"""Accounts: a person's identity in one Easemob app."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Account
from onebell.errors import NotFound
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import account


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account starts with."""

    app: str
    name: str
    person: int
    uuid: str
    password_hash: str = ""
    nickname: str = ""
    origin: str = Origin.API.value


def by_name(connection: sa.Connection, space: int, app: str, name: str) -> Account | None:
    """The account of this name, compared without case."""
    found = _where(connection, space, sa.and_(account.c.app == app, account.c.name == name.lower()))
    return found[0] if found else None


def of_app(connection: sa.Connection, space: int, app: str, after: str = "", limit: int = 500) -> list[Account]:
    """Accounts of an app in the order of their names, after ``after``."""
    condition = sa.and_(account.c.app == app, account.c.name > after)
    return _where(connection, space, condition, limit)


def of_person(connection: sa.Connection, space: int, person: int) -> list[Account]:
    """The accounts of a person."""
    return _where(connection, space, account.c.person_id == person)


def of_origin(connection: sa.Connection, space: int, origins: Sequence[str]) -> list[Account]:
    """All accounts that these origins made."""
    return _where(connection, space, account.c.origin.in_(origins))


def _where(
    connection: sa.Connection, space: int, condition: sa.ColumnElement[bool], limit: int | None = None
) -> list[Account]:
    statement = sa.select(account).where(account.c.space_id == space, condition)
    rows = connection.execute(statement.order_by(account.c.app, account.c.name).limit(limit)).mappings()
    return [_account(row) for row in rows]


def _account(row: sa.RowMapping) -> Account:
    return Account(
        app=row["app"],
        name=row["name"],
        space=row["space_id"],
        person=row["person_id"],
        uuid=row["uuid"],
        password_hash=row["password_hash"],
        nickname=row["nickname"],
        active=bool(row["active"]),
        settings=unpack_object(row["settings"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def insert(connection: sa.Connection, space: int, new: Sequence[NewAccount], now_ms: int) -> None:
    """Make accounts."""
    if not new:
        return
    rows = [
        {
            "space_id": space,
            "app": one.app,
            "name": one.name.lower(),
            "person_id": one.person,
            "uuid": one.uuid,
            "password_hash": one.password_hash,
            "nickname": one.nickname,
            "origin": one.origin,
            "created_at": now_ms,
            "updated_at": now_ms,
        }
        for one in new
    ]
    connection.execute(sa.insert(account), rows)


def update(connection: sa.Connection, space: int, app: str, name: str, now_ms: int, **columns: Any) -> None:
    """Write columns of an account. Raises ``NotFound``."""
    statement = sa.update(account).where(
        account.c.space_id == space, account.c.app == app, account.c.name == name.lower()
    )
    if not connection.execute(statement.values(**columns, updated_at=now_ms)).rowcount:
        raise NotFound(f"account {name} in {app}")


def remove(connection: sa.Connection, space: int, app: str, name: str) -> bool:
    """Remove an account; False when there is none. What becomes of its person is the caller's decision."""
    statement = sa.delete(account).where(
        account.c.space_id == space, account.c.app == app, account.c.name == name.lower()
    )
    return bool(connection.execute(statement).rowcount)


class Accounts:
    """What Easemob's user API does with accounts."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def create(self, space: int, new: NewAccount) -> Account:
        """Make an account. Raises ``Conflict``: the name is taken in this app, or there is no such person."""

        def work(connection: sa.Connection) -> Account:
            insert(connection, space, [new], self._changes.clock.now_ms())
            made = by_name(connection, space, new.app, new.name)
            assert made is not None, "inserted in this transaction"
            return made

        return await self._changes.write(space, work)

    async def page(self, space: int, app: str, after: str = "", limit: int = 100) -> list[Account]:
        """Accounts of an app in the order of their names, after ``after``."""
        return await self._changes.database.read(lambda connection: of_app(connection, space, app, after, limit))

    async def set_password_hash(self, space: int, app: str, name: str, password_hash: str) -> None:
        """Another password. Raises ``NotFound``."""
        await self._edit(space, app, name, password_hash=password_hash)

    async def set_nickname(self, space: int, app: str, name: str, nickname: str) -> None:
        """Another name shown. Raises ``NotFound``."""
        await self._edit(space, app, name, nickname=nickname)

    async def activate(self, space: int, app: str, name: str) -> None:
        """Let him in again. Raises ``NotFound``."""
        await self._edit(space, app, name, active=1)

    async def deactivate(self, space: int, app: str, name: str) -> None:
        """Keep the account, but let nobody in. Raises ``NotFound``."""
        await self._edit(space, app, name, active=0)

    async def set_settings(self, space: int, app: str, name: str, settings: Mapping[str, Any]) -> None:
        """Replace an account's settings. Raises ``NotFound``."""
        await self._edit(space, app, name, settings=pack(dict(settings)))

    async def remove(self, space: int, app: str, name: str) -> bool:
        """Remove an account; False when there is none."""
        return await self._changes.write(space, lambda connection: remove(connection, space, app, name))

    async def _edit(self, space: int, app: str, name: str, **columns: Any) -> None:
        now_ms = self._changes.clock.now_ms()
        await self._changes.write(space, lambda connection: update(connection, space, app, name, now_ms, **columns))
