"""The way to an object store: one request at a time, through the one HTTP client."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

import msgspec

from onebell.errors import OnebellError


class ObjectsOutOfReach(OnebellError):
    """Nobody answered, or the address gate refuses the endpoint."""


class Upload(msgspec.Struct, frozen=True):
    """A body that is not held: its size, and its pieces from the start, as often as they are asked for."""

    size: int
    pieces: Callable[[], AsyncIterator[bytes]]


class ObjectAnswer(msgspec.Struct, frozen=True):
    """What the store said."""

    status: int
    body: bytes  # at most the limit


class Objects(Protocol):
    """Sends requests to the one endpoint that the operator has set."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Upload | None, limit_bytes: int
    ) -> ObjectAnswer:
        """Send a signed request.

        Raises:
            ObjectsOutOfReach
        """
        ...
