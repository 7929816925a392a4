"""From a call's targets to the core's audience (sheet jpush-ums §1.5, §3)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Person
from onebell.core.events import EventKind
from onebell.core.model import Addresses, Audience, FirstEvent, People, PeopleQuery
from onebell.dialects.ums.answer import (
    BLACK_LISTS_OFF,
    UNKNOWN_BLACK_LIST,
    WHITE_LISTS_OFF,
    Rejected,
    invalid,
)
from onebell.dialects.ums.group import (
    BLACK_LIST,
    DIALECT,
    INBOX,
    SEGMENT,
    WHITE_LIST,
    Group,
    Segment,
    UserList,
)
from onebell.dialects.ums.kinds import AUDIENCES
from onebell.dialects.ums.parse import Call

# Numbers in ``error.code`` of callback type 1 (sheet §5.3).
NO_REGISTRATION_ID, UNKNOWN_USER, BLACK_LISTED, NOT_WHITE_LISTED, REFUSED, EXPIRED = range(1, 7)
REASONS = {
    UNKNOWN_USER: "unknown user",
    BLACK_LISTED: "in black list",
    NOT_WHITE_LISTED: "not in white list",
}
ALL = "all"


@dataclass(frozen=True)
class Channel:
    """The channel group that calls: where it is, and what it may."""

    space: int
    key: str
    feed: int
    group: Group


@dataclass(frozen=True)
class Lists:
    """Lower-cased uids of the lists that a call names; None = no list."""

    black: frozenset[str] | None
    white: frozenset[str] | None


@dataclass(frozen=True)
class Resolved:
    """Who gets a message, and what is known of the others."""

    audience: tuple[Audience, ...]
    events: tuple[FirstEvent, ...] = ()


async def lists_of(context: Context, channel: Channel, call: Call) -> Lists:
    """The black or white list that the call names.

    Raises:
        Rejected: no such list, or lists are switched off for the group.
    """
    if call.black_id and not channel.group.black_lists:
        raise Rejected(BLACK_LISTS_OFF)
    if call.white_id and not channel.group.white_lists:
        raise Rejected(WHITE_LISTS_OFF)
    black = await _list(context, channel, BLACK_LIST, call.black_id)
    white = await _list(context, channel, WHITE_LIST, call.white_id)
    if call.black_id and black is None:
        raise Rejected(UNKNOWN_BLACK_LIST)
    if call.white_id and white is None:
        raise invalid("option.white_id", "names no list")
    return Lists(black, white)


async def _list(context: Context, channel: Channel, kind: str, number: int) -> frozenset[str] | None:
    if not number:
        return None
    record = await context.lookups.record(channel.space, DIALECT, kind, str(number))
    if record is None:
        return None
    return frozenset(uid.lower() for uid in msgspec.convert(record.data, UserList).people)


async def segment_of(context: Context, channel: Channel, call: Call) -> Segment | None:
    """The stored user set that ``aud_segment`` names.

    Raises:
        Rejected: there is none of that id.
    """
    if not call.segment:
        return None
    record = None
    if "\x00" not in call.segment:  # no id holds one, and PostgreSQL's text refuses it
        record = await context.lookups.record(channel.space, DIALECT, SEGMENT, call.segment)
    if record is None:
        raise invalid("aud_segment", "names no segment")
    return msgspec.convert(record.data, Segment)


async def resolve(context: Context, channel: Channel, call: Call, lists: Lists, segment: Segment | None) -> Resolved:
    """The audience of a call whose targets are all valid."""
    if call.custom:
        return await _registration_ids(context, channel, call)
    if call.userids and not call.tags and segment is None:
        return await _userids(context, channel, call, lists)
    return Resolved((await _query(context, channel, call, lists, segment),))


async def _userids(context: Context, channel: Channel, call: Call, lists: Lists) -> Resolved:
    found = await context.lookups.people_by_uid(channel.space, call.userids)
    people: dict[int, Person] = {}
    events: list[FirstEvent] = []
    for userid in call.userids:
        person = found.get(userid.lower())
        why = _excluded(userid.lower(), person, lists)
        if person is not None and not why:
            people[person.id] = person
        else:
            events.extend(_unresolved(userid, person, why, call.kinds))
    return Resolved((People(feed=channel.feed, ids=tuple(people)),), tuple(events))


def _excluded(uid: str, person: Person | None, lists: Lists) -> int:
    if person is None:
        return UNKNOWN_USER
    if lists.black is not None and uid in lists.black:
        return BLACK_LISTED
    if lists.white is not None and uid not in lists.white:
        return NOT_WHITE_LISTED
    return 0


def _unresolved(userid: str, person: Person | None, why: int, kinds: Iterable[str]) -> Iterator[FirstEvent]:
    """One record per carrier type (sheet §3.3)."""
    for kind in sorted(kinds):
        data = {"uid": userid, "carrier": kind, "code": why, "message": REASONS[why]}
        yield FirstEvent(kind=EventKind.UNRESOLVED, person=person.id if person else 0, data=data)


async def _query(context: Context, channel: Channel, call: Call, lists: Lists, segment: Segment | None) -> PeopleQuery:
    unions = [await _scoped(context, channel, call.tags)] if call.tags else []
    if segment is not None and segment.any_tags:
        unions.append(tuple((tag, ALL) for tag in segment.any_tags))
    return PeopleQuery(
        feed=channel.feed,
        uids=call.userids or None,
        any_tags=unions[0] if unions else None,
        more_tags=tuple(unions[1:]),
        attributes=tuple(segment.attributes.items()) if segment else (),
        exclude=await _ids(context, channel, lists.black or ()),
        include=None if lists.white is None else await _ids(context, channel, lists.white),
    )


async def _scoped(context: Context, channel: Channel, tags: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Per tag: the holders bound to this ChannelKey when there are any, else the global ones (sheet §3.1)."""
    bound = await context.store.ums.bound_tags(channel.space, channel.key, tags)
    return tuple((tag, channel.key if tag in bound else ALL) for tag in tags)


async def _ids(context: Context, channel: Channel, uids: Iterable[str]) -> tuple[int, ...]:
    found = await context.lookups.people_by_uid(channel.space, sorted(uids))
    return tuple(sorted(person.id for person in found.values()))


async def _registration_ids(context: Context, channel: Channel, call: Call) -> Resolved:
    resolved = Resolved(())
    for kind, values in call.custom:
        use = channel.group.use(AUDIENCES[kind])
        assert use is not None, "the carriers were checked before"
        if use.carrier == INBOX:
            part = await _inbox_ids(context, channel, values)
        else:
            part = Resolved((Addresses(carrier=use.carrier, values=values),))
        resolved = replace(resolved, audience=resolved.audience + part.audience, events=resolved.events + part.events)
    return resolved


async def _inbox_ids(context: Context, channel: Channel, values: Sequence[str]) -> Resolved:
    """Where the inbox is the app channel a registration id is a uid (sheet §3.2)."""
    asked = [value for value in values if "\x00" not in value]
    found = await context.lookups.people_by_uid(channel.space, asked)
    ids = dict.fromkeys(found[value.lower()].id for value in values if value.lower() in found)
    lost = (value for value in values if value.lower() not in found)
    return Resolved(
        (People(feed=channel.feed, ids=tuple(ids), over=(INBOX,)),),
        tuple(
            FirstEvent(
                kind=EventKind.FAILED,
                data={
                    "carrier": "app",
                    "target": value,
                    "code": UNKNOWN_USER,
                    "message": "unknown registration id",
                },
            )
            for value in lost
        ),
    )
