"""Applying a directory file, on both engines: idempotence, origins, removal, dry run."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import sqlalchemy as sa

from onebell import directory
from onebell.core.accounts import NewAccount
from onebell.core.directory import Account, Credential, Person
from onebell.core.model import FeedKind
from onebell.core.wanted import Wanted, WantedAccount, WantedCredential, WantedFeed, WantedRecord
from onebell.directory import BadDirectory, Report
from onebell.errors import Conflict
from onebell.store import audit, schema
from onebell.store.base import Store
from onebell.store.belongings import Address
from onebell.store.changes import Changes, Origin
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups
from onebell.vault import ServerVault


class Section(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A made-up dialect whose table is the wanted objects themselves."""

    feeds: tuple[WantedFeed, ...] = ()
    credentials: tuple[WantedCredential, ...] = ()
    records: tuple[WantedRecord, ...] = ()
    accounts: tuple[WantedAccount, ...] = ()


def wanted(section: Section) -> list[Wanted]:
    return [*section.feeds, *section.credentials, *section.records, *section.accounts]


class Space:
    """One space that files are applied to."""

    def __init__(self, store: Store, lookups: CachedLookups) -> None:
        self.store = store
        self.lookups = lookups
        self.id = 0

    async def report(self, text: str, *, dry_run: bool = False) -> Report:
        report = await directory.apply(self.store, {"wecom": (Section, wanted)}, text, dry_run=dry_run)
        self.id = report.space
        return report

    async def apply(self, text: str) -> list[str]:
        """The lines of what was not already so; a second run must find everything as it is."""
        report = await self.report(text)
        again = await self.report(text)
        assert not again.changed
        assert all(line.startswith("= ") for line in again.lines), again.lines
        return [line for line in report.lines if not line.startswith("=")]

    async def person(self, uid: str) -> Person:
        found = await self.lookups.person_by_uid(self.id, uid)
        assert found is not None
        return found


@pytest.fixture
def home(store: Store, lookups: CachedLookups) -> Space:
    """A store without any space, and the caches of its node."""
    return Space(store, lookups)


ALICE = '[[people]]\nuid = "alice"\n'
BOB = '[[people]]\nuid = "bob"\n'
MAIL = '[[carriers]]\ncode = "mail"\nkind = "webhook"\nurl = "http://x.example.test/"\n'
FEED = '[[wecom.feeds]]\ndialect = "wecom"\nkind = "group"\ncode = "g"\n'
TOKEN = '[[wecom.credentials]]\ndialect = "wecom"\nkind = "bot"\n'
RECORD = '[[wecom.records]]\ndialect = "wecom"\nkind = "item"\nkey = "k"\n'
ACCOUNT = '[[wecom.accounts]]\napp = "a/b"\nname = "alice"\nperson = "alice"\n'


async def tables(database: Database) -> dict[str, list[object]]:
    """Every row of every table."""

    def dump(connection: sa.Connection) -> dict[str, list[object]]:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in schema.metadata.sorted_tables
        }

    return await database.read(dump)


# ---------------------------------------------------------------- the space


async def test_the_first_apply_makes_the_space(home: Space):
    """A space that does not exist is made; what the file does not say has its default."""
    assert await home.apply("") == ["+ space main"]
    assert await home.apply('[space]\nname = "second"\ntimezone = "Asia/Shanghai"') == ["+ space second"]
    first, second = await home.lookups.spaces()
    assert (first.name, first.timezone, first.language, first.allow_callbacks) == ("main", "UTC", "en", ())
    assert (second.name, second.timezone) == ("second", "Asia/Shanghai")


async def test_the_space_follows_the_file(home: Space):
    """What the file says of the space is written; what it does not say stays."""
    await home.apply('[space]\npublic_url = "http://a.test/"\nallow_callbacks = ["http://b.test"]')
    assert await home.apply('[space]\npublic_url = "http://c.test"') == ["~ space main: public_url"]
    space = await home.lookups.space(home.id)
    assert (space.public_url, space.allow_callbacks) == ("http://c.test", ("http://b.test",))
    assert await home.apply("[space]\nallow_callbacks = []") == ["~ space main: allow_callbacks"]


