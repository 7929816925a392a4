"""Request bodies as they come: for handlers that take more than a server should hold."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from onebell.http.exchange import Answer, BodyTooLarge, Request, StreamAnswer

DISCARD_BYTES = 16 << 20
DISCARD_S = 5.0
"""How much of a body that nobody wants is still read, and for how long."""


class Streamed:
    """A handler that reads its request's body itself, from ``request.stream``.

    The area's body limit is not for it: it counts for itself, and raises ``BodyTooLarge``.
    """

    def __init__(self, handler: Callable[[Request, tuple[str, ...]], Awaitable[Answer | StreamAnswer]]) -> None:
        self._handler = handler

    async def __call__(self, request: Request, values: tuple[str, ...]) -> Answer | StreamAnswer:
        """As any handler; what this one leaves of the body is read away."""
        if request.stream is None:
            request.stream = _whole(request.body)
        answer = await self._handler(request, values)
        await discard(request.stream)
        return answer


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def counted(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same pieces.

    Raises:
        BodyTooLarge: they are more than ``limit`` bytes.
    """
    size = 0
    async for piece in stream:
        size += len(piece)
        if size > limit:
            raise BodyTooLarge
        yield piece


async def body_stream(receive: Receive) -> AsyncIterator[bytes]:
    """The pieces of a body.

    Raises:
        ClientDisconnect: the caller went away.
    """
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def discard(stream: AsyncIterator[bytes]) -> None:
    """Read on for a while what nobody wants: closing on a caller who still writes resets the connection, and he would
    lose the answer that tells him why (RFC 9112 §9.6)."""
    size = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DISCARD_S):
            async for piece in stream:
                size += len(piece)
                if size >= DISCARD_BYTES:
                    return
