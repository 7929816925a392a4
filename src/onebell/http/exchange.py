"""One request and its answer, as every area of the router sees them."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

WHOLE_ANSWER = "onebell.whole_answer"
"""ASGI extension of our own server: ``await scope["extensions"][…](status, headers, body)`` answers in one write."""


class BodyTooLarge(Exception):
    """The request body is larger than the area's limit."""


def first_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The first value of each header."""
    first: dict[bytes, bytes] = {}
    for name, value in headers:
        first.setdefault(name, value)
    return first


class Request:
    """A request with its body read. Paths and queries are kept raw: percent-encoding is part of the wire."""

    __slots__ = ("_headers", "_scope", "body", "client", "method", "path", "query", "receive", "stream")

    def __init__(
        self,
        scope: Scope,
        path: bytes,
        body: bytes,
        receive: Receive | None = None,
        headers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """``headers``: the first value of each by its name, where they are known so."""
        self._scope = scope
        self._headers = headers
        self.method: str = scope["method"]
        self.path = path
        """Raw path with leading slashes collapsed."""
        self.query: bytes = scope["query_string"]
        self.body = body
        self.client: str = (scope.get("client") or ("", 0))[0]
        """The caller's address, after the trusted-proxy rule."""
        self.receive = receive
        """Only for streaming answers: to notice that the caller has gone."""
        self.stream: AsyncIterator[bytes] | None = None
        """The body as it comes, for handlers that are ``uploads.Streamed``."""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; ``name`` in lower case."""
        headers = self._headers
        if headers is None:
            headers = self._headers = first_values(self._scope["headers"])
        return headers.get(name)

    def text_header(self, name: bytes) -> str:
        """The first value of a header as text (UTF-8, else Latin-1); empty when absent."""
        value = self.header(name)
        if value is None:
            return ""
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    def query_pairs(self) -> list[tuple[str, str]]:
        """Decoded query parameters in order; ``+`` is a space, bad UTF-8 becomes U+FFFD."""
        if not self.query:
            return []
        return parse_qsl(self.query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")

    def query_value(self, name: str) -> str | None:
        """The first value of a query parameter."""
        for key, value in self.query_pairs():
            if key == name:
                return value
        return None

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, after the trusted-proxy rule."""
        return str(self._scope.get("scheme", "http"))

    @property
    def scope(self) -> Scope:
        """The ASGI scope, for Starlette's own classes."""
        return self._scope


class Answer:
    """Status, headers and a body that is complete."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    async def send(self, scope: Scope, send: Send) -> None:
        """Write it out with a Content-Length; in one piece where the server can."""
        whole = scope.get("extensions", {}).get(WHOLE_ANSWER)
        if whole is not None:
            await whole(self.status, self.headers, self.body)
            return
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class StreamAnswer:
    """An answer whose body comes in pieces (files, server-sent events)."""

    __slots__ = ("chunks", "headers", "status")

    def __init__(self, status: int, chunks: AsyncIterator[bytes], headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.chunks = chunks
        self.headers = headers

    async def send(self, _: Scope, send: Send) -> None:
        """Write the pieces as they come."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        async for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


JSON_DEPTH = 64
"""Nesting beyond this is refused: no real body needs it, and the stack is not the caller's to use."""


class NotJson(Exception):
    """A body is no strict JSON, or nested too deeply."""


def read_json(body: bytes) -> Any:
    """A body as plain values.

    Raises:
        NotJson: not UTF-8, not JSON, a number out of range, a lone surrogate, or deeper than ``JSON_DEPTH``.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from error
    if body.count(b"[") + body.count(b"{") > JSON_DEPTH and _is_deep(value):
        raise NotJson(f"nested deeper than {JSON_DEPTH}")
    return value


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(JSON_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


_JSON = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


def json_answer(
    status: int,
    value: object,
    headers: Mapping[bytes, bytes] | None = None,
    content_type: bytes | None = None,
) -> Answer:
    """A compact JSON answer; Chinese is not escaped."""
    first = _JSON if content_type is None else (b"content-type", content_type)
    return Answer(status, _encode(value), [first, *(headers or {}).items()])


def text_answer(status: int, text: str, content_type: bytes = b"text/plain; charset=utf-8") -> Answer:
    """A text answer."""
    return Answer(status, text.encode(), [(b"content-type", content_type)])
