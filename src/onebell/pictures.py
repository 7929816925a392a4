"""Thumbnails, each made by a worker process (DESIGN §4: no CPU-heavy work beside the writer)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import structlog

from onebell.core.pictures import NotAPicture, PictureTooLarge, Thumbnail

log = structlog.get_logger()

WORKERS = 1
"""At once on this node: thumbnails must not slow down the accepting of messages."""
PATIENCE_S = 20.0
"""How long one may take."""
_DONE, _TOO_LARGE = 0, 4  # as in ``picture_worker``
_PNG = b"\x89PNG"


class PictureWorkers:
    """Implements :class:`onebell.core.pictures.Pictures`."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(WORKERS)

    async def thumbnail(self, pieces: AsyncIterator[bytes], width: int, height: int) -> Thumbnail:
        """The picture within a box. Raises ``NotAPicture``, ``PictureTooLarge``."""
        async with self._free:
            status, body = await _run(pieces, width, height)
        if status == _TOO_LARGE:
            raise PictureTooLarge("more pixels than we take")
        if status != _DONE or not body:
            raise NotAPicture(f"the worker ended with {status}")
        return Thumbnail(type="image/png" if body.startswith(_PNG) else "image/jpeg", body=body)


async def _run(pieces: AsyncIterator[bytes], width: int, height: int) -> tuple[int, bytes]:
    # Isolated: neither the environment nor the working directory decides what it imports.
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "onebell.picture_worker", str(width), str(height)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    assert worker.stdin is not None, "a pipe was asked for"
    assert worker.stdout is not None, "a pipe was asked for"
    try:
        async with asyncio.timeout(PATIENCE_S):
            with suppress(BrokenPipeError, ConnectionResetError):  # it has seen enough
                await _feed(worker.stdin, pieces)
            body = await worker.stdout.read()
            return await worker.wait(), body
    except TimeoutError:
        log.warning("thumbnail_took_too_long")
        return _TOO_LARGE, b""
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def _feed(stdin: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        stdin.write(piece)
        await stdin.drain()
    stdin.close()
    await stdin.wait_closed()
