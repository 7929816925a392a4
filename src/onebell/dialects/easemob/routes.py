"""Easemob as a server: tokens and single-chat messages (sheet easemob §1.2, §1.3, §1.4, §3.1)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from onebell.core.context import Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event
from onebell.dialects.base import CallbackAnswer, Handler, Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import Rejected, Scene
from onebell.dialects.easemob.app import APP, DIALECT, TOKENS_PER_SECOND, App
from onebell.dialects.easemob.auth import caller_of
from onebell.dialects.easemob.callback import SCHEDULE, pack
from onebell.dialects.easemob.grants import Grants, read
from onebell.dialects.easemob.parse import Message, Rules, parse_legacy, parse_message
from onebell.dialects.easemob.send import send
from onebell.errors import Refused, StoreUnavailable
from onebell.http.exchange import Answer, Request

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
    began: float  # monotonic seconds


Visited = Callable[[Visit], Awaitable[Answer]]
Parse = Callable[[bytes, Rules], Message]


class Easemob:
    """The dialect."""

    name = DIALECT
    body_limit = 1024 * 1024  # D6: the hard cap under which 5 KB are measured
    callbacks: CallbackSchedule = SCHEDULE

    def __init__(self, context: Context) -> None:
        self._context = context
        self._grants = Grants(context)

    def routes(self) -> Sequence[Route]:
        """What is built of the area; the last one tells a missing app from a missing path."""
        return (
            Route(EVERY_METHOD, "/{}/{}/token", self._visited(self._token)),
            Route(EVERY_METHOD, "/{}/{}/messages/users", self._visited(self._messages)),
            Route(EVERY_METHOD, "/{}/{}/messages", self._visited(self._legacy_messages)),
            Route(EVERY_METHOD, "/{}/{}/{*}", self._visited(self._nothing)),
        )

    def no_route(self, request: Request) -> Answer:
        """A path of the area that belongs to no app."""
        return self._error(answer.no_service())

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """A method that HTTP does not know."""
        return self._error(answer.no_operation(", ".join(allowed)))

    def too_large(self, request: Request) -> Answer:
        """A body over the hard cap."""
        return self._error(answer.request_too_large())

    def failed(self, request: Request, error: Exception) -> Answer:
        """The store is away, or a defect of ours."""
        return self._error(answer.broken(503 if isinstance(error, StoreUnavailable) else 500))

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """Post-send callbacks."""
        return await pack(self._context.lookups, events)

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """Post-send: only the status counts."""

    # ------------------------------------------------------------ what every call goes through

    def _visited(self, handle: Visited) -> Handler:
        async def handler(request: Request, values: tuple[str, ...]) -> Answer:
            if request.method == "OPTIONS":
                return answer.preflight()
            began = self._context.clock.monotonic()
            try:
                visit = await self._visit(request, unquote(values[0]), unquote(values[1]), began)
                return await handle(visit)
            except Rejected as refusal:
                return self._error(refusal, began)

        return handler

    async def _visit(self, request: Request, org: str, name: str, began: float) -> Visit:
        path = unquote(request.path.decode("latin-1"))
        path = path[len(f"/{org}/{name}") :]
        for space in await self._context.lookups.spaces():
            if "\x00" in org + name:
                break
            record = await self._context.lookups.record(space.id, DIALECT, APP, f"{org}/{name}")
            if record is not None:
                return Visit(request, space.id, msgspec.convert(record.data, App), path, began)
        raise answer.no_app(org, name, path)

    async def _only_app_token(self, visit: Visit) -> None:
        caller = await caller_of(self._context, visit.space, visit.app, visit.request.text_header(b"authorization"))
        if caller.user:
            raise answer.not_permitted(visit.request.method, visit.app.uuid, visit.path)

    async def _count_calls(self, visit: Visit, what: str, limit: int) -> None:
        key = f"easemob:{visit.app.key}:{what}"
        if limit and not await self._context.limits.take(visit.space, key, limit, 1):
            raise answer.too_fast()

    def _error(self, refusal: Rejected, began: float | None = None) -> Answer:
        return answer.error(refusal, self._context.clock.now_ms(), self._duration(began))

    def _duration(self, began: float | None) -> int:
        return 0 if began is None else int((self._context.clock.monotonic() - began) * 1000)

    # ------------------------------------------------------------ the calls

    async def _token(self, visit: Visit) -> Answer:
        _must_post(visit)
        await self._count_calls(visit, "tokens", TOKENS_PER_SECOND)
        request = visit.request
        asked = read(request.body, request.text_header(b"authorization"), request.client)
        return answer.plain(await self._grants.grant(visit.space, visit.app, asked))

    async def _messages(self, visit: Visit) -> Answer:
        ids = await self._send(visit, parse_message)
        return answer.envelope(self._scene(visit), ids)

    async def _legacy_messages(self, visit: Visit) -> Answer:
        ids = await self._send(visit, parse_legacy)
        if visit.request.query_value("useMsgId") != "true":
            ids = dict.fromkeys(ids, "success")
        return answer.envelope(self._scene(visit), ids)

    async def _nothing(self, visit: Visit) -> Answer:
        raise answer.no_service()

    async def _send(self, visit: Visit, parse: Parse) -> dict[str, str]:
        """The checks in the order of §1.2: app, token, method, rate, content type, body."""
        await self._only_app_token(visit)
        _must_post(visit)
        await self._count_calls(visit, "calls", visit.app.calls_per_second)
        _must_be_json(visit.request)
        app = visit.app
        message = parse(visit.request.body, Rules(message_bytes=app.message_bytes, lenient=app.lenient_body))
        await self._count_messages(visit, len(message.receivers))
        try:
            return await send(self._context, visit.space, app, message)
        except Refused as refusal:
            raise answer.send_error(refusal.detail or refusal.reason.value, 403) from refusal

    async def _count_messages(self, visit: Visit, amount: int) -> None:
        """A call that would pass the limit is refused whole (sheet §5)."""
        limit = visit.app.messages_per_minute
        key = f"easemob:{visit.app.key}:messages"
        if limit and not await self._context.limits.take(visit.space, key, limit, 60, amount):
            raise answer.too_many_messages()

    def _scene(self, visit: Visit) -> Scene:
        request = visit.request
        host = request.text_header(b"host")
        return Scene(
            org=visit.app.org,
            app=visit.app.app,
            application=visit.app.uuid,
            path=visit.path,
            uri=f"{request.scheme}://{host}{request.path.decode('latin-1')}",
            action=request.method.lower(),
            timestamp=self._context.clock.now_ms(),
            duration=self._duration(visit.began),
        )


def _must_post(visit: Visit) -> None:
    if visit.request.method != "POST":
        raise answer.no_operation("POST")


def _must_be_json(request: Request) -> None:
    kind = request.text_header(b"content-type").partition(";")[0].strip().lower()
    if kind in JSON_TYPES or (kind == FORM and request.body.lstrip()[:1] in (b"{", b"[")):
        return
    raise answer.media_type()
