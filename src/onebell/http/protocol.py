"""uvicorn's HTTP protocol, made as lenient about the request line as the services onebell speaks for.

PushPlus' own first example is a GET with raw UTF-8 in the URL (seed pushplus, example 1); clients behind an
``http_proxy`` send absolute-form targets; ``//send`` is used in the wild (sheet pushplus §1.1).
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote_from_bytes

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from onebell.http.exchange import WHOLE_ANSWER

_ABSOLUTE_FORM = re.compile(rb"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_ALL_BUT_HIGH = bytes(range(0x80)).decode("ascii")


def encode_high_bytes(line: bytes) -> bytes:
    """Percent-encode every byte that is not ASCII and leave the rest alone."""
    return line if line.isascii() else quote_from_bytes(line, safe=_ALL_BUT_HIGH).encode("ascii")


def origin_form(target: bytes) -> bytes:
    """A request target as path and query: absolute-form loses its origin, leading slashes are collapsed."""
    if not target.startswith(b"/"):
        target = _ABSOLUTE_FORM.sub(b"", target)
    return b"/" + target.lstrip(b"/")


class LenientProtocol(HttpToolsProtocol):
    """Accepts raw UTF-8 in the request line, absolute-form targets and doubled leading slashes."""

    _in_request_line = True

    def data_received(self, data: bytes) -> None:
        if self._in_request_line:
            end = data.find(b"\n")
            line_bytes = data if end < 0 else data[:end]
            self._in_request_line = end < 0
            if not line_bytes.isascii():
                data = encode_high_bytes(line_bytes) + data[len(line_bytes) :]
        super().data_received(data)

    def on_headers_complete(self) -> None:
        if self.url[:1] != b"/" or self.url[:2] == b"//":
            self.url = origin_form(self.url)
        super().on_headers_complete()
        if "path" in self.scope:  # else a socket is about to be opened, and there is no cycle
            extensions: dict[str, Any] = {WHOLE_ANSWER: partial(write_whole, self.cycle)}
            self.scope["extensions"] = extensions

    def on_message_complete(self) -> None:
        self._in_request_line = True
        super().on_message_complete()


async def write_whole(
    cycle: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    """Answer a request in one write: head and body that are complete need no state between two ASGI messages.

    What two messages cost was a sixth of the whole work of a small request.
    """
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    out = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        if b"\n" in value or b"\r" in value:
            raise ValueError(f"a header value holds a line break: {name!r}")
        out += (name, b": ", value, b"\r\n")
    if not cycle.keep_alive:
        out.append(b"connection: close\r\n")
    out.append(b"content-length: %d\r\n\r\n" % len(body))
    if cycle.scope["method"] != "HEAD":
        out.append(body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(out))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
