"""``message/*``: what became of a message (sheet pushplus §2)."""

from onebell.clock import shanghai_text
from onebell.core import recall
from onebell.core.sent import SentFilter, SentMessage
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import NO_RECIPIENT, OpenFault
from onebell.dialects.pushplus.callback import FAILED, SENT
from onebell.dialects.pushplus.fields import text_of
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.pages import Page, listed, page_of
from onebell.http.exchange import Answer
from onebell.ids import HEX32

SENDING = 1  # status 发送中


_TO_ONE, _TO_MANY = 1, 2  # messageType
_TYPES = {_TO_ONE: False, _TO_MANY: True}


class _Item(Row):
    topic_name: str
    message_type: int
    title: str
    short_code: str
    channel: str
    update_time: str


class _Result(Row):
    status: int
    error_message: str
    update_time: str


async def result(call: Call) -> Answer:
    """``sendMessageResult``."""
    return answer.found(_result(await _mine(call)))


async def _mine(call: Call) -> SentMessage:
    code = call.required("shortCode")
    found = await call.context.store.pushplus.message(code) if HEX32.match(code) else None
    if found is None or found.space != call.space.id or found.state == "recalled" or found.created_at < _since(call):
        refuse(OpenFault.NO_MESSAGE)
    if found.sender != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    return found


def _since(call: Call) -> int:
    return call.sender.profile.since_ms(call.now_ms)


def _result(found: SentMessage) -> _Result:
    if found.is_reached:
        return _Result(SENT, "", shanghai_text(found.finished_at or found.created_at))
    if not found.finished_at:
        return _Result(SENDING, "", shanghai_text(found.created_at))
    return _Result(FAILED, found.why or NO_RECIPIENT, shanghai_text(found.finished_at))


async def list_messages(call: Call) -> Answer:
    """``message/list``: what the caller has sent, newest first."""
    page = page_of(call)
    wanted = SentFilter(
        channel=text_of(page.params.get("channel")).strip().lower(),
        is_topic=_TYPES.get(page.param("messageType")),
        is_read=_asked(page, "isRead"),
        since_ms=_since(call),
    )
    total, found = await call.context.store.pushplus.sent(call.space.id, call.me.id, wanted, page.start, page.size)
    names = {one.extra["topic"]: await _topic_name(call, one) for one in found if "topic" in one.extra}
    return answer.found(listed(page, total, [_item(one, names) for one in found]))


async def delete(call: Call) -> Answer:
    """``deleteMessage``: hidden from everybody who has it, for good."""
    found = await _mine(call)
    await recall.hide(call.context, found.space, found.id)
    await call.note("removed", f"pushplus message {found.public_id}")
    return answer.found(None)


async def _topic_name(call: Call, message: SentMessage) -> str:
    feed = await call.context.lookups.feed(message.space, int(message.extra["topic"]))
    return feed.name or feed.code if feed else ""


def _item(message: SentMessage, names: dict[int, str]) -> _Item:
    return _Item(
        topic_name=names.get(message.extra.get("topic", 0), ""),
        message_type=_TO_MANY if "topic" in message.extra else _TO_ONE,
        title=message.parts[0].content.title,
        short_code=message.public_id,
        channel=str(message.extra.get("channel", "")),
        update_time=shanghai_text(message.finished_at or message.created_at),
    )


def _asked(page: Page, name: str) -> bool | None:
    return bool(page.param(name)) if text_of(page.params.get(name)).strip() else None


CALLS: Calls = {
    ("POST", "message/list"): list_messages,
    ("DELETE", "message/deleteMessage"): delete,
    ("GET", "message/sendMessageResult"): result,
}
