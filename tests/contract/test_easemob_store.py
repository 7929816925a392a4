"""Easemob's verbs of the store, on both engines."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from onebell.core.accounts import NewAccount, NewToken, Owner, Refusal, RelationKind
from onebell.core.directory import Account, Person
from onebell.core.model import PartyKind
from onebell.core.presence import Session
from onebell.errors import NotFound, Refused
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

APP = "acme/demo"


async def account_for(store: Store, space: int, person: Person, name: str) -> None:
    """An account of ``APP``."""
    await store.accounts.create(space, NewAccount(app=APP, name=name, person=person.id, uuid="u"))


async def opened(store: Store, space: int, name: str, owner: Owner = Owner.ANYBODY) -> Account:
    """The account of this name, made when it is missing."""
    return await store.accounts.open(space, NewAccount(app=APP, name=name, person=0, uuid="u"), owner)


async def test_token_is_found_by_its_value(store: Store, space: int, lookups: CachedLookups) -> None:
    """An issued token is there at once, with its app, its user and its end; its value is nowhere."""
    await store.easemob.issue_token(space, "YWMt-1", NewToken(app=APP, expires_at=9))
    found = await lookups.credential("easemob", "token", "YWMt-1")

    assert found is not None
    assert (space, 0, 9, "") == (found.space, found.owner, found.expires_at, found.value)
    assert found.settings == {"app": APP, "user": ""}
    assert await lookups.credential("easemob", "token", "YWMt-2") is None


async def test_token_does_not_empty_the_caches(store: Store, space: int, lookups: CachedLookups) -> None:
    """Three hundred tokens a second are no change of the directory."""
    before = await lookups.space(space)
    await store.easemob.issue_token(space, "YWMt-1", NewToken(app=APP))
    await lookups.check()
    lookups.forget(space)
    assert before.config_version == (await lookups.space(space)).config_version


async def test_people_of_many_names(store: Store, space: int, lookups: CachedLookups) -> None:
    """Accounts of one app by name, as far as they exist; more names than one statement takes."""
    bob = await store.people.create(space, "bob")
    await account_for(store, space, bob, "bob")
    names = [*(f"r{number}" for number in range(600)), "bob"]
    for _ in range(2):
        found = await lookups.accounts(space, APP, names)
        assert {"bob": bob.id} == {name: account.person for name, account in found.items()}
    assert await lookups.accounts(space, "acme/other", names) == {}
    assert await lookups.account(space, APP, "BOB") == found["bob"]


async def test_account_binds_to_the_person_of_that_uid(store: Store, space: int) -> None:
    """A name that is somebody's uid, compared without case, gives the account to him."""
    bob = await store.people.create(space, "Bob")
    made = await opened(store, space, "bob")
    again = await opened(store, space, "bob", Owner.KNOWN)
    assert (bob.id, bob.id, "bob", "u") == (made.person, again.person, made.name, made.uuid)


async def test_new_name_makes_a_person(store: Store, space: int, lookups: CachedLookups) -> None:
    """The account comes with a person of origin api, who has a mailbox."""
    assert await lookups.account(space, APP, "newu") is None
    made = await opened(store, space, "newu")
    person = await lookups.person_by_uid(space, "NEWU")

    assert person is not None
    assert (made.person, "api") == (person.id, person.origin)
    assert await lookups.account(space, APP, "newu") == made


async def test_name_without_a_person_makes_none(store: Store, space: int, lookups: CachedLookups) -> None:
    """Where an app makes no people an unknown name stays unknown."""
    with pytest.raises(NotFound):
        await opened(store, space, "newu", Owner.KNOWN)
    assert await lookups.account(space, APP, "newu") is None


async def test_new_person_takes_over_what_his_name_got(store: Store, space: int, lookups: CachedLookups) -> None:
    """What was sent to a name before anybody had it is his: party and mailbox keep their id (D9)."""
    name = await lookups.party(space, PartyKind.NAME, f"{APP}/ghost")
    made = await opened(store, space, "ghost")
    person = await lookups.person_by_uid(space, "ghost")

    assert person is not None
    assert (name, name) == (made.person, person.id)


async def test_two_at_once_make_one(store: Store, space: int) -> None:
    """Two calls that register the same name at the same time both get the one account (sheet §3.1: 409 is avoided)."""
    several = [opened(store, space, "newu") for _ in range(5)]
    assert len({made.person for made in await asyncio.gather(*several)}) == 1


# ---------------------------------------------------------------- tokens end with what they were issued for


