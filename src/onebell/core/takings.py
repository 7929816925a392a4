"""What readers have acknowledged: gathered for a moment, then written together."""

import asyncio

import structlog

from onebell.clock import Clock
from onebell.core.mailbox import Change
from onebell.errors import NotFound, StoreUnavailable
from onebell.ids import IdMint
from onebell.store.base import Store

log = structlog.get_logger()

PAUSE_S = 0.2


class Takings:
    """Remembers how far each mailbox was taken, and writes it down soon."""

    def __init__(self, store: Store, clock: Clock, mint: IdMint) -> None:
        self._store = store
        self._clock = clock
        self._mint = mint
        self._new: dict[tuple[int, int], int] = {}
        self._due = asyncio.Event()

    def note(self, space: int, mailbox: int, rev: int) -> None:
        """A reader has everything up to ``rev``."""
        key = (space, mailbox)
        if rev > self._new.get(key, 0):
            self._new[key] = rev
            self._due.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._due.wait()
            await asyncio.sleep(PAUSE_S)
            self._due.clear()
            await self.write()

    async def write(self) -> None:
        """Write what waits; what cannot be written now is written later."""
        waiting, self._new = self._new, {}
        for (space, mailbox), rev in waiting.items():
            change = Change(space=space, mailbox=mailbox, now=self._clock.now_ms())
            try:
                await self._store.inbox_changes.take(change, rev, self._mint)
            except NotFound:
                continue
            except StoreUnavailable:
                log.warning("taking_postponed", mailbox=mailbox)
                self.note(space, mailbox, rev)
