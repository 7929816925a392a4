"""What SDK 3.x asks before it opens a socket: the information page of SockJS (sheet easemob-msync §9)."""

import secrets
from collections.abc import Sequence

from onebell.dialects.base import Route
from onebell.dialects.easemob.answer import CORS
from onebell.http.exchange import Answer, Request, json_answer

ENTROPY_BITS = 32


class SockJsPages:
    """A part of the dialect's routes."""

    def routes(self) -> Sequence[Route]:
        """The page; the sockets themselves are ``msync.service``'s."""
        return (Route(("GET", "OPTIONS"), "/ws/info", self._info),)

    async def _info(self, request: Request, _: tuple[str, ...]) -> Answer:
        if request.method == "OPTIONS":
            return Answer(200, b"", list(CORS.items()))
        entropy = secrets.randbits(ENTROPY_BITS)
        info = {"websocket": True, "origins": ["*:*"], "cookie_needed": False, "entropy": entropy}
        return json_answer(200, info, {**CORS, b"cache-control": b"no-store"})
