"""Feeds, members and accounts, on both engines."""

import asyncio
from typing import Any

import pytest

from onebell.core.accounts import NewAccount
from onebell.core.model import FeedKind
from onebell.errors import Conflict, NotFound
from onebell.store import feeds
from onebell.store.base import Store
from onebell.store.changes import Origin
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups


async def test_codes_are_unique_per_owner(store: Store, space: int, lookups: CachedLookups):
    """Two owners may each have a topic of the same code; one owner may not have two."""
    mine = await store.feeds.create(space, "pushplus", FeedKind.TOPIC, "ops", owner=1, name="Ops")
    his = await store.feeds.create(space, "pushplus", FeedKind.TOPIC, "ops", owner=2)
    with pytest.raises(Conflict):
        await store.feeds.create(space, "pushplus", FeedKind.TOPIC, "ops", owner=1)
    assert await lookups.feed_by_code(space, "pushplus", "topic", "ops", 1) == mine
    assert await lookups.feed_by_code(space, "pushplus", "topic", "ops", 2) == his
    assert await lookups.feed_by_code(space, "pushplus", "topic", "ops") is None
    assert await lookups.feed_by_code(space, "wecom", "topic", "ops", 1) is None
    assert await lookups.feeds(space, "pushplus", "topic") == [mine, his]
    assert await lookups.feeds(space, "pushplus", "topic", 2) == [his]


async def test_members_come_and_go(store: Store, space: int, lookups: CachedLookups):
    """Joining twice counts once; leaving tells how many were in."""
    made = await store.feeds.create(space, "wecom", FeedKind.GROUP, "g", members=[3, 1, 2])
    await store.feeds.join(space, made.id, [3, 4], role="admin")
    found = await lookups.membership(space, made.id)
    assert (found.count, found.ids) == (4, (1, 2, 3, 4))
    assert {one.party: one.role for one in await store.feeds.members(space, made.id)}[4] == "admin"
    assert await store.feeds.leave(space, made.id, [1, 9]) == 1
    assert (await lookups.membership(space, made.id)).ids == (2, 3, 4)
    assert await store.feeds.of_party(space, 2) == [made]
    assert await store.feeds.of_party(space, 2, "topic") == []
    with pytest.raises(Conflict):
        await store.feeds.join(space, made.id + 1, [1])


@pytest.mark.parametrize(("members", "named"), [(1000, True), (1001, False)])
async def test_large_feeds_are_counted_not_named(
    store: Store, database: Database, space: int, lookups: CachedLookups, members: int, named: bool
):
    """Up to a thousand members are named; more are only counted and expanded in the database."""
    made = await store.feeds.create(space, "pushgo", FeedKind.CHANNEL, "c")
    new = [(made.id, party) for party in range(1, members + 1)]
    await database.write(lambda connection: feeds.add_members(connection, space, new, 1))
    found = await lookups.membership(space, made.id)
    assert found.count == members
    assert (found.ids is not None) is named


async def test_a_feed_is_edited_and_removed(store: Store, space: int, lookups: CachedLookups):
    """Name and settings change; removing it revokes its credentials."""
    made = await store.feeds.create(space, "pushgo", FeedKind.CHANNEL, "c", settings={"a": 1})
    await store.credentials.choose(space, "pushgo", "channel", "c", "pw", owner=made.id)
    await store.feeds.rename(space, made.id, "NAS")
    await store.feeds.set_settings(space, made.id, {"b": [2]})
    found = await lookups.feed(space, made.id)
    assert found is not None
    assert (found.name, found.settings, found.kind) == ("NAS", {"b": [2]}, FeedKind.CHANNEL)
    await store.feeds.remove(space, made.id)
    assert await lookups.feed(space, made.id) is None
    assert await lookups.credential_named(space, "pushgo", "channel", "c") is None
    with pytest.raises(NotFound):
        await store.feeds.rename(space, made.id, "x")