async def test_spaces_do_not_touch_each_other(home: Space):
    """A file for one space removes nothing of another."""
    await home.apply('[space]\nname = "one"\n' + ALICE)
    await home.apply('[space]\nname = "two"\n' + ALICE + MAIL)
    assert await home.apply('[space]\nname = "one"\n') == ["- person alice"]
    assert await home.apply('[space]\nname = "two"\n' + ALICE + MAIL) == []


# ---------------------------------------------------------------- dry run, notes, errors


async def test_a_dry_run_tells_the_same_and_writes_nothing(home: Space, database: Database, changes: Changes):
    """The dry run of a first and of a later apply prints its lines and changes no row."""
    first = (
        ALICE + 'password = "one-password"\ntags = ["x"]\n' + MAIL + FEED + TOKEN + 'value = "v"\n' + RECORD + ACCOUNT
    )
    second = ALICE + 'password = "two-password"\n' + BOB + FEED + 'name = "G"\nmembers = ["bob"]\n'
    for text in (first, second):
        before = await tables(database)
        foreseen = await home.report(text, dry_run=True)
        assert await tables(database) == before
        assert foreseen.lines == (await home.report(text)).lines
        assert foreseen.changed


async def test_an_apply_that_changes_nothing_writes_nothing(home: Space, database: Database, announced):
    """Nothing is written, and no cache dropped, when the space is already so."""
    text = ALICE + 'password = "one-password"\n' + FEED + TOKEN + 'value = "v"\n'
    await home.report(text)
    before, notes = await tables(database), list(announced.notes)
    assert not (await home.report(text)).changed
    assert (await tables(database), announced.notes) == (before, notes)


async def test_a_change_is_announced_once_and_noted(home: Space, database: Database, announced):
    """One apply is one transaction: one new version, one note in the audit log, without secrets."""
    await home.report(ALICE + 'password = "hunter2-password"\n' + TOKEN + 'value = "hunter3"\n' + BOB)
    assert [note.version for note in announced.notes] == [1]
    [note] = await database.read(lambda connection: audit.newest(connection, home.id, 0, 10))
    assert (note.who, note.what) == ("file", "applied")
    assert "+ person alice" in note.detail["lines"]
    assert "hunter" not in repr(note)


async def test_no_line_holds_a_secret(home: Space):
    """Lines name objects by what they are called, never by their values."""
    text = ALICE + 'password = "hunter1-password"\n' + MAIL.replace("x.", "hunter2.") + TOKEN + 'value = "hunter3"\n'
    lines = (await home.report(text)).lines
    lines += (await home.report(text.replace("hunter", "Hunter"))).lines
    assert "hunter" not in " ".join(lines).lower()


async def test_references_to_people_of_the_store(home: Space):
    """A file may refer to people whom the API made, not to those who would be removed with it or are not there."""
    await home.apply(ALICE)
    await home.store.people.create(home.id, "Bob")
    assert await home.apply(ALICE + FEED + 'members = ["alice", "bob"]\n') == ["+ group wecom g"]
    for uid in ("alice", "carol"):
        with pytest.raises(BadDirectory) as caught:
            await home.report(FEED + f'members = ["bob", "{uid}"]\n')
        [finding] = caught.value.findings
        assert (finding.line, finding.where) == (5, "wecom.feeds[0].members[1]")
    with pytest.raises(BadDirectory) as caught:
        await home.report(ALICE + '[[routes]]\nperson = "alice"\ncarriers = ["gone"]')
    assert str(caught.value) == "line 5: routes[0].carriers[0]: there is no carrier gone"


async def test_a_refused_file_changes_nothing(home: Space, database: Database):
    """When one object cannot be written none is."""
    await home.apply('[space]\nname = "one"\n' + TOKEN + 'value = "v"\n')
    before = await tables(database)
    with pytest.raises(Conflict):
        await home.report('[space]\nname = "two"\n' + ALICE + TOKEN + 'value = "v"\n')
    assert await tables(database) == before


# ---------------------------------------------------------------- people


