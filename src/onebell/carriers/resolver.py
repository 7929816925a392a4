"""Names to addresses: the system's resolver, in threads of its own, remembered for seconds."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from onebell.clock import Clock

KEEP_S = 10.0
"""How long an answer is used again. The address gate looks at it each time all the same."""
KEEP_NAMES = 1024
THREADS = 8


class Resolver(Protocol):
    """All addresses of a name."""

    async def resolve(self, host: str) -> Sequence[str]:
        """A and AAAA together, in the order to try them.

        Raises:
            OSError: no answer, or none of use.
        """
        ...

    def close(self) -> None:
        """Let go of threads."""
        ...


class SystemResolver:
    """``getaddrinfo``. Its threads are its own: a dead name server must not take those of the store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        now = self._clock.monotonic()
        known = self._known.get(host)
        if known is not None and known[0] > now:
            return known[1]
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._pool, _look_up, host)
        if len(self._known) >= KEEP_NAMES:
            self._known.clear()
        self._known[host] = (now + KEEP_S, addresses)
        return addresses

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