async def test_a_feed_with_another_code_is_no_files_any_more(store: Store, database: Database, space: int):
    """Edited it stays the file's; under a code that no file knows it is its owner's, and no apply's to remove."""
    made = [await store.feeds.create(space, "pushplus", FeedKind.TOPIC, code, owner=1) for code in ("a", "b")]
    for one in made:
        which = one.id
        await database.write(lambda connection, which=which: feeds.update(connection, space, which, origin="file"))

    await store.feeds.edit(space, made[0].id, "a", "A", {"x": 1})
    await store.feeds.edit(space, made[1].id, "c", "C", {})

    origins = [
        await database.read(lambda connection, which=one.id: feeds.origin_of(connection, space, which)) for one in made
    ]
    assert origins == ["edited", "api"]
    with pytest.raises(Conflict):
        await store.feeds.edit(space, made[0].id, "c", "A", {})
    with pytest.raises(NotFound):
        await store.feeds.edit(space, 1, "z", "Z", {})


async def test_accounts_live_in_an_app(store: Store, space: int, lookups: CachedLookups):
    """An account is found by app and name without case, edited, and removed without its person."""
    alice = await store.people.create(space, "Alice", origin=Origin.CONSOLE)
    new = NewAccount(app="acme/demo", name="Alice", person=alice.id, uuid="u", password_hash="$h")
    made = await store.accounts.create(space, new)
    assert (made.name, made.person, made.active, made.password_hash) == ("alice", alice.id, True, "$h")
    assert await lookups.account(space, "acme/demo", "ALICE") == made
    assert await lookups.account(space, "acme/other", "alice") is None
    with pytest.raises(Conflict):
        await store.accounts.create(space, new)
    with pytest.raises(Conflict):
        await store.accounts.create(space, NewAccount(app="acme/demo", name="x", person=99, uuid="v"))
    await store.accounts.set_nickname(space, "acme/demo", "ALICE", "Al")
    await store.accounts.change_settings(space, "acme/demo", "alice", lambda kept: {**kept, "push": 1})
    await store.accounts.deactivate(space, "acme/demo", "alice")
    found = await lookups.account(space, "acme/demo", "alice")
    assert found is not None
    other = await store.people.create(space, "Other", origin=Origin.CONSOLE)
    second = await store.accounts.create(space, NewAccount(app="acme/other", name="al", person=alice.id, uuid="w"))
    await store.accounts.create(space, NewAccount(app="acme/other", name="x", person=other.id, uuid="x"))
    assert await store.accounts.of_person(space, alice.id) == [found, second]
    assert await store.accounts.of_person(space + 1, alice.id) == []
    assert (found.nickname, found.settings, found.active) == ("Al", {"push": 1}, False)
    assert await store.accounts.page(space, "acme/demo") == [found]
    assert await store.accounts.remove(space, "acme/demo", "Alice")
    assert not await store.accounts.remove(space, "acme/demo", "Alice")
    assert await lookups.person(space, alice.id) is not None


async def test_settings_that_change_at_once_are_all_kept(store: Store, space: int):
    """Nobody overwrites what another one has just written; a change that fails leaves all as it was."""
    alice = await store.people.create(space, "Alice", origin=Origin.CONSOLE)
    await store.accounts.create(space, NewAccount(app="acme/demo", name="alice", person=alice.id, uuid="u"))

    async def add(number: int) -> None:
        def change(kept: dict[str, Any]) -> dict[str, Any]:
            return {**kept, "list": [*kept.get("list", []), number], str(number): True}

        await store.accounts.change_settings(space, "acme/demo", "Alice", change)

    await asyncio.gather(*(add(number) for number in range(8)))
    (found,) = await store.accounts.of_person(space, alice.id)
    assert sorted(found.settings["list"]) == list(range(8))
    assert set(found.settings) == {"list", *map(str, range(8))}

    def fail(_kept: dict[str, Any]) -> dict[str, Any]:
        raise Conflict

    with pytest.raises(Conflict):
        await store.accounts.change_settings(space, "acme/demo", "alice", fail)
    assert await store.accounts.of_person(space, alice.id) == [found]
    with pytest.raises(NotFound):
        await store.accounts.change_settings(space, "acme/demo", "bob", fail)
