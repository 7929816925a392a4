"""PushPlus as a server: its paths, and the answer to everything that goes wrong (sheet pushplus §1.1, §2)."""

from collections.abc import Callable, Sequence
from functools import partial

from onebell.core.context import Context
from onebell.core.events import CallbackRequest, Event
from onebell.dialects.base import CallbackAnswer, Route
from onebell.dialects.pushplus import answer, callback, fields, page
from onebell.dialects.pushplus.answer import Fault, OpenFault, Rejected
from onebell.dialects.pushplus.limits import PROFILES
from onebell.dialects.pushplus.manage.images import UPLOAD
from onebell.dialects.pushplus.openapi import OpenApi
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.sending import Sending
from onebell.dialects.pushplus.uploads import Uploads
from onebell.http.exchange import Answer, Request
from onebell.http.uploads import Streamed

_METHODS = ("GET", "POST", "PUT", "DELETE")
_PAGES = (b"/shortMessage/", b"/t/")
_OPEN_API = b"/api/"
_BODY_LIMIT = 2 * 1024 * 1024
"""100,000 characters, each up to 12 bytes as an escape, and room for the other fields."""


class PushPlus:
    """The dialect."""

    name = NAME
    body_limit = _BODY_LIMIT
    callbacks = callback.SCHEDULE

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sending = Sending(context)
        self._open_api = OpenApi(context)
        self._uploads = Uploads(context, self._open_api)

    def routes(self) -> Sequence[Route]:
        """``/send`` and ``/batchSend`` with and without token and trailing slash: no redirects."""
        sending = [
            Route(_METHODS, path + tail, handler)
            for path, handler in (("/send", self.send), ("/batchSend", self.send_batch))
            for tail in ("", "/", "/{}", "/{}/")
        ]
        return [
            *sending,
            *(Route(("HEAD",), route.pattern, self.refuse) for route in sending),
            Route(("GET",), "/shortMessage/{}", self.show),
            Route(("GET",), "/t/{}", self.show),
            Route(("POST",), "/api/common/openApi/getAccessKey", self._open_api.access_key),
            Route(("POST",), UPLOAD, Streamed(self._uploads.by_token)),
            Route(("POST",), "/api/open/file/uploadImage", Streamed(self._uploads.by_access_key)),
            Route(_METHODS, "/api/open/{*}", self._open_api.call),
        ]

    async def refuse(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """HEAD on a sending path: the router would run GET, and a link checker would send a message."""
        return answer.wrong_method(_METHODS)

    async def show(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """The detail page."""
        return await page.show(self._context, in_path[0], page.pictures_of(request.query.decode("latin-1")))

    async def send(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """``/send``."""
        try:
            asked = await fields.aside(request, _reader(in_path))
            return answer.accepted(await self._sending.send(asked, request.client))
        except Rejected as why:
            return answer.rejected(why)

    async def send_batch(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """``/batchSend``."""
        try:
            asked = await fields.aside(request, _reader(in_path))
            return answer.batch(await self._sending.send_batch(asked, request.client))
        except Rejected as why:
            return answer.rejected(why)

    def no_route(self, request: Request) -> Answer:
        """A path of this area that is nobody's."""
        return page.missing() if request.path.startswith(_PAGES) else answer.no_route()

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """405, or the answer to a preflight."""
        if request.method == "OPTIONS":
            return answer.options()
        return answer.wrong_method(tuple(method for method in allowed if method != "HEAD"))

    def too_large(self, request: Request) -> Answer:
        """A body that no content fits: the words of a content that is too long, in the form of its API."""
        if request.path.startswith(_OPEN_API):
            return OpenFault.BODY_TOO_LONG.answer
        return answer.rejected(Rejected(Fault.CONTENT_TOO_LONG, PROFILES["off"].content_chars))

    def failed(self, request: Request, error: Exception) -> Answer:
        """Still HTTP 200, code 500."""
        return answer.unexpected()

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """One ``message_complate`` per finished message."""
        return await callback.pack(self._context, events)

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """What a receiver says means nothing here."""


def _reader(in_path: tuple[str, ...]) -> Callable[[Request], fields.Fields]:
    return partial(fields.read, path_token="".join(in_path).encode()) if in_path else fields.read
