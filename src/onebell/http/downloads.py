"""Answers that are a stored file, whole or a range of it: nothing that a browser would run (RFC 9110 §14)."""

import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import msgspec

from onebell.http.exchange import Answer, Request, StreamAnswer

_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")
_SHOWN = frozenset(
    {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp",
        "audio/mpeg", "audio/amr", "audio/aac", "audio/mp4", "audio/ogg", "audio/wav", "audio/webm",
        "video/mp4", "video/webm", "video/quicktime", "video/3gpp",
    }
)  # fmt: skip
"""Types that are told as they are (and still as attachments); everything else is bytes."""
_SAME = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
}
"""What phones and old browsers call some of them: players and image tags are given the registered name."""
_BYTES = "application/octet-stream"
Headers = list[tuple[bytes, bytes]]


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """What is given out."""

    name: str  # as the uploader called it, made one line
    type: str  # as the uploader said
    size: int  # bytes
    read: Callable[[int, int], AsyncIterator[bytes]]  # from … up to, not including
    headers: tuple[tuple[bytes, bytes], ...] = ()  # besides those of every file: who may embed it, how long it is kept


async def file_answer(request: Request, download: Download) -> Answer | StreamAnswer:
    """The file, or the range of it that the request asks for.

    Raises:
        StoreUnavailable: its bytes are not there.
    """
    span = _span(request.text_header(b"range"), download.size)
    if span is None:
        return Answer(416, b"", [(b"content-range", b"bytes */%d" % download.size), *download.headers])
    start, end = span
    headers = _headers(download, end - start)
    status = 200
    if end - start < download.size:
        status = 206
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, download.size)))
    pieces = _nothing() if request.method == "HEAD" else download.read(start, end)
    # The first piece is here before the head goes out: a file that is lost is an error, not a short answer.
    return StreamAnswer(status, _resumed(await anext(pieces, b""), pieces), headers)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


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


def _headers(download: Download, length: int) -> Headers:
    kind = _SAME.get(download.type, download.type)
    kind = kind if kind in _SHOWN else _BYTES
    return [
        (b"content-type", kind.encode("latin-1")),
        (b"content-length", b"%d" % length),
        (b"content-disposition", _disposition(download.name)),
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; sandbox"),
        *download.headers,
    ]


def _disposition(name: str) -> bytes:
    shown = name.replace("/", "_").replace("\\", "_") or "file"
    plain = "".join(char if (char.isascii() and char.isalnum()) or char in "._- " else "_" for char in shown)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='', errors='replace')}".encode()
