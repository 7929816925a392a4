"""Credentials, records and carrier accounts, on both engines."""

import pytest
import sqlalchemy as sa

from onebell.errors import Conflict, InvalidInput, NotFound
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups

TOKEN = "0123456789abcdef0123456789abcdef"


async def test_an_issued_value_is_found_and_shown_again(store: Store, space: int, lookups: CachedLookups):
    """A token finds its credential, with the value in clear, and only under its dialect and kind."""
    made = await store.credentials.issue(
        space, "pushplus", "token", TOKEN, name="script", owner=3, settings={"a": 1}, expires_at=9
    )
    found = await lookups.credential("pushplus", "token", TOKEN)
    assert found == made
    assert (made.value, made.name, made.owner, made.settings, made.expires_at) == (TOKEN, "script", 3, {"a": 1}, 9)
    assert await lookups.credential("pushplus", "secret", TOKEN) is None
    assert await lookups.credential("ums", "token", TOKEN) is None
    assert await lookups.credential("pushplus", "token", TOKEN.upper()) is None


async def test_no_table_holds_an_issued_value_in_clear(store: Store, database: Database, space: int):
    """The value stands encrypted in one table and as an HMAC in the other (DESIGN §5)."""
    await store.credentials.issue(space, "pushplus", "token", TOKEN)
    await store.records.create(space, "wecom", "callback", "x", secrets={"aes_key": TOKEN})
    await store.carrier_accounts.create(space, "mail", "smtp", {"host": "h", "password": TOKEN}, {"password"})

    def dump(connection: sa.Connection) -> str:
        tables = (schema.credential, schema.credential_lookup, schema.record, schema.carrier_account)
        return repr([[tuple(row) for row in connection.execute(sa.select(table))] for table in tables])

    assert TOKEN not in await database.read(dump)


async def test_a_value_is_issued_once_in_all_spaces(store: Store, database: Database, space: int):
    """The same value twice is refused and leaves nothing."""
    await store.credentials.issue(space, "pushplus", "token", TOKEN)
    with pytest.raises(Conflict):
        await store.credentials.issue(space, "pushplus", "token", TOKEN)
    count = sa.select(sa.func.count()).select_from(schema.credential)
    assert await database.read(lambda connection: connection.execute(count).scalar()) == 1


async def test_an_empty_value_is_never_issued(store: Store, space: int):
    """Nobody gets in by showing nothing."""
    with pytest.raises(InvalidInput):
        await store.credentials.issue(space, "pushplus", "token", "")


async def test_a_chosen_password_is_found_by_name(store: Store, changes: Changes, space: int, lookups: CachedLookups):
    """A chosen password is hashed, found by its name, changed and compared."""
    made = await store.credentials.choose(space, "pushgo", "channel", "06J", "first", owner=4)
    found = await lookups.credential_named(space, "pushgo", "channel", "06J")
    assert found == made
    assert found.value == ""
    assert await changes.vault.check_password(found.password_hash, "first")
    await store.credentials.set_password(space, made.id, "second")
    found = await lookups.credential_by_id(space, made.id)
    assert found is not None
    assert await changes.vault.check_password(found.password_hash, "second")
    with pytest.raises(Conflict):
        await store.credentials.choose(space, "pushgo", "channel", "06J", "third")


async def test_a_reissued_value_replaces_the_old_one(store: Store, space: int, lookups: CachedLookups):
    """After a reissue the old value finds nothing, the new one the same credential."""
    made = await store.credentials.issue(space, "pushplus", "token", TOKEN)
    await store.credentials.reissue(space, made, "f" * 32)
    assert await lookups.credential("pushplus", "token", TOKEN) is None
    found = await lookups.credential("pushplus", "token", "f" * 32)
    assert found is not None
    assert (found.id, found.value) == (made.id, "f" * 32)


async def test_disabled_and_expired_ones_are_returned_as_such(store: Store, space: int, lookups: CachedLookups):
    """Whether a credential still works is the dialect's to say, so it is returned with its state."""
    made = await store.credentials.issue(space, "pushplus", "token", TOKEN, expires_at=1)
    await store.credentials.disable(space, made.id)
    found = await lookups.credential("pushplus", "token", TOKEN)
    assert found is not None
    assert (found.enabled, found.expires_at) == (False, 1)
    await store.credentials.enable(space, made.id)
    found = await lookups.credential("pushplus", "token", TOKEN)
    assert found is not None
    assert found.enabled


