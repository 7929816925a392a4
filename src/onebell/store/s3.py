"""Bytes of files in an S3-compatible service: each file an object, written whole before its row can be found.

An upload says its length and hash before its first byte, so pieces wait in an unnamed file of this machine until all
are there; the object is then read from it, as often as the service asks to try again. Reads are ranges.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import structlog

from onebell.clock import Clock, utc
from onebell.core.context import StoredFile
from onebell.core.objects import ObjectAnswer, Objects, ObjectsOutOfReach, Upload
from onebell.errors import StoreUnavailable
from onebell.settings import Settings
from onebell.store.sigv4 import EMPTY, Signer, object_url

log = structlog.get_logger()

S3 = "s3"
PIECE = 1 << 20
"""Bytes of one range, and in memory at once."""
WORDS = 4096
"""Bytes of an error that are read."""
PAUSES_S = (0.2, 1.0)
"""Before the second and third try."""
_AGAIN = frozenset((408, 429, 500, 502, 503, 504))


class ObjectBytes:
    """One bucket."""

    name = S3

    def __init__(self, settings: Settings, clock: Clock, objects: Objects) -> None:
        self._settings = settings
        self._clock = clock
        self._objects = objects
        self._signer = Signer(settings.s3_access_key, settings.s3_secret_key, settings.s3_region)
        self._spool = Path(settings.data)

    async def write(self, row: StoredFile, pieces: AsyncIterator[bytes]) -> None:
        """Keep the pieces; acknowledged by the service. Raises ``StoreUnavailable``."""
        spool = await asyncio.to_thread(_unnamed_file, self._spool)
        try:
            digest, size = hashlib.sha256(), 0
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                await _keep(spool, piece)
            answer = await self._ask("PUT", row, digest.hexdigest(), Upload(size, lambda: _read(spool)))
        finally:
            spool.close()
        if answer.status != 200:
            raise _refused("PUT", answer)

    async def read(self, row: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes, range by range. Raises ``StoreUnavailable``: they are not there."""
        for first in range(start, end, PIECE):
            last = min(first + PIECE, end)
            answer = await self._ask("GET", row, EMPTY, span=(first, last))
            is_whole = answer.status == 200 and (first, last) == (0, row.size)
            if answer.status != 206 and not is_whole:
                raise _refused("GET", answer)
            if len(answer.body) != last - first:
                raise StoreUnavailable(f"file {row.id} is shorter than its row says")
            yield answer.body

    async def remove(self, row: StoredFile) -> None:
        """Forget the object; one that is gone already is as good. Raises ``StoreUnavailable``."""
        answer = await self._ask("DELETE", row, EMPTY)
        if answer.status not in (200, 204, 404):
            raise _refused("DELETE", answer)

    async def _ask(
        self,
        method: str,
        row: StoredFile,
        payload_hash: str,
        body: Upload | None = None,
        span: tuple[int, int] | None = None,
    ) -> ObjectAnswer:
        for pause_s in (*PAUSES_S, None):
            try:
                answer = await self._send(method, row, payload_hash, body, span)
                if answer.status not in _AGAIN or pause_s is None:
                    return answer
                why = f"HTTP {answer.status}"
            except ObjectsOutOfReach as error:
                if pause_s is None:
                    raise StoreUnavailable(f"the object store: {error}") from error
                why = str(error)
            log.warning("object_store_again", method=method, why=why)
            await asyncio.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    async def _send(
        self, method: str, row: StoredFile, payload_hash: str, body: Upload | None, span: tuple[int, int] | None
    ) -> ObjectAnswer:
        settings = self._settings
        key = f"{settings.s3_prefix}{row.space:x}-{row.id:x}"
        url = object_url(settings.s3_endpoint, settings.s3_bucket, key, path_style=settings.s3_path_style)
        # Signed anew for every try: a signature is good for minutes only.
        headers = {**self._signer.headers(method, url, payload_hash, utc(self._clock.now_ms()))}
        if span is not None:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        return await self._objects.send(method, url, headers, body, WORDS if span is None else PIECE)


def _refused(method: str, answer: ObjectAnswer) -> StoreUnavailable:
    words = answer.body[:200].decode("utf-8", "replace")
    return StoreUnavailable(f"the object store answered {method} with {answer.status}: {words}")


def _unnamed_file(directory: Path) -> IO[bytes]:
    return tempfile.TemporaryFile("w+b", dir=directory)


async def _keep(spool: IO[bytes], piece: bytes) -> None:
    try:
        await asyncio.to_thread(spool.write, piece)
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


async def _read(spool: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(spool.seek, 0)
    while piece := await asyncio.to_thread(spool.read, PIECE):
        yield piece
