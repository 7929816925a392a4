"""Who gets a submission: entries in mailboxes, deliveries to addresses, and audiences for the database to expand."""

from collections.abc import Iterable, Sequence

import msgspec

from onebell.core import policy
from onebell.core.context import Lookups
from onebell.core.directory import Person
from onebell.core.events import EventKind
from onebell.core.model import Addresses, FirstEvent, Keep, Members, People, PeopleQuery, Submission
from onebell.core.work import Spread
from onebell.store.base import Box, Expansion, Wait

INBOX = "inbox"
KNOWN_BOXES = 64
"""Entries of an answer that is kept on a shelf; larger audiences are worked out each time."""

_encode = msgspec.json.Encoder().encode


class Reached:
    """What an audience comes to."""

    __slots__ = ("boxes", "events", "expansions", "slots", "waits")

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.waits: list[Wait] = []
        self.expansions: list[Expansion] = []
        self.events: list[FirstEvent] = []
        self.slots = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something for it."""
        return bool(self.waits or self.expansions)


def known(lookups: Lookups, submission: Submission) -> Reached | None:
    """What :func:`resolve` found for the same simple audience before; not to be changed."""
    found: Reached | None = lookups.shelf(submission.space).get(_simple(submission), None)
    return found


def _simple(submission: Submission) -> Members | People | None:
    """The audience where it alone decides who is reached, as long as the space does not change.

    Most messages are like that: for all of a feed or for one person, over his own routes, now.
    """
    if len(submission.audience) != 1 or len(submission.parts) != 1 or submission.parts[0].carriers:
        return None
    if submission.due_ms or submission.mentions or submission.keep is not Keep.STORED:
        return None
    if submission.numbered or submission.copy_to_sender or submission.silent:
        return None
    audience = submission.audience[0]
    if isinstance(audience, Members):
        return None if audience.only else audience
    return audience if isinstance(audience, People) and len(audience.ids) == 1 and not audience.over else None


async def resolve(lookups: Lookups, submission: Submission, now_ms: int) -> Reached:
    """Find everybody; nothing is read from the store when the lookups are warm."""
    simple = _simple(submission)
    if simple is None:
        return await _resolved(lookups, submission, now_ms)
    shelf = lookups.shelf(submission.space)
    reached = await _resolved(lookups, submission, now_ms)
    if not reached.is_open and len(reached.boxes) <= KNOWN_BOXES:
        shelf.put(simple, reached)
    return reached


async def _resolved(lookups: Lookups, submission: Submission, now_ms: int) -> Reached:
    reached = Reached()
    ways = _Ways(lookups, submission, max(now_ms, submission.due_ms))
    later = submission.due_ms if submission.due_ms > now_ms else 0
    named: dict[tuple[str, ...], list[int]] = {}
    for audience in submission.audience:
        if isinstance(audience, Addresses):
            await ways.to_addresses(audience)
        elif isinstance(audience, PeopleQuery):
            _expand(reached, submission, audience, later)
        elif later:
            _expand(reached, submission, _as_query(audience), later)
        elif isinstance(audience, People):
            _put_in(reached, submission, audience.feed, audience.ids, audience.over)
            named.setdefault(audience.over, []).extend(audience.ids)
        else:
            ids = (await lookups.membership(submission.space, audience.feed)).ids
            if ids is None:
                _expand(reached, submission, audience, later)
            else:
                await _reach(reached, ways, submission, audience.feed, _chosen(ids, audience), ())
    # Asked for together: an Easemob message to 600 is 600 audiences of one.
    for over, some in named.items():
        await _send_over(ways, submission, some, over)
    reached.waits = await ways.waits()
    reached.events += ways.events
    return reached


def _chosen(ids: Sequence[int], audience: Members) -> Sequence[int]:
    if not audience.only and not audience.exclude:
        return ids
    wanted, black = frozenset(audience.only or ids), frozenset(audience.exclude)
    return [one for one in ids if one in wanted and one not in black]


def _as_query(audience: Members | People) -> Members | PeopleQuery:
    """Whoever is named now gets it then."""
    return audience if isinstance(audience, Members) else PeopleQuery(feed=audience.feed, include=audience.ids)


def _expand(reached: Reached, submission: Submission, audience: Members | PeopleQuery, later: int) -> None:
    spread = Spread(
        audience=audience,
        scopes=submission.scopes,
        priority=submission.priority or submission.severity,
        is_silent=submission.silent,
        quiet_through=submission.quiet_through,
        mentions=submission.mentions,
    )
    reached.expansions.append(Expansion(_encode(spread), later))


async def _reach(
    reached: Reached,
    ways: "_Ways",
    submission: Submission,
    feed: int,
    ids: Sequence[int],
    over: tuple[str, ...],
) -> None:
    _put_in(reached, submission, feed, ids, over)
    await _send_over(ways, submission, ids, over)


def _put_in(reached: Reached, submission: Submission, feed: int, ids: Sequence[int], over: tuple[str, ...]) -> None:
    if any(_takes_inbox(over or part.carriers) for part in submission.parts):
        _put_in_boxes(reached, submission, feed, tuple(dict.fromkeys(ids)) if len(ids) > 1 else ids)


async def _send_over(ways: "_Ways", submission: Submission, ids: Sequence[int], over: tuple[str, ...]) -> None:
    if submission.keep is not Keep.STORED:
        return
    once = tuple(dict.fromkeys(ids)) if len(ids) > 1 else ids
    for number, part in enumerate(submission.parts):
        await ways.to_people(number, over or part.carriers, _for_part(once, part.only))


def _for_part(ids: Sequence[int], only: tuple[int, ...]) -> Sequence[int]:
    if not only:
        return ids
    wanted = frozenset(only)
    return [one for one in ids if one in wanted]


def _takes_inbox(carriers: Sequence[str]) -> bool:
    return not carriers or INBOX in carriers


def _put_in_boxes(reached: Reached, submission: Submission, feed: int, ids: Sequence[int]) -> None:
    slot = reached.slots
    mentions = submission.mentions
    reached.boxes += [Box(one, feed, 0, 1 if one in mentions else 0, slot) for one in ids]
    # Who writes to himself has it already.
    if ids and submission.copy_to_sender and submission.sender.party not in ids:
        reached.boxes.append(Box(submission.sender.party, feed, 1, 0, slot))
    if ids and submission.numbered:
        reached.slots += 1


class _Ways:
    """Collects deliveries: one per part and address, whoever stands behind it."""

    def __init__(self, lookups: Lookups, submission: Submission, due_ms: int) -> None:
        self._lookups = lookups
        self._submission = submission
        self._due_ms = due_ms
        self._people: dict[tuple[int, int, int], list[int]] = {}
        self._told: set[tuple[int, str]] = set()
        self.events: list[FirstEvent] = []

    async def to_people(self, part: int, carriers: Sequence[str], ids: Sequence[int]) -> None:
        """Over each person's routes, or over the named carriers."""
        if not carriers:
            if not self._submission.silent:
                await self._over_routes(part, ids)
            return
        for code in carriers:
            if code == INBOX:
                self._tell(EventKind.RESOLVED, ids, code)
            elif not self._submission.silent:
                await self._over_carrier(part, code, ids)

    async def to_addresses(self, audience: Addresses) -> None:
        """To raw addresses, with nobody known behind them."""
        space = self._submission.space
        account = await self._lookups.carrier(space, audience.carrier)
        if account is None:
            for value in audience.values:
                self._lack(0, audience.carrier, target=value)
            return
        targets = await self._lookups.targets(space, account.id, audience.values)
        for number, part in enumerate(self._submission.parts):
            if not part.carriers or audience.carrier in part.carriers:
                for value in audience.values:
                    self._people.setdefault((number, account.id, targets[value]), [])

    async def waits(self) -> list[Wait]:
        """The deliveries, each due when nobody behind it is in his quiet hours."""
        if not self._people:
            return []
        known: dict[int, Person] = {}
        if not self._submission.quiet_through:
            everybody = {person for people in self._people.values() for person in people}
            known = await self._lookups.people(self._submission.space, tuple(everybody))
        return [
            Wait(
                part,
                account,
                target,
                people[0] if len(people) == 1 else 0,
                self._due_at(known[person] for person in people if person in known),
                tuple(people) if len(people) > 1 else (),
            )
            for (part, account, target), people in self._people.items()
        ]

    def _due_at(self, people: Iterable[Person]) -> int:
        severity, due = self._submission.severity, self._due_ms
        return max((policy.due_at(person, severity, due) for person in people), default=due)

    async def _over_routes(self, part: int, ids: Sequence[int]) -> None:
        for person, routes in (await self._lookups.routes_of(self._submission.space, ids)).items():
            for route in routes:
                self._add(part, route.account, route.target, person)

    async def _over_carrier(self, part: int, code: str, ids: Sequence[int]) -> None:
        space, scopes = self._submission.space, self._submission.scopes
        account = await self._lookups.carrier(space, code)
        values: dict[int, str] = {}
        if account is not None:
            for person in ids:
                value = await self._lookups.address_of(space, person, account, scopes)
                if value:
                    values[person] = value
            targets = await self._lookups.targets(space, account.id, tuple(dict.fromkeys(values.values())))
            for person, value in values.items():
                self._add(part, account.id, targets[value], person)
        self._tell(EventKind.RESOLVED, values, code)
        if self._submission.watched:
            people = await self._lookups.people(space, [person for person in ids if person not in values])
            for person in ids:
                if person not in values:
                    self._lack(person, code, uid=people[person].uid if person in people else "")

    def _add(self, part: int, account: int, target: int, person: int) -> None:
        people = self._people.setdefault((part, account, target), [])
        if person not in people:
            people.append(person)

    def _tell(self, kind: EventKind, people: Iterable[int], code: str) -> None:
        if not self._submission.watched:
            return
        for person in people:
            if self._is_news(person, code):
                self.events.append(FirstEvent(kind=kind, person=person, data={"carrier": code}))

    def _is_news(self, person: int, code: str) -> bool:
        """Several parts over one carrier find a person, or miss him, only once."""
        if (person, code) in self._told:
            return False
        self._told.add((person, code))
        return True

    def _lack(self, person: int, code: str, **what: str) -> None:
        if person and not self._is_news(person, code):
            return
        data = {**what, "carrier": code, "code": 0, "message": f"no address on {code}"}
        self.events.append(FirstEvent(kind=EventKind.UNRESOLVED, person=person, data=data))
