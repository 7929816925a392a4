"""Notices that the machine's clock was set back: a home server whose clock was wrong at the start would else wait for
hours with every second try that it had put off (RELIABILITY R12)."""

import asyncio

import structlog

from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

LOOK_S = 1.0
NOTICED_MS = 2_000
"""Smaller steps are a time server's corrections, and cost no more than they are."""
QUEUES = ("deliveries", "callbacks", "expansions")


class ClockWatch:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ahead_ms = self._ahead()

    def _ahead(self) -> float:
        """By how much the wall's clock leads the one that never jumps."""
        return self._context.clock.now_ms() - self._context.clock.monotonic() * 1000

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("clock_watch_waits_for_store", why=str(error))

    async def look(self) -> None:
        """Bring back what waits for a time that was taken back.

        Raises:
            StoreUnavailable: the next look does it.
        """
        ahead_ms = self._ahead()
        step_ms = round(self._ahead_ms - ahead_ms)
        if step_ms >= NOTICED_MS:
            context = self._context
            log.warning("clock_set_back", step_s=step_ms / 1000)
            await context.store.set_back.bring_back(context.mint.node, context.clock.now_ms(), step_ms)
            for queue in QUEUES:
                context.bell.ring(Due(space=0, queue=queue))
        self._ahead_ms = ahead_ms
