"""``topic/*``: topics (群组) that the caller made or joined (sheet pushplus §2)."""

from typing import Any

import msgspec

from onebell.clock import shanghai_text
from onebell.core.directory import Feed
from onebell.core.joining import JoinLink
from onebell.core.model import FeedKind
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import EDITED, OpenFault
from onebell.dialects.pushplus.manage import links
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.pages import listed, page_of
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import TOPIC, nick_name
from onebell.errors import Conflict, TooMany
from onebell.http.exchange import Answer

CREATED, JOINED = 0, 1  # params.topicType
NORMAL, POINTS, PUBLIC = 0, 1, 2  # topicType
APPROVED = OPEN = 1

_KEPT = {
    "contact": 100,
    "introduction": 500,
    "receiptMessage": 500,
    "appId": 100,
    "icon": 500,
    "topicDescribe": 5000,
}
"""Fields that are only kept and shown, and how many characters each may have, which the sheet leaves to us."""


class _Listed(Row):
    icon: str
    topic_id: int
    topic_code: str
    topic_name: str
    nick_name: str
    create_time: str
    topic_user_count: int
    topic_type: int
    is_approved: int
    first_is_approved: int
    approve_reason: str
    is_open: int


class _Detail(_Listed):
    qr_code_img_url: str
    contact: str
    introduction: str
    receipt_message: str
    app_id: str
    price: float
    topic_describe: str
    user_nick_name: str


class _Joined(Row):
    topic_name: str
    topic_code: str
    topic_id: int
    contact: str
    introduction: str
    nick_name: str
    create_time: str
    icon: str
    topic_user_count: int
    topic_type: int
    price: float
    topic_describe: str
    user_nick_name: str


class _QrCode(Row):
    qr_code_img_url: str
    forever: int


async def listing(call: Call) -> Answer:
    """``list``: those the caller made, or those he joined."""
    page = page_of(call)
    pages = call.context.store.members
    find = pages.joined if page.param("topicType", CREATED) == JOINED else pages.owned
    rows, total = await find(call.space.id, NAME, FeedKind.TOPIC.value, call.me.id, page.start, page.size)
    numbers = await call.shown(TOPIC, [row.feed.id for row in rows])
    items = [_listed(call, row.feed, numbers[row.feed.id], row.members) for row in rows]
    return answer.found(listed(page, total, items))


async def detail(call: Call) -> Answer:
    """``detail`` of a topic that the caller made; the QR code in it never ends."""
    topic = await own(call, "topicId")
    shown = _listed(call, topic, await call.shown_one(TOPIC, topic.id), await _count(call, topic))
    settings = topic.settings
    return answer.found(
        _Detail(
            **msgspec.structs.asdict(shown),
            qr_code_img_url=await links.lasting(call, topic),
            contact=settings.get("contact", ""),
            introduction=settings.get("introduction", ""),
            receipt_message=settings.get("receiptMessage", ""),
            app_id=settings.get("appId", ""),
            price=settings.get("price", 0),
            topic_describe=settings.get("topicDescribe", ""),
            user_nick_name=nick_name(call.me),
        )
    )


async def joined_detail(call: Call) -> Answer:
    """``joinTopicDetail``; ``createTime`` is when the caller joined [docs:openApi]."""
    topic = await _topic(call, "topicId")
    membership = await call.context.store.members.one(call.space.id, topic.id, call.me.id)
    if membership is None:
        refuse(OpenFault.NOT_YOURS)
    owner = await call.context.lookups.person(call.space.id, topic.owner)
    settings = topic.settings
    return answer.found(
        _Joined(
            topic_name=topic.name,
            topic_code=topic.code,
            topic_id=await call.shown_one(TOPIC, topic.id),
            contact=settings.get("contact", ""),
            introduction=settings.get("introduction", ""),
            nick_name=call.space.name,
            create_time=shanghai_text(membership.joined_at),
            icon=settings.get("icon", ""),
            topic_user_count=await _count(call, topic),
            topic_type=settings.get("topicType", NORMAL),
            price=settings.get("price", 0),
            topic_describe=settings.get("topicDescribe", ""),
            user_nick_name=nick_name(owner),
        )
    )


