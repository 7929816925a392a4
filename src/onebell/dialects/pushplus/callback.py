"""Callbacks: a finished message, a new member of a topic, a new friend (sheet pushplus §3)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from onebell.clock import shanghai_text
from onebell.core.context import Context
from onebell.core.events import CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.dialects.pushplus import points
from onebell.dialects.pushplus.answer import NO_RECIPIENT
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME
from onebell.dialects.pushplus.showing import (
    FOLLOWS,
    MEMBER,
    NO_SEX,
    PERSON,
    TOPIC,
    email_status,
    has_phone,
    nick_name,
    number,
    open_id,
)

SENT, FAILED = 2, 3  # sendStatus

SCHEDULE = CallbackSchedule(pauses_s=(5.0, 30.0), timeout_s=10.0, any_answer_ends=True)
"""Any HTTP answer ends it; three tries when nobody answers."""

_ENDS = frozenset({EventKind.FINISHED, EventKind.RECALLED})
_HEADERS = {"Content-Type": "application/json;charset=UTF-8"}
_encode = msgspec.json.Encoder().encode


class _MessageInfo(msgspec.Struct, rename="camel"):
    message: str
    short_code: str
    send_status: int


class _MessageComplete(msgspec.Struct, rename="camel"):
    event: str
    message_info: _MessageInfo


class _TopicUserInfo(msgspec.Struct, rename="camel"):
    id: int
    open_id: str
    topic_id: int
    user_sex: int
    is_follow: int
    nick_name: str
    have_phone: int
    topic_code: str
    topic_name: str
    head_img_url: str
    email_status: int


class _AddTopicUser(msgspec.Struct, rename="camel"):
    event: str
    topic_user_info: _TopicUserInfo


class _FriendInfo(msgspec.Struct, rename="camel"):
    token: str
    friend_id: int
    is_follow: int
    nick_name: str
    have_phone: int
    create_time: str
    email_status: int


class _AddFriend(msgspec.Struct, rename="camel"):
    event: str
    qr_code: str
    friend_info: _FriendInfo


def body(event: Event) -> bytes:
    """The callback's body, keys in the document's order; ``message_complate`` is its spelling."""
    is_sent = bool(event.data.get("ok"))
    why = "" if is_sent else str(event.data.get("message") or NO_RECIPIENT)
    info = _MessageInfo(why, event.public_id, SENT if is_sent else FAILED)
    return _encode(_MessageComplete("message_complate", info))


async def pack(context: Context, events: Sequence[Event]) -> list[CallbackRequest]:
    """One request per event that somebody wants to hear of. Messages that end are paid for on the way."""
    for event in events:
        if event.kind in _ENDS and event.extra.get("points"):
            await points.settle(context, event)
    wanted = [(_MAKERS[event.kind], event) for event in events if event.kind in _MAKERS]
    return [request for make, event in wanted if (request := await make(context, event))]


async def _finished(context: Context, event: Event) -> CallbackRequest | None:
    url = event.callback_url or await _account_url(context, event.space, int(event.extra.get("owner", 0)))
    if not url or "untold" in event.extra:
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


async def _joined(context: Context, event: Event) -> CallbackRequest | None:
    topic = await context.lookups.feed(event.space, int(event.data["feed"]))
    url = await _account_url(context, event.space, topic.owner) if topic else ""
    if topic is None or not url:
        return None
    person = await context.lookups.person(event.space, event.person)
    info = _TopicUserInfo(
        id=await number(context, event.space, MEMBER, topic.id, event.person),
        open_id=open_id(event.space, event.person),
        topic_id=await number(context, event.space, TOPIC, topic.id),
        user_sex=NO_SEX,
        is_follow=FOLLOWS,
        nick_name=nick_name(person),
        have_phone=has_phone(person),
        topic_code=topic.code,
        topic_name=topic.name,
        head_img_url="",
        email_status=email_status(person),
    )
    return _of_account(event, url, "add_topic_user", _AddTopicUser("add_topic_user", info))


async def _befriended(context: Context, event: Event) -> CallbackRequest | None:
    url = await _account_url(context, event.space, int(event.data["of"]))
    token = await context.lookups.credential_by_id(event.space, int(event.data["credential"]))
    if not url or token is None:  # parted already
        return None
    person = await context.lookups.person(event.space, event.person)
    info = _FriendInfo(
        token=token.value,
        friend_id=await number(context, event.space, PERSON, event.person),
        is_follow=FOLLOWS,
        nick_name=nick_name(person),
        have_phone=has_phone(person),
        create_time=shanghai_text(token.created_at),
        email_status=email_status(person),
    )
    return _of_account(event, url, "add_friend", _AddFriend("add_friend", str(event.data["content"]), info))


_MAKERS: Mapping[EventKind, Callable[[Context, Event], Awaitable[CallbackRequest | None]]] = {
    EventKind.FINISHED: _finished,
    EventKind.JOINED: _joined,
    EventKind.BEFRIENDED: _befriended,
}


def _of_account(event: Event, url: str, kind: str, said: msgspec.Struct) -> CallbackRequest:
    """What only the account's own address is told (sheet §3)."""
    return CallbackRequest(
        kind=kind,
        space=event.space,
        url=url,
        verified=True,
        headers=_HEADERS,
        body=_encode(said),
        order_key="",
        events=(event.id,),
    )


async def _account_url(context: Context, space: int, owner: int) -> str:
    account = await context.lookups.record(space, NAME, "account", ACCOUNT_KEY, owner)
    return str(account.data.get("callback_url", "")) if account else ""
