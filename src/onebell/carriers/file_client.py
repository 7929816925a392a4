"""The way out to files that a request names: the one HTTP client, under the strict policy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from onebell.carriers.address_gate import AddressForbidden, strict
from onebell.carriers.outbound import Outbound, Unreachable
from onebell.core.fetching import Fetched, NotFetched

OK = 200


class FileClient:
    """The core's ``Fetcher``."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    @asynccontextmanager
    async def fetch(self, url: str, allow: Sequence[str], limit_bytes: int) -> AsyncIterator[Fetched]:
        """See ``Fetcher``; any status but 200 is nothing."""
        try:
            async with self._outbound.stream(
                "GET", url, headers={}, policy=strict(allow), limit_bytes=limit_bytes
            ) as answer:
                if answer.status != OK:
                    raise NotFetched(f"status {answer.status}")
                yield Fetched(answer.headers.get("content-type", ""), answer.pieces)
        except (AddressForbidden, Unreachable) as error:
            raise NotFetched(str(error)) from error
