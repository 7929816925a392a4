"""Is it alive, can it work, how does it do: ``/healthz``, ``/readyz``, ``/metrics``."""

import asyncio

from onebell.api.callers import Callers
from onebell.api.errors import explained, forbidden
from onebell.api.operations import Right, Route
from onebell.core.context import Context
from onebell.errors import OnebellError, StoreUnavailable
from onebell.http.exchange import Answer, Request, json_answer
from onebell.metrics import CONTENT_TYPE, Metrics

_ALIVE = {"status": "ok", "private_channel_enabled": False, "private_runtime_ready": False}
_BELIEVED_S = 1.0
"""How long an answer holds: a stranger who asks all the time must not make the store sync all the time."""
_PATIENCE_S = 5.0
_NO_STORE = {b"cache-control": b"no-store"}


class Probes:
    """What operators' machines ask."""

    def __init__(self, context: Context, callers: Callers, metrics: Metrics) -> None:
        self._context = context
        self._callers = callers
        self._metrics = metrics
        self._looked_at = float("-inf")
        self._is_ready = False

    def routes(self) -> list[Route]:
        """Their paths."""
        return [
            Route(("GET",), "/healthz", self.alive),
            Route(("GET",), "/readyz", self.ready),
            Route(("GET",), "/metrics", self.figures),
        ]

    async def alive(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The process answers. The shape is PushGo's (sheet pushgo, ``GET /healthz``)."""
        return json_answer(200, _ALIVE, _NO_STORE)

    async def ready(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The store takes writes: a read alone would not notice a full disk."""
        now = self._context.clock.monotonic()
        if now >= self._looked_at + _BELIEVED_S:
            self._looked_at = now
            self._is_ready = await self._probe()
        if not self._is_ready:
            return json_answer(503, {"status": "unavailable"}, _NO_STORE)
        return json_answer(200, {"status": "ok"}, _NO_STORE)

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._context.store.sessions.probe(self._context.clock.now_ms())
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def figures(self, request: Request, _: tuple[str, ...]) -> Answer:
        """Prometheus; needs a token with the right to view, because counts tell of people."""
        try:
            caller = await self._callers.of(request)
            if not caller.may(Right.VIEW):
                raise forbidden("this credential may not see figures")
        except OnebellError as error:
            return explained(error).answer()
        return Answer(200, self._metrics.text(), [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store")])
