"""The demo file is the contract of ``apply``: every key of it is applied and read back, on both engines."""

import tomllib
from importlib import import_module
from importlib.resources import files
from typing import Any

import pytest
import sqlalchemy as sa

from onebell import directory
from onebell.clock import SystemClock
from onebell.core.directory import QuietHours
from onebell.directory import Report
from onebell.ids import IdMint
from onebell.store import belongings, schema
from onebell.store.base import Store
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed
from onebell.vault import ServerVault

DIALECTS = ("pushplus", "wecom", "pushgo", "ums", "easemob")
TEXT = files("onebell").joinpath("demo.toml").read_text()
FILE: dict[str, Any] = tomllib.loads(TEXT)


def sections() -> directory.Sections:
    modules = {name: import_module(f"onebell.dialects.{name}.directory") for name in DIALECTS}
    return {name: (module.Section, module.wanted) for name, module in modules.items()}


@pytest.fixture
async def report(store: Store) -> Report:
    """The demo file, applied."""
    return await directory.apply(store, sections(), TEXT, dry_run=False)


async def uid_of(lookups: CachedLookups, space: int, person: int) -> str:
    found = await lookups.person(space, person)
    assert found is not None
    return found.uid


async def id_of(lookups: CachedLookups, space: int, uid: str) -> int:
    found = await lookups.person_by_uid(space, uid)
    assert found is not None
    return found.id


async def members(lookups: CachedLookups, space: int, feed: int) -> set[str]:
    found = await lookups.membership(space, feed)
    assert found.ids is not None
    assert found.count == len(found.ids)
    return {await uid_of(lookups, space, one) for one in found.ids}


async def test_every_object_is_made_and_the_second_run_finds_all_as_it_is(store: Store, report: Report):
    """The first run makes everything, the second prints only "=": for the very file of the contract."""
    assert all(line.startswith("+ ") for line in report.lines)
    again = await directory.apply(store, sections(), TEXT, dry_run=False)
    assert not again.changed
    assert [line[2:] for line in again.lines] == [line[2:] for line in report.lines]
    assert all(line.startswith("= ") for line in again.lines)
    assert len(set(report.lines)) == len(report.lines)


async def test_nothing_is_left_out(report: Report):
    """Everything that the file names is built: no warning."""
    assert report.warnings == ()


async def test_the_space(report: Report, lookups: CachedLookups):
    """[space]."""
    space = await lookups.space(report.space)
    table = FILE["space"]
    assert (space.name, space.timezone, space.language) == (table["name"], table["timezone"], table["language"])
    assert (space.public_url, list(space.allow_callbacks)) == (table["public_url"], table["allow_callbacks"])


async def test_people(report: Report, lookups: CachedLookups, database: Database, vault: ServerVault):
    """[[people]]: every key, and the party and mailbox that come with each."""
    for table in FILE["people"]:
        await check_person(report, lookups, database, vault, table)


async def check_person(
    report: Report, lookups: CachedLookups, database: Database, vault: ServerVault, table: dict[str, Any]
) -> None:
    person = await lookups.person_by_uid(report.space, table["uid"].upper())
    assert person is not None
    assert (person.uid, person.name, person.origin) == (table["uid"], table["name"], "file")
    assert (person.email, person.phone) == (table.get("email", ""), table.get("phone", ""))
    assert person.role == table.get("role", "reader")
    assert await vault.check_password(person.password_hash, table["password"])
    quiet = table.get("quiet_hours")
    assert person.quiet_hours == (
        quiet and QuietHours(start=quiet["from"], to=quiet["to"], timezone=quiet["timezone"], through=quiet["through"])
    )
    tags = await database.read(lambda connection: belongings.tags_of(connection, report.space, [person.id]))
    assert {name for _, name, scope, _ in tags if scope == "all"} == set(table.get("tags", []))
    for column in (schema.party.c.id, schema.mailbox.c.id):
        statement = sa.select(column).where(column == person.id)
        assert await database.read(lambda connection, one=statement: connection.execute(one).scalar()) == person.id


async def test_the_scoped_tag(report: Report, lookups: CachedLookups, database: Database):
    """[[tags]]."""
    [table] = FILE["tags"]
    alice = await id_of(lookups, report.space, table["person"])
    tags = await database.read(lambda connection: belongings.tags_of(connection, report.space, [alice]))
    assert (alice, table["tag"], table["scope"], "file") in tags


async def test_the_address_on_a_carrier(report: Report, lookups: CachedLookups):
    """[[addresses]]: a person's address on an account."""
    [table] = FILE["addresses"]
    account = await lookups.carrier(report.space, table["carrier"])
    assert account is not None
    alice = await id_of(lookups, report.space, table["person"])
    assert await lookups.address_of(report.space, alice, account) == table["value"]


async def test_carriers(report: Report, lookups: CachedLookups, database: Database):
    """[[carriers]]: kind, networks and every field; secret fields are not in clear in the table."""
    for table in FILE["carriers"]:
        await check_carrier(report, lookups, database, table)


