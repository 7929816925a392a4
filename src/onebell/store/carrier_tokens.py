"""Provider tokens in ``carrier_token``: encrypted, with the lease of whoever refreshes."""

from typing import Protocol

import sqlalchemy as sa

from onebell.core.tokens import StoredToken
from onebell.store.engine import Database
from onebell.store.schema import carrier_token
from onebell.store.upserts import insert_missing, insert_or_update


class Seals(Protocol):
    """What is needed of the vault."""

    def seal(self, text: str) -> bytes: ...
    def unseal(self, sealed: bytes) -> str: ...


class CarrierTokens:
    """The verbs of ``core.tokens.TokenStore``."""

    def __init__(self, database: Database, vault: Seals) -> None:
        self._database = database
        self._vault = vault

    async def read(self, space: int, account: int, name: str) -> StoredToken | None:
        def work(connection: sa.Connection) -> StoredToken | None:
            columns = sa.select(carrier_token.c.value, carrier_token.c.expires_at)
            found = connection.execute(columns.where(_key(space, account, name))).first()
            if found is None or found.value is None:
                return None
            return StoredToken(value=self._vault.unseal(found.value), expires_at=found.expires_at)

        return await self._database.read(work)

    async def lease(self, space: int, account: int, name: str, now: int, until: int) -> bool:
        def work(connection: sa.Connection) -> bool:
            empty = {"space_id": space, "account_id": account, "name": name, "expires_at": 0, "lease_until": 0}
            insert_missing(connection, carrier_token, [empty])
            free = sa.and_(_key(space, account, name), carrier_token.c.lease_until <= now)
            taken = connection.execute(sa.update(carrier_token).where(free).values(lease_until=until))
            return taken.rowcount == 1

        return await self._database.write(work)

    async def write(self, space: int, account: int, name: str, token: StoredToken) -> None:
        def work(connection: sa.Connection) -> None:
            row = {
                "space_id": space,
                "account_id": account,
                "name": name,
                "value": self._vault.seal(token.value),
                "expires_at": token.expires_at,
                "lease_until": 0,
            }
            insert_or_update(connection, carrier_token, [row], ("value", "expires_at", "lease_until"))

        await self._database.write(work)

    async def release(self, space: int, account: int, name: str) -> None:
        def work(connection: sa.Connection) -> None:
            connection.execute(sa.update(carrier_token).where(_key(space, account, name)).values(lease_until=0))

        await self._database.write(work)


def _key(space: int, account: int, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        carrier_token.c.space_id == space, carrier_token.c.account_id == account, carrier_token.c.name == name
    )
