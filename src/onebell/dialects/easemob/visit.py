"""What every call to an app goes through: app, token, method, rate, content type, body (sheet easemob §1.2)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.base import Handler, Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import Rejected, Scene
from onebell.dialects.easemob.app import ACCOUNT_NAME, APP, CALLS_PER_SECOND, DIALECT, App
from onebell.dialects.easemob.auth import UNKNOWN, Caller, caller_of
from onebell.errors import NotFound
from onebell.http.exchange import Answer, NotJson, Request, StreamAnswer, read_json

# The app is looked up before the method (sheet §1.2), so handlers get every method.
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
# ``curl -d`` without a header says form; the body then begins as JSON does (sheet §1.3).
FORM = "application/x-www-form-urlencoded"
JSON_TYPES = frozenset({"", "application/json"})


@dataclass(frozen=True)
class Visit:
    """A request to an app that exists."""

    request: Request
    space: int
    app: App
    path: str  # behind /{org}/{app}, decoded
    values: tuple[str, ...]  # of the path's places behind /{org}/{app}, decoded
    began: float  # monotonic seconds
    caller: Caller = UNKNOWN  # whose token was shown; set by the path's check

    @property
    def origin(self) -> str:
        """``https://host`` as the caller saw it."""
        return f"{self.request.scheme}://{self.request.text_header(b'host')}"


@dataclass(frozen=True)
class Rate:
    """Calls a second that an app may make together; they scale with its ``calls_per_second`` (sheet §5)."""

    name: str
    per_second: int
    window_s: int = 1


Visited = Callable[[Visit], Awaitable[Answer | StreamAnswer]]
Check = Callable[[Visit], Awaitable[Caller]]
"""Who may come in. Raises ``Rejected``."""


@dataclass(frozen=True)
class Call:
    """One method of a path."""

    handle: Visited
    rate: Rate


@dataclass(frozen=True)
class Path:
    """A path behind ``/{org}/{app}``."""

    pattern: str
    check: Check
    calls: Mapping[str, Call]


