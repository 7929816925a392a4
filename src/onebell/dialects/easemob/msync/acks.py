"""What devices acknowledge, written together: those that come while one transaction runs share the next one."""

import asyncio

from onebell.core.context import Context
from onebell.core.conversations import Ack
from onebell.errors import OnebellError

AT_ONCE = 200
"""In one transaction."""


class Acks:
    """One per node."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[tuple[Ack, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, ack: Ack) -> None:
        """Returns when it is durable: what follows is then never sent twice.

        Raises:
            StoreUnavailable: it is not.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ack, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._write_some(some)
        finally:
            self._writing = None

    async def _write_some(self, some: list[tuple[Ack, asyncio.Future[None]]]) -> None:
        error: OnebellError | None = None
        try:
            await self._context.store.queues.acknowledge([ack for ack, _ in some], self._context.mint)
        except OnebellError as why:
            error = why
        for _, done in some:
            if done.done():
                continue  # its client has gone meanwhile
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
