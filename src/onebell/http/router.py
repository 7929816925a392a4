"""From a raw path to a handler. Areas come from :mod:`onebell.http.areas`; each answers its own 404, 405 and 413."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from onebell.errors import StoreUnavailable
from onebell.http.areas import area_of
from onebell.http.exchange import Answer, BodyTooLarge, Request, StreamAnswer
from onebell.http.sockets import SocketHandler
from onebell.http.uploads import Streamed, body_stream, discard

log = structlog.get_logger()

Handler: TypeAlias = Callable[[Request, tuple[str, ...]], Awaitable[Answer | StreamAnswer]]
Found: TypeAlias = tuple[dict[str, Handler], tuple[str, ...]]
"""Handlers by method, and the raw values of the pattern's places."""
BodyReader: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Reads a body of at most so many bytes, else raises ``BodyTooLarge``."""

_REST = "{*}"
_ONE = "{}"


class Routed(Protocol):
    """One path with its methods, as dialects and the native API list them."""

    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def pattern(self) -> str: ...
    @property
    def handler(self) -> Handler: ...


class Endpoint(Protocol):
    """Who answers an area."""

    body_limit: int

    def routes(self) -> Sequence[Routed]: ...
    def no_route(self, request: Request) -> Answer: ...
    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer: ...
    def too_large(self, request: Request) -> Answer: ...
    def failed(self, request: Request, error: Exception) -> Answer: ...


class PathTable:
    """Exact paths first, then patterns in order. ``{}`` takes one segment, a last ``{*}`` all that is left."""

    def __init__(self, routes: Sequence[Routed]) -> None:
        self.exact: dict[str, dict[str, Handler]] = {}
        """Handlers by method of the paths without places."""
        self._patterns: dict[str, tuple[tuple[str, ...], dict[str, Handler]]] = {}
        for route in routes:
            methods = self._methods_of(route.pattern)
            methods.update(dict.fromkeys(route.methods, route.handler))

    def _methods_of(self, pattern: str) -> dict[str, Handler]:
        if "{" not in pattern:
            return self.exact.setdefault(pattern, {})
        return self._patterns.setdefault(pattern, (tuple(pattern.split("/")), {}))[1]

    def listed(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every pattern with its methods."""
        for pattern, methods in self.exact.items():
            yield pattern, tuple(methods)
        for pattern, (_, methods) in self._patterns.items():
            yield pattern, tuple(methods)

    def find(self, path: str) -> Found | None:
        """Handlers by method and the values of the pattern's places; None when no path matches."""
        if (methods := self.exact.get(path)) is not None:
            return methods, ()
        segments = path.split("/")
        for pattern, methods in self._patterns.values():
            if (values := _match(pattern, segments)) is not None:
                return methods, values
        return None


def _match(pattern: tuple[str, ...], segments: list[str]) -> tuple[str, ...] | None:
    takes_rest = pattern[-1] == _REST
    if len(segments) < len(pattern) or (len(segments) > len(pattern) and not takes_rest):
        return None
    values: list[str] = []
    for index, wanted in enumerate(pattern):
        if wanted == _REST:
            values.append("/".join(segments[index:]))
        elif wanted == _ONE:
            if not segments[index]:
                return None
            values.append(segments[index])
        elif wanted != segments[index]:
            return None
    return tuple(values)


def _handler(methods: Mapping[str, Handler], method: str) -> Handler | None:
    return methods.get(method) or (methods.get("GET") if method == "HEAD" else None)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: it is, or says it is, longer than ``limit`` bytes.
        ClientDisconnect: the caller went away.
    """
    try:
        return await _read_up_to(scope, receive, limit)
    except BodyTooLarge:
        await discard(body_stream(receive))
        raise


async def _read_up_to(scope: Scope, receive: Receive, limit: int) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return chunk if not chunks else b"".join([*chunks, chunk])
        chunks.append(chunk)


class Router:
    """The ASGI application of the main listener."""

    def __init__(self, endpoints: Mapping[str, Endpoint], websockets: Mapping[str, SocketHandler]) -> None:
        """``endpoints`` by area name, ``rest`` among them; ``websockets`` by path, ``/ws/*`` for all below."""
        self._endpoints = dict(endpoints)
        self.tables = {area: PathTable(endpoint.routes()) for area, endpoint in endpoints.items()}
        """By area."""
        self._websockets = dict(websockets)
        # Most requests name a path that is listed: one look, instead of a walk over all areas' patterns.
        self._listed: dict[bytes, tuple[str, Found | None]] = {
            path.encode(): (area, (methods, ()))
            for area, table in self.tables.items()
            for path, methods in table.exact.items()
            if area_of(path) == area
        }

    def _find(self, raw: bytes) -> tuple[str, Found | None]:
        path = raw.decode("ascii")
        area = area_of(path)
        return area, self.tables[area].find(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, scope["raw_path"], b"", receive)
            try:
                answer = await self.answer(request, partial(read_body, scope, receive))
            except ClientDisconnect:
                return
            await answer.send(scope, send)
        elif scope["type"] == "websocket":
            await self._open_socket(scope, receive, send)

    async def answer(self, request: Request, unread: BodyReader | None = None) -> Answer | StreamAnswer:
        """The answer to a request; ``unread`` gives the body where the request does not hold it yet.

        Raises:
            ClientDisconnect: the caller went away while the body was read.
        """
        area, found = self._listed.get(request.path) or self._find(request.path)
        endpoint = self._endpoints[area]
        handler = None if found is None else _handler(found[0], request.method)
        if found is None or handler is None:
            return endpoint.no_route(request) if found is None else endpoint.wrong_method(request, tuple(found[0]))
        try:
            if unread is None:
                if len(request.body) > endpoint.body_limit:
                    return endpoint.too_large(request)
            elif isinstance(handler, Streamed) and request.receive is not None:
                request.stream = body_stream(request.receive)
            else:
                request.body = await unread(endpoint.body_limit)
            return await handler(request, found[1])
        except BodyTooLarge:
            return endpoint.too_large(request)
        except ClientDisconnect:
            raise
        except StoreUnavailable as error:
            # Paths hold tokens and keys (``/send/{token}``): they never reach a log.
            log.warning("store_unavailable", area=area, method=request.method, error=str(error))
            return endpoint.failed(request, error)
        except Exception as error:
            log.exception("request_failed", area=area, method=request.method)
            return endpoint.failed(request, error)

    async def _open_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = "/" + scope["path"].lstrip("/")
        handler = self._websockets.get(path) or next(
            (
                handler
                for pattern, handler in self._websockets.items()
                if pattern.endswith("/*") and path.startswith(pattern[:-1])
            ),
            None,
        )
        if handler is None:
            await send({"type": "websocket.close", "code": 1000})
            return
        await handler(scope, receive, send)
