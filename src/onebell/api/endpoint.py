"""The server's own area: the native API, probes, files, docs; and its live readers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from onebell import __version__
from onebell.api.account import AccountApi
from onebell.api.callers import DIALECT, Callers
from onebell.api.docs import Docs
from onebell.api.errors import ApiError, explained
from onebell.api.feeds import FeedsApi
from onebell.api.files import FilesApi
from onebell.api.guard import Guard
from onebell.api.inbox import InboxApi
from onebell.api.items import ItemEncoder
from onebell.api.messages import MessagesApi
from onebell.api.operations import Operation
from onebell.api.own_replies import OwnReplies
from onebell.api.probes import Probes
from onebell.api.space import KindWords, SpaceApi
from onebell.api.streams import Streams
from onebell.api.talks import Talks, TalksApi
from onebell.api.timelines import TimelinesApi
from onebell.api.tokens import TokensApi
from onebell.api.uploads import UploadsApi
from onebell.core.carriage import Carriers
from onebell.core.context import Context
from onebell.core.presence import Presence
from onebell.core.replies import Replies
from onebell.core.standing import kept
from onebell.core.stream import Hub
from onebell.core.takings import Takings
from onebell.http.exchange import Answer, Request
from onebell.http.router import Routed
from onebell.http.sockets import SocketHandler
from onebell.metrics import Metrics

NO_REPLIES: Mapping[str, Replies] = {}


class NativeApi:
    """Area ``own`` of the router (DESIGN §7).

    ``run()`` serves live readers and must run beside the listener. ``pages`` are further routes of the area (console,
    receipts, join pages), which their own parts make.
    """

    body_limit = 1024 * 1024

    def __init__(
        self,
        context: Context,
        callers: Callers,
        carriers: Carriers,
        kinds: Callable[[], Sequence[KindWords]],
        metrics: Metrics,
        pages: Sequence[Routed] = (),
        replies: Mapping[str, Replies] = NO_REPLIES,
    ) -> None:
        """``replies`` are conversations of dialects, by the dialect's name."""
        files = FilesApi(context)
        encoder = ItemEncoder(files.url, context.files)
        self.hub = Hub(context.store.inbox, context.bell, context.clock, encoder, context.settings.poll_s)
        self.presence = Presence(context.store.sessions, context.bell, context.clock, context.mint)
        self._takings = Takings(context.store, context.clock, context.mint)
        all_replies = {**replies, DIALECT: OwnReplies(context)}
        talks = Talks(context, all_replies)
        self._streams = Streams(context, callers, self.hub, self.presence, self._takings)
        self.operations: tuple[Operation, ...] = (
            *AccountApi(context, callers, self.presence).operations(),
            *FeedsApi(context, all_replies).operations(),
            *InboxApi(context, self.hub, encoder, self._takings, talks).operations(),
            *TalksApi(context, talks).operations(),
            *UploadsApi(context, files.url).operations(),
            *self._streams.operations(),
            *MessagesApi(context).operations(),
            *TimelinesApi(context).operations(),
            *TokensApi(context).operations(),
            *SpaceApi(context, carriers, kinds).operations(),
        )
        self._routes: tuple[Routed, ...] = (
            *Guard(callers).routes(self.operations),
            *Docs(self.operations, __version__).routes(),
            *Probes(context, callers, metrics).routes(),
            *files.routes(),
            *pages,
        )
        self._measure(metrics)

    def _measure(self, metrics: Metrics) -> None:
        metrics.gauge("stream_readers", "Live readers of this node", lambda: self.hub.count)
        metrics.counter("stream_frames", "Frames handed to live readers", lambda: self.hub.frames)
        metrics.counter("stream_cuts", "Readers that were cut because they took nothing", lambda: self.hub.cut)

    async def run(self) -> None:
        """Serve live readers until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (self.hub, self.presence, self._takings):
                    tasks.create_task(kept(part))
        finally:
            await asyncio.shield(self._takings.write())

    # ------------------------------------------------------------ the router's side

    def routes(self) -> Sequence[Routed]:
        """All paths but the WebSocket's."""
        return self._routes

    def websockets(self) -> dict[str, SocketHandler]:
        """Handlers by path."""
        return self._streams.websockets()

    def no_route(self, request: Request) -> Answer:
        """404."""
        return ApiError("not_found", "there is nothing at this path").answer()

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """405, with what is allowed."""
        answer = ApiError("method_not_allowed", f"{request.method} is not allowed here").answer()
        answer.headers.append((b"allow", ", ".join(sorted(allowed)).encode()))
        return answer

    def too_large(self, request: Request) -> Answer:
        """413."""
        return ApiError("too_large", f"a body has at most {self.body_limit} bytes").answer()

    def failed(self, request: Request, error: Exception) -> Answer:
        """503 when the store is at fault, else 500."""
        return explained(error).answer()
