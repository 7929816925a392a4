"""Who a message is for: ``chatid``, the broadcast words and ``visible_to_user`` (sheet wecom §2.2)."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from onebell.core.context import Lookups
from onebell.core.directory import Feed, Person
from onebell.core.model import FeedKind
from onebell.dialects.wecom import answer
from onebell.dialects.wecom.answer import Fault, Rejected
from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.bot import Bot
from onebell.ids import UID

CHATIDS = 100
IDS_READ = 10_000
"""Ids of a joined list that are looked at, doubles counted; what follows is one id that nobody has."""

_ON_BLACKBOARDS = frozenset({"text", "markdown", "image"})
_GROUPS = (FeedKind.GROUP,)
_BLACKBOARDS = (FeedKind.BLACKBOARD,)
_BROADCAST: Mapping[str, tuple[FeedKind, ...]] = {
    "": _GROUPS,
    "@all_group": _GROUPS,
    "@all_blackboard": _BLACKBOARDS,
    "@all": _GROUPS + _BLACKBOARDS,
}


class Refusal(msgspec.Struct, frozen=True):
    """A target that gets nothing, and why."""

    target: str
    fault: Fault


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the message."""

    feeds: tuple[Feed, ...] = ()
    people: tuple[Person, ...] = ()
    refused: tuple[Refusal, ...] = ()
    is_broadcast: bool = False
    names_one_feed: bool = False  # chatid is exactly one group or blackboard

    @property
    def blackboards(self) -> tuple[Feed, ...]:
        """Those feeds that hold posts."""
        return tuple([feed for feed in self.feeds if feed.kind is FeedKind.BLACKBOARD])

    def without(self, refused: Sequence[Refusal], feeds: set[int], people: set[int]) -> "Targets":
        """The same without these feeds and people."""
        return msgspec.structs.replace(
            self,
            feeds=tuple(feed for feed in self.feeds if feed.id not in feeds),
            people=tuple(person for person in self.people if person.id not in people),
            refused=(*self.refused, *refused),
        )

    def some(self) -> "Targets":
        """Itself, unless nobody is left.

        Raises:
            Rejected: the first target's error.
        """
        if not self.feeds and not self.people:
            raise Rejected(self.refused[0].fault if self.refused else answer.NOT_IN_CHAT)
        return self


async def targets_of(lookups: Lookups, bot: Bot, body: Body) -> Targets:
    """The good targets of a body; bad ones are named in ``refused``.

    Raises:
        Rejected: too many ids, or none of them is good.
    """
    chatid = body.chatid.strip()
    shelf, name = lookups.shelf(bot.space), ("wecom", "targets", bot.id, chatid, body.msgtype)
    targets: Targets | None = shelf.get(name, None)
    if targets is None:
        targets = await _found(lookups, bot, chatid, body.msgtype)
        shelf.put(name, targets)
    return targets


async def _found(lookups: Lookups, bot: Bot, chatid: str, msgtype: str) -> Targets:
    kinds = _BROADCAST.get(chatid)
    if kinds is not None:
        return await _broadcast(lookups, bot, kinds, msgtype)
    chatids = tuple(dict.fromkeys(_ids(chatid)))
    if not chatids:
        raise Rejected(answer.UNKNOWN_CHAT)
    if len(chatids) > CHATIDS:
        raise Rejected(answer.too_many("chatid", CHATIDS))
    return (await _named(lookups, bot, chatids, msgtype)).some()


async def _broadcast(lookups: Lookups, bot: Bot, kinds: Sequence[FeedKind], msgtype: str) -> Targets:
    if msgtype not in _ON_BLACKBOARDS:
        if FeedKind.GROUP not in kinds:
            raise Rejected(answer.NOT_ON_BLACKBOARDS)
        kinds = _GROUPS
    feeds: list[Feed] = []
    for kind in kinds:
        for code in bot.groups if kind is FeedKind.GROUP else bot.blackboards:
            feed = await lookups.feed_by_code(bot.space, "wecom", kind.value, code)
            if feed is not None:
                feeds.append(feed)
    return Targets(feeds=tuple(feeds), is_broadcast=True).some()


async def _named(lookups: Lookups, bot: Bot, chatids: Sequence[str], msgtype: str) -> Targets:
    people = await people_named(lookups, bot.space, chatids)
    feeds: dict[int, Feed] = {}
    persons: dict[int, Person] = {}
    refused: list[Refusal] = []
    for chatid in chatids:
        feed = await _feed(lookups, bot.space, chatid)
        person = people.get(chatid.lower())
        fault = _feed_fault(bot, feed, msgtype) if feed is not None else _person_fault(bot, person)
        if fault is not None:
            refused.append(Refusal(chatid, fault))
        elif feed is not None:
            feeds[feed.id] = feed
        elif person is not None:
            persons[person.id] = person
    return Targets(
        feeds=tuple(feeds.values()),
        people=tuple(persons.values()),
        refused=tuple(refused),
        names_one_feed=len(chatids) == 1 and len(feeds) == 1,
    )


async def people_named(lookups: Lookups, space: int, uids: Iterable[str]) -> dict[str, Person]:
    """Found people by lower-cased uid; what cannot be a uid is nobody's."""
    possible = [uid for uid in uids if UID.fullmatch(uid)]
    return await lookups.people_by_uid(space, possible) if possible else {}


async def _feed(lookups: Lookups, space: int, chatid: str) -> Feed | None:
    if not UID.fullmatch(chatid):
        return None
    for kind in (FeedKind.GROUP, FeedKind.BLACKBOARD):
        feed = await lookups.feed_by_code(space, "wecom", kind.value, chatid)
        if feed is not None:
            return feed
    return None


def _feed_fault(bot: Bot, feed: Feed, msgtype: str) -> Fault | None:
    is_blackboard = feed.kind is FeedKind.BLACKBOARD
    if feed.code not in (bot.blackboards if is_blackboard else bot.groups):
        return answer.NOT_IN_CHAT
    if is_blackboard and msgtype not in _ON_BLACKBOARDS:
        return answer.NOT_ON_BLACKBOARDS
    return None


def _person_fault(bot: Bot, person: Person | None) -> Fault | None:
    if person is None:
        return answer.UNKNOWN_CHAT
    return None if person.uid.lower() in bot.subscribers else answer.NO_SINGLE_CHAT


def visible_uids(body: Body, targets: Targets) -> tuple[str, ...]:
    """Who alone may see it; empty = everybody. Counts only with exactly one group or blackboard (sheet §2.2)."""
    if not targets.names_one_feed:
        return ()
    return tuple(_ids(body.visible_to_user))


def _ids(joined: str) -> list[str]:
    return [part for text in joined.split("|", IDS_READ) if (part := text.strip())]