async def test_a_person_follows_the_file(home: Space, vault: ServerVault):
    """Each key that changes in the file changes the person, and the line names it."""
    await home.apply(
        ALICE + 'name = "A"\npassword = "one-password"\nemail = "a@x.test"\ntags = ["a", "b"]\nrole = "owner"\n'
    )
    alice = await home.person("alice")
    assert (alice.name, alice.role, alice.email, alice.origin) == ("A", "owner", "a@x.test", "file")
    [line] = await home.apply(
        ALICE.replace("alice", "Alice")
        + 'name = "B"\npassword = "two-password"\nemail = "b@x.test"\nphone = "1"\ntags = ["b", "c"]\n'
        + 'attributes = { city = "Paris" }\nquiet_hours = { from = "23:00", to = "07:00" }\n'
    )
    assert line == (
        "~ person Alice: uid, role, name, quiet_hours, password, -email, +email, +phone, -tag a, +tag c, attribute city"
    )
    after = await home.person("alice")
    assert (after.id, after.uid, after.role, after.email, after.phone) == (alice.id, "Alice", "reader", "b@x.test", "1")
    assert after.quiet_hours is not None
    assert await vault.check_password(after.password_hash, "two-password")


async def test_an_equal_password_is_not_hashed_again(home: Space):
    """A password that fits the stored hash leaves it as it is."""
    await home.apply(ALICE + 'password = "one-password"\n')
    before = (await home.person("alice")).password_hash
    assert await home.apply(ALICE + 'password = "one-password"\nname = "A"\n') == ["~ person alice: name"]
    assert (await home.person("alice")).password_hash == before


async def test_a_file_without_a_password_leaves_it(home: Space):
    """A password that the file does not name is nobody's business here."""
    await home.apply(ALICE + 'password = "one-password"\n')
    before = (await home.person("alice")).password_hash
    assert await home.apply(ALICE) == []
    assert (await home.person("alice")).password_hash == before


async def test_keys_that_the_file_names_no_longer(home: Space):
    """They go back to their defaults; what somebody set himself meanwhile stays."""
    said = 'name = "A"\nlanguage = "en"\nattributes = { a = "1", b = "2" }\n'
    await home.apply(ALICE + said + 'quiet_hours = { from = "23:00", to = "07:00" }\n' + BOB)
    bob = await home.person("bob")
    await home.store.people.set_language(home.id, bob.id, "zh-CN", "Asia/Shanghai")
    await home.store.belongings.set_attributes(home.id, bob.id, {"own": "x"})
    assert await home.apply(ALICE + BOB) == ["~ person alice: name, language, quiet_hours, -attribute a, -attribute b"]
    alice, bob = await home.person("alice"), await home.person("bob")
    assert (alice.name, alice.language, alice.quiet_hours) == ("alice", "", None)
    assert (bob.language, bob.timezone) == ("zh-CN", "Asia/Shanghai")


async def test_what_hangs_on_a_person_from_elsewhere_stays(home: Space):
    """Tags, addresses and routes that the API added are not the file's to remove."""
    routes = '[[routes]]\nperson = "alice"\ncarriers = ["mail"]\n'
    await home.apply(ALICE + 'tags = ["file"]\n' + MAIL + routes)
    alice = await home.person("alice")
    await home.store.belongings.add_tag(home.id, alice.id, "api")
    await home.store.belongings.add_address(home.id, Address(person=alice.id, carrier="mail", value="api"))
    await home.store.belongings.add_address(home.id, Address(person=alice.id, carrier="email", value="a@x.test"))
    assert await home.apply(ALICE) == ["~ person alice: -tag file, routes", "- carrier mail"]
    assert (await home.person("alice")).email == "a@x.test"
    assert await home.apply(ALICE + 'tags = ["api"]\n') == []
    assert await home.apply(ALICE) == []


async def test_the_files_email_is_the_one(home: Space):
    """A person has one e-mail: the one of the file takes the place of any other, aloud when made by hand."""
    await home.apply(ALICE)
    alice = await home.person("alice")
    by_hand = Address(person=alice.id, carrier="email", value="hand@x.test", origin=Origin.CONSOLE.value)
    await home.store.belongings.add_address(home.id, by_hand)
    assert await home.apply(ALICE + 'email = "file@x.test"\n') == ["! person alice: -email, +email"]
    assert (await home.person("alice")).email == "file@x.test"


