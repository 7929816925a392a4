"""``multipart/form-data`` as it comes (RFC 7578, RFC 2046 §5.1): no part is ever held whole."""

from collections.abc import AsyncIterator
from email.message import Message
from email.utils import collapse_rfc2231_value

_BOUNDARY_CHARS = 70
"""RFC 2046 §5.1.1; longer ones are nobody's."""
_HEADER_BYTES = 16 * 1024
"""Of one part."""
_LINE = b"\r\n"


class NotMultipart(Exception):
    """The body is no form of this kind, or it ends early."""


class Part:
    """One field of a form."""

    def __init__(self, headers: Message, pieces: AsyncIterator[bytes]) -> None:
        self.name = _parameter(headers, "name") or ""
        self.filename = _parameter(headers, "filename")
        """None = it is no file."""
        self.type: str = headers.get("content-type", "")
        self.pieces = pieces

    async def text(self, limit: int) -> str:
        """The value of a short field; what is longer than ``limit`` bytes is cut."""
        value = bytearray()
        async for piece in self.pieces:
            value += piece[: limit - len(value)]
        return value.decode("utf-8", "replace")


def _parameter(headers: Message, name: str) -> str | None:
    value = headers.get_param(name, header="content-disposition")
    if value is None:
        return None
    try:
        text = collapse_rfc2231_value(value)
        text.encode()  # UTF-7 and others hide halves of characters
    except ValueError:
        # The caller names the charset (RFC 2231): some take no bad bytes, some are no names at all.
        raise NotMultipart(f"a {name} in no charset of ours") from None
    return text


async def form_parts(content_type: str, stream: AsyncIterator[bytes]) -> AsyncIterator[Part]:
    """The parts in their order; what the caller leaves of one is passed over when he takes the next.

    Raises:
        NotMultipart
    """
    body = _Body(stream, _boundary(content_type))
    await body.skip()
    while await body.has_more():
        yield Part(await body.headers(), body.pieces())
        await body.skip()


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["content-type"] = content_type
    try:
        boundary = header.get_boundary("").encode()
    except ValueError:  # in a charset that is none
        boundary = b""
    if header.get_content_type() != "multipart/form-data" or not 0 < len(boundary) <= _BOUNDARY_CHARS:
        raise NotMultipart("no multipart/form-data with a boundary")
    return boundary


class _Body:
    """A stream that is read up to one delimiter after the other."""

    def __init__(self, stream: AsyncIterator[bytes], boundary: bytes) -> None:
        self._stream = stream
        self._delimiter = _LINE + b"--" + boundary
        self._held = bytearray(_LINE)  # the first delimiter has no line before it
        self._is_inside = True

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes before the next delimiter, which is taken away as well."""
        while self._is_inside:
            at = self._held.find(self._delimiter)
            # What may be the beginning of a delimiter waits for the rest of it.
            safe = at if at >= 0 else max(0, len(self._held) - len(self._delimiter) + 1)
            piece = bytes(self._held[:safe])
            if at >= 0:
                self._is_inside = False
                safe += len(self._delimiter)
            del self._held[:safe]
            if piece:
                yield piece
            if self._is_inside:
                await self._more()

    async def skip(self) -> None:
        """Read on behind the next delimiter, unless that was done."""
        async for _ in self.pieces():
            pass

    async def has_more(self) -> bool:
        """Whether the delimiter that was read begins a part; the last one ends in ``--``."""
        while len(self._held) < 2:
            await self._more()
        if self._held.startswith(b"--"):
            return False
        await self._line()  # blanks may follow a delimiter
        return True

    async def headers(self) -> Message:
        """The headers of the part that begins here."""
        headers, size = Message(), 0
        while line := await self._line():
            size += len(line)
            if size > _HEADER_BYTES:
                raise NotMultipart("a part's headers are too long")
            name, _, value = line.decode("utf-8", "replace").partition(":")
            headers[name.strip()] = value.strip()
        self._is_inside = True
        return headers

    async def _line(self) -> bytes:
        while (at := self._held.find(_LINE)) < 0:
            if len(self._held) > _HEADER_BYTES:
                raise NotMultipart("a line is too long")
            await self._more()
        line = bytes(self._held[:at])
        del self._held[: at + len(_LINE)]
        return line

    async def _more(self) -> None:
        piece = await anext(self._stream, None)
        if piece is None:
            raise NotMultipart("the body ends early")
        self._held += piece
