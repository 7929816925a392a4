"""Provider tokens: one row per account, refreshed once however many sends want it (RELIABILITY R11).

The row's lease is the lock between nodes; within a node an ``asyncio.Lock`` lets one send ask and the others wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from onebell.clock import Clock
from onebell.core.directory import CarrierAccount
from onebell.core.tokens import StoredToken, TokenStore
from onebell.errors import OnebellError

LEASE_S = 20.0
"""How long a refresh may take before another node tries."""
LOOK_S = 0.1
"""How often a node looks whether the other one has finished."""


class FreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answered."""

    value: str
    lives_s: float  # already shortened by the margin that the provider's sheet wants

    def __repr__(self) -> str:
        return f"FreshToken(lives_s={self.lives_s})"


Fetch: TypeAlias = Callable[[], Awaitable[FreshToken]]


class TokenUnavailable(OnebellError):
    """Another node refreshes the token and has not finished; try again later."""


class Credentials:
    """Tokens of all accounts of a node."""

    def __init__(self, store: TokenStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._locks: dict[tuple[int, int, str], asyncio.Lock] = {}

    async def token(self, account: CarrierAccount, name: str, fetch: Fetch, refused: str = "") -> str:
        """A valid token; ``fetch`` asks the provider when there is none.

        ``refused`` is a token that the provider did not take: another one is fetched unless that has happened already.

        Raises:
            TokenUnavailable: another node is at it and does not finish.
            whatever ``fetch`` raises; nothing is stored then.
        """
        key = (account.space, account.id, name)
        async with self._locks.setdefault(key, asyncio.Lock()):
            waits = int(LEASE_S / LOOK_S)
            for _ in range(waits):
                token = await self._valid(key, refused)
                if token:
                    return token
                now = self._clock.now_ms()
                if await self._store.lease(*key, now, now + round(LEASE_S * 1000)):
                    return await self._refresh(key, fetch, refused)
                await asyncio.sleep(LOOK_S)
        raise TokenUnavailable(f"the token of {account.code} is being refreshed elsewhere")

    async def _valid(self, key: tuple[int, int, str], refused: str) -> str:
        found = await self._store.read(*key)
        if found is None or found.expires_at <= self._clock.now_ms() or found.value == refused:
            return ""
        return found.value

    async def _refresh(self, key: tuple[int, int, str], fetch: Fetch, refused: str) -> str:
        try:
            # Looked at again under the lease: another node may have finished between our look and our lease.
            if token := await self._valid(key, refused):
                await self._store.release(*key)
                return token
            fresh = await fetch()
        except BaseException:
            # Shielded: a cancelled send must not leave the lock to its lease.
            await asyncio.shield(self._store.release(*key))
            raise
        expires_at = self._clock.now_ms() + round(fresh.lives_s * 1000)
        await asyncio.shield(self._store.write(*key, StoredToken(value=fresh.value, expires_at=expires_at)))
        return fresh.value