async def test_a_removed_person_leaves_his_mailbox(home: Space, database: Database):
    """Whom an earlier file made and this one does not name is removed; mailboxes and entries stay."""
    await home.apply(ALICE + BOB)
    alice = await home.person("alice")
    entry = {"space_id": home.id, "mailbox_id": alice.id, "seq": 1, "message_id": 9}
    await database.write(lambda connection: connection.execute(sa.insert(schema.entry), [entry]).rowcount)
    assert await home.apply(BOB) == ["- person alice"]
    assert await home.lookups.person_by_uid(home.id, "alice") is None
    count = sa.select(sa.func.count()).select_from(schema.entry)
    assert await database.read(lambda connection: connection.execute(count).scalar()) == 1


# ---------------------------------------------------------------- origins


@pytest.mark.parametrize(("origin", "mark"), [(Origin.API, "~"), (Origin.CONSOLE, "!")])
async def test_what_others_made_is_updated_and_never_removed(home: Space, origin: Origin, mark: str):
    """The file may name a person that the API or the console made; dropping him from the file leaves him."""
    await home.apply("")
    await home.store.people.create(home.id, "alice", origin=origin)
    assert await home.apply(ALICE + 'name = "A"\n') == [f"{mark} person alice: name"]
    assert (await home.person("alice")).origin == origin.value
    assert await home.apply("") == []
    assert (await home.person("alice")).uid == "alice"


async def test_an_edit_by_hand_is_overruled_aloud(home: Space):
    """What the file made and somebody changed goes back to the file, with its own mark, and is the file's again."""
    text = ALICE + 'name = "A"\n'
    await home.apply(text)
    alice = await home.person("alice")
    await home.store.people.rename(home.id, alice.id, "By hand")
    assert await home.apply(text) == ["! person alice: name"]
    assert await home.apply(text.replace('"A"', '"B"')) == ["~ person alice: name"]
    await home.store.people.rename(home.id, alice.id, "By hand")
    assert await home.apply("") == ["- person alice"]


Edit = Callable[[Space], Awaitable[None]]


async def edit_carrier(home: Space) -> None:
    account = await home.lookups.carrier(home.id, "mail")
    assert account is not None
    await home.store.carrier_accounts.set_fields(home.id, account.id, {"url": "http://hand.test/"}, {"url"})


async def edit_feed(home: Space) -> None:
    feed = await home.lookups.feed_by_code(home.id, "wecom", "group", "g")
    assert feed is not None
    await home.store.feeds.rename(home.id, feed.id, "By hand")


async def edit_credential(home: Space) -> None:
    credential = await home.lookups.credential("wecom", "bot", "v")
    assert credential is not None
    await home.store.credentials.set_settings(home.id, credential.id, {"a": "by hand"})


async def edit_record(home: Space) -> None:
    record = await home.lookups.record(home.id, "wecom", "item", "k")
    assert record is not None
    await home.store.records.set_data(home.id, record.id, {"a": "by hand"})


EDITS = [
    (MAIL, edit_carrier, "! carrier mail: url"),
    (FEED + 'name = "G"\n', edit_feed, "! group wecom g: name"),
    (TOKEN + 'value = "v"\nsettings = { a = 1 }\n', edit_credential, "! credential wecom bot: settings"),
    (RECORD + "data = { a = 1 }\n", edit_record, "! item wecom k: data"),
]


@pytest.mark.parametrize(("text", "edit", "line"), EDITS)
async def test_every_kind_of_object_is_overruled_aloud(home: Space, text: str, edit: Edit, line: str):
    """Carriers, feeds, credentials and records go back to the file with the mark, and are removed with it."""
    await home.apply(text)
    await edit(home)
    assert await home.apply(text) == [line]
    await edit(home)
    [removed] = await home.apply("")
    assert removed.startswith("- ")


# ---------------------------------------------------------------- carriers


