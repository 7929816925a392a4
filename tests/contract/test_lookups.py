"""The caches of a node, on both engines."""

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from onebell.core.bell import ConfigChanged
from onebell.core.context import ANY_SPACE
from onebell.core.directory import RouteTarget
from onebell.core.model import FeedKind, PartyKind
from onebell.errors import NotFound
from onebell.ids import IdMint
from onebell.store import schema, targets
from onebell.store.base import Store
from onebell.store.belongings import Address
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed


class Counted(Database):
    """The real database, which counts how often it is asked."""

    def __init__(self, database: Database) -> None:
        self.__dict__ = database.__dict__
        self.reads = 0
        self.writes = 0

    async def read(self, work: Callable[[sa.Connection], object]) -> object:  # type: ignore[override]
        self.reads += 1
        return await super().read(work)

    async def write(self, work: Callable[[sa.Connection], object]) -> object:  # type: ignore[override]
        self.writes += 1
        return await super().write(work)


def another(changes: Changes, database: Database, node: int = 1) -> CachedLookups:
    """The caches of another node, which hears no bell."""
    return CachedLookups(
        database, changes.vault, IdMint(changes.clock, node), changes.clock, lambda kind: Addressed.EMAIL
    )


async def ask_everything(lookups: CachedLookups, space: int, person: int, feed: int) -> list[object]:
    """Every lookup once, some for what does not exist."""
    return [
        await lookups.spaces(),
        await lookups.space(space),
        await lookups.credential("pushplus", "token", "good"),
        await lookups.credential("pushplus", "token", "bad"),
        await lookups.credential_named(space, "pushgo", "channel", "none"),
        await lookups.credential_by_id(space, 1),
        await lookups.credentials(space, "pushplus", "token"),
        await lookups.person(space, person),
        await lookups.person(space, 1),
        await lookups.people(space, [person, 1]),
        await lookups.person_by_uid(space, "ALICE"),
        await lookups.people_by_uid(space, ["alice", "nobody"]),
        await lookups.person_by_address(space, "phone", "1"),
        await lookups.routes(space, person),
        await lookups.feed(space, feed),
        await lookups.feed_by_code(space, "wecom", "group", "g"),
        await lookups.feeds(space, "wecom", "group"),
        await lookups.membership(space, feed),
        await lookups.carrier(space, "mail"),
        await lookups.carrier_by_id(space, 1),
        await lookups.record(space, "ums", "list", "1"),
        await lookups.records(space, "ums", "list"),
        await lookups.account(space, "a/b", "alice"),
        await lookups.party(space, PartyKind.SYSTEM, "admin"),
        await lookups.direct(space, "easemob", person, 1),
        await lookups.targets(space, 1, ["x", "y"]),
    ]


async def test_what_was_asked_once_is_known(store: Store, changes: Changes, database: Database, space: int):
    """A second round of every lookup reads nothing and gives the same, also for what does not exist."""
    alice = await store.people.create(space, "alice")
    group = await store.feeds.create(space, "wecom", FeedKind.GROUP, "g", members=[alice.id])
    await store.credentials.issue(space, "pushplus", "token", "good")
    await store.carrier_accounts.create(space, "mail", "smtp", {}, ())
    counted = Counted(database)
    lookups = another(changes, counted)
    first = await ask_everything(lookups, space, alice.id, group.id)
    counted.reads = counted.writes = 0
    assert await ask_everything(lookups, space, alice.id, group.id) == first
    assert (counted.reads, counted.writes) == (0, 0)


async def test_a_known_answer_needs_no_wait(store: Store, space: int, lookups: CachedLookups):
    """A warm lookup finishes without giving the loop away: it is a dict hit."""
    await store.people.create(space, "alice")
    await store.credentials.issue(space, "pushplus", "token", "good")
    await lookups.credential("pushplus", "token", "good")
    asking = lookups.credential("pushplus", "token", "good")
    with pytest.raises(StopIteration) as answered:
        asking.send(None)
    assert answered.value.value.value == "good"


async def test_a_long_value_is_found_too(store: Store, space: int, lookups: CachedLookups):
    """Values of any length are issued and found."""
    for length in (1, 128, 129, 4096):
        made = await store.credentials.issue(space, "ums", "channel", "v" * length)
        for _ in range(2):
            assert await lookups.credential("ums", "channel", "v" * length) == made


