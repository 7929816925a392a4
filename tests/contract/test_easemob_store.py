"""Easemob's verbs of the store, on both engines."""

import asyncio

import pytest

from onebell.core.directory import Person
from onebell.core.model import PartyKind
from onebell.errors import NotFound
from onebell.store.accounts import NewAccount
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

APP = "acme/demo"


async def account_for(store: Store, space: int, person: Person, name: str) -> None:
    """An account of ``APP``."""
    await store.accounts.create(space, NewAccount(app=APP, name=name, person=person.id, uuid="u"))


async def test_token_is_found_by_its_value(store: Store, space: int, lookups: CachedLookups) -> None:
    """An issued token is there at once, with its app, its user and its end; its value is nowhere."""
    await store.easemob.issue_token(space, "YWMt-1", app=APP, user="bob", person=5, expires_at=9)
    found = await lookups.credential("easemob", "token", "YWMt-1")

    assert found is not None
    assert (space, 5, 9, "") == (found.space, found.owner, found.expires_at, found.value)
    assert found.settings == {"app": APP, "user": "bob"}
    assert await lookups.credential("easemob", "token", "YWMt-2") is None


async def test_token_does_not_empty_the_caches(store: Store, space: int, lookups: CachedLookups) -> None:
    """Three hundred tokens a second are no change of the directory."""
    before = await lookups.space(space)
    await store.easemob.issue_token(space, "YWMt-1", app=APP, user="", person=0, expires_at=0)
    await lookups.check()
    lookups.forget(space)
    assert before.config_version == (await lookups.space(space)).config_version


async def test_people_of_many_names(store: Store, space: int) -> None:
    """Accounts of one app by name, as far as they exist; more names than one statement takes."""
    bob = await store.people.create(space, "bob")
    await account_for(store, space, bob, "bob")
    names = [*(f"r{number}" for number in range(600)), "bob"]
    assert {"bob": bob.id} == await store.easemob.people_of(space, APP, names)
    assert await store.easemob.people_of(space, "acme/other", names) == {}


async def test_account_binds_to_the_person_of_that_uid(store: Store, space: int) -> None:
    """A name that is somebody's uid, compared without case, gives the account to him."""
    bob = await store.people.create(space, "Bob")
    made = await store.easemob.open_account_with_person(space, APP, "bob", "u")
    again = await store.easemob.open_account(space, APP, "bob", "u")
    assert (bob.id, bob.id, "bob", "u") == (made.person, again.person, made.name, made.uuid)


async def test_new_name_makes_a_person(store: Store, space: int, lookups: CachedLookups) -> None:
    """The account comes with a person of origin api, who has a mailbox."""
    assert await lookups.account(space, APP, "newu") is None
    made = await store.easemob.open_account_with_person(space, APP, "newu", "u")
    person = await lookups.person_by_uid(space, "NEWU")

    assert person is not None
    assert (made.person, "api") == (person.id, person.origin)
    assert await lookups.account(space, APP, "newu") == made


async def test_name_without_a_person_makes_none(store: Store, space: int, lookups: CachedLookups) -> None:
    """Where an app makes no people an unknown name stays unknown."""
    with pytest.raises(NotFound):
        await store.easemob.open_account(space, APP, "newu", "u")
    assert await lookups.account(space, APP, "newu") is None


async def test_new_person_takes_over_what_his_name_got(store: Store, space: int, lookups: CachedLookups) -> None:
    """What was sent to a name before anybody had it is his: party and mailbox keep their id (D9)."""
    name = await lookups.party(space, PartyKind.NAME, f"{APP}/ghost")
    made = await store.easemob.open_account_with_person(space, APP, "ghost", "u")
    person = await lookups.person_by_uid(space, "ghost")

    assert person is not None
    assert (name, name) == (made.person, person.id)


async def test_two_at_once_make_one(store: Store, space: int) -> None:
    """Two calls that register the same name at the same time both get the one account (sheet §3.1: 409 is avoided)."""
    several = [store.easemob.open_account_with_person(space, APP, "newu", "u") for _ in range(5)]
    assert len({made.person for made in await asyncio.gather(*several)}) == 1