async def add(call: Call) -> Answer:
    """``add`` → the new topic's number."""
    code, name = call.name("topicCode"), call.name("topicName")
    call.required("contact")
    call.required("introduction")
    settings = _settings(call)
    most = call.sender.profile.topics
    try:
        made = await call.context.store.feeds.create(
            call.space.id, NAME, FeedKind.TOPIC, code, name=name, owner=call.me.id, settings=settings, most=most
        )
    except TooMany:
        refuse(OpenFault.TOO_MANY_TOPICS, most)
    except Conflict:
        refuse(OpenFault.CODE_TAKEN)
    await call.note("created", f"topic {code}")
    return answer.done(await call.shown_one(TOPIC, made.id))


async def edit(call: Call) -> Answer:
    """``editTopic``; what is absent stays as it was."""
    topic = await own(call, "topic")
    code, name = call.name("topicCode"), call.name("topicName")
    settings = {**topic.settings, **_settings(call)}
    try:
        await call.context.store.feeds.edit(call.space.id, topic.id, code, name, settings)
    except Conflict:
        refuse(OpenFault.CODE_TAKEN)
    await call.note("changed", f"topic {code}")
    return answer.done(EDITED)


async def qr_code(call: Call) -> Answer:
    """``qrCode``: a link that ends, hence ``forever`` 0."""
    topic = await own(call, "topicId")
    url = await links.issue(call, JoinLink(space=call.space.id, feed=topic.id))
    return answer.found(_QrCode(url, 0))


async def leave(call: Call) -> Answer:
    """``exitTopic``."""
    topic = await _topic(call, "topicId")
    if not await call.context.store.feeds.leave(call.space.id, topic.id, [call.me.id]):
        refuse(OpenFault.NOT_JOINED)
    return answer.found("退订成功")


async def delete(call: Call) -> Answer:
    """``delete``: with its members, links and black list; its messages stay."""
    topic = await own(call, "topicId")
    await call.context.store.feeds.remove(call.space.id, topic.id)
    await call.note("removed", f"topic {topic.code}")
    return answer.found("群组删除成功")


async def own(call: Call, name: str) -> Feed:
    """The topic whose number a parameter gives, which must be the caller's.

    Raises:
        OpenRefused: there is none, or it is somebody else's.
    """
    topic = await _topic(call, name)
    if topic.owner != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    return topic


async def _topic(call: Call, name: str) -> Feed:
    return await by_id(call, await call.meant(TOPIC, name))


async def by_id(call: Call, which: int) -> Feed:
    """A topic of the caller's space. Raises: OpenRefused."""
    topic = await call.context.lookups.feed(call.space.id, which) if which else None
    return topic if topic is not None else refuse(OpenFault.NO_TOPIC)


async def _count(call: Call, topic: Feed) -> int:
    return (await call.context.lookups.membership(call.space.id, topic.id)).count


def _listed(call: Call, topic: Feed, number: int, members: int) -> _Listed:
    return _Listed(
        icon=topic.settings.get("icon", ""),
        topic_id=number,
        topic_code=topic.code,
        topic_name=topic.name,
        # The official account that a topic belongs to [docs:openApi]: here that is the space.
        nick_name=call.space.name,
        create_time=shanghai_text(topic.created_at),
        topic_user_count=members,
        topic_type=topic.settings.get("topicType", NORMAL),
        is_approved=APPROVED,
        first_is_approved=APPROVED,
        approve_reason="",
        is_open=OPEN,
    )


def _settings(call: Call) -> dict[str, Any]:
    """What of a topic is only kept and shown, as far as it was given.

    Raises:
        OpenRefused: something is too long, or a topic that costs points, which nobody has here.
    """
    settings: dict[str, Any] = {
        name: call.at_most(most, name, call.text(name)) for name, most in _KEPT.items() if call.has(name)
    }
    if call.text("price"):
        settings["price"] = call.amount("price")
    if call.text("topicType"):
        settings["topicType"] = call.choice("topicType", (NORMAL, POINTS, PUBLIC))
        if settings["topicType"] == POINTS:
            refuse(OpenFault.NOT_BUILT)
    return settings


CALLS: Calls = {
    ("POST", "topic/list"): listing,
    ("GET", "topic/detail"): detail,
    ("GET", "topic/joinTopicDetail"): joined_detail,
    ("POST", "topic/add"): add,
    ("POST", "topic/editTopic"): edit,
    ("GET", "topic/qrCode"): qr_code,
    ("GET", "topic/exitTopic"): leave,
    ("GET", "topic/delete"): delete,
}
