"""People and what hangs on them, on both engines."""

import pytest
import sqlalchemy as sa

from onebell.core.directory import QuietHours
from onebell.core.model import FeedKind
from onebell.errors import Conflict, InvalidInput, NotFound
from onebell.store import belongings, people, schema, spaces
from onebell.store.base import Store
from onebell.store.belongings import Address
from onebell.store.changes import Origin
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups


async def rows(database: Database, table: sa.Table) -> list[dict[str, object]]:
    return await database.read(
        lambda connection: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    )


async def test_a_person_has_a_party_and_a_mailbox_of_the_same_id(store: Store, database: Database, space: int):
    """Creating a person makes his party and his mailbox under his id; the name falls back to the uid."""
    alice = await store.people.create(space, "Alice")
    assert (alice.uid, alice.name, alice.role, alice.origin) == ("Alice", "Alice", "reader", "api")
    [party] = await rows(database, schema.party)
    [mailbox] = await rows(database, schema.mailbox)
    assert (party["id"], party["kind"], party["name"]) == (alice.id, "person", "Alice")
    assert (mailbox["id"], mailbox["kind"], mailbox["last"], mailbox["expires_at"]) == (alice.id, "person", 0, 0)


async def test_two_people_may_share_a_name(store: Store, space: int):
    """Names shown need not differ."""
    await store.people.create(space, "a1", name="Alice")
    assert (await store.people.create(space, "a2", name="Alice")).name == "Alice"


async def test_a_uid_is_unique_without_case(store: Store, database: Database, space: int):
    """ALICE is alice: the second is refused and leaves nothing behind."""
    await store.people.create(space, "alice")
    with pytest.raises(Conflict):
        await store.people.create(space, "ALICE")
    assert len(await rows(database, schema.party)) == len(await rows(database, schema.mailbox)) == 1


@pytest.mark.parametrize("uid", ["a", "x" * 64, "A.b_c@d!e#f$g&h*i+j=k|l¥m￥n-"])
async def test_uids_that_are_allowed(store: Store, space: int, uid: str):
    """Every character of DESIGN §1, one to 64 of them."""
    assert (await store.people.create(space, uid)).uid == uid


@pytest.mark.parametrize("uid", ["", "x" * 65, "a b", "a/b", "张三", "a\n", "a:b", "a,b", "a%"])
async def test_uids_that_are_refused(store: Store, space: int, uid: str):
    """Anything else is refused with the field named."""
    with pytest.raises(InvalidInput) as caught:
        await store.people.create(space, uid)
    assert caught.value.field == "uid"


async def test_an_unknown_role_is_refused(store: Store, space: int):
    """A role is one of the four."""
    with pytest.raises(InvalidInput):
        await store.people.create(space, "alice", role="king")


async def test_edits_are_seen_and_marked(store: Store, database: Database, space: int, lookups: CachedLookups):
    """Every edit is stored; a person whom a file made counts as edited from then on."""
    alice = await store.people.create(space, "alice", origin=Origin.FILE)
    quiet = QuietHours(start="23:00", to="07:00", timezone="Asia/Shanghai", through="high")
    await store.people.rename(space, alice.id, "Al")
    await store.people.set_role(space, alice.id, "operator")
    await store.people.set_password_hash(space, alice.id, "$hash")
    await store.people.set_quiet_hours(space, alice.id, quiet)
    await store.people.set_language(space, alice.id, "en", "Europe/Paris")
    found = await lookups.person(space, alice.id)
    assert found is not None
    assert (found.name, found.role, found.password_hash) == ("Al", "operator", "$hash")
    assert (found.quiet_hours, found.language, found.timezone) == (quiet, "en", "Europe/Paris")
    assert found.origin == "edited"


async def test_editing_nobody_is_not_found(store: Store, space: int):
    """An edit of a person who does not exist, or of another space's, changes nothing and says so."""
    alice = await store.people.create(space, "alice")
    with pytest.raises(NotFound):
        await store.people.rename(space, alice.id + 1, "x")
    with pytest.raises(NotFound):
        await store.people.rename(space + 1, alice.id, "x")


async def test_every_change_raises_the_version_and_is_announced(
    store: Store, database: Database, space: int, announced
):
    """The version rises by one with each change, in its transaction; a refused one leaves it."""
    alice = await store.people.create(space, "alice")
    await store.belongings.add_tag(space, alice.id, "vip")
    with pytest.raises(Conflict):
        await store.people.create(space, "alice")
    await store.people.remove(space, alice.id)
    assert [note.version for note in announced.notes] == [1, 2, 3]
    assert await database.read(spaces.versions) == {space: 3}


async def test_a_change_of_an_unknown_space_is_refused(store: Store, database: Database, space: int):
    """Nothing is stored for a space that does not exist."""
    with pytest.raises(NotFound):
        await store.people.create(space + 1, "alice")
    assert await rows(database, schema.person) == []


