"""``message/*``: what became of a message (sheet pushplus §2)."""

from onebell.clock import shanghai_text
from onebell.core.sent import SentMessage
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import NO_RECIPIENT, OpenFault
from onebell.dialects.pushplus.callback import FAILED, SENT
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.http.exchange import Answer
from onebell.ids import HEX32

SENDING = 1  # status 发送中


class _Result(Row):
    status: int
    error_message: str
    update_time: str


async def result(call: Call) -> Answer:
    """``sendMessageResult``."""
    return answer.found(_result(await _mine(call)))


async def _mine(call: Call) -> SentMessage:
    code = call.text("shortCode")
    found = await call.context.store.pushplus.message(code) if HEX32.match(code) else None
    if found is None or found.space != call.space.id:
        refuse(OpenFault.NO_MESSAGE)
    if found.sender != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    return found


def _result(found: SentMessage) -> _Result:
    if not found.finished_at:
        return _Result(SENDING, "", shanghai_text(found.created_at))
    if found.is_reached:
        return _Result(SENT, "", shanghai_text(found.finished_at))
    return _Result(FAILED, found.why or NO_RECIPIENT, shanghai_text(found.finished_at))


CALLS: Calls = {
    ("GET", "message/sendMessageResult"): result,
}
