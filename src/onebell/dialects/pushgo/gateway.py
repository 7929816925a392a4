"""The private gateway's token: it guards PushGo's paths and selects the space (sheet pushgo §1.6)."""

from onebell.core.context import Context
from onebell.core.directory import Space
from onebell.dialects.pushgo.answer import AUTHENTICATION_FAILED, Rejected
from onebell.http.exchange import Request

TOKEN_BYTES = 4096
_FRESH_S = 0.5  # what apply changes is seen within a second (DESIGN §6)

NO_SPACE = 0
"""Selected when the gateway is open but no space has a channel: every channel is unknown there."""


class Gateway:
    """Which space a request means."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: int | None = None
        self._stale_at = -1.0

    async def space_of(self, request: Request) -> int:
        """The space whose token was shown, else the one that goes without a token.

        Raises:
            Rejected: ``authentication_failed``: every space has a token and this request shows none of them.
        """
        token = _bearer(request.header(b"authorization"))
        if token:
            shown = await self._context.lookups.credential("pushgo", "gateway", token)
            if shown is not None and shown.enabled:
                return shown.space
        space = await self._open_space()
        if space is None:
            raise Rejected(AUTHENTICATION_FAILED)
        return space

    async def _open_space(self) -> int | None:
        now = self._context.clock.monotonic()
        if now >= self._stale_at:
            self._open = await self._find_open()
            self._stale_at = now + _FRESH_S
        return self._open

    async def _find_open(self) -> int | None:
        lookups = self._context.lookups
        tokenless: list[Space] = []
        for space in await lookups.spaces():
            if not await lookups.credentials(space.id, "pushgo", "gateway"):
                tokenless.append(space)
        for space in tokenless:
            if await lookups.feeds(space.id, "pushgo", "channel"):
                return space.id
        return NO_SPACE if tokenless else None


def _bearer(header: bytes | None) -> str:
    if header is None:
        return ""
    words = header.decode("latin-1").split()
    if len(words) != 2 or words[0].lower() != "bearer" or len(words[1]) > TOKEN_BYTES:
        return ""
    return words[1]
