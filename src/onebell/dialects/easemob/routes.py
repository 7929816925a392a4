"""Easemob as a server: the paths of an app, and what the area answers besides (sheet easemob §1)."""

from collections.abc import Mapping, Sequence
from typing import Any

from onebell.core.context import Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event
from onebell.core.fetching import Fetcher
from onebell.dialects.base import CallbackAnswer, Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.app import DIALECT
from onebell.dialects.easemob.callback import SCHEDULE, PostSend, is_too_long
from onebell.dialects.easemob.chatfiles import ChatFiles
from onebell.dialects.easemob.contacts import Contacts
from onebell.dialects.easemob.history import History
from onebell.dialects.easemob.imports import Imports
from onebell.dialects.easemob.messages import Messages
from onebell.dialects.easemob.msync.sockjs import SockJsPages
from onebell.dialects.easemob.notifications import Notifications
from onebell.dialects.easemob.online import Online
from onebell.dialects.easemob.recalls import Recalls
from onebell.dialects.easemob.rewrites import Rewrites
from onebell.dialects.easemob.roaming import Roaming
from onebell.dialects.easemob.server_json import server_json
from onebell.dialects.easemob.tokens import Tokens
from onebell.dialects.easemob.users import Users
from onebell.dialects.easemob.visit import EVERY_METHOD, Gate
from onebell.errors import StoreUnavailable
from onebell.http.exchange import Answer, Request


class Easemob:
    """The dialect."""

    name = DIALECT
    body_limit = 1024 * 1024  # D6: the hard cap under which 5 KB are measured
    callbacks: CallbackSchedule = SCHEDULE

    def __init__(self, context: Context, fetcher: Fetcher) -> None:
        self._context = context
        self._gate = Gate(context)
        self._post_send = PostSend(context)
        parts = (
            Tokens,
            Messages,
            Recalls,
            Rewrites,
            History,
            Roaming,
            Online,
            Users,
            Contacts,
            ChatFiles,
            Notifications,
        )
        imports = Imports(context, self._gate, fetcher)
        self._parts = (*(part(context, self._gate) for part in parts), imports, SockJsPages())

    def routes(self) -> Sequence[Route]:
        """What is built of the area; the last one tells a missing app from a missing path."""
        listed = [route for part in self._parts for route in part.routes()]
        addresses = Route(("GET", "OPTIONS"), "/easemob/server.json", server_json)
        return (addresses, *listed, Route(EVERY_METHOD, "/{}/{}/{*}", self._gate.nothing()))

    def no_route(self, request: Request) -> Answer:
        """A path of the area that belongs to no app."""
        return self._gate.error(answer.no_service())

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """A method that HTTP does not know."""
        return self._gate.error(answer.no_operation(", ".join(allowed)))

    def too_large(self, request: Request) -> Answer:
        """A body over the hard cap."""
        return self._gate.error(answer.request_too_large())

    def failed(self, request: Request, error: Exception) -> Answer:
        """The store is away, or a defect of ours."""
        return self._gate.error(answer.broken(503 if isinstance(error, StoreUnavailable) else 500))

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """Callbacks after something has happened."""
        return await self._post_send.pack(events)

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """Only the status counts, except that a long answer is held against its rule."""
        if is_too_long(answer):
            await self.on_failure(callback.space, callback.context)

    async def on_failure(self, space: int, context: Mapping[str, Any]) -> None:
        """A rule whose receiver fails too often rests."""
        await self._post_send.failed(space, str(context.get("rule", "")))
