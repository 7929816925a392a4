"""The directory as this node knows it: read once, kept until the space's version changes (``core.context.Lookups``).

An answer is kept under the generation of its space that was current before it was read. A change begins a new
generation, so an answer that was read before the change and arrives after it is never seen by anybody.
"""

import asyncio
import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from onebell.bounded import Bounded, ShortKeyed
from onebell.clock import Clock
from onebell.core.bell import Bell, ConfigChanged
from onebell.core.context import ANY_SPACE, Shelf
from onebell.core.directory import (
    Account,
    CarrierAccount,
    Credential,
    Feed,
    Membership,
    Person,
    Record,
    RouteTarget,
    Space,
)
from onebell.core.model import PartyKind
from onebell.errors import NotFound, StoreUnavailable
from onebell.ids import IdMint
from onebell.store import (
    accounts,
    carrier_accounts,
    credentials,
    feeds,
    parties,
    people,
    records,
    routing,
    spaces,
    targets,
)
from onebell.store.engine import Database, Work
from onebell.store.routing import NOWHERE, Addressed, Reach
from onebell.vault import ServerVault

log = structlog.get_logger()

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Key = tuple[Hashable, ...]
ANSWERS = 50_000
"""Answers kept at once, over all spaces; what was not asked for lately goes first."""
SHELVED = 10_000
"""What is kept on the shelf of one space."""
MEMBERSHIPS = 500
"""Memberships kept at once; each may name a thousand members."""
SHORT = 128
"""Characters of an issued value: longer ones are what somebody made up."""
CHECK_S = 1.0
"""How often versions are compared: no node's view is staler, bell or not."""
_MISSING: Any = object()


