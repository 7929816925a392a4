"""The caller behind a trusted proxy: uvicorn's rule, also for requests that go the short way."""

from collections.abc import Sequence
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from onebell.http.exchange import Answer, Request, StreamAnswer
from onebell.http.router import Router


class BehindProxies:
    """A router whose requests name the address and scheme that a trusted proxy forwards."""

    def __init__(self, router: Router, trusted: Sequence[str]) -> None:
        """``trusted`` are addresses and networks of proxies."""
        self._router = router
        asgi: Any = router
        self._whole: Any = ProxyHeadersMiddleware(asgi, list(trusted))
        self._told: Any = ProxyHeadersMiddleware(_nothing, list(trusted))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._whole(scope, receive, send)

    async def answer(self, request: Request) -> Answer | StreamAnswer:
        """The answer to a whole request (``http.protocol.Answers``)."""
        scope = request.scope
        await self._told(scope, request.receive, None)
        return await self._router.answer(Request(scope, request.path, request.body, request.receive))


async def _nothing(*_: Any) -> None:
    """The scope has been told; that is all that was wanted."""
