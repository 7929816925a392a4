"""What a dialect is: an HTTP API that onebell speaks as a server."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule, Event
from onebell.http.exchange import Answer, Request, StreamAnswer

__all__ = ["CallbackAnswer", "CallbackRequest", "CallbackSchedule", "Dialect", "Event", "Handler", "Route"]

Handler: TypeAlias = Callable[[Request, tuple[str, ...]], Awaitable[Answer | StreamAnswer]]
"""Gets the request and the raw (still percent-encoded) values of the pattern's ``{}`` segments."""


class Route(msgspec.Struct, frozen=True):
    """One path of a dialect. ``{}`` stands for one segment; patterns are matched on the raw path."""

    methods: tuple[str, ...]
    pattern: str
    handler: Handler


class Dialect(Protocol):
    """One folder of ``dialects/``. Stateless but for what it was built with."""

    name: str
    body_limit: int
    """Largest request body in bytes; beyond it ``too_large`` answers."""
    callbacks: CallbackSchedule

    def routes(self) -> Sequence[Route]:
        """Every path this dialect answers; trailing slashes are paths of their own."""
        ...

    def no_route(self, request: Request) -> Answer:
        """The service's own answer to an unknown path inside its area."""
        ...

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """The service's own answer to a known path with another method (also OPTIONS, unless routed)."""
        ...

    def too_large(self, request: Request) -> Answer:
        """The service's own answer to a body over ``body_limit`` (``request.body`` is empty)."""
        ...

    def failed(self, request: Request, error: Exception) -> Answer:
        """The service's own "system error": StoreUnavailable, or a defect of ours (already logged)."""
        ...

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """Callback requests for these events, oldest first; an event that nobody wants is left out."""
        ...

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """Read a successful callback's answer where it means something (WeCom's passive reply)."""
        ...