async def test_tokens_end_with_the_password(store: Store, space: int, lookups: CachedLookups) -> None:
    """Another password, a deactivation and a removal each end every token of that user, and nobody else's."""
    for name in ("bob", "carol"):
        await opened(store, space, name)
    ends: Sequence[Callable[[], Awaitable[object]]] = (
        lambda: store.accounts.set_password_hash(space, APP, "bob", "$other"),
        lambda: store.accounts.deactivate(space, APP, "bob"),
        lambda: store.accounts.remove(space, APP, "bob"),
    )
    await store.easemob.issue_token(space, "hers", NewToken(app=APP, user="carol"))
    await store.easemob.issue_token(space, "app's", NewToken(app=APP))
    for number, end in enumerate(ends):
        await store.accounts.activate(space, APP, "bob")
        assert await store.easemob.issue_token(space, f"his {number}", NewToken(app=APP, user="bob"))
        assert await lookups.credential("easemob", "token", f"his {number}") is not None
        await end()
        assert await lookups.credential("easemob", "token", f"his {number}") is None
    assert await lookups.credential("easemob", "token", "hers") is not None
    assert await lookups.credential("easemob", "token", "app's") is not None


async def test_no_token_for_what_has_changed_meanwhile(store: Store, space: int) -> None:
    """A token is issued only while its account is there, active and of the password that was shown."""
    bob = await opened(store, space, "bob")
    shown = NewToken(app=APP, user="bob", password_hash=bob.password_hash)
    assert await store.easemob.issue_token(space, "first", shown)
    await store.accounts.set_password_hash(space, APP, "bob", "$other")
    assert not await store.easemob.issue_token(space, "second", shown)
    await store.accounts.deactivate(space, APP, "bob")
    assert not await store.easemob.issue_token(space, "third", NewToken(app=APP, user="bob"))
    await store.accounts.remove(space, APP, "bob")
    assert not await store.easemob.issue_token(space, "fourth", NewToken(app=APP, user="bob"))


async def test_expired_tokens_are_forgotten_later(store: Store, space: int, lookups: CachedLookups) -> None:
    """Those that never expire, and those that have not long since, stay."""
    for name, end in (("old", 10), ("new", 30), ("never", 0)):
        await store.easemob.issue_token(space, name, NewToken(app=APP, expires_at=end))
    assert await store.keeping.old_tokens(space, 20) == 1
    found = [await lookups.credential("easemob", "token", name) for name in ("old", "new", "never")]
    assert [one is not None for one in found] == [False, True, True]


# ---------------------------------------------------------------- registering and removing


def several(*names: str) -> list[NewAccount]:
    """Accounts to be."""
    return [NewAccount(app=APP, name=name, person=0, uuid=f"u-{name}") for name in names]


@pytest.mark.parametrize(
    ("owner", "made", "refused"),
    [
        (Owner.ANYBODY, ["bob", "newu"], {"carol": Refusal.TAKEN}),
        (Owner.KNOWN, ["bob"], {"carol": Refusal.TAKEN, "newu": Refusal.NOBODY}),
        (Owner.NEW, ["newu"], {"carol": Refusal.TAKEN, "bob": Refusal.TAKEN}),
    ],
)
async def test_who_may_be_registered(
    store: Store, space: int, owner: Owner, made: list[str], refused: dict[str, Refusal]
) -> None:
    """An app binds a person who is there; whoever registers himself never gets into another's mailbox."""
    await store.people.create(space, "Bob")
    await opened(store, space, "carol")
    result = await store.accounts.register(space, several("bob", "carol", "newu"), owner)
    assert ([one.name for one in result.made], result.refused) == (made, refused)


async def test_registering_twice_at_once(store: Store, space: int) -> None:
    """Of two that register the same names at the same moment one makes each, the other hears that it is there."""
    both = await asyncio.gather(
        *(store.accounts.register(space, several("a", "b", "c"), Owner.ANYBODY) for _ in range(2))
    )
    made = [one.name for result in both for one in result.made]
    assert sorted(made) == ["a", "b", "c"]
    assert sum(len(result.refused) for result in both) == 3


async def test_pages_run_from_the_oldest(store: Store, space: int) -> None:
    """Each account comes once, in the order of its making, then of its name."""
    await store.accounts.register(space, several("c", "a"), Owner.ANYBODY)
    await store.accounts.register(space, several("b"), Owner.ANYBODY)
    everybody = await store.accounts.page(space, APP)
    first = await store.accounts.page(space, APP, limit=2)
    rest = await store.accounts.page(space, APP, (first[-1].created_at, first[-1].name))

    assert [one.name for one in everybody] == [one.name for one in [*first, *rest]]
    assert [one.created_at for one in everybody] == sorted(one.created_at for one in everybody)
    assert await store.accounts.page(space, "acme/other") == []