async def check_carrier(report: Report, lookups: CachedLookups, database: Database, table: dict[str, Any]) -> None:
    account = await lookups.carrier(report.space, table["code"])
    assert account is not None
    assert (account.kind, account.enabled, account.owner) == (table["kind"], True, 0)
    assert list(account.allow_networks) == table["allow_networks"]
    assert account.max_age_s == table.get("max_age_s", 0)
    beside = ("code", "kind", "allow_networks", "max_age_s")
    fields = {key: value for key, value in table.items() if key not in beside}
    assert fields.items() <= account.fields.items()
    kind = directory._kind(table["kind"])
    assert kind is not None
    statement = sa.select(schema.carrier_account.c.fields).where(schema.carrier_account.c.id == account.id)
    plain = await database.read(lambda connection: connection.execute(statement).scalar()) or b""
    assert not any(str(fields.get(name, "\0")).encode() in plain for name in kind.secret)


async def test_the_route(report: Report, lookups: CachedLookups):
    """[[routes]]: alice's messages also go to her e-mail by the site's mailer."""
    alice = await id_of(lookups, report.space, "alice")
    account = await lookups.carrier(report.space, "site-mail")
    assert account is not None
    [route] = await lookups.routes(report.space, alice)
    assert (route.account, route.value) == (account.id, "alice@example.test")


async def test_pushplus(report: Report, lookups: CachedLookups):
    """[pushplus]: the site, users, topics, friends, webhooks, scripts."""
    space, table = report.space, FILE["pushplus"]
    [site] = await lookups.records(space, "pushplus", "site")
    assert site.data == {key: table[key] for key in ("default_mail", "default_sms", "limits", "open_join")}
    for user in table["users"]:
        owner = await id_of(lookups, space, user["person"])
        token = await lookups.credential("pushplus", "user", user["token"])
        assert token is not None
        assert (token.owner, token.value, token.enabled) == (owner, user["token"], True)
        [account] = await lookups.records(space, "pushplus", "account", owner)
        assert account.secrets.get("secret_key") == user.get("secret_key")
        assert account.data.get("callback_url") == user.get("callback_url")
    for topic in table["topics"]:
        owner = await id_of(lookups, space, topic["owner"])
        feed = await lookups.feed_by_code(space, "pushplus", "topic", topic["code"], owner)
        assert feed is not None
        assert feed.name == topic["name"]
        assert await members(lookups, space, feed.id) == set(topic["members"])
    for friend in table["friends"]:
        token = await lookups.credential("pushplus", "friend", friend["token"])
        assert token is not None
        assert await uid_of(lookups, space, token.owner) == friend["friend"]
        assert await uid_of(lookups, space, token.holder) == friend["owner"]
    for webhook in table["webhooks"]:
        owner = await id_of(lookups, space, webhook["owner"])
        record = await lookups.record(space, "pushplus", "webhook", webhook["code"], owner)
        if await lookups.carrier(space, webhook["carrier"]) is None:
            assert record is None
        else:
            assert record is not None
            assert record.data["carrier"] == webhook["carrier"]
    for script in table["pre"]:
        owner = await id_of(lookups, space, script["owner"])
        record = await lookups.record(space, "pushplus", "pre", script["code"], owner)
        assert record is not None
        assert record.data["script"] == script["script"]


async def test_wecom(report: Report, lookups: CachedLookups):
    """[wecom]: groups, blackboards, bots and their callbacks."""
    space, table = report.space, FILE["wecom"]
    for kind, chats in (("group", table["groups"]), ("blackboard", table["blackboards"])):
        for chat in chats:
            feed = await lookups.feed_by_code(space, "wecom", kind, chat["chatid"])
            assert feed is not None
            assert feed.name == chat["name"]
            assert await members(lookups, space, feed.id) == set(chat["members"])
    for bot in table["bots"]:
        key = await lookups.credential("wecom", "bot", bot["key"])
        assert key is not None
        assert key.name == bot["name"]
        assert {name: key.settings[name] for name in ("groups", "blackboards", "subscription_scope")} == {
            name: bot[name] for name in ("groups", "blackboards", "subscription_scope")
        }
        record = await lookups.record(space, "wecom", "callback", bot["name"])
        assert record is not None
        assert {**record.data, **record.secrets} == bot["callback"]


async def test_pushgo(report: Report, lookups: CachedLookups, vault: ServerVault):
    """[pushgo]: an open gateway, the channel, its password and its readers."""
    space, table = report.space, FILE["pushgo"]
    assert bool(await lookups.credentials(space, "pushgo", "gateway")) is bool(table["gateway_token"])
    for channel in table["channels"]:
        feed = await lookups.feed_by_code(space, "pushgo", "channel", channel["channel_id"])
        password = await lookups.credential_named(space, "pushgo", "channel", channel["channel_id"])
        assert feed is not None
        assert password is not None
        assert (feed.name, password.owner) == (channel["name"], feed.id)
        assert await vault.check_password(password.password_hash, channel["password"])
        assert await members(lookups, space, feed.id) == set(channel["subscribers"])