async def test_addresses_tags_attributes_routes(store: Store, database: Database, space: int):
    """What hangs on a person is added, kept once, and taken away."""
    alice = await store.people.create(space, "alice")
    mail = Address(person=alice.id, carrier="email", value="a@example.test")
    for _ in range(2):
        await store.belongings.add_address(space, mail)
        await store.belongings.add_tag(space, alice.id, "vip")
    await store.belongings.add_tag(space, alice.id, "vip", "key")
    await store.belongings.set_attributes(space, alice.id, {"city": "Paris", "age": "30"})
    await store.belongings.set_attributes(space, alice.id, {"city": "Rome"})
    await store.belongings.set_routes(space, alice.id, ["b", "a"])

    def read(connection: sa.Connection) -> tuple[object, ...]:
        ids = [alice.id]
        return (
            belongings.addresses_of(connection, space, ids),
            sorted(belongings.tags_of(connection, space, ids)),
            belongings.attributes_of(connection, space, ids),
            belongings.routes_of(connection, space, ids),
        )

    assert await database.read(read) == (
        [mail],
        [(alice.id, "vip", "all", "api"), (alice.id, "vip", "key", "api")],
        {alice.id: {"city": "Rome", "age": "30"}},
        {alice.id: [("b", "api"), ("a", "api")]},
    )
    await store.belongings.remove_address(space, alice.id, "email", "a@example.test")
    await store.belongings.remove_tag(space, alice.id, "vip")
    await store.belongings.set_routes(space, alice.id, [])
    await database.write(lambda connection: belongings.remove_attributes(connection, space, alice.id, ["city", "age"]))
    assert await database.read(read) == ([], [(alice.id, "vip", "key", "api")], {}, {})


async def test_nothing_hangs_on_nobody(store: Store, space: int):
    """A tag or address of a person who does not exist is refused."""
    with pytest.raises(Conflict):
        await store.belongings.add_tag(space, 99, "vip")
    with pytest.raises(Conflict):
        await store.belongings.add_address(space, Address(person=99, carrier="email", value="x"))


async def test_removing_a_person_revokes_what_is_his(
    store: Store, database: Database, space: int, lookups: CachedLookups
):
    """His credentials, records, feeds, memberships, tags and sign-ins go with him; his mailbox and others' stay."""
    alice = await store.people.create(space, "alice")
    bob = await store.people.create(space, "bob")
    token = await store.credentials.issue(space, "pushplus", "token", "t" * 32, owner=alice.id)
    await store.records.create(space, "pushplus", "webhook", "code", owner=alice.id)
    own = await store.feeds.create(space, "pushplus", FeedKind.TOPIC, "own", owner=alice.id, members=[bob.id])
    shared = await store.feeds.create(space, "wecom", FeedKind.GROUP, "shared", members=[alice.id, bob.id])
    await store.belongings.add_tag(space, alice.id, "vip")
    session = {"space_id": space, "id": 5, "kind": "sign_in", "mailbox_id": alice.id}
    await database.write(lambda connection: connection.execute(sa.insert(schema.session), [session]).rowcount)
    assert await lookups.credential("pushplus", "token", "t" * 32) == token

    await store.people.remove(space, alice.id)

    assert await lookups.credential("pushplus", "token", "t" * 32) is None
    assert await lookups.person_by_uid(space, "alice") is None
    assert await lookups.feed(space, own.id) is None
    assert (await lookups.membership(space, shared.id)).ids == (bob.id,)
    for table in (schema.record, schema.tag, schema.session, schema.credential, schema.credential_lookup):
        assert await rows(database, table) == []
    assert {row["id"] for row in await rows(database, schema.mailbox)} == {alice.id, bob.id}


@pytest.mark.parametrize("odd", ["", "alice\n", "a\0b", "\ud800", "a b", "a" * 65])
async def test_what_is_no_uid_is_nobodys(store: Store, space: int, lookups: CachedLookups, odd: str):
    """Whoever may be asked for is asked for: a name that no person can have finds nobody, on both engines."""
    alice = await store.people.create(space, "alice")

    assert await lookups.people_by_uid(space, [odd, "Alice"]) == {"alice": alice}
    assert await lookups.person_by_uid(space, odd) is None


async def test_people_come_in_pages(store: Store, space: int):
    """A page continues after the last id of the one before."""
    made = [await store.people.create(space, f"p{n}") for n in range(5)]
    first = await store.people.page(space, limit=2)
    rest = await store.people.page(space, after=first[-1].id, limit=10)
    assert [*first, *rest] == made


async def test_own_addresses_are_the_oldest_of_scope_all(store: Store, database: Database, space: int):
    """A person's e-mail is his oldest address of scope all; others do not count."""
    alice = await store.people.create(space, "alice")
    for value, scope in (("key@x.test", "key"), ("first@x.test", "all"), ("second@x.test", "all")):
        await store.belongings.add_address(space, Address(person=alice.id, carrier="email", value=value, scope=scope))
    [found] = await database.read(lambda connection: people.by_uids(connection, space, ["ALICE"]))
    assert (found.email, found.phone) == ("first@x.test", "")
    holder = await database.read(lambda connection: people.by_address(connection, space, "email", "second@x.test"))
    assert holder == found
    assert await database.read(lambda connection: people.by_address(connection, space, "email", "key@x.test")) is None
