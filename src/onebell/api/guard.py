"""What stands before every operation: credential, right, body. After it: one place that words errors."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog

from onebell.api.callers import Callers
from onebell.api.errors import ApiError, explained, forbidden
from onebell.api.operations import Call, Caller, Operation, Route
from onebell.errors import OnebellError
from onebell.http.exchange import Answer, Request, StreamAnswer, json_answer
from onebell.http.uploads import Streamed

log = structlog.get_logger()

_NO_STORE = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
_FIELD = re.compile(r" - at `\$\.?([^`]*)`$")
_LAST_ID = (1 << 63) - 1
"""Ids and places are of 64 bits in every store."""


class Guard:
    """Makes routes of operations."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def routes(self, operations: Sequence[Operation]) -> list[Route]:
        """A route per operation."""
        return [self._route(operation) for operation in operations]

    def _route(self, operation: Operation) -> Route:
        decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)

        async def handle(request: Request, values: tuple[str, ...]) -> Answer | StreamAnswer:
            try:
                return await self._answer(operation, decoder, request, values)
            except OnebellError as error:
                return explained(error).answer()

        handler = Streamed(handle) if operation.upload else handle
        return Route((operation.method,), operation.pattern, handler)

    async def _answer(
        self,
        operation: Operation,
        decoder: msgspec.json.Decoder[Any] | None,
        request: Request,
        values: tuple[str, ...],
    ) -> Answer | StreamAnswer:
        caller = await self.admit(operation, request)
        _refuse_nul(request, values)
        body = _decoded(decoder, request.body) if decoder is not None else None
        path = tuple(unquote(value) for value in values)
        result = await operation.do(Call(request=request, caller=caller, path=path, body=body))
        if isinstance(result, Answer | StreamAnswer):
            return result
        if result is None:
            return Answer(204, b"", list(_NO_STORE.items()))
        return json_answer(operation.status, result, _NO_STORE)

    async def admit(self, operation: Operation, request: Request) -> Caller | None:
        """Who may come in, and does.

        Raises:
            ApiError: unauthorized, forbidden.
        """
        if not operation.rights:
            return None
        caller = await self._callers.of(request, takes_ticket=operation.takes_ticket)
        if not caller.rights & operation.rights:
            raise forbidden(f"{caller.role or 'this credential'} may not do this")
        return caller


def _refuse_nul(request: Request, values: tuple[str, ...]) -> None:
    # PostgreSQL's text refuses NUL, so nothing can be called by it.
    if any("%00" in value for value in values):
        raise ApiError("not_found", "nothing has such a name")
    if b"%00" in request.query:
        raise ApiError("invalid", "a query parameter holds a NUL")


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        text = str(error)
        found = _FIELD.search(text)
        raise ApiError("invalid", _FIELD.sub("", text), found.group(1) if found else "") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError("bad_request", "the body is not JSON") from error


def number_of(request: Request, name: str, default: int, *, least: int = 0, most: int = 1 << 62) -> int:
    """A query parameter that is a number.

    Raises:
        ApiError: it is not one, or out of bounds.
    """
    text = request.query_value(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not least <= int(text) <= most:
        raise ApiError("invalid", f"{name} is a number from {least} to {most}", name)
    return int(text)


def number_in(text: str, field: str) -> int:
    """A number in a path.

    Raises:
        ApiError: there is no such thing.
    """
    number = id_of(text)
    if number is None:
        raise ApiError("not_found", f"there is no such {field}")
    return number


def id_of(text: str) -> int | None:
    """The number that an id or a place is written as; None when it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= _LAST_ID else None
