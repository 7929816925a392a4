"""``POST /{org}/{app}/token`` (sheet easemob §3.1)."""

from collections.abc import Sequence

from onebell.core.context import Context
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.app import TOKENS_PER_SECOND
from onebell.dialects.easemob.grants import Grants, read
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit
from onebell.http.exchange import Answer

TOKENS = Rate("tokens", TOKENS_PER_SECOND)


class Tokens:
    """The call that issues tokens."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._gate = gate
        self._grants = Grants(context)

    def routes(self) -> Sequence[Route]:
        """What it shows in exchange, the body says."""
        return (self._gate.route(Path("/token", self._gate.anybody, {"POST": Call(self._token, TOKENS)})),)

    async def _token(self, visit: Visit) -> Answer:
        request = visit.request
        asked = read(request.body, request.text_header(b"authorization"), request.client)
        return answer.plain(await self._grants.grant(visit.space, visit.app, asked))