class CachedLookups:
    """All lookups of one node."""

    def __init__(
        self, database: Database, vault: ServerVault, mint: IdMint, clock: Clock, addressed: Callable[[str], Addressed]
    ) -> None:
        """``addressed`` tells how people are addressed on a kind of carrier, or raises ``NotFound``."""
        self._database = database
        self._vault = vault
        self._mint = mint
        self._clock = clock
        self._addressed = addressed
        self._answers: ShortKeyed[Key, Any] = ShortKeyed(ANSWERS)
        self._memberships: Bounded[Key, Any] = Bounded(MEMBERSHIPS)
        self._shelves: dict[int, Bounded[Hashable, Any]] = {}
        self._numbers = itertools.count(1)
        self._generations: dict[int, int] = {}
        self._generation = 0  # of what belongs to no single space
        self._versions: dict[int, int] = {}

    # ------------------------------------------------------------ freshness

    def listen(self, bell: Bell) -> None:
        """Follow the changes that the bell announces."""
        bell.listen(ConfigChanged, self.hear)

    def hear(self, note: ConfigChanged) -> None:
        """A space has changed, here or on another node."""
        self.forget(note.space)
        self._versions[note.space] = max(note.version, self._versions.get(note.space, 0))

    def forget(self, space: int) -> None:
        self._generations[space] = self._generation = next(self._numbers)
        self._shelves.pop(space, None)
        self._shelves.pop(ANY_SPACE, None)

    def shelf(self, space: int) -> Shelf:
        shelf = self._shelves.get(space)
        if shelf is None:
            shelf = self._shelves[space] = ShortKeyed(SHELVED)
        return shelf

    async def run(self) -> None:
        """Compare versions every second, until cancelled: finds what the bell lost."""
        while True:
            try:
                await self.check()
            except StoreUnavailable:
                log.warning("lookups_unchecked")
            await asyncio.sleep(CHECK_S)

    async def check(self) -> None:
        """Forget every space whose version is another than this node knows."""
        versions = await self._database.read(spaces.versions)
        for space in versions.keys() | self._versions.keys():
            if versions.get(space) != self._versions.get(space):
                self.forget(space)
        self._versions = versions

    def _key(self, space: int, *name: Hashable) -> Key:
        return (space, self._generations.get(space, 0), *name)

    async def _answer(self, key: Key, load: Work[T]) -> T:
        found = self._answers.get(key, _MISSING)
        if found is _MISSING:
            found = await self._database.read(load)
            self._answers.put(key, found)
        return found  # type: ignore[no-any-return]

    async def _many(
        self, prefix: Key, names: Sequence[K], load: Callable[[sa.Connection, Sequence[K]], Mapping[K, T]]
    ) -> dict[K, T]:
        """Answers by name; unknown ones are read together, and so is learnt which do not exist."""
        found, missing = self._known(prefix, names)
        if missing:
            read = await self._database.read(lambda connection: load(connection, missing))
            for name in missing:
                self._answers.put((*prefix, name), read.get(name))
            found.update(read)
        return found

    def _known(self, prefix: Key, names: Sequence[K]) -> tuple[dict[K, Any], list[K]]:
        found: dict[K, Any] = {}
        missing: list[K] = []
        for name in names:
            answer = self._answers.get((*prefix, name), _MISSING)
            if answer is _MISSING:
                missing.append(name)
            elif answer is not None:
                found[name] = answer
        return found, missing

    # ------------------------------------------------------------ spaces and credentials

    async def spaces(self) -> Sequence[Space]:
        return await self._answer(("spaces", self._generation), spaces.every)

    async def space(self, space: int) -> Space:
        """Raises: NotFound."""
        for one in await self.spaces():
            if one.id == space:
                return one
        raise NotFound(f"space {space}")

    async def credential(self, dialect: str, kind: str, value: str) -> Credential | None:
        # A digest costs more than all else here; only what could fill the memory is kept by it.
        name = value if len(value) <= SHORT else self._vault.digest(dialect, kind, value)
        place = await self._answer(
            ("issued", self._generation, dialect, kind, name),
            lambda connection: credentials.found_by(connection, self._vault.digest(dialect, kind, value)),
        )
        return None if place is None else await self.credential_by_id(*place)

    async def credential_by_id(self, space: int, credential: int) -> Credential | None:
        return await self._answer(
            self._key(space, "credential", credential),
            lambda connection: credentials.by_id(connection, self._vault, space, credential),
        )

    async def credential_named(self, space: int, dialect: str, kind: str, name: str) -> Credential | None:
        return await self._answer(
            self._key(space, "credential", dialect, kind, name),
            lambda connection: credentials.named(connection, self._vault, space, dialect, kind, name),
        )

    async def credentials(self, space: int, dialect: str, kind: str, owner: int | None = None) -> Sequence[Credential]:
        return await self._answer(
            self._key(space, "credentials", dialect, kind, owner),
            lambda connection: credentials.of_kind(connection, self._vault, space, dialect, kind, owner),
        )

    # ------------------------------------------------------------ people

    async def person(self, space: int, person: int) -> Person | None:
        return (await self.people(space, (person,))).get(person)

    async def people(self, space: int, ids: Sequence[int]) -> dict[int, Person]:
        return await self._many(
            self._key(space, "person"),
            ids,
            lambda connection, missing: {one.id: one for one in people.by_ids(connection, space, missing)},
        )

    async def person_by_uid(self, space: int, uid: str) -> Person | None:
        return (await self.people_by_uid(space, (uid,))).get(uid.lower())

    async def people_by_uid(self, space: int, uids: Sequence[str]) -> dict[str, Person]:
        return await self._many(
            self._key(space, "uid"),
            [uid.lower() for uid in uids],
            lambda connection, missing: {one.uid.lower(): one for one in people.by_uids(connection, space, missing)},
        )

    async def person_by_address(self, space: int, carrier: str, value: str) -> Person | None:
        return await self._answer(
            self._key(space, "address", carrier, value),
            lambda connection: people.by_address(connection, space, carrier, value),
        )

    async def account(self, space: int, app: str, name: str) -> Account | None:
        return await self._answer(
            self._key(space, "account", app, name.lower()),
            lambda connection: accounts.by_name(connection, space, app, name),
        )

    async def accounts(self, space: int, app: str, names: Sequence[str]) -> dict[str, Account]:
        return await self._many(
            self._key(space, "account", app),
            names,
            lambda connection, missing: accounts.by_names(connection, space, app, missing),
        )

    # ------------------------------------------------------------ feeds and records

    async def feed(self, space: int, feed: int) -> Feed | None:
        return await self._answer(
            self._key(space, "feed", feed), lambda connection: feeds.by_id(connection, space, feed)
        )

    async def feed_by_code(self, space: int, dialect: str, kind: str, code: str, owner: int = 0) -> Feed | None:
        return await self._answer(
            self._key(space, "feed", dialect, kind, code, owner),
            lambda connection: feeds.by_code(connection, space, dialect, kind, code, owner),
        )

    async def feeds(self, space: int, dialect: str, kind: str, owner: int | None = None) -> Sequence[Feed]:
        return await self._answer(
            self._key(space, "feeds", dialect, kind, owner),
            lambda connection: feeds.of_kind(connection, space, dialect, kind, owner),
        )

    async def membership(self, space: int, feed: int) -> Membership:
        key = self._key(space, feed)
        found = self._memberships.get(key, None)
        if found is None:
            found = await self._database.read(lambda connection: feeds.membership(connection, space, feed))
            self._memberships.put(key, found)
        return found  # type: ignore[no-any-return]

    async def record(self, space: int, dialect: str, kind: str, key: str, owner: int = 0) -> Record | None:
        return await self._answer(
            self._key(space, "record", dialect, kind, key, owner),
            lambda connection: records.by_key(connection, self._vault, space, dialect, kind, key, owner),
        )

    async def records(self, space: int, dialect: str, kind: str, owner: int | None = None) -> Sequence[Record]:
        return await self._answer(
            self._key(space, "records", dialect, kind, owner),
            lambda connection: records.of_kind(connection, self._vault, space, dialect, kind, owner),
        )

    # ------------------------------------------------------------ carriers and addresses

    async def _carriers(self, space: int) -> Mapping[str, CarrierAccount]:
        return await self._answer(
            self._key(space, "carriers"),
            lambda connection: {one.code: one for one in carrier_accounts.every(connection, self._vault, space)},
        )

    async def carrier(self, space: int, code: str) -> CarrierAccount | None:
        return (await self._carriers(space)).get(code)

    async def carrier_by_id(self, space: int, account: int) -> CarrierAccount | None:
        return next((one for one in (await self._carriers(space)).values() if one.id == account), None)

    async def _reaches(self, space: int, ids: Sequence[int]) -> dict[int, Reach]:
        return await self._many(
            self._key(space, "reach"), ids, lambda connection, missing: routing.reaches(connection, space, missing)
        )

    async def address_of(
        self, space: int, person: int, account: CarrierAccount, scopes: Sequence[str] = ("all",)
    ) -> str:
        addressed = self._addressing(account.kind)
        if addressed is None:
            return ""
        reach = (await self._reaches(space, (person,))).get(person, NOWHERE)
        return routing.value_for(account, addressed, reach, scopes)

    def _addressing(self, kind: str) -> Addressed | None:
        try:
            return self._addressed(kind)
        except NotFound:  # this build lacks the kind; nobody is reached there
            return None

    async def routes(self, space: int, person: int) -> Sequence[RouteTarget]:
        return (await self.routes_of(space, (person,)))[person]

    async def routes_of(self, space: int, ids: Sequence[int]) -> dict[int, Sequence[RouteTarget]]:
        prefix = self._key(space, "routes")
        found, missing = self._known(prefix, ids)
        if missing:
            made = await self._routes_of(space, missing)
            for person, routes in made.items():
                self._answers.put((*prefix, person), routes)
            found.update(made)
        return found

    async def _routes_of(self, space: int, ids: Sequence[int]) -> dict[int, Sequence[RouteTarget]]:
        carriers = await self._carriers(space)
        addressed = {one.kind: self._addressing(one.kind) for one in carriers.values()}
        reaches = await self._reaches(space, ids)
        places = {person: routing.routed(reach, carriers, addressed) for person, reach in reaches.items()}
        values: dict[int, set[str]] = {}
        for account, value in itertools.chain.from_iterable(places.values()):
            values.setdefault(account.id, set()).add(value)
        made = {account: await self.targets(space, account, sorted(some)) for account, some in values.items()}
        numbers = [number for some in made.values() for number in some.values()]
        dead = await self._database.read(lambda connection: targets.dead(connection, space, numbers)) if numbers else ()
        return {
            person: tuple(
                RouteTarget(account=account.id, target=made[account.id][value], value=value)
                for account, value in some
                if made[account.id][value] not in dead
            )
            for person, some in places.items()
        }

    # ------------------------------------------------------------ made at first use

    async def party(self, space: int, kind: PartyKind, name: str) -> int:
        return (await self.parties(space, kind, (name,)))[name]

    async def parties(self, space: int, kind: PartyKind, names: Sequence[str]) -> dict[str, int]:
        now_ms = self._clock.now_ms()
        return await self._made(
            self._key(space, "party", kind),
            names,
            lambda connection, some: parties.known(connection, space, kind, some),
            lambda connection, some: parties.ensure(connection, space, kind, some, self._mint.mint, now_ms),
        )

    async def direct(self, space: int, dialect: str, a: int, b: int, within: str = "") -> int:
        return (await self.directs(space, dialect, a, (b,), within))[b]

    async def directs(
        self, space: int, dialect: str, a: int, others: Sequence[int], within: str = ""
    ) -> dict[int, int]:
        now_ms = self._clock.now_ms()
        return await self._made(
            self._key(space, "direct", dialect, within, a),
            others,
            lambda connection, some: parties.known_directs(connection, space, dialect, within, a, some),
            lambda connection, some: parties.ensure_directs(
                connection, space, dialect, within, a, some, self._mint.mint, now_ms
            ),
        )

    async def targets(self, space: int, account: int, values: Sequence[str]) -> dict[str, int]:
        return await self._made(
            self._key(space, "target", account),
            values,
            lambda connection, some: targets.known(connection, space, account, some),
            lambda connection, some: targets.ensure(connection, space, account, some, self._mint.mint),
        )

    async def _made(
        self,
        prefix: Key,
        names: Sequence[K],
        known: Callable[[sa.Connection, Sequence[K]], dict[K, int]],
        ensure: Callable[[sa.Connection, Sequence[K]], dict[K, int]],
    ) -> dict[K, int]:
        """Ids by name; most exist, so a write is only for those that a read did not find."""
        found, missing = self._known(prefix, names)
        if missing:
            made = await self._database.read(lambda connection: known(connection, missing))
            lacking = [name for name in missing if name not in made]
            if lacking:
                made |= await self._database.write(lambda connection: ensure(connection, lacking))
            for name, number in made.items():
                self._answers.put((*prefix, name), number)
            found.update(made)
        return found
