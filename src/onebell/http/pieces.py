"""A connection's bytes in pieces, cut where requests begin, so that a head can be mended before the parser sees it.

Raw UTF-8 in a request line becomes percent-encoded (seed pushplus, example 1). An offer of another protocol is left
out, which RFC 9110 §7.8 allows: Java's HttpClient offers HTTP/2 with every request, and the parser takes the body of
such a request for the other protocol's.
"""

import re
from collections.abc import Iterator
from enum import Enum
from urllib.parse import quote_from_bytes

_ALL_BUT_HIGH = bytes(range(0x80)).decode("ascii")
_HEAD_END = b"\r\n\r\n"
_BLANK = b"\r\n"
"""May stand before a request (RFC 9112 §2.2): old clients send it behind a body."""
_OFFER = re.compile(rb"^upgrade[ \t]*:(?![ \t]*websocket[ \t]*\r?\n)[^\n]*\n", re.IGNORECASE | re.MULTILINE)


class _At(Enum):
    """What the next byte belongs to."""

    START = "blank lines before a request, or its first byte"
    LINE = "request line"
    HEAD = "headers"
    BODY = "body of a known size"
    CHUNKS = "body in chunks"


class Pieces:
    """What one connection sends. The parser's events say where it is; only lengths are known here."""

    def __init__(self) -> None:
        self._at = _At.START
        self._body_left = 0

    def head_ends(self, body_bytes: int) -> None:
        """All headers are read; a negative size = the body itself says where it ends."""
        self._at = _At.BODY if body_bytes > 0 else _At.CHUNKS
        self._body_left = body_bytes

    def request_ends(self) -> None:
        """The next byte belongs to another request."""
        self._at = _At.START

    def cut(self, data: bytes) -> Iterator[bytes]:
        """``data`` in pieces, none of which reaches from one request into the next; each is to be parsed at once."""
        at = 0
        while at < len(data):
            if self._at is _At.START and data[at] in _BLANK:
                at += 1
                continue
            end = self._end(data, at)
            yield self._mended(data[at:end])
            at = end

    def _end(self, data: bytes, at: int) -> int:
        if self._at is _At.BODY:
            end = min(at + self._body_left, len(data))
            self._body_left -= end - at
            return end
        if self._at is _At.START or self._at is _At.LINE:
            # Most heads come whole: one piece.
            head = data.find(_HEAD_END, at)
            if head >= 0:
                return head + len(_HEAD_END)
        # A body in chunks ends with a line as well.
        return data.find(b"\n", at) + 1 or len(data)

    def _mended(self, piece: bytes) -> bytes:
        if self._at is _At.BODY or self._at is _At.CHUNKS:
            return piece
        if self._at is not _At.HEAD:
            piece = self._with_line(piece)
        return _OFFER.sub(b"", piece) if b"pgrade" in piece else piece

    def _with_line(self, piece: bytes) -> bytes:
        line = piece if piece.isascii() else piece[: piece.find(b"\n") + 1 or len(piece)]
        self._at = _At.HEAD if b"\n" in piece else _At.LINE
        return piece if line.isascii() else encode_high_bytes(line) + piece[len(line) :]


def encode_high_bytes(line: bytes) -> bytes:
    """Percent-encode every byte that is not ASCII and leave the rest alone."""
    return line if line.isascii() else quote_from_bytes(line, safe=_ALL_BUT_HIGH).encode("ascii")
