"""How long one connection is waited for: a timer for its whole life, since one for every request costs more than
parsing that.
"""

import asyncio
from collections.abc import Callable

_NEVER = float("inf")


class Patience:
    """Calls ``give_up`` once when what is waited for has not come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, give_up: Callable[[], None]) -> None:
        """Wait ``seconds`` from now on."""
        self._loop = loop
        self._give_up = give_up
        self._longest = seconds
        self._ends = 0.0
        self._looks_at = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Give up so many seconds from now."""
        self._ends = self._loop.time() + seconds
        if self._ends < self._looks_at:
            self._look_in(seconds)

    def rest(self) -> None:
        """Nothing is waited for."""
        self._ends = _NEVER

    def end(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_in(self, seconds: float) -> None:
        self.end()
        self._looks_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        left = self._ends - self._loop.time()
        if left <= 0:
            self._give_up()
        else:
            self._look_in(min(left, self._longest))
