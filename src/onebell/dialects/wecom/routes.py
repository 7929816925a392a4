"""WeCom's webhook as a server: ``send``, and the service's words for everything else in its area (sheet wecom §2)."""

from collections.abc import Sequence

import msgspec

from onebell.core.context import ANY_SPACE, Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event
from onebell.dialects.base import CallbackAnswer, Route
from onebell.dialects.wecom import answer
from onebell.dialects.wecom.answer import Fault, Rejected
from onebell.dialects.wecom.bot import Bot, bot_of
from onebell.dialects.wecom.kinds import checked
from onebell.dialects.wecom.parse import Read, read
from onebell.dialects.wecom.rates import Rates
from onebell.dialects.wecom.submit import Submitter
from onebell.dialects.wecom.targets import targets_of
from onebell.http.exchange import Answer, Request

BODY_BYTES = 4 * 1024 * 1024


class Asked(msgspec.Struct, frozen=True):
    """What the query of a call says."""

    bot: Bot
    is_debug: bool


class WeCom:
    """The dialect ``wecom``."""

    name = "wecom"
    body_limit = BODY_BYTES
    callbacks = CallbackSchedule(pauses_s=(1, 2), timeout_s=5, success=(200,))

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rates = Rates(context.limits)
        self._submitter = Submitter(context)

    def routes(self) -> Sequence[Route]:
        return (
            Route(("POST",), "/cgi-bin/webhook/send", self._send),
            Route(("POST",), "/cgi-bin/webhook/send/", self._send),  # apprise accepts the slash
        )

    def no_route(self, request: Request) -> Answer:
        return self._refused(request, answer.NO_SUCH_API)

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        return self._refused(request, answer.NOT_POST)

    def too_large(self, request: Request) -> Answer:
        return self._refused(request, answer.BODY_TOO_LARGE)

    def failed(self, request: Request, error: Exception) -> Answer:
        return self._refused(request, answer.SYSTEM_BUSY)

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """The owner is told what people do in his chats, never what became of his own messages (sheet §5.4)."""
        return ()

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """Nothing was asked."""

    async def _send(self, request: Request, values: tuple[str, ...]) -> Answer:
        told = read(request.body)
        try:
            await self._take(request, told)
        except Rejected as why:
            return self._refused(request, why.fault, wrong_json=told.wrong_json)
        return answer.ok(wrong_json=told.wrong_json)

    async def _take(self, request: Request, told: Read) -> None:
        # The order of the checks is the service's (sheet §2.1).
        asked = self._known(request) or await self._opened(request)
        bot = asked.bot
        await self._rates.count_call(bot, is_debug=asked.is_debug)
        self._rates.hold(bot, request.body)
        try:
            fields = checked(told.body, bot.text_bytes)
            targets = await targets_of(self._context.lookups, bot, told.body)
            targets = await self._rates.admit(bot, targets)
            await self._submitter.submit(bot, told, fields, targets)
        finally:
            self._rates.let_go(bot, request.body)

    def _known(self, request: Request) -> Asked | None:
        asked: Asked | None = self._context.lookups.shelf(ANY_SPACE).get((self.name, request.query), None)
        return asked

    async def _opened(self, request: Request) -> Asked:
        """What a query asks for; good ones are kept, so that the next call of a script finds its bot in one look."""
        shelf = self._context.lookups.shelf(ANY_SPACE)
        query = dict(reversed(request.query_pairs()))
        asked = Asked(await self._bot(query.get("key", "")), query.get("debug") == "1")
        shelf.put((self.name, request.query), asked)
        return asked

    async def _bot(self, key: str) -> Bot:
        credential = await self._context.lookups.credential("wecom", "bot", key) if key else None
        if credential is None:
            raise Rejected(answer.NO_SUCH_BOT)
        if not credential.enabled:
            raise Rejected(answer.BOT_DISABLED)
        return bot_of(credential)

    def _refused(self, request: Request, fault: Fault, *, wrong_json: bool = False) -> Answer:
        return answer.refused(
            fault,
            wrong_json=wrong_json,
            client=request.client,
            now_ms=self._context.clock.now_ms(),
            more_info=self._context.settings.push_base,
        )