async def test_ums(report: Report, lookups: CachedLookups):
    """[ums]: the access key, channel groups with their carriers, segments, lists, strategies."""
    space, table = report.space, FILE["ums"]
    pair = f"{table['access_key']}:{table['access_secret']}"
    assert await lookups.credential("ums", "access", pair) is not None
    for group in table["channel_groups"]:
        found = await lookups.credential("ums", "channel_group", f"{group['channel_key']}:{group['master_secret']}")
        assert found is not None
        assert found.settings["callback_urls"] == group["callback_urls"]
        statuses = found.settings.get("callback_statuses", list(range(9)))
        assert statuses == group["callback_statuses"]
        there = [
            one
            for one in group["carriers"]
            if one["carrier"] == "inbox" or await lookups.carrier(space, one["carrier"]) is not None
        ]
        for one, kept in zip(there, found.settings["carriers"], strict=True):
            assert one.items() <= kept.items()
    for segment in table["segments"]:
        record = await lookups.record(space, "ums", "segment", segment["id"])
        assert record is not None
        assert (record.data["name"], record.data["any_tags"]) == (segment["name"], segment["any_tags"])
    for one in table["lists"]:
        record = await lookups.record(space, "ums", f"{one['kind']}_list", str(one["id"]))
        assert record is not None
        assert record.data["people"] == one["people"]
    for strategy in table["strategies"]:
        record = await lookups.record(space, "ums", "strategy", str(strategy["id"]))
        assert record is not None
        assert record.data["channel_key"] == strategy["channel_key"]
        assert [step["carriers"] for step in record.data["steps"]] == [step["carriers"] for step in strategy["steps"]]
        waits = [step.get("wait_s", 0) for step in record.data["steps"]]
        assert waits == [int(step.get("wait", "0s")[:-1]) for step in strategy["steps"]]
        orders = [step.get("advance_if", "") for step in record.data["steps"]]
        assert orders == [step.get("advance_if", "") for step in strategy["steps"]]


async def test_easemob(report: Report, lookups: CachedLookups, vault: ServerVault):
    """[easemob]: apps with their client credentials and accounts, callback rules."""
    space, table = report.space, FILE["easemob"]
    passwords = {person["uid"]: person["password"] for person in FILE["people"]}
    for app in table["apps"]:
        key = f"{app['org']}/{app['app']}"
        record = await lookups.record(space, "easemob", "app", key)
        assert record is not None
        assert record.data["client_id"] == app["client_id"]
        assert record.data.get("open_registration", False) is app["open_registration"]
        assert record.data.get("create_people", True) is app["create_people"]
        client = await lookups.credential("easemob", "client", f"{app['client_id']}:{app['client_secret']}")
        assert client is not None
        assert client.settings["app"] == key
        for uid in app["users"]:
            account = await lookups.account(space, key, uid)
            assert account is not None
            assert await uid_of(lookups, space, account.person) == uid
            assert await vault.check_password(account.password_hash, passwords[uid])
    for rule in table["callbacks"]:
        record = await lookups.record(space, "easemob", "callback", f"{rule['app']}/{rule['name']}")
        assert record is not None
        assert record.secrets == {"secret": rule["secret"]}
        rest = {key: value for key, value in rule.items() if key != "secret"}
        defaults = {"env": "default", "enabled": True}
        assert rest.items() <= (defaults | record.data).items()


async def test_an_empty_file_takes_everything_back(store: Store, report: Report, lookups: CachedLookups):
    """A file that names nothing removes all that the demo made; the space itself stays."""
    gone = await directory.apply(store, sections(), "", dry_run=False)
    assert gone.lines[0] == "= space main"
    assert all(line.startswith("- ") for line in gone.lines[1:])
    assert len(gone.lines) == len(report.lines)
    assert await lookups.person_by_uid(report.space, "alice") is None
    assert await lookups.credential("wecom", "bot", FILE["wecom"]["bots"][0]["key"]) is None


@pytest.fixture
def deaf(database: Database, vault: ServerVault) -> CachedLookups:
    """The caches of a node that hears no bell."""
    return CachedLookups(database, vault, IdMint(SystemClock(), 1), SystemClock(), lambda kind: Addressed.OWN)


async def test_a_running_node_sees_an_apply_within_a_second(
    store: Store, changes: Changes, deaf: CachedLookups, report: Report
):
    """What was applied by another process is seen after the next comparison of versions, once a second."""
    await deaf.check()
    before = await deaf.person_by_uid(report.space, "carol")
    assert before is not None
    await directory.apply(store, sections(), TEXT.replace('name = "Carol"', 'name = "Karol"'), dry_run=False)
    await deaf.check()
    after = await deaf.person_by_uid(report.space, "carol")
    assert after is not None
    assert after.name == "Karol"