async def test_credentials_are_listed_by_owner(store: Store, space: int, lookups: CachedLookups):
    """All of a kind, or those of one owner, oldest first; owner 0 is the space itself."""
    made = [
        await store.credentials.issue(space, "pushplus", "token", f"{owner}{n}" * 8, owner=owner)
        for owner in (0, 1, 2)
        for n in (0, 1)
    ]
    assert await lookups.credentials(space, "pushplus", "token") == made
    assert await lookups.credentials(space, "pushplus", "token", 0) == made[:2]
    assert await lookups.credentials(space, "pushplus", "token", 2) == made[4:]
    await store.credentials.set_settings(space, made[0].id, {"x": True})
    await store.credentials.remove(space, made[1].id)
    [left] = await lookups.credentials(space, "pushplus", "token", 0)
    assert left.settings == {"x": True}


async def test_another_spaces_credential_is_out_of_reach(store: Store, space: int):
    """Every change names its space: another one's credential is not found."""
    made = await store.credentials.issue(space, "pushplus", "token", TOKEN)
    with pytest.raises(NotFound):
        await store.credentials.disable(space + 1, made.id)


def test_new_objects_do_not_show_secrets():
    """What is about to be stored has no secret in its repr."""
    assert TOKEN not in repr(NewCredential(id=1, dialect="a", kind="b", value=TOKEN))


async def test_records_are_kept_by_owner_and_key(store: Store, space: int, lookups: CachedLookups):
    """A record is found by (dialect, kind, owner, key), its secrets in clear; the same key twice is refused."""
    mine = await store.records.create(
        space, "pushplus", "webhook", "163", owner=1, data={"carrier": "site-mail"}, secrets={"s": "密"}
    )
    other = await store.records.create(space, "pushplus", "webhook", "163", owner=2)
    assert await lookups.record(space, "pushplus", "webhook", "163", 1) == mine
    assert (mine.data, mine.secrets) == ({"carrier": "site-mail"}, {"s": "密"})
    assert await lookups.records(space, "pushplus", "webhook") == [mine, other]
    assert await lookups.records(space, "pushplus", "webhook", 2) == [other]
    with pytest.raises(Conflict):
        await store.records.create(space, "pushplus", "webhook", "163", owner=1)
    await store.records.set_data(space, mine.id, {})
    await store.records.set_secrets(space, mine.id, {})
    found = await lookups.record(space, "pushplus", "webhook", "163", 1)
    assert found is not None
    assert (found.data, found.secrets) == ({}, {})
    await store.records.remove(space, mine.id)
    assert await lookups.record(space, "pushplus", "webhook", "163", 1) is None


async def test_a_carrier_account_goes_and_stops(store: Store, space: int, lookups: CachedLookups):
    """Fields come back with their secrets in clear; a stopped account says why and goes again after an edit."""
    made = await store.carrier_accounts.create(
        space, "mail", "smtp", {"host": "h", "password": "p"}, {"password"}, allow_networks=["127.0.0.0/8"]
    )
    assert made.fields == {"host": "h", "password": "p"}
    assert made.allow_networks == ("127.0.0.0/8",)
    assert await lookups.carrier(space, "mail") == await lookups.carrier_by_id(space, made.id) == made
    await store.carrier_accounts.stop(space, made.id, "535 bad password")
    stopped = await lookups.carrier(space, "mail")
    assert stopped is not None
    assert stopped.stopped_why == "535 bad password"
    await store.carrier_accounts.set_fields(space, made.id, {"host": "i"}, {"password"})
    going = await lookups.carrier(space, "mail")
    assert going is not None
    assert (going.stopped_why, going.fields, going.enabled) == ("", {"host": "i"}, True)
    await store.carrier_accounts.disable(space, made.id)
    assert not (await lookups.carrier(space, "mail")).enabled  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        await store.carrier_accounts.create(space, "mail", "smtp", {}, ())
    await store.carrier_accounts.remove(space, made.id)
    assert await lookups.carrier(space, "mail") is None
