"""Frames on their way to one socket: in order, bounded, written without a task where the transport takes them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from starlette.types import Message, Send

from onebell.http.sockets import abort, begin, close

UNSENT_BYTES = 256 * 1024
"""What may wait for one client beside the frame that is being written; who takes less is cut, and resumes later."""
PATIENCE_S = 2.0
"""How long a client whom the server ends may take to hear it."""


class Outbox:
    """One per socket; everything runs on the event loop."""

    __slots__ = ("_send", "_task", "_unsent", "_waiting", "_wrap", "closed")

    def __init__(self, send: Send, wrap: Callable[[bytes], Message]) -> None:
        self._send = send
        self._wrap = wrap
        self._waiting: deque[bytes] = deque()
        self._unsent = 0
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    def put(self, frame: bytes) -> None:
        """Send a frame when its turn comes."""
        if self.closed:
            return
        if self._unsent and self._unsent + len(frame) > UNSENT_BYTES:
            self.cut()
            return
        self._waiting.append(frame)
        self._unsent += len(frame)
        if self._task is None:
            self._write()

    def cut(self) -> None:
        """Drop the connection: nothing would reach its peer."""
        self.closed = True
        self._waiting.clear()
        abort(self._send)

    def _write(self) -> None:
        while self._waiting:
            frame = self._waiting.popleft()
            try:
                rest = begin(self._send, self._wrap(frame))
            except OSError:
                self.closed = True  # the handler hears of it by itself
                return
            if rest is not None:
                self._task = asyncio.get_running_loop().create_task(self._wait(rest, len(frame)))
                return
            self._unsent -= len(frame)

    async def _wait(self, rest: Awaitable[None], size: int) -> None:
        try:
            await rest
        except OSError:
            self.closed = True
            return
        finally:
            self._task = None
        self._unsent -= size
        self._write()

    async def end(self, code: int = 1000) -> None:
        """Let what waits leave, then close; a peer who takes nothing is dropped."""
        if self.closed:
            return
        self.closed = True
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=PATIENCE_S)
            if not task.done():
                task.cancel()
                abort(self._send)
                return
        await close(self._send, code, "", PATIENCE_S)

    async def gone(self) -> None:
        """The peer has left: stop writing."""
        self.closed = True
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
