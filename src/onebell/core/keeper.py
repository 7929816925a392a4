"""Takes away what is over: a little at a time, so that nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from onebell.core.context import Context
from onebell.core.waking import woken
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

ROUND_S = 60.0
"""Between two rounds; every node makes them, what one took away the next does not find."""
REST_S = 0.05
"""Between two pieces."""
PIECES = 200
"""Of one sort in one round: the rest waits for the next."""
PASSING_MS = 120_000
"""``while_online`` messages: their entries were good for a minute (DESIGN §5)."""
TOMBSTONE_MS = 30 * 86_400_000
SESSION_MS = 60_000
DAY_MS = 86_400_000
EXPIRED_TOKEN_MS = 7 * DAY_MS
"""How long an expired token is still told from one that never was."""

_Piece = Callable[[], Awaitable[int]]


class Keeper:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Keep until :meth:`stop`."""
        while not self._stop.is_set():
            try:
                await self.turn()
            except StoreUnavailable as error:
                log.warning("keeper_waits_for_store", why=str(error))
            await woken(self._stop, ROUND_S)

    def stop(self) -> None:
        """End after the piece under way."""
        self._stop.set()

    async def turn(self) -> None:
        """One round over everything."""
        store, now = self._context.store, self._context.clock.now_ms()
        await self._all("expired", lambda: store.keeping.expired(now))
        await self._all("passing", lambda: store.keeping.passing(now - PASSING_MS))
        await self._all("sessions", lambda: store.sessions.sweep(now - SESSION_MS, 500))
        await self._files(now)
        for space in await store.keeping.spaces():
            await self._space(space, now)

    async def _space(self, space: int, now: int) -> None:
        store, days = self._context.store, self._context.settings.retention_days
        await self._all("tombstones", lambda: store.inbox_changes.bury(space, now - TOMBSTONE_MS))
        await self._all("tokens", lambda: store.keeping.old_tokens(space, now - EXPIRED_TOKEN_MS))
        await self._all("names", lambda: store.keeping.unclaimed_names(space))
        if not days:
            return
        bound = now - days * DAY_MS
        await self._all("messages", lambda: store.keeping.old_messages(space, bound))
        await self._all("callbacks", lambda: store.keeping.old_callbacks(space, bound))

    async def _all(self, what: str, piece: _Piece) -> None:
        """One sort of what is over. A defect in it must not let all others grow without end."""
        total = 0
        try:
            for _ in range(PIECES):
                removed = await piece()
                total += removed
                if removed == 0 or self._stop.is_set():
                    break
                await woken(self._stop, REST_S)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("keeper_defect", what=what)
        if total:
            log.info("kept", what=what, removed=total)

    async def _files(self, now: int) -> None:
        for space, number in await self._context.store.keeping.expired_files(now):
            file = await self._context.files.find(space, number)
            if file is None:
                continue
            try:
                await self._context.files.remove(file)
            except StoreUnavailable as error:
                # Files may lie elsewhere than the rest, which must not wait for them.
                log.warning("files_not_removed", why=str(error))
                return
