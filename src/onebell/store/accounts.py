"""Accounts: a person's identity in one Easemob app."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.accounts import NewAccount
from onebell.core.directory import Account
from onebell.errors import NotFound
from onebell.store.packed import unpack_object
from onebell.store.schema import account
from onebell.store.upserts import pages


def by_name(connection: sa.Connection, space: int, app: str, name: str) -> Account | None:
    """The account of this name, compared without case."""
    found = _where(connection, space, sa.and_(account.c.app == app, account.c.name == name.lower()))
    return found[0] if found else None


def by_names(connection: sa.Connection, space: int, app: str, names: Sequence[str]) -> dict[str, Account]:
    """Accounts by lower-case name, as far as they exist."""
    keys = [name.lower() for name in names]
    return {
        found.name: found
        for page in pages(keys)
        for found in _where(connection, space, sa.and_(account.c.app == app, account.c.name.in_(page)))
    }


def of_app(
    connection: sa.Connection, space: int, app: str, after: tuple[int, str] = (0, ""), limit: int = 500
) -> list[Account]:
    """Accounts of an app, oldest first, behind the one that was made then and has this name."""
    when, name = after
    later = sa.or_(
        account.c.created_at > when,
        sa.and_(account.c.created_at == when, account.c.name > name),
    )
    statement = sa.select(account).where(account.c.space_id == space, account.c.app == app, later)
    rows = connection.execute(statement.order_by(account.c.created_at, account.c.name).limit(limit)).mappings()
    return [_account(row) for row in rows]


def of_person(connection: sa.Connection, space: int, person: int) -> list[Account]:
    """The accounts of a person."""
    return _where(connection, space, account.c.person_id == person)


def of_origin(connection: sa.Connection, space: int, origins: Sequence[str]) -> list[Account]:
    """All accounts that these origins made."""
    return _where(connection, space, account.c.origin.in_(origins))


def _where(connection: sa.Connection, space: int, condition: sa.ColumnElement[bool]) -> list[Account]:
    statement = sa.select(account).where(account.c.space_id == space, condition)
    rows = connection.execute(statement.order_by(account.c.app, account.c.name)).mappings()
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
        tokens_from=row["tokens_from"],
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


def settings_to_change(connection: sa.Connection, space: int, app: str, name: str) -> dict[str, Any]:
    """An account's settings, which nobody else changes until this transaction ends. Raises ``NotFound``."""
    mine = sa.and_(account.c.space_id == space, account.c.app == app, account.c.name == name.lower())
    kept = connection.execute(sa.select(account.c.settings).where(mine).with_for_update()).one_or_none()
    if kept is None:
        raise NotFound(f"account {name} in {app}")
    return unpack_object(kept.settings)


def remove(connection: sa.Connection, space: int, app: str, name: str) -> bool:
    """Remove an account; False when there is none. What becomes of its person is the caller's decision."""
    statement = sa.delete(account).where(
        account.c.space_id == space, account.c.app == app, account.c.name == name.lower()
    )
    return bool(connection.execute(statement).rowcount)
