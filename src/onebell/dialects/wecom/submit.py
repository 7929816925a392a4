"""From a checked body to a stored message (sheet wecom §2.2, §2.4)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onebell import ids
from onebell.core.bodies import KEEP_S, ROW_BYTES
from onebell.core.context import Context
from onebell.core.directory import Feed
from onebell.core.foreign import foreign
from onebell.core.model import (
    Attachment,
    Audience,
    Content,
    Members,
    Part,
    PartyKind,
    People,
    Sender,
    Submission,
)
from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.bot import Bot
from onebell.dialects.wecom.content import content_of, with_picture
from onebell.dialects.wecom.kinds import Checked, Picture
from onebell.dialects.wecom.mentions import Mentions, mentions_of
from onebell.dialects.wecom.parse import Read
from onebell.dialects.wecom.targets import Refusal, Targets, people_named, visible_uids

TARGET_CHARS = 64
"""Of a refused target that are remembered: no id is longer (sheet §1)."""

_NO_NAME = "消息推送"
_encode = msgspec.json.Encoder().encode


class Submitter:
    """Stores messages of bots."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def submit(self, bot: Bot, told: Read, checked: Checked, targets: Targets) -> None:
        """Store one message for all its targets.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        body, lookups = told.body, self._context.lookups
        mentions = await mentions_of(lookups, bot.space, body, targets)
        sender = lookups.shelf(bot.space).get(("wecom", "sender", bot.id), None) or await self._sender(bot)
        audience = await self._audience(bot, sender.party, body, targets)
        blackboards = targets.blackboards
        parent = 0
        if blackboards and targets.names_one_feed:
            parent = await self._parent(bot, body.post_id, blackboards[0])
        submission = Submission(
            space=bot.space,
            dialect="wecom",
            public_id=ids.wecom_id("bp") if blackboards else ids.public_hex32(self._context.clock.now_ms()),
            sender=sender,
            audience=audience,
            parts=(await self._part(bot, told, checked, mentions),),
            credential=bot.id,
            parent=parent,
            mentions=mentions.people,
            extra=_extra(blackboards, targets.refused),
        )
        await self._context.accept(submission)

    async def _sender(self, bot: Bot) -> Sender:
        shelf = self._context.lookups.shelf(bot.space)
        party = await self._context.lookups.party(bot.space, PartyKind.BOT, bot.party)
        sender = Sender(party=party, kind=PartyKind.BOT, name=bot.name)
        shelf.put(("wecom", "sender", bot.id), sender)
        return sender

    async def _audience(self, bot: Bot, sender: int, body: Body, targets: Targets) -> tuple[Audience, ...]:
        visible = visible_uids(body, targets)
        if visible:
            people = await people_named(self._context.lookups, bot.space, visible)
            return (_only(targets.feeds[0], tuple(person.id for person in people.values())),)
        feeds = [Members(feed=feed.id) for feed in targets.feeds]
        if not targets.people:
            return tuple(feeds)
        chats = await self._context.lookups.directs(
            bot.space, "wecom", sender, [person.id for person in targets.people]
        )
        return (*feeds, *(People(feed=chats[person.id], ids=(person.id,)) for person in targets.people))

    async def _parent(self, bot: Bot, post: str, blackboard: Feed) -> int:
        if not ids.WECOM_ID.fullmatch(post):
            return 0
        return await self._context.store.wecom.post(bot.space, post, blackboard.id)

    async def _part(self, bot: Bot, told: Read, checked: Checked, mentions: Mentions) -> Part:
        content = content_of(told.body, checked, mentions, bot.name or _NO_NAME)
        if checked.picture is None:
            return Part(content=content, native=_native(foreign(told.raw)))
        return await self._picture(bot, told, content, checked.picture)

    async def _picture(self, bot: Bot, told: Read, content: Content, picture: Picture) -> Part:
        stored = await self._context.files.put(
            bot.space, picture.name, picture.type, picture.data, owner=bot.id, keep_s=KEEP_S
        )
        attachment = Attachment(name=picture.name, type=picture.type, file=stored.id, size=len(picture.data))
        native = foreign(told.raw)
        if len(told.body.image.base64) > ROW_BYTES:
            native = native | {"image": {"base64": {"$file": stored.id}, "md5": told.body.image.md5}}
        return Part(content=with_picture(content, attachment), native=_native(native))


def _only(feed: Feed, people: tuple[int, ...]) -> Audience:
    # Nobody of those named exists: nobody sees it (an empty ``only`` would mean everybody).
    return Members(feed=feed.id, only=people) if people else People(feed=feed.id, ids=())


def _native(raw: dict[str, Any]) -> dict[str, Any]:
    # An original of many short texts has no room either: the carrier renders the neutral form instead.
    return {"wecom_bot": raw} if len(_encode(raw)) <= ROW_BYTES else {}


def _extra(blackboards: Sequence[Feed], refused: Sequence[Refusal]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if blackboards:
        extra["blackboards"] = [feed.id for feed in blackboards]
    if refused:
        extra["refused"] = [{"target": item.target[:TARGET_CHARS], "code": item.fault.code} for item in refused]
    return extra
