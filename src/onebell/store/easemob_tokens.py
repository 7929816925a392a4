"""Easemob's tokens: credentials that are found by their value and end with what they were issued for."""

from typing import Any

import sqlalchemy as sa

from onebell.core.accounts import NewToken
from onebell.store import credentials
from onebell.store.packed import pack
from onebell.store.queueing import ZERO
from onebell.store.schema import account, credential, credential_lookup

DIALECT = "easemob"
TOKEN = "token"
PIECE = 500
"""Tokens that one transaction forgets."""


# Made once: 300 tokens are issued a second, and making a statement costs more than running it.
_standing = (
    sa.select(account.c.active, account.c.password_hash)
    .where(
        account.c.space_id == sa.bindparam("space", type_=sa.BigInteger),
        account.c.app == sa.bindparam("app", type_=sa.Text),
        account.c.name == sa.bindparam("name", type_=sa.Text),
    )
    .with_for_update(read=True)
)
_new_credential = sa.insert(credential)
_new_lookup = sa.insert(credential_lookup)


def _name(app: str, user: str) -> str:
    return f"{app}/{user}"


def is_current(connection: sa.Connection, space: int, new: NewToken) -> bool:
    """Whether its account is still there, active and of this password. Held until the transaction ends: who changes
    the account meanwhile ends the token too."""
    row = connection.execute(_standing, {"space": space, "app": new.app, "name": new.user}).first()
    if row is None or not row.active:
        return False
    return new.password_hash is None or row.password_hash == new.password_hash


def insert(connection: sa.Connection, space: int, which: int, digest: bytes, new: NewToken, now_ms: int) -> None:
    """Let a token be found by its digest."""
    row: dict[str, Any] = {
        "space_id": space,
        "id": which,
        "dialect": DIALECT,
        "kind": TOKEN,
        "name": _name(new.app, new.user),
        "owner_id": new.person,
        "settings": pack({"app": new.app, "user": new.user}),
        "expires_at": new.expires_at,
        "origin": "api",
        "created_at": now_ms,
    }
    connection.execute(_new_credential, [row])
    lookup = {"digest": digest, "space_id": space, "credential_id": which}
    connection.execute(_new_lookup, [lookup])


def end_all(connection: sa.Connection, space: int, app: str, user: str) -> None:
    """End all tokens of a user."""
    ids = connection.execute(
        sa.select(credential.c.id).where(
            credential.c.space_id == space,
            credential.c.dialect == DIALECT,
            credential.c.kind == TOKEN,
            credential.c.name == _name(app, user.lower()),
        )
    ).scalars()
    credentials.remove(connection, space, list(ids))


def forget(connection: sa.Connection, space: int, expired_before: int) -> int:
    """Forget up to ``PIECE`` tokens that expired before an instant; how many."""
    ids = connection.execute(
        sa.select(credential.c.id)
        .where(
            credential.c.space_id == space,
            credential.c.expires_at > ZERO,
            credential.c.expires_at < expired_before,
            credential.c.dialect == DIALECT,
            credential.c.kind == TOKEN,
        )
        .limit(PIECE)
    ).scalars()
    found = list(ids)
    credentials.remove(connection, space, found)
    return len(found)