async def test_a_carrier_follows_the_file(home: Space):
    """Fields, networks, name and owner change; a stopped account goes again when the file changes it."""
    await home.apply(ALICE + MAIL)
    made = await home.lookups.carrier(home.id, "mail")
    assert made is not None
    assert (made.kind, made.fields["url"], made.owner, made.enabled) == ("webhook", "http://x.example.test/", 0, True)
    await home.store.carrier_accounts.stop(home.id, made.id, "refused")
    changed = MAIL.replace("x.ex", "y.ex") + 'name = "Sink"\nowner = "alice"\nallow_networks = ["10.0.0.0/8"]\n'
    changed += "max_age_s = 60\n"
    assert await home.apply(ALICE + changed) == ["~ carrier mail: allow_networks, max_age_s, name, owner_id, url"]
    after = await home.lookups.carrier(home.id, "mail")
    assert after is not None
    assert (after.id, after.fields["url"], after.stopped_why) == (made.id, "http://y.example.test/", "")
    assert (after.allow_networks, after.owner) == (("10.0.0.0/8",), (await home.person("alice")).id)
    assert (made.max_age_s, after.max_age_s) == (0, 60)
    assert await home.apply(ALICE) == ["- carrier mail"]


# ---------------------------------------------------------------- feeds


async def test_members_of_the_file_and_of_the_api(home: Space):
    """The file's members follow it; who joined over the API stays, also when the file names him for a while."""
    people = ALICE + BOB + BOB.replace("bob", "carol")
    await home.apply(people + FEED + 'members = ["alice", "bob"]\n')
    feed = await home.lookups.feed_by_code(home.id, "wecom", "group", "g")
    assert feed is not None
    carol = await home.person("carol")
    await home.store.feeds.join(home.id, feed.id, [carol.id])
    assert await home.apply(people + FEED + 'members = ["alice", "carol"]\n') == ["~ group wecom g: members"]
    assert await home.apply(people + FEED) == ["~ group wecom g: members"]
    assert (await home.lookups.membership(home.id, feed.id)).ids == (carol.id,)


async def test_feed_settings_are_merged(home: Space):
    """Keys of the file follow it and go with it; keys that a dialect added stay."""
    await home.apply(FEED + "settings = { a = 1, b = [1, { c = 2 }] }\n")
    feed = await home.lookups.feed_by_code(home.id, "wecom", "group", "g")
    assert feed is not None
    assert (feed.name, feed.kind, feed.settings) == ("g", FeedKind.GROUP, {"a": 1, "b": [1, {"c": 2}]})
    await home.store.feeds.set_settings(home.id, feed.id, {**feed.settings, "own": True})
    assert await home.apply(FEED + "settings = { a = 2 }\n") == ["! group wecom g: settings"]
    after = await home.lookups.feed(home.id, feed.id)
    assert after is not None
    assert after.settings == {"a": 2, "own": True}


async def test_the_same_code_of_two_owners(home: Space):
    """Owners are part of a feed's name."""
    both = FEED + 'owner = "alice"\n' + FEED + 'owner = "bob"\n'
    assert len(await home.apply(ALICE + BOB + both)) == 5
    assert await home.apply(ALICE + BOB + FEED + 'owner = "bob"\n') == ["- group wecom g"]
    bob = await home.person("bob")
    assert await home.lookups.feed_by_code(home.id, "wecom", "group", "g", bob.id) is not None


# ---------------------------------------------------------------- credentials


async def credential(home: Space, value: str) -> Credential:
    found = await home.lookups.credential("wecom", "bot", value)
    assert found is not None
    return found


async def test_a_named_credential_gets_another_value(home: Space):
    """The name finds it: the id stays, the old value is revoked."""
    await home.apply(TOKEN + 'name = "deploy"\nvalue = "one"\n')
    before = await credential(home, "one")
    assert await home.apply(TOKEN + 'name = "deploy"\nvalue = "two"\n') == ["~ credential wecom bot deploy: value"]
    assert (await credential(home, "two")).id == before.id
    assert await home.lookups.credential("wecom", "bot", "one") is None