async def test_what_callers_make_up_fills_no_memory(store: Store, space: int, lookups: CachedLookups):
    """A code of a megabyte is looked for, is not there, and is not remembered."""
    before = len(lookups._answers)
    for made_up in ("a" * 1_000_000, "b" * 1_000_000):
        assert await lookups.record(space, "pushplus", "webhook", made_up) is None
        assert await lookups.feed_by_code(space, "pushplus", "topic", made_up) is None
        assert await lookups.person_by_uid(space, made_up) is None
        lookups.shelf(space).put(("routed", made_up), 1)

    assert len(lookups._answers) == before
    assert lookups.shelf(space).get(("routed", "a" * 1_000_000), None) is None


async def test_a_change_is_seen_at_once_where_the_bell_rings(store: Store, space: int, lookups: CachedLookups):
    """After a change on this node the next lookup shows it, also where "none" was remembered."""
    assert await lookups.person_by_uid(space, "alice") is None
    assert await lookups.credential("pushplus", "token", "t") is None
    assert await lookups.records(space, "ums", "list") == []
    alice = await store.people.create(space, "alice")
    await store.credentials.issue(space, "pushplus", "token", "t", owner=alice.id)
    await store.records.create(space, "ums", "list", "1")
    assert await lookups.person_by_uid(space, "alice") == alice
    found = await lookups.credential("pushplus", "token", "t")
    assert found is not None
    assert found.owner == alice.id
    assert len(await lookups.records(space, "ums", "list")) == 1


async def test_a_lost_bell_costs_one_check(store: Store, changes: Changes, database: Database, space: int):
    """A node that hears no bell sees the change after its next comparison of versions."""
    deaf = another(changes, database)
    await deaf.check()
    assert await deaf.person_by_uid(space, "alice") is None
    assert await deaf.credential("pushplus", "token", "t") is None
    await store.people.create(space, "alice")
    await store.credentials.issue(space, "pushplus", "token", "t")
    assert await deaf.person_by_uid(space, "alice") is None
    await deaf.check()
    assert await deaf.person_by_uid(space, "alice") is not None
    assert await deaf.credential("pushplus", "token", "t") is not None


async def test_an_unchanged_version_forgets_nothing(store: Store, changes: Changes, database: Database, space: int):
    """Comparing equal versions costs one read and keeps every answer."""
    counted = Counted(database)
    lookups = another(changes, counted)
    await store.people.create(space, "alice")
    await lookups.check()
    await lookups.person_by_uid(space, "alice")
    counted.reads = 0
    await lookups.check()
    await lookups.person_by_uid(space, "alice")
    assert counted.reads == 1


async def test_own_changes_are_not_forgotten_twice(store: Store, database: Database, space: int, lookups):
    """A change that the bell told of is not a change to the next comparison of versions."""
    await lookups.check()
    alice = await store.people.create(space, "alice")
    await lookups.person_by_uid(space, "alice")
    generation = lookups._generations[space]
    await lookups.check()
    assert lookups._generations[space] == generation
    assert await lookups.person(space, alice.id) == alice


async def test_an_answer_read_before_a_change_is_not_kept(
    store: Store, changes: Changes, database: Database, space: int
):
    """A read that overlaps a change gives its caller what it read, and nobody after him."""

    class Overtaken(Counted):
        async def read(self, work):
            found = await super().read(work)
            if self.reads == 1:
                await store.people.create(space, "alice")
                lookups.hear(ConfigChanged(space=space, version=1))
            return found

    lookups = another(changes, Overtaken(database))
    assert await lookups.person_by_uid(space, "alice") is None
    assert await lookups.person_by_uid(space, "alice") is not None


async def test_a_shelf_is_emptied_with_its_space(store: Store, space: int, lookups: CachedLookups):
    """What is kept on a space's shelf, or on that of all spaces, is gone after a change; other spaces keep theirs."""
    before = lookups.shelf(space)
    for one in (space, ANY_SPACE, space + 1):
        lookups.shelf(one).put("what", "kept")
    await store.people.create(space, "alice")

    assert lookups.shelf(space).get("what", None) is None
    assert lookups.shelf(ANY_SPACE).get("what", None) is None
    assert lookups.shelf(space + 1).get("what", None) == "kept"

    before.put("late", "worked out from answers of before")
    assert lookups.shelf(space).get("late", None) is None