async def test_person_goes_with_the_account_that_made_him(store: Store, space: int, lookups: CachedLookups) -> None:
    """Only when the API made him and nothing else points to him."""
    names = ("alone", "twice", "reached", "tagged", "signs_in", "owns", "leads")
    people = {name: (await opened(store, space, name)).person for name in names}
    await store.accounts.open(space, NewAccount(app="acme/other", name="twice", person=0, uuid="u"), Owner.KNOWN)
    await store.belongings.set_address(space, people["reached"], "email", "x@y.z")
    await store.belongings.add_tag(space, people["tagged"], "vip")
    await store.people.set_password_hash(space, people["signs_in"], "$h")
    await store.credentials.issue(space, "pushplus", "token", "v" * 32, owner=people["owns"])
    await store.people.set_role(space, people["leads"], "operator")
    for name in names:
        assert await store.accounts.remove(space, APP, name) is not None
    left = {name for name, person in people.items() if await lookups.person(space, person) is not None}
    assert left == set(names) - {"alone"}


async def test_removed_name_begins_anew(store: Store, space: int) -> None:
    """Whoever registers a removed name again is another person: he does not read the first one's messages."""
    first = await opened(store, space, "newu")
    await store.accounts.remove(space, APP, "newu")
    assert first.person != (await opened(store, space, "newu")).person


async def test_sockets_of_a_removed_person_hear_of_it(store: Store, space: int) -> None:
    """Their rows stay, marked, for the node that holds them; a sign-in is gone at once."""
    newu = await opened(store, space, "newu")
    rows = [Session(space=space, id=number, kind=kind, mailbox=newu.person, lease_until=1 << 50) for number, kind in
            enumerate(("msync", "inbox", "sign_in"), 1)]  # fmt: skip
    await store.sessions.open_all(rows)
    await store.accounts.remove(space, APP, "newu")
    left = await store.sessions.renew(space, [1, 2, 3], 1 << 50)
    assert [(one.kind, one.kicked) for one in left] == [("msync", "removed"), ("inbox", "removed")]


# ---------------------------------------------------------------- names that nobody has


async def entries_of(store: Store, space: int, mailbox: int) -> list[sa.Row[Any]]:
    """A mailbox from its beginning."""
    statement = sa.select(schema.entry).where(schema.entry.c.space_id == space, schema.entry.c.mailbox_id == mailbox)
    return await store.db.read(lambda connection: list(connection.execute(statement.order_by(schema.entry.c.seq))))


async def put(store: Store, space: int, mailbox: int, feed: int, ids: Sequence[int], at: int) -> None:
    """Entries with these public ids at the end of a mailbox."""

    def work(connection: sa.Connection) -> None:
        box = sa.and_(schema.mailbox.c.space_id == space, schema.mailbox.c.id == mailbox)
        last = connection.execute(sa.select(schema.mailbox.c.last).where(box)).scalar_one()
        rows = [
            {"space_id": space, "mailbox_id": mailbox, "seq": last + number, "rev": last + number, "message_id": one,
             "feed_id": feed, "public_id": one, "created_at": at}
            for number, one in enumerate(ids, 1)
        ]  # fmt: skip
        connection.execute(sa.insert(schema.entry), rows)
        connection.execute(
            sa.update(schema.mailbox).where(box).values(last=last + len(ids), last_public=max(ids), expires_at=at)
        )

    await store.db.write(work)


async def test_name_of_a_person_gives_him_what_waits(store: Store, space: int, lookups: CachedLookups) -> None:
    """Bound to somebody who is there, the name's newest 500 of the week follow what he has, in his conversations."""
    now = store.changes.clock.now_ms()
    bob, sender = await store.people.create(space, "bob"), await lookups.party(space, PartyKind.SYSTEM, f"{APP}/admin")
    name = await lookups.party(space, PartyKind.NAME, f"{APP}/bob")
    old = await lookups.direct(space, "easemob", sender, name, APP)
    await put(store, space, bob.id, 1, [7], now)
    await put(store, space, name, old, range(1_000, 1_010), now - 8 * 86_400_000)
    await put(store, space, name, old, range(2_000, 2_510), now)
    await opened(store, space, "bob")

    entries = await entries_of(store, space, bob.id)
    mine = await lookups.direct(space, "easemob", sender, bob.id, APP)
    assert [one.public_id for one in entries] == [7, *range(2_010, 2_510)]
    assert [one.seq for one in entries] == [one.rev for one in entries] == list(range(1, 502))
    assert {one.feed_id for one in entries[1:]} == {mine}
    assert await entries_of(store, space, name) == []