async def test_a_value_gets_another_name_or_owner(home: Space):
    """The value finds it: the id stays."""
    await home.apply(ALICE + BOB + TOKEN + 'name = "deploy"\nvalue = "v"\nowner = "alice"\n')
    before = await credential(home, "v")
    lines = await home.apply(ALICE + BOB + TOKEN + 'name = "build"\nvalue = "v"\nowner = "bob"\n')
    assert lines == ["~ credential wecom bot build: name, owner"]
    after = await credential(home, "v")
    assert (after.id, after.name, after.owner) == (before.id, "build", (await home.person("bob")).id)


async def test_names_swap_their_values(home: Space):
    """Two credentials that exchange their values exchange their names: both values stay good throughout."""
    one, two = TOKEN + 'name = "one"\nvalue = "{}"\n', TOKEN + 'name = "two"\nvalue = "{}"\n'
    await home.apply(one.format("a") + two.format("b"))
    before = (await credential(home, "a")).id
    assert len(await home.apply(one.format("b") + two.format("a"))) == 2
    after = await credential(home, "a")
    assert (after.id, after.name) == (before, "two")


async def test_a_nameless_credential_is_its_value(home: Space):
    """Another value is another credential: the old one is revoked, the new one made."""
    text = ALICE + TOKEN + 'owner = "alice"\nvalue = "{}"\n'
    await home.apply(text.format("one"))
    assert await home.apply(text.format("two")) == ["+ credential wecom bot alice", "- credential wecom bot"]
    assert await home.lookups.credential("wecom", "bot", "one") is None


async def test_a_credential_between_two_people_is_theirs(home: Space):
    """Owner and holder tell it apart: another value renews it, also the one that they got elsewhere; it goes with
    either of them."""
    pair = f'{TOKEN}owner = "alice"\nholder = "bob"\n'
    await home.apply(ALICE + BOB + f'{pair}value = "one"\n')
    alice, bob = (await home.person("alice")).id, (await home.person("bob")).id
    made = await home.lookups.credential("wecom", "bot", "one")
    assert made is not None
    assert (made.owner, made.holder) == (alice, bob)

    await home.apply(ALICE + BOB + f'{pair}value = "two"\n')
    assert await home.lookups.credential("wecom", "bot", "one") is None
    found = await home.lookups.credential("wecom", "bot", "two")
    assert found is not None
    assert found.id == made.id

    await home.store.credentials.issue(home.id, "wecom", "bot", "back", owner=bob, holder=alice)
    await home.apply(ALICE + BOB + f'{pair}value = "two"\n{TOKEN}owner = "bob"\nholder = "alice"\nvalue = "new"\n')
    assert await home.lookups.credential("wecom", "bot", "back") is None

    await home.store.people.remove(home.id, bob)
    assert await home.lookups.credentials(home.id, "wecom", "bot") == []


async def test_a_chosen_password_follows_the_file(home: Space, vault: ServerVault):
    """It is found by its name, belongs to the feed, and is hashed anew only when it differs."""
    text = FEED + TOKEN + 'name = "chan"\npassword = "{}"\nfeed = ["group", "", "g"]\n'
    await home.apply(text.format("first"))
    feed = await home.lookups.feed_by_code(home.id, "wecom", "group", "g")
    before = await home.lookups.credential_named(home.id, "wecom", "bot", "chan")
    assert feed is not None
    assert before is not None
    assert (before.owner, before.value) == (feed.id, "")
    assert await home.apply(text.format("second")) == ["~ credential wecom bot chan: password"]
    after = await home.lookups.credential_named(home.id, "wecom", "bot", "chan")
    assert after is not None
    assert after.id == before.id
    assert await vault.check_password(after.password_hash, "second")
    assert await home.apply("") == ["- credential wecom bot chan", "- group wecom g"]


async def test_an_issued_value_of_the_api_is_taken_over_not_removed(home: Space):
    """A token that the API issued may stand in a file; it stays when the file drops it."""
    await home.apply("")
    made = await home.store.credentials.issue(home.id, "wecom", "bot", "v")
    assert await home.apply(TOKEN + 'value = "v"\nname = "n"\n') == ["~ credential wecom bot n: name"]
    assert await home.apply("") == []
    assert (await credential(home, "v")).id == made.id