async def test_spaces_are_found_and_missed(lookups: CachedLookups, space: int):
    """A space that does not exist is not found."""
    assert (await lookups.space(space)).name == "main"
    with pytest.raises(NotFound):
        await lookups.space(space + 1)


# ---------------------------------------------------------------- addresses and routes


async def account_of(store: Store, space: int, code: str, kind: str):
    return await store.carrier_accounts.create(space, code, kind, {}, ())


async def test_addresses_in_their_order(store: Store, space: int, lookups: CachedLookups):
    """Per scope: the account's own address, then the person's e-mail or phone where the kind takes that."""
    alice = await store.people.create(space, "alice")
    for carrier, value, scope in [
        ("email", "all@x.test", "all"),
        ("email", "key@x.test", "key"),
        ("phone", "138", "all"),
        ("mail-2", "own@x.test", "all"),
    ]:
        one = Address(person=alice.id, carrier=carrier, value=value, scope=scope)
        await store.belongings.add_address(space, one)
    unverified = Address(person=alice.id, carrier="corp", value="unproved", verified=False)
    await store.belongings.add_address(space, unverified)
    mail = await account_of(store, space, "mail", "smtp")
    second = await account_of(store, space, "mail-2", "smtp")
    sms = await account_of(store, space, "sms", "sms")
    bot = await account_of(store, space, "bot", "wecom_bot")
    corp = await account_of(store, space, "corp", "wecom_app")
    assert await lookups.address_of(space, alice.id, mail) == "all@x.test"
    assert await lookups.address_of(space, alice.id, mail, ("key", "all")) == "key@x.test"
    assert await lookups.address_of(space, alice.id, second) == "own@x.test"
    assert await lookups.address_of(space, alice.id, second, ("key", "all")) == "key@x.test"
    assert await lookups.address_of(space, alice.id, sms, ("key",)) == ""
    assert await lookups.address_of(space, alice.id, sms, ("key", "all")) == "138"
    assert await lookups.address_of(space, alice.id, bot) == "bot"
    assert await lookups.address_of(space, alice.id, corp) == ""
    assert await lookups.address_of(space, 99, mail) == ""
    assert (await lookups.person_by_address(space, "phone", "138")).id == alice.id  # type: ignore[union-attr]


async def test_routes_lead_where_there_is_an_address(store: Store, space: int, lookups: CachedLookups):
    """Routes come in order; one without an account, without an address or switched off is left out."""
    alice = await store.people.create(space, "alice")
    await store.belongings.add_address(space, Address(person=alice.id, carrier="email", value="a@x.test"))
    mail = await account_of(store, space, "mail", "smtp")
    bot = await account_of(store, space, "bot", "wecom_bot")
    off = await account_of(store, space, "off", "smtp")
    await account_of(store, space, "sms", "sms")
    await store.carrier_accounts.disable(space, off.id)
    await store.belongings.set_routes(space, alice.id, ["bot", "gone", "off", "sms", "mail"])
    routes = await lookups.routes(space, alice.id)
    assert [(one.account, one.value) for one in routes] == [(bot.id, "bot"), (mail.id, "a@x.test")]
    made = await lookups.targets(space, mail.id, ["a@x.test"])
    assert routes[1] == RouteTarget(account=mail.id, target=made["a@x.test"], value="a@x.test")
    assert await lookups.routes_of(space, [alice.id, 99]) == {alice.id: routes, 99: ()}


async def test_a_dead_address_is_no_route(store: Store, space: int, lookups: CachedLookups):
    """What a provider called dead gets nothing until it is registered anew."""
    alice = await store.people.create(space, "alice")
    await store.belongings.add_address(space, Address(person=alice.id, carrier="email", value="a@x.test"))
    await account_of(store, space, "mail", "smtp")
    await store.belongings.set_routes(space, alice.id, ["mail"])
    [route] = await lookups.routes(space, alice.id)
    await store.targets.bury(space, route.target, "550 no such user")
    assert await lookups.routes(space, alice.id) == ()
    await store.targets.revive(space, route.target)
    assert await lookups.routes(space, alice.id) == (route,)


