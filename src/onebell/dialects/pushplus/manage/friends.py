"""``friend/*``: friends, each a token for the other, and who may not become one (sheet pushplus §2)."""

from onebell.clock import shanghai_text
from onebell.core.joining import JoinLink
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage import links
from onebell.dialects.pushplus.manage.blacklist import asked_entry, page_of_list
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.pages import listed, page_of
from onebell.dialects.pushplus.manage.topic_users import remark_of
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import (
    FOLLOWS,
    FRIEND,
    PERSON,
    email_status,
    has_phone,
    nick_name,
)
from onebell.http.exchange import Answer

CONTENT_CHARS = 200
"""Characters of what comes back as ``qrCode``; the sheet leaves the number to us."""


class _QrCode(Row):
    qr_code_img_url: str


class _Friend(Row):
    id: int
    friend_id: int
    token: str
    head_img_url: str
    nick_name: str
    email_status: int
    have_phone: int
    is_follow: int
    remark: str
    create_time: str


class _Blocked(Row):
    id: int
    friend_id: int
    nick_name: str
    head_img_url: str
    create_time: str


async def qr_code(call: Call) -> Answer:
    """``getQrCode``; ``content`` comes back with whoever uses it."""
    content = call.at_most(CONTENT_CHARS, "content", call.text("content"))
    url = await links.issue(call, JoinLink(space=call.space.id, owner=call.me.id, content=content))
    return answer.done(_QrCode(url))


async def listing(call: Call) -> Answer:
    """``list``."""
    page = page_of(call)
    rows, total = await call.context.store.friends.page(call.space.id, NAME, call.me.id, page.start, page.size)
    numbers = await call.shown(FRIEND, [row.id for row in rows])
    ids = await call.shown(PERSON, [row.owner for row in rows])
    people = await call.context.lookups.people(call.space.id, [row.owner for row in rows])
    items = [
        _Friend(
            id=numbers[row.id],
            friend_id=ids[row.owner],
            token=row.value,
            head_img_url="",
            nick_name=nick_name(people.get(row.owner)),
            email_status=email_status(people.get(row.owner)),
            have_phone=has_phone(people.get(row.owner)),
            is_follow=FOLLOWS,
            remark=str(row.settings.get("remark", "")),
            create_time=shanghai_text(row.created_at),
        )
        for row in rows
    ]
    return answer.done(listed(page, total, items))


async def delete(call: Call) -> Answer:
    """``deleteFriend``: for both."""
    friend = await _friend(call)
    await call.context.store.friends.part(call.space.id, NAME, call.me.id, friend)
    return answer.done()


async def edit_remark(call: Call) -> Answer:
    """``editRemark``."""
    which = await call.meant(FRIEND, "id")
    found = await call.context.lookups.credential_by_id(call.space.id, which) if which else None
    if found is None:
        refuse(OpenFault.NO_FRIEND)
    if found.holder != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    await call.context.store.friends.remark(call.space.id, NAME, call.me.id, found.id, remark_of(call))
    return answer.done()


async def block(call: Call) -> Answer:
    """``addBlacklist``: no friends any more, and not again."""
    if await call.meant(PERSON, "friendId") == call.me.id:
        refuse(OpenFault.LISTS_ONESELF)
    friend = await _friend(call)
    await call.context.store.friends.block(call.space.id, NAME, call.me.id, friend)
    return answer.done()


async def blocked(call: Call) -> Answer:
    """``blacklistList``."""
    page = page_of(call)
    some, total = await page_of_list(call, call.me.id, page)
    items = [
        _Blocked(
            id=one.number,
            friend_id=one.person_number,
            nick_name=one.nick_name,
            head_img_url="",
            create_time=one.since,
        )
        for one in some
    ]
    return answer.done(listed(page, total, items))


async def unblock(call: Call) -> Answer:
    """``removeBlacklist``: he may scan again, and is no friend by this."""
    entry = await asked_entry(call)
    if entry.owner != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    await call.context.store.blocks.lift(call.space.id, call.me.id, entry.id)
    return answer.done()


async def _friend(call: Call) -> int:
    """The person of ``friendId``, who must be a friend."""
    friend = await call.meant(PERSON, "friendId")
    if not friend or not await call.context.store.friends.token_id(call.space.id, NAME, call.me.id, friend):
        refuse(OpenFault.NO_FRIEND)
    return friend


CALLS: Calls = {
    ("GET", "friend/getQrCode"): qr_code,
    ("POST", "friend/list"): listing,
    ("GET", "friend/deleteFriend"): delete,
    ("POST", "friend/editRemark"): edit_remark,
    ("POST", "friend/addBlacklist"): block,
    ("POST", "friend/blacklistList"): blocked,
    ("POST", "friend/removeBlacklist"): unblock,
}
