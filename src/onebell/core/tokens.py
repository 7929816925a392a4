"""Provider tokens between the carriers and the store."""

from typing import Protocol

import msgspec


class StoredToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it lies in the store; its ``repr`` does not show it."""

    value: str
    expires_at: int  # ms

    def __repr__(self) -> str:
        return f"StoredToken(expires_at={self.expires_at})"


class TokenStore(Protocol):
    """One row per account and name, with the lease of whoever refreshes it (``store/carrier_tokens.py``)."""

    async def read(self, space: int, account: int, name: str) -> StoredToken | None:
        """The token, expired or not."""
        ...

    async def lease(self, space: int, account: int, name: str, now: int, until: int) -> bool:
        """Take the right to refresh unless somebody else holds it at ``now`` (ms)."""
        ...

    async def write(self, space: int, account: int, name: str, token: StoredToken) -> None:
        """Store a new token and give the right back."""
        ...

    async def release(self, space: int, account: int, name: str) -> None:
        """Give the right back without a token."""
        ...
