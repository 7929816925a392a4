"""PushGo as a server: ``/message``, and its own words for everything else in its area (sheet pushgo §1, §2.1)."""

from collections.abc import Awaitable, Callable, Sequence

from onebell.core.context import Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event
from onebell.dialects.base import CallbackAnswer, Route
from onebell.dialects.pushgo import answer, parse
from onebell.dialects.pushgo.answer import BODY_TOO_LARGE, NO_CONTENT_TYPE, PlainRejected, Rejected
from onebell.dialects.pushgo.gateway import Gateway
from onebell.dialects.pushgo.send import Door
from onebell.http.exchange import Answer, Request

OTHER_METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
"""Routed, because the gateway's token is checked before the method is (sheet §1.1)."""

READ_AHEAD_BYTES = 65_536
"""The token and the content type come before the size (sheet §1.1), so a little more than the limit is read."""


class PushGo:
    """The dialect ``pushgo``."""

    name = "pushgo"
    body_limit = READ_AHEAD_BYTES
    callbacks = CallbackSchedule(pauses_s=(), timeout_s=5)

    def __init__(self, context: Context) -> None:
        self._gateway = Gateway(context)
        self._door = Door(context)

    def routes(self) -> Sequence[Route]:
        return (
            Route(("POST",), "/message", self._post),
            Route(("GET",), "/message", self._get),
            Route(OTHER_METHODS, "/message", self._other),
        )

    def no_route(self, request: Request) -> Answer:
        return answer.route_not_found()

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        return answer.method_not_allowed(tuple(method for method in allowed if method not in OTHER_METHODS))

    def too_large(self, request: Request) -> Answer:
        return answer.rejected(request, BODY_TOO_LARGE)

    def failed(self, request: Request, error: Exception) -> Answer:
        return answer.rejected(request, answer.failure_of(error))

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """PushGo calls nobody back: its devices ask."""
        return ()

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """PushGo calls nobody back."""

    async def _post(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await answered(request, self._send_json)

    async def _get(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await answered(request, self._send_query)

    async def _other(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await answered(request, self._refuse_method)

    async def _send_json(self, request: Request) -> Answer:
        space = await self._gateway.space_of(request)
        if not parse.is_json(request.header(b"content-type")):
            raise Rejected(NO_CONTENT_TYPE)
        if len(request.body) > parse.BODY_BYTES:
            raise Rejected(BODY_TOO_LARGE)
        return await self._door.send(space, parse.from_json(request.body), request.client)

    async def _send_query(self, request: Request) -> Answer:
        space = await self._gateway.space_of(request)
        intent = parse.from_query(request.query_pairs())
        return await self._door.send(space, intent, request.client)

    async def _refuse_method(self, request: Request) -> Answer:
        await self._gateway.space_of(request)
        return answer.method_not_allowed(("GET", "POST"))


class Rest:
    """Answers the main listener's paths of no area: 404 ``route_not_found``, no token is asked for (DESIGN §7)."""

    body_limit = 0

    def routes(self) -> Sequence[Route]:
        return ()

    def no_route(self, request: Request) -> Answer:
        return answer.route_not_found()

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        return answer.route_not_found()

    def too_large(self, request: Request) -> Answer:
        return answer.route_not_found()

    def failed(self, request: Request, error: Exception) -> Answer:
        return answer.rejected_briefly(request, answer.failure_of(error))


async def answered(request: Request, work: Callable[[Request], Awaitable[Answer]]) -> Answer:
    """Do it, and turn a refusal into its answer."""
    try:
        return await work(request)
    except Rejected as why:
        return answer.rejected(request, why.failure)
    except PlainRejected as why:
        return answer.plain(why)