# ---------------------------------------------------------------- records and accounts


async def test_a_record_follows_the_file(home: Space):
    """Data and secrets change, keys of a dialect stay, the record goes with the file."""
    await home.apply(ALICE + RECORD + 'owner = "alice"\ndata = { a = 1, z = 2 }\nsecrets = { s = "x" }\n')
    alice = await home.person("alice")
    made = await home.lookups.record(home.id, "wecom", "item", "k", alice.id)
    assert made is not None
    assert (made.data, made.secrets) == ({"a": 1, "z": 2}, {"s": "x"})
    text = ALICE + RECORD + 'owner = "alice"\ndata = { a = 2 }\nsecrets = { s = "y" }\n'
    assert await home.apply(text) == ["~ item wecom alice k: data, secrets"]
    after = await home.lookups.record(home.id, "wecom", "item", "k", alice.id)
    assert after is not None
    assert (after.id, after.data, after.secrets) == (made.id, {"a": 2}, {"s": "y"})
    assert await home.apply(ALICE) == ["- item wecom k"]


async def test_a_record_stands_once(home: Space):
    """Two of one name are told by it, also by a dry run: neither can be meant."""
    twice = ALICE + RECORD + 'owner = "alice"\n' + RECORD + 'owner = "Alice"\n'
    with pytest.raises(Conflict, match="item wecom Alice k: stands in the file twice"):
        await home.report(twice, dry_run=True)
    assert await home.apply(ALICE + RECORD + RECORD + 'owner = "alice"\n') != []


async def test_what_only_one_space_may_have(home: Space):
    """Callers of an Easemob app say no space: a second one of its name would be reached by nobody."""
    await home.apply('[space]\nname = "one"\n' + RECORD + "is_one = true\n")
    with pytest.raises(Conflict, match="item wecom k: another space has it"):
        await home.report('[space]\nname = "two"\n' + RECORD + "is_one = true\n")
    assert await home.apply('[space]\nname = "two"\n' + RECORD) == ["+ space two", "+ item wecom k"]


async def account(home: Space) -> Account:
    found = await home.lookups.account(home.id, "a/b", "alice")
    assert found is not None
    return found


async def test_an_account_begins_with_its_persons_password_and_follows_it(home: Space):
    """The password of the file is the account's too, until the account has one of its own."""
    text = ALICE + 'name = "Al"\npassword = "{}-password"\n' + ACCOUNT
    await home.apply(text.format("one"))
    first, alice = await account(home), await home.person("alice")
    assert (first.person, first.nickname) == (alice.id, "Al")
    assert first.password_hash == alice.password_hash
    lines = await home.apply(text.format("two"))
    assert lines == ["~ person alice: password", "~ account a/b alice: password"]
    second = await account(home)
    assert (second.uuid, second.password_hash) == (first.uuid, (await home.person("alice")).password_hash)
    await home.store.accounts.set_password_hash(home.id, "a/b", "alice", "own")
    assert await home.apply(text.format("three")) == ["~ person alice: password"]
    assert (await account(home)).password_hash == "own"


async def test_accounts_come_and_go(home: Space):
    """An account that the API made stays; one of the file goes with it, and its person does not."""
    await home.apply(ALICE + ACCOUNT)
    alice = await home.person("alice")
    new = NewAccount(app="a/b", name="other", person=alice.id, uuid="u")
    await home.store.accounts.create(home.id, new)
    assert await home.apply(ALICE) == ["- account a/b alice"]
    assert [one.name for one in await home.store.accounts.page(home.id, "a/b")] == ["other"]
    assert (await home.person("alice")).id == alice.id


async def test_what_changes_hands_survives_its_former_owner(home: Space):
    """A token that moves to another owner in the apply that removes the first one stays good."""
    await home.apply(ALICE + TOKEN + 'owner = "alice"\nvalue = "v"\n')
    before = await credential(home, "v")
    lines = await home.apply(BOB + TOKEN + 'owner = "bob"\nvalue = "v"\n')
    assert lines == ["+ person bob", "~ credential wecom bot bob: owner", "- person alice"]
    assert (await credential(home, "v")).id == before.id