class Gate:
    """Lets calls in, and knows what envelopes say of them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def route(self, path: Path) -> Route:
        """A path with the checks in the order of §1.2: app, token, method, rate; the rest is the call's own."""

        async def handler(request: Request, values: tuple[str, ...]) -> Answer | StreamAnswer:
            if request.method == "OPTIONS":
                return answer.preflight()
            began = self._context.clock.monotonic()
            try:
                visit = await self._visit(request, tuple(unquote(value) for value in values), began)
                return await self._let_in(visit, path)
            except Rejected as refusal:
                return self.error(refusal, began)
            except NotFound:
                # Whom the look-up still knew is gone: removed a moment ago, or within a second on another node.
                return self.error(answer.no_service(), began)

        return Route(EVERY_METHOD, "/{}/{}" + path.pattern, handler)

    def nothing(self) -> Handler:
        """Answers what no path matches: a missing app is told from a missing path."""

        async def handler(request: Request, values: tuple[str, ...]) -> Answer | StreamAnswer:
            if request.method == "OPTIONS":
                return answer.preflight()
            began = self._context.clock.monotonic()
            try:
                await self._visit(request, tuple(unquote(value) for value in values), began)
            except Rejected as refusal:
                return self.error(refusal, began)
            return self.error(answer.no_service(), began)

        return handler

    async def _visit(self, request: Request, values: tuple[str, ...], began: float) -> Visit:
        org, name, *places = values
        path = unquote(request.path.decode("latin-1"))
        path = path[len(f"/{org}/{name}") :]
        found = await app_named(self._context, org, name)
        if found is None:
            raise answer.no_app(org, name, path)
        return Visit(request, *found, path, tuple(places), began)

    async def _let_in(self, visit: Visit, path: Path) -> Answer | StreamAnswer:
        visit = replace(visit, caller=await path.check(visit))
        call = path.calls.get(visit.request.method)
        if call is None:
            raise answer.no_operation(", ".join(path.calls))
        await self._count(visit, call.rate)
        return await call.handle(visit)

    async def _count(self, visit: Visit, rate: Rate) -> None:
        setting = visit.app.calls_per_second
        if not setting:
            return
        limit = max(1, rate.per_second * setting // CALLS_PER_SECOND)
        key = f"easemob:{visit.app.key}:{rate.name}"
        if not await self._context.limits.take(visit.space, key, limit, rate.window_s):
            raise answer.too_fast()

    # ------------------------------------------------------------ who may come in

    async def anybody(self, visit: Visit) -> Caller:
        """No token is needed; what the call asks for, it checks itself."""
        return UNKNOWN

    async def any_token(self, visit: Visit) -> Caller:
        """The app's token, or one of its users'."""
        return await caller_of(self._context, visit.space, visit.app, visit.request.text_header(b"authorization"))

    async def app_token(self, visit: Visit) -> Caller:
        """The app's token only."""
        caller = await self.any_token(visit)
        if caller.user:
            raise not_his(visit)
        return caller

    async def own_token(self, visit: Visit) -> Caller:
        """The app's token, or that of the user whom the path's first place names."""
        caller = await self.any_token(visit)
        if caller.user and caller.user != visit.values[0].lower():
            raise not_his(visit)
        return caller

    async def account(self, visit: Visit, name: str) -> Account:
        """An account of the app, found without case.

        Raises:
            Rejected: there is none.
        """
        found = await self.find_account(visit, name)
        if found is None:
            raise answer.no_service()
        return found

    async def find_account(self, visit: Visit, name: str) -> Account | None:
        """An account of the app, found without case; None = there is none, as of what nobody can be called."""
        key = name.lower()
        if not ACCOUNT_NAME.fullmatch(key):
            return None
        return await self._context.lookups.account(visit.space, visit.app.key, key)

    # ------------------------------------------------------------ answers

    def error(self, refusal: Rejected, began: float | None = None) -> Answer:
        """A refusal in the one shape of errors."""
        return answer.error(refusal, self._context.clock.now_ms(), self._duration(began))

    def scene(self, visit: Visit) -> Scene:
        """What the envelope says about a call."""
        request = visit.request
        return Scene(
            org=visit.app.org,
            app=visit.app.app,
            application=visit.app.uuid,
            path=visit.path,
            uri=visit.origin + request.path.decode("latin-1"),
            action=request.method.lower(),
            timestamp=self._context.clock.now_ms(),
            duration=self._duration(visit.began),
        )

    def _duration(self, began: float | None) -> int:
        return 0 if began is None else int((self._context.clock.monotonic() - began) * 1000)


async def app_named(context: Context, org: str, name: str) -> tuple[int, App] | None:
    """An app and its space; None = there is none."""
    if "\x00" in org + name:
        return None
    for space in await context.lookups.spaces():
        record = await context.lookups.record(space.id, DIALECT, APP, f"{org}/{name}")
        if record is not None:
            return space.id, msgspec.convert(record.data, App)
    return None


def not_his(visit: Visit) -> Rejected:
    """A user's token where the app's is needed, or another user's."""
    return answer.not_permitted(visit.request.method, visit.app.uuid, visit.path)


def must_be_json(request: Request) -> None:
    """Raises ``Rejected``: the Content-Type cannot hold JSON (sheet §1.3)."""
    kind = request.text_header(b"content-type").partition(";")[0].strip().lower()
    if kind in JSON_TYPES or (kind == FORM and request.body.lstrip()[:1] in (b"{", b"[")):
        return
    raise answer.media_type()


def json_of(request: Request) -> Any:
    """The body as plain values.

    Raises:
        Rejected: another content type, or no JSON.
    """
    must_be_json(request)
    try:
        return read_json(request.body)
    except NotJson as error:
        raise Rejected(400, "json_parse", str(error)) from None


def object_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ``Rejected``."""
    value = json_of(request)
    if not isinstance(value, dict):
        raise answer.illegal(answer.INVALID_REQUEST)
    return value
