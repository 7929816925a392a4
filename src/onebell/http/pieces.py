"""A connection's bytes in pieces, cut where requests begin, so that a head can be mended before the parser sees it.

Raw UTF-8 in a request line becomes percent-encoded (seed pushplus, example 1). An offer of another protocol is left
out, which RFC 9110 §7.8 allows: Java's HttpClient offers HTTP/2 with every request, and the parser takes the body of
such a request for the other protocol's.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote_from_bytes

_ALL_BUT_HIGH = bytes(range(0x80)).decode("ascii")
_HEAD_END = b"\r\n\r\n"
_BLANK = b"\r\n"
"""May stand before a request (RFC 9112 §2.2): old clients send it behind a body."""
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})\r\n", re.IGNORECASE)
_LINE_END = re.compile(rb" HTTP/1\.[01]\r?\n")
_OFFER = re.compile(rb"^upgrade[ \t]*:(?![ \t]*websocket[ \t]*\r?\n)[^\n]*\n", re.IGNORECASE | re.MULTILINE)


# What the next byte belongs to. No Enum: its members cost as much as the parser on every request.
_START = 0  # blank lines before a request, or its first byte
_LINE = 1  # request line
_HEAD = 2  # headers
_BODY = 3  # body of a known size
_CHUNKS = 4  # body in chunks


class Pieces:
    """What one connection sends. The parser's events say where it is; only lengths are known here."""

    def __init__(self) -> None:
        self._at = _START
        self._body_left = 0

    @property
    def is_between(self) -> bool:
        """The next byte begins a request."""
        return self._at == _START

    def head_ends(self, body_bytes: int) -> None:
        """All headers are read; a negative size = the body itself says where it ends."""
        self._at = _BODY if body_bytes > 0 else _CHUNKS
        self._body_left = body_bytes

    def took_body(self, size: int) -> None:
        """So many bytes of the body were read."""
        self._body_left -= size

    def request_ends(self) -> None:
        """The next byte belongs to another request."""
        self._at = _START

    def cut(self, data: bytes) -> Iterable[bytes]:
        """``data`` in pieces, none of which reaches from one request into the next; each is to be parsed at once."""
        if self._at == _START and b"pgrade" not in data and (data.isascii() or _is_one(data)):
            # Nothing to mend: nearly all that ever comes.
            return (data,)
        return self._cut(data)

    def head_goes_on(self, data: bytes) -> None:
        """``data`` ended within a head."""
        if self._at == _START:
            self._at = _HEAD if _LINE_END.search(data, data.rfind(_HEAD_END) + 1) else _LINE

    def _cut(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            if self._at == _START and data[at] in _BLANK:
                at += 1
                continue
            end = self._end(data, at)
            yield self._mended(data[at:end])
            at = end

    def _end(self, data: bytes, at: int) -> int:
        if self._at == _BODY:
            return min(at + self._body_left, len(data))
        if self._at in (_START, _LINE):
            # Most heads come whole: one piece.
            head = data.find(_HEAD_END, at)
            if head >= 0:
                return head + len(_HEAD_END)
        # A body in chunks ends with a line as well.
        return data.find(b"\n", at) + 1 or len(data)

    def _mended(self, piece: bytes) -> bytes:
        if self._at in (_BODY, _CHUNKS):
            return piece
        if self._at != _HEAD:
            piece = self._with_line(piece)
        return _OFFER.sub(b"", piece) if b"pgrade" in piece else piece

    def _with_line(self, piece: bytes) -> bytes:
        line = piece if piece.isascii() else piece[: piece.find(b"\n") + 1 or len(piece)]
        self._at = _HEAD if b"\n" in piece else _LINE
        return piece if line.isascii() else encode_high_bytes(line) + piece[len(line) :]


def _is_one(data: bytes) -> bool:
    """One whole request, whose head is ASCII."""
    head = data.find(_HEAD_END) + len(_HEAD_END)
    if head < len(_HEAD_END) or not data[:head].isascii():
        return False
    body = _LENGTH.search(data, 0, head)
    return body is not None and head + int(body[1]) == len(data)


def encode_high_bytes(line: bytes) -> bytes:
    """Percent-encode every byte that is not ASCII and leave the rest alone."""
    return line if line.isascii() else quote_from_bytes(line, safe=_ALL_BUT_HIGH).encode("ascii")
