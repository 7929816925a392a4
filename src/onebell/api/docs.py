"""``/api/docs``: an own page that lists the operations and tries them; no third-party bundle (RELIABILITY §2.2)."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from onebell.api.openapi import document
from onebell.api.operations import Operation, Route
from onebell.http.exchange import Answer, Request, json_answer

_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"cache-control": b"no-cache",
    b"content-security-policy": _CSP,
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
_FILES = (
    ("/api/docs", "docs.html", b"text/html; charset=utf-8"),
    ("/api/v1/docs.js", "docs.js", b"text/javascript; charset=utf-8"),
    ("/api/v1/docs.css", "docs.css", b"text/css; charset=utf-8"),
)


class Docs:
    """The page, its parts and the document that it shows."""

    def __init__(self, operations: Sequence[Operation], version: str) -> None:
        self._document: dict[str, Any] = document(operations, version)

    def routes(self) -> list[Route]:
        """Their paths; open to everybody, because they tell nothing of the data."""
        return [
            Route(("GET",), "/api/v1/openapi.json", self.describe),
            *(Route(("GET",), path, _static(name, kind)) for path, name, kind in _FILES),
        ]

    async def describe(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The OpenAPI document."""
        return json_answer(200, self._document, _HEADERS)


def _static(name: str, kind: bytes) -> Any:
    body = files("onebell.api").joinpath(name).read_bytes()
    headers = [(b"content-type", kind), *_HEADERS.items()]

    async def read(_: Request, __: tuple[str, ...]) -> Answer:
        return Answer(200, body, headers)

    return read
