"""``message_complate``: the one callback of a finished message (sheet pushplus §3)."""

from collections.abc import Sequence

import msgspec

from onebell.core.context import Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.dialects.pushplus.answer import NO_RECIPIENT
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME

SENT, FAILED = 2, 3  # sendStatus

SCHEDULE = CallbackSchedule(pauses_s=(5.0, 30.0), timeout_s=10.0, any_answer_ends=True)
"""Any HTTP answer ends it; three tries when nobody answers."""

_HEADERS = {"Content-Type": "application/json;charset=UTF-8"}
_encode = msgspec.json.Encoder().encode


class _MessageInfo(msgspec.Struct, rename="camel"):
    message: str
    short_code: str
    send_status: int


class _MessageComplete(msgspec.Struct, rename="camel"):
    event: str
    message_info: _MessageInfo


def body(event: Event) -> bytes:
    """The callback's body, keys in the document's order; ``message_complate`` is its spelling."""
    is_sent = bool(event.data.get("ok"))
    why = "" if is_sent else str(event.data.get("message") or NO_RECIPIENT)
    info = _MessageInfo(why, event.public_id, SENT if is_sent else FAILED)
    return _encode(_MessageComplete("message_complate", info))


async def pack(context: Context, events: Sequence[Event]) -> list[CallbackRequest]:
    """One request per finished message that somebody wants to hear of."""
    finished = [event for event in events if event.kind is EventKind.FINISHED]
    return [request for event in finished if (request := await _request(context, event))]


async def _request(context: Context, event: Event) -> CallbackRequest | None:
    url = event.callback_url or await _account_url(context, event)
    if not url:
        return None
    return CallbackRequest(
        kind="message_complate",
        space=event.space,
        url=url,
        verified=not event.callback_url,
        headers=_HEADERS,
        body=body(event),
        order_key=f"{NAME}:{event.public_id}",
        message=event.message,
        events=(event.id,),
    )


async def _account_url(context: Context, event: Event) -> str:
    owner = int(event.extra.get("owner", 0))
    account = await context.lookups.record(event.space, NAME, "account", ACCOUNT_KEY, owner)
    return str(account.data.get("callback_url", "")) if account else ""
