"""Where providers report: ``/r/{account code}/…`` (DESIGN §7). The carrier authenticates and answers each call."""

from onebell.api.errors import ApiError, explained
from onebell.api.operations import Route
from onebell.core.context import Context
from onebell.core.receipts import Receipts
from onebell.errors import OnebellError
from onebell.http.exchange import Answer, Request

_METHODS = ("GET", "POST", "PUT")


class ReceiptsApi:
    """Hands each call to the carrier account that its path names."""

    def __init__(self, context: Context, receipts: Receipts) -> None:
        self._context = context
        self._receipts = receipts

    def routes(self) -> list[Route]:
        """Its paths."""
        return [Route(_METHODS, "/r/{}", self.hear), Route(_METHODS, "/r/{}/{*}", self.hear)]

    async def hear(self, request: Request, values: tuple[str, ...]) -> Answer:
        """The carrier's own answer; 404 where no account of this code listens, in any space."""
        try:
            for space in await self._context.lookups.spaces():
                answer = await self._receipts.hear(space.id, values[0], request)
                if answer is not None:
                    return answer
        except OnebellError as error:
            return explained(error).answer()
        return ApiError("not_found", "no carrier account of this code takes receipts").answer()