# ---------------------------------------------------------------- made at first use


async def test_parties_are_made_once(store: Store, database: Database, space: int, lookups: CachedLookups):
    """The first use makes a party, every later one finds it; an unclaimed name gets a mailbox that expires."""
    admin = await lookups.party(space, PartyKind.SYSTEM, "admin")
    ghosts = await lookups.parties(space, PartyKind.NAME, ["acme/demo/b", "acme/demo/a", "acme/demo/b"])
    lookups.forget(space)
    assert await lookups.party(space, PartyKind.SYSTEM, "admin") == admin
    assert await lookups.parties(space, PartyKind.NAME, ["acme/demo/a", "acme/demo/c"]) == {
        "acme/demo/a": ghosts["acme/demo/a"],
        "acme/demo/c": await lookups.party(space, PartyKind.NAME, "acme/demo/c"),
    }
    mailboxes = await database.read(
        lambda connection: {
            row.id: (row.kind, row.expires_at > 0) for row in connection.execute(sa.select(schema.mailbox))
        }
    )
    assert len(mailboxes) == 3
    assert set(mailboxes.values()) == {("name", True)}
    assert set(ghosts.values()) < mailboxes.keys()


async def test_a_direct_feed_is_the_same_from_both_sides(store: Store, space: int, lookups: CachedLookups):
    """The pair has one feed per dialect, whoever asks first, and both belong to it."""
    made = await lookups.directs(space, "easemob", 5, [3, 9])
    assert await lookups.direct(space, "easemob", 3, 5) == made[3]
    assert await lookups.direct(space, "easemob", 9, 5) == made[9]
    assert await lookups.direct(space, "other", 5, 3) != made[3]
    assert (await lookups.membership(space, made[3])).ids == (3, 5)
    assert (await lookups.membership(space, made[9])).ids == (5, 9)
    found = await lookups.feed(space, made[3])
    assert found is not None
    assert (found.kind, found.dialect, found.owner) == (FeedKind.DIRECT, "easemob", 0)


async def test_a_talk_with_oneself_has_one_member(space: int, lookups: CachedLookups):
    """A party may write to itself."""
    feed = await lookups.direct(space, "easemob", 5, 5)
    assert (await lookups.membership(space, feed)).ids == (5,)


async def test_nodes_that_make_the_same_at_once_agree(changes: Changes, database: Database, space: int):
    """Four nodes make the same parties, pairs and targets at the same time: all get the same ids."""
    nodes = [another(changes, database, number) for number in range(4)]
    names = [f"ghost-{n}" for n in range(50)]
    made = await asyncio.gather(
        *(node.parties(space, PartyKind.NAME, names[:: (-1) ** number]) for number, node in enumerate(nodes)),
        *(node.targets(space, 1, names) for node in nodes),
    )
    assert made[0] == made[1] == made[2] == made[3]
    assert made[4] == made[5] == made[6] == made[7]
    assert made[0].keys() == made[4].keys() == set(names)
    pairs = await asyncio.gather(*(node.directs(space, "easemob", 1, [2, 3]) for node in nodes))
    assert all(pair == pairs[0] for pair in pairs)
    count = sa.select(sa.func.count()).select_from(schema.target)
    assert await database.read(lambda connection: connection.execute(count).scalar()) == 50


async def test_many_values_are_read_in_pages(database: Database, space: int, lookups: CachedLookups):
    """More values than one statement takes are made and found."""
    values = [f"user{n}@x.test" for n in range(1203)]
    made = await lookups.targets(space, 1, values)
    assert len(set(made.values())) == 1203
    assert await database.read(lambda connection: targets.known(connection, space, 1, values)) == made


async def test_a_flood_of_unknown_tokens_stays_bounded(
    changes: Changes, database: Database, space: int, monkeypatch: pytest.MonkeyPatch
):
    """What callers make up is remembered within the bound only."""
    monkeypatch.setattr("onebell.store.lookups.ANSWERS", 40)
    lookups = another(changes, database)
    for number in range(200):
        assert await lookups.credential("pushplus", "token", f"made up {number}" * 1000) is None
    assert len(lookups._answers) <= 40
    assert all(len(repr(key)) < 500 for key in [*lookups._answers._young, *lookups._answers._old])
