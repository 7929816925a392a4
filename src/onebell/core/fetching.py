"""Fetching what a URL in a request names: the port to the one HTTP client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from onebell.errors import OnebellError


class NotFetched(OnebellError):
    """The address gate refuses the URL, or nobody gave what it names; the text holds no part of the URL but its host.

    Nothing of it may go into an answer: whoever names URLs would learn what there is on the server's own network.
    """


class Fetched(msgspec.Struct, frozen=True):
    """What is behind a URL."""

    type: str  # as the other server said it; empty = it did not
    pieces: AsyncIterator[bytes]  # may raise ``NotFetched``; ends one byte behind the limit


class Fetcher(Protocol):
    """Gets it: follows no redirect, takes no longer than 30 s in all."""

    def fetch(self, url: str, allow: Sequence[str], limit_bytes: int) -> AbstractAsyncContextManager[Fetched]:
        """The answer to a GET, to be read inside the block; ``allow`` are the origins that the URL may name beside
        public addresses.

        Raises:
            NotFetched
        """
        ...
