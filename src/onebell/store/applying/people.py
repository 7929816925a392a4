"""People of a directory file, and what hangs on them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Person, QuietHours
from onebell.core.wanted import WantedPerson
from onebell.store import belongings
from onebell.store import people as verbs
from onebell.store.applying.desk import FROM_FILE, OVERRULED, Desk, PlannedPerson, after
from onebell.store.belongings import Address
from onebell.store.changes import Origin
from onebell.store.packed import pack
from onebell.store.people import ALL, OWN_ADDRESSES, NewPerson

Work = Callable[[sa.Connection], None]
AddressKey = tuple[str, str, str]  # carrier, value, scope


class _Hanging(msgspec.Struct, frozen=True):
    """What hangs on the people of the file, as it is."""

    addresses: Mapping[int, Sequence[Address]]
    tags: Mapping[int, Mapping[tuple[str, str], str]]  # (tag, scope) → origin
    routes: Mapping[int, Sequence[tuple[str, str]]]  # (code, origin)
    attributes: Mapping[int, Mapping[str, str]]


def plan(desk: Desk, wanted: Sequence[WantedPerson], referred: Iterable[str]) -> None:
    """Compare the people; ``referred`` are uids that the file only refers to."""
    keys = [one.uid.lower() for one in wanted]
    found = {one.uid.lower(): one for one in verbs.by_uids(desk.connection, desk.space, [*keys, *referred])}
    hanging = _hanging(desk, [found[key].id for key in keys if key in found])
    for key, person in found.items():
        desk.people[key] = PlannedPerson(person.id, person.name, person.password_hash, person.password_hash)
    for one in wanted:
        _plan_one(desk, one, found.get(one.uid.lower()), hanging)


def plan_removals(desk: Desk, wanted: Sequence[WantedPerson]) -> None:
    """Remove whom an earlier file made and this one does not name."""
    named = {one.uid.lower() for one in wanted}
    for person in verbs.of_origin(desk.connection, desk.space, FROM_FILE):
        if person.uid.lower() not in named:
            desk.remove(f"person {person.uid}", _removal(desk.space, person.id))


def _removal(space: int, person: int) -> Work:
    return lambda connection: verbs.remove(connection, space, person)


def _hanging(desk: Desk, ids: Sequence[int]) -> _Hanging:
    addresses: dict[int, list[Address]] = {}
    for one in belongings.addresses_of(desk.connection, desk.space, ids):
        addresses.setdefault(one.person, []).append(one)
    tags: dict[int, dict[tuple[str, str], str]] = {}
    for person, name, scope, origin in belongings.tags_of(desk.connection, desk.space, ids):
        tags.setdefault(person, {})[name, scope] = origin
    return _Hanging(
        addresses,
        tags,
        belongings.routes_of(desk.connection, desk.space, ids),
        belongings.attributes_of(desk.connection, desk.space, ids),
    )


def _plan_one(desk: Desk, want: WantedPerson, person: Person | None, hanging: _Hanging) -> None:
    thing = f"person {want.uid}"
    if person is None:
        _make(desk, thing, want)
        return
    changes = _Changes(desk, thing, want, person)
    changes.columns(_optional(desk, thing, want))
    changes.addresses(hanging.addresses.get(person.id, ()))
    changes.tags(hanging.tags.get(person.id, {}))
    changes.routes(hanging.routes.get(person.id, ()))
    changes.attributes(hanging.attributes.get(person.id, {}))
    changes.report()


def _make(desk: Desk, thing: str, want: WantedPerson) -> None:
    optional = _optional(desk, thing, want)
    new = NewPerson(
        id=desk.mint.mint(),
        uid=want.uid,
        name=want.name,
        role=want.role,
        password_hash=desk.passwords.people.get(want.uid.lower(), ""),
        language=want.language,
        timezone=want.timezone,
        quiet_hours=optional.get("quiet_hours"),
        origin=Origin.FILE.value,
    )
    desk.people[want.uid.lower()] = PlannedPerson(new.id, new.name or new.uid, "", new.password_hash)
    desk.merged(thing, "attributes", {}, want.attributes)

    def work(connection: sa.Connection) -> None:
        verbs.insert(connection, desk.space, [new], desk.now_ms)
        _add_addresses(desk, new.id, _addresses(want))(connection)
        belongings.add_tags(connection, desk.space, [(new.id, *one) for one in want.tags], Origin.FILE)
        routes = [(code, Origin.FILE.value) for code in want.routes]
        belongings.set_routes(connection, desk.space, new.id, routes)
        belongings.set_attributes(connection, desk.space, new.id, want.attributes)

    desk.make(thing, work)


def _optional(desk: Desk, thing: str, want: WantedPerson) -> dict[str, Any]:
    """The columns that the file may leave unsaid; what an earlier file said goes back to its default."""
    quiet = msgspec.convert(want.quiet_hours, QuietHours) if want.quiet_hours else None
    said = {"name": want.name, "language": want.language, "timezone": want.timezone, "quiet_hours": quiet}
    defaults = {"name": want.uid, "language": "", "timezone": "", "quiet_hours": None}
    given = {key: value for key, value in said.items() if value}
    before = {key: value for key, value in defaults.items() if f"column.{key}" in desk.named_before.get(thing, ())}
    desk.merged(thing, "column", {}, given)
    return before | given


def _addresses(want: WantedPerson) -> list[AddressKey]:
    own = [("email", want.email, ALL), ("phone", want.phone, ALL)]
    return [*(one for one in own if one[1]), *want.addresses]


def _add_addresses(desk: Desk, person: int, keys: Sequence[AddressKey]) -> Work:
    new = [
        Address(person=person, carrier=carrier, value=value, scope=scope, origin=Origin.FILE.value)
        for carrier, value, scope in keys
    ]
    numbered = [(desk.mint.mint(), one) for one in new]
    return lambda connection: belongings.add_addresses(connection, desk.space, numbered)


class _Changes:
    """The differences of one person."""

    def __init__(self, desk: Desk, thing: str, want: WantedPerson, person: Person) -> None:
        self._desk = desk
        self._thing = thing
        self._want = want
        self._person = person
        self._what: list[str] = []
        self._work: list[Work] = []
        self._overrules = person.origin in OVERRULED

    def columns(self, optional: Mapping[str, Any]) -> None:
        want, person = self._want, self._person
        wanted = {"uid": want.uid, "role": want.role, **optional}
        wanted["password_hash"] = self._desk.passwords.people.get(want.uid.lower(), person.password_hash)
        self._desk.people[want.uid.lower()] = PlannedPerson(
            person.id, wanted.get("name", person.name), person.password_hash, wanted["password_hash"]
        )
        changed = {key: value for key, value in wanted.items() if getattr(person, key) != value}
        self._what.extend("password" if key == "password_hash" else key for key in changed)
        if "quiet_hours" in changed:
            changed["quiet_hours"] = pack(changed["quiet_hours"])
        if changed:
            self._do(verbs.update, self._desk.now_ms, **changed, origin=after(person.origin))

    def addresses(self, stored: Sequence[Address]) -> None:
        wanted = _addresses(self._want)
        present = {(one.carrier, one.value, one.scope) for one in stored}
        for one in stored:
            key = (one.carrier, one.value, one.scope)
            if key not in wanted and (one.origin in FROM_FILE or self._displaces(one, wanted)):
                self._overrules |= one.origin in OVERRULED
                self._what.append(f"-{one.carrier}")
                self._do(belongings.remove_address, *key)
        missing = [key for key in wanted if key not in present]
        if missing:
            self._what.extend(f"+{carrier}" for carrier, _, _ in missing)
            self._work.append(_add_addresses(self._desk, self._person.id, missing))

    def _displaces(self, one: Address, wanted: Sequence[AddressKey]) -> bool:
        # A person has one e-mail and one phone; the one that the file names is the one.
        own = one.carrier in OWN_ADDRESSES and one.scope == ALL
        return own and any(carrier == one.carrier and scope == ALL for carrier, _, scope in wanted)

    def tags(self, stored: Mapping[tuple[str, str], str]) -> None:
        for (name, scope), origin in stored.items():
            if origin in FROM_FILE and (name, scope) not in self._want.tags:
                self._what.append(f"-tag {name}")
                self._do(belongings.remove_tag, name, scope)
        missing = [(self._person.id, *one) for one in self._want.tags if one not in stored]
        if missing:
            self._what.extend(f"+tag {name}" for _, name, _ in missing)
            space = self._desk.space
            self._work.append(lambda connection: belongings.add_tags(connection, space, missing, Origin.FILE))

    def routes(self, stored: Sequence[tuple[str, str]]) -> None:
        """The file's routes in its order, then those that came from elsewhere."""
        others = [one for one in stored if one[1] not in FROM_FILE and one[0] not in self._want.routes]
        origins = dict(stored)
        wanted = [(code, origins.get(code, Origin.FILE.value)) for code in self._want.routes] + others
        if wanted != list(stored):
            self._what.append("routes")
            self._do(belongings.set_routes, wanted)

    def attributes(self, stored: Mapping[str, str]) -> None:
        wanted = self._desk.merged(self._thing, "attributes", stored, self._want.attributes)
        gone = [key for key in stored if key not in wanted]
        changed = {key: value for key, value in wanted.items() if stored.get(key) != value}
        if gone:
            self._what.extend(f"-attribute {key}" for key in gone)
            self._do(belongings.remove_attributes, gone)
        if changed:
            self._what.extend(f"attribute {key}" for key in changed)
            self._do(belongings.set_attributes, changed)

    def _do(self, verb: Callable[..., None], *given: Any, **columns: Any) -> None:
        space, person = self._desk.space, self._person.id
        self._work.append(lambda connection: verb(connection, space, person, *given, **columns))

    def report(self) -> None:
        if not self._what:
            self._desk.same(self._thing)
            return

        def work(connection: sa.Connection) -> None:
            for one in self._work:
                one(connection)

        origin = Origin.EDITED.value if self._overrules else self._person.origin
        self._desk.change(self._thing, self._what, origin, work)
