"""``topicUser/*``: who belongs to the caller's topics, and who may not (sheet pushplus §2)."""

from onebell.clock import shanghai_text
from onebell.core.directory import Feed
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import DELETED, OpenFault
from onebell.dialects.pushplus.manage.blacklist import asked_entry, page_of_list
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, number_of, refuse
from onebell.dialects.pushplus.manage.pages import Page, listed, page_of
from onebell.dialects.pushplus.manage.topics import by_id
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import (
    FOLLOWS,
    MEMBER,
    NO_SEX,
    TOPIC,
    email_status,
    has_phone,
    nick_name,
    open_id,
)
from onebell.http.exchange import Answer

REMARK_CHARS = 20


class _Subscriber(Row):
    id: int
    nick_name: str
    open_id: str
    head_img_url: str
    user_sex: int
    have_phone: int
    is_follow: int
    email_status: int
    follow_time: str
    remark: str


class _Blocked(Row):
    id: int
    user_id: int
    nick_name: str
    open_id: str
    head_img_url: str
    create_time: str


async def listing(call: Call) -> Answer:
    """``subscriberList`` of ``params.topicId``."""
    page = page_of(call)
    topic = await _own(call, page)
    rows, total = await call.context.store.members.page(call.space.id, topic.id, page.start, page.size)
    names = {row.party: f"{topic.id}:{row.party}" for row in rows}
    numbers = await call.context.store.numbers.shown(call.space.id, MEMBER, list(names.values()))
    people = await call.context.lookups.people(call.space.id, list(names))
    items = [
        _Subscriber(
            id=numbers[names[row.party]],
            nick_name=nick_name(people.get(row.party)),
            open_id=open_id(call.space.id, row.party),
            head_img_url="",
            user_sex=NO_SEX,
            have_phone=has_phone(people.get(row.party)),
            is_follow=FOLLOWS,
            email_status=email_status(people.get(row.party)),
            follow_time=shanghai_text(row.joined_at),
            remark=row.remark,
        )
        for row in rows
    ]
    return answer.found(listed(page, total, items))


async def delete(call: Call) -> Answer:
    """``deleteTopicUser``."""
    topic, party = await _member(call, "topicRelationId")
    await call.context.store.feeds.leave(call.space.id, topic.id, [party])
    return answer.found(DELETED)


async def edit_remark(call: Call) -> Answer:
    """``editRemark``."""
    topic, party = await _member(call, "id")
    await call.context.store.members.remark(call.space.id, topic.id, party, remark_of(call))
    return answer.done()


async def block(call: Call) -> Answer:
    """``addBlacklist``: out of the topic, and not back in."""
    topic, party = await _member(call, "topicRelationId")
    if party == call.me.id:
        refuse(OpenFault.LISTS_ONESELF)
    await call.context.store.members.block(call.space.id, NAME, topic.id, party)
    return answer.done()


async def blocked(call: Call) -> Answer:
    """``blacklistList`` of ``params.topicId``."""
    page = page_of(call)
    some, total = await page_of_list(call, (await _own(call, page)).id, page)
    items = [
        _Blocked(
            id=one.number,
            user_id=one.person_number,
            nick_name=one.nick_name,
            open_id=open_id(call.space.id, one.person),
            head_img_url="",
            create_time=one.since,
        )
        for one in some
    ]
    return answer.found(listed(page, total, items))


async def unblock(call: Call) -> Answer:
    """``removeBlacklist``: he may join again, and does not by this."""
    entry = await asked_entry(call)
    topic = await _check_own(call, entry.owner)
    await call.context.store.blocks.lift(call.space.id, topic.id, entry.id)
    return answer.done()


def remark_of(call: Call) -> str:
    """A remark, of at most 20 characters (sheet §2). Raises: OpenRefused."""
    remark = call.text("remark")
    return remark if len(remark) <= REMARK_CHARS else refuse(OpenFault.REMARK_TOO_LONG, REMARK_CHARS)


async def _own(call: Call, page: Page) -> Feed:
    number = number_of("topicId", page.params.get("topicId"))
    if not number:
        refuse(OpenFault.ABSENT, "topicId")
    return await _check_own(call, int(await call.context.store.numbers.meant(call.space.id, TOPIC, number) or 0))


async def _check_own(call: Call, which: int) -> Feed:
    topic = await by_id(call, which)
    if topic.owner != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    return topic


async def _member(call: Call, name: str) -> tuple[Feed, int]:
    """The topic and the person of a member's number, which the caller must have made and he must be in."""
    number = number_of(name, call.required(name))
    feed, _, party = (await call.context.store.numbers.meant(call.space.id, MEMBER, number)).partition(":")
    if not party:
        refuse(OpenFault.NO_MEMBER)
    topic = await _check_own(call, int(feed))
    if await call.context.store.members.one(call.space.id, topic.id, int(party)) is None:
        refuse(OpenFault.NO_MEMBER)
    return topic, int(party)


CALLS: Calls = {
    ("POST", "topicUser/subscriberList"): listing,
    ("POST", "topicUser/deleteTopicUser"): delete,
    ("POST", "topicUser/editRemark"): edit_remark,
    ("POST", "topicUser/addBlacklist"): block,
    ("POST", "topicUser/blacklistList"): blocked,
    ("POST", "topicUser/removeBlacklist"): unblock,
}
