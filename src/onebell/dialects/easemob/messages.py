"""Sending: ``/messages/users`` and its legacy twin (sheet easemob §1.3, §1.4)."""

from collections.abc import Callable, Sequence

from onebell.core.context import Context
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.app import CALLS_PER_SECOND
from onebell.dialects.easemob.file_access import check_files
from onebell.dialects.easemob.parse import Message, Rules, check_rest, parse_legacy, parse_message
from onebell.dialects.easemob.send import send
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, must_be_json
from onebell.errors import Refused
from onebell.http.exchange import Answer

CALLS = Rate("calls", CALLS_PER_SECOND)
Parse = Callable[[bytes, Rules], Message]


class Messages:
    """The calls that send."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """What is sent with an app token."""
        check, route = self._gate.app_token, self._gate.route
        return (
            route(Path("/messages/users", check, {"POST": Call(self._modern, CALLS)})),
            route(Path("/messages", check, {"POST": Call(self._legacy, CALLS)})),
        )

    async def _modern(self, visit: Visit) -> Answer:
        ids = await self._send(visit, parse_message)
        return answer.envelope(self._gate.scene(visit), ids)

    async def _legacy(self, visit: Visit) -> Answer:
        ids = await self._send(visit, parse_legacy)
        if visit.request.query_value("useMsgId") != "true":
            ids = dict.fromkeys(ids, "success")
        return answer.envelope(self._gate.scene(visit), ids)

    async def _send(self, visit: Visit, parse: Parse) -> dict[str, str]:
        must_be_json(visit.request)
        app = visit.app
        rules = Rules(message_bytes=app.message_bytes, lenient=app.lenient_body)
        message = parse(visit.request.body, rules)
        await check_files(self._context, visit.space, message.body)
        check_rest(message, rules)
        await self._count(visit, len(message.receivers))
        try:
            return await send(self._context, visit.space, app, message)
        except Refused as refusal:
            raise answer.send_error(refusal.detail or refusal.reason.value, 403) from refusal

    async def _count(self, visit: Visit, amount: int) -> None:
        """A call that would pass the limit is refused whole (sheet §5)."""
        limit = visit.app.messages_per_minute
        key = f"easemob:{visit.app.key}:messages"
        if limit and not await self._context.limits.take(visit.space, key, limit, 60, amount):
            raise answer.too_many_messages()
