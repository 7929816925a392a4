"""Who is called by name: ``<@userid>`` in the text, ``mentioned_list`` and ``mentioned_mobile_list`` (sheet §2.3)."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from onebell.core.context import Lookups
from onebell.core.directory import Feed, Person
from onebell.core.model import FeedKind
from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.targets import Targets, people_named

EVERYBODY = "@all"
NAMED_MAX = 1000
"""Entries of a list that are looked at; the service names no limit and no group is larger."""

_PHONE = re.compile(r"[+0-9 -]{1,32}")
_IN_TEXT = re.compile(r"<@([^<>\s]{1,64})>")


class Mentions(msgspec.Struct, frozen=True, kw_only=True):
    """Who was mentioned."""

    people: tuple[int, ...] = ()  # person ids
    by_uid: dict[str, Person] = {}  # of the text, by lower-cased uid
    listed: tuple[str, ...] = ()  # names of the lists' people, as shown

    def shown(self, text: str) -> str:
        """The text with ``@name`` for everybody who exists."""
        return _IN_TEXT.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        person = self.by_uid.get(found[1].lower())
        return found[0] if person is None else f"@{person.name or person.uid}"


_NOBODY = Mentions()


async def mentions_of(lookups: Lookups, space: int, body: Body, targets: Targets) -> Mentions:
    """Everybody whom a text or markdown message mentions; unknown names are ignored."""
    if body.msgtype == "text":
        return await _of_text(lookups, space, body, targets)
    if body.msgtype == "markdown":
        found = await people_named(lookups, space, _IN_TEXT.findall(body.markdown.content))
        return Mentions(people=_ids(found.values()), by_uid=found)
    return _NOBODY


async def _of_text(lookups: Lookups, space: int, body: Body, targets: Targets) -> Mentions:
    in_text = _IN_TEXT.findall(body.text.content)
    uids, phones = body.text.mentioned_list[:NAMED_MAX], body.text.mentioned_mobile_list[:NAMED_MAX]
    if not in_text and not uids and not phones:
        return _NOBODY
    groups = [feed for feed in targets.feeds if feed.kind is not FeedKind.BLACKBOARD]
    if not groups and not targets.people:
        uids, phones = [], []  # the lists do nothing on blackboards (seed 003)
    by_uid = await people_named(lookups, space, [*in_text, *uids])
    listed = {person.id: person for uid in uids if (person := by_uid.get(uid.lower()))}
    listed.update(await _by_phone(lookups, space, phones))
    people = dict.fromkeys([*_ids(by_uid[uid.lower()] for uid in in_text if uid.lower() in by_uid), *listed])
    names = [person.name or person.uid for person in listed.values()]
    if EVERYBODY in uids or EVERYBODY in phones:
        people.update(dict.fromkeys(await _everybody(lookups, space, groups, targets.people)))
        names.append("all")
    return Mentions(people=tuple(people), by_uid=by_uid, listed=tuple(f"@{name}" for name in names))


async def _by_phone(lookups: Lookups, space: int, phones: Sequence[str]) -> dict[int, Person]:
    found: dict[int, Person] = {}
    for phone in phones:
        person = await lookups.person_by_address(space, "phone", phone) if _PHONE.fullmatch(phone) else None
        if person is not None:
            found[person.id] = person
    return found


async def _everybody(lookups: Lookups, space: int, groups: Sequence[Feed], people: Sequence[Person]) -> list[int]:
    # A group of more than a page names no members: there nobody is flagged one by one.
    everybody = [person.id for person in people]
    for feed in groups:
        everybody.extend((await lookups.membership(space, feed.id)).ids or ())
    return everybody


def _ids(people: Iterable[Person]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(person.id for person in people))