async def test_names_go_after_a_week(store: Store, space: int, lookups: CachedLookups) -> None:
    """A name that nothing was sent to for a week goes with its mailbox; one that got something stays."""
    now = store.changes.clock.now_ms()
    names = await lookups.parties(space, PartyKind.NAME, [f"{APP}/old", f"{APP}/new", "acme/other/old"])
    await put(store, space, names[f"{APP}/old"], 1, [1], now - 1)
    await put(store, space, names[f"{APP}/new"], 1, [2], now + 60_000)
    assert await store.easemob.count_names(space, APP) == 2

    assert await store.keeping.unclaimed_names(space) == 1
    assert await store.keeping.unclaimed_names(space) == 0
    assert {"new": names[f"{APP}/new"]} == await store.easemob.known_names(space, APP, ["old", "new", "never"])
    assert await store.easemob.count_names(space, APP) == 1
    assert await entries_of(store, space, names[f"{APP}/old"]) == []


async def test_what_came_in_the_last_moment_is_given(store: Store, space: int, lookups: CachedLookups) -> None:
    """A message that was on its way to the name while somebody got it reaches him before the name goes."""
    now = store.changes.clock.now_ms()
    bob = await store.people.create(space, "bob")
    sender = await lookups.party(space, PartyKind.SYSTEM, f"{APP}/admin")
    name = await lookups.party(space, PartyKind.NAME, f"{APP}/bob")
    await opened(store, space, "bob")
    await put(store, space, name, await lookups.direct(space, "easemob", sender, name, APP), [9], now - 1)

    assert await store.keeping.unclaimed_names(space) == 1
    assert [one.public_id for one in await entries_of(store, space, bob.id)] == [9]


# ---------------------------------------------------------------- contacts and blocks


async def test_friends_are_each_others(store: Store, space: int) -> None:
    """A contact is one on both sides, once, in one app; it ends on both."""
    for _ in range(2):
        await store.relations.befriend(space, APP, "bob", "carol")
    names = store.relations.names
    assert await names(space, APP, "bob", RelationKind.CONTACT) == ["carol"]
    assert await names(space, APP, "carol", RelationKind.CONTACT) == ["bob"]
    assert await names(space, "acme/other", "bob", RelationKind.CONTACT) == []
    assert await store.relations.part(space, APP, "carol", "bob")
    assert not await store.relations.part(space, APP, "carol", "bob")
    assert await names(space, APP, "bob", RelationKind.CONTACT) == []


async def test_only_who_was_invited_can_take_it(store: Store, space: int) -> None:
    """One invitation however often it is asked; taken once, also by two of his devices or by both sides at once."""
    relations, contact = store.relations, RelationKind.CONTACT
    assert not await relations.accept(space, APP, "bob", "carol")
    for _ in range(2):
        await relations.invite(space, APP, "bob", by="carol")
    assert await relations.names(space, APP, "bob", RelationKind.INVITATION) == ["carol"]
    assert not await relations.accept(space, APP, "carol", "bob")
    assert not await relations.decline(space, APP, "carol", "bob")
    assert await relations.decline(space, APP, "bob", "carol")
    assert not await relations.decline(space, APP, "bob", "carol")
    assert await relations.names(space, APP, "bob", contact) == []

    await relations.invite(space, APP, "bob", by="carol")
    await relations.invite(space, APP, "carol", by="bob")
    pairs = [("bob", "carol"), ("bob", "carol"), ("carol", "bob")]
    assert await asyncio.gather(*(relations.accept(space, APP, *pair) for pair in pairs)) == [True] * 3
    for one, other in pairs:
        assert await relations.names(space, APP, one, contact) == [other]
        assert await relations.names(space, APP, one, RelationKind.INVITATION) == []
    await relations.part(space, APP, "bob", "carol")
    assert not await relations.accept(space, APP, "bob", "carol")


async def test_block_list_has_an_end(store: Store, space: int) -> None:
    """A block is one-sided; a list that would grow too long stays as it was."""
    await store.relations.block(space, APP, "bob", ["carol", "dave", "carol"], 2)
    with pytest.raises(Refused):
        await store.relations.block(space, APP, "bob", ["erin"], 2)
    assert {"carol", "dave"} == set(await store.relations.names(space, APP, "bob", RelationKind.BLOCK))
    assert await store.relations.is_there(space, APP, "bob", RelationKind.BLOCK, "carol")
    assert not await store.relations.is_there(space, APP, "carol", RelationKind.BLOCK, "bob")
    assert await store.relations.unblock(space, APP, "bob", "carol")
    assert not await store.relations.unblock(space, APP, "bob", "carol")


async def test_relations_end_with_the_account(store: Store, space: int) -> None:
    """Nobody keeps a contact or a block of somebody who is gone."""
    for name in ("bob", "carol"):
        await opened(store, space, name)
    await store.relations.befriend(space, APP, "bob", "carol")
    await store.relations.block(space, APP, "carol", ["bob"], 500)
    await store.accounts.remove(space, APP, "bob")
    assert await store.relations.names(space, APP, "carol", RelationKind.CONTACT) == []
    assert await store.relations.names(space, APP, "carol", RelationKind.BLOCK) == []
