"""Stores what calls came to: while one transaction is under way, the results of the others gather for the next."""

import asyncio
from collections.abc import Sequence

import structlog

from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.core.work import Result
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

TOGETHER = 500
"""Results in one transaction: more would hold the writer too long."""


class Ledger:
    """One per dispatcher."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[tuple[Sequence[Result], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, results: Sequence[Result]) -> None:
        """Return once these are committed.

        Raises:
            StoreUnavailable: they are not; the leases end by themselves.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((results, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def flush(self) -> None:
        """Wait until everything that was handed in is stored."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        while self._waiting:
            count = _first(self._waiting)
            piece, self._waiting = self._waiting[:count], self._waiting[count:]
            await self._write_piece(piece)

    async def _write_piece(self, piece: Sequence[tuple[Sequence[Result], asyncio.Future[None]]]) -> None:
        try:
            await self._close([result for results, _ in piece for result in results])
        except StoreUnavailable as error:
            _fail(piece, error)
        except Exception as error:
            if len(piece) == 1:
                _fail(piece, error)
                return
            # One of them is at fault: each alone, so that it fails alone.
            log.warning("results_stored_one_by_one", count=len(piece), exc_info=error)
            for one in piece:
                await self._write_piece([one])
        else:
            for _, done in piece:
                if not done.done():
                    done.set_result(None)

    async def _close(self, results: Sequence[Result]) -> None:
        now = self._context.clock.now_ms()
        closed = await self._context.store.deliveries.close(results, now, self._context.mint)
        if closed.watched:
            self._context.bell.ring(Due(space=0, queue="events"))


def _first(waiting: Sequence[tuple[Sequence[Result], "asyncio.Future[None]"]]) -> int:
    """How many of those that wait go together."""
    total = 0
    for position, (results, _) in enumerate(waiting):
        total += len(results)
        if total > TOGETHER:
            return max(1, position)
    return len(waiting)


def _fail(piece: Sequence[tuple[Sequence[Result], "asyncio.Future[None]"]], error: Exception) -> None:
    for _, done in piece:
        if not done.done():
            done.set_exception(error)
