"""Stored files: attachments only, with a fixed type, so that no browser runs what a stranger uploaded."""

import hmac
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from onebell.api.errors import ApiError
from onebell.api.operations import Route
from onebell.core.context import Context, StoredFile
from onebell.core.sanitize import one_line
from onebell.http.exchange import Answer, Request, StreamAnswer

_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")
_SIGNED = re.compile(r"^(\d{1,19})-(\d{1,19})-([0-9a-f]{32})$")
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/amr", "video/mp4"})
"""Types that are told as they are (and still as attachments); everything else is bytes."""
_BYTES = "application/octet-stream"


class FilesApi:
    """``/f/…``: a signed name (space, id and their HMAC), or a file's own public id."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def url(self, space: int, file: int) -> str:
        """The address of a stored file: who has it may read it."""
        return f"/f/{space}-{file}-{self._signature(space, file)}"

    def _signature(self, space: int, file: int) -> str:
        return self._context.vault.digest("native", "file", f"{space}/{file}").hex()[:32]

    def routes(self) -> list[Route]:
        """Their path."""
        return [Route(("GET",), "/f/{}", self.read)]

    async def read(self, request: Request, path: tuple[str, ...]) -> Answer | StreamAnswer:
        """A file, whole or a range of it."""
        file = await self._find(request, path[0])
        if file is None:
            return ApiError("not_found", "there is no such file").answer()
        span = _span(request.text_header(b"range"), file.size)
        if span is None:
            return Answer(416, b"", [(b"content-range", b"bytes */%d" % file.size)])
        start, end = span
        headers = _headers(file, end - start)
        status = 200
        if end - start < file.size:
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, file.size)))
        body = _nothing() if request.method == "HEAD" else self._context.files.read(file, start, end)
        return StreamAnswer(status, body, headers)

    async def _find(self, request: Request, name: str) -> StoredFile | None:
        signed = _SIGNED.match(name)
        if signed is None:
            file = await self._context.files.find_public(name)
            # A secret file is opened by its own dialect, which knows how the secret is shown.
            file = None if file is not None and file.secret else file
        else:
            space, number = int(signed.group(1)), int(signed.group(2))
            if not hmac.compare_digest(self._signature(space, number), signed.group(3)):
                return None
            file = await self._context.files.find(space, number)
        if file is not None and not file.message and 0 < file.expires_at <= self._context.clock.now_ms():
            return None
        return file


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _span(header: str, size: int) -> tuple[int, int] | None:
    """The bytes asked for, as [start, end); None = outside of the file. A header of another form is ignored."""
    found = _RANGE.match(header.strip())
    if found is None or not any(found.groups()):
        return 0, size
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


def _headers(file: StoredFile, length: int) -> list[tuple[bytes, bytes]]:
    kind = file.type if file.type in _SHOWN else _BYTES
    name = one_line(file.name).replace("/", "_").replace("\\", "_") or "file"
    plain = "".join(char if (char.isascii() and char.isalnum()) or char in "._- " else "_" for char in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return [
        (b"content-type", kind.encode("latin-1")),
        (b"content-length", b"%d" % length),
        (b"content-disposition", disposition.encode("latin-1")),
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; sandbox"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"private, max-age=3600"),
    ]
