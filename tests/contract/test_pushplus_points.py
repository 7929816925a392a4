"""What a text message costs, and what is left, on both engines (sheet pushplus §5 ``sms``)."""

import pytest
from tests.rows import SPACE, Rows

from onebell.core.directory import CarrierAccount
from onebell.core.model import Addresses, FeedKind, Members, PartyKind, People, Sender
from onebell.dialects.pushplus import points
from onebell.dialects.pushplus.limits import PROFILES
from onebell.dialects.pushplus.senders import Default, SenderInfo
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups

PHONES = {"alice": "1380000", "bob": "", "carol": "1380001", "dora": "1380001"}


@pytest.fixture
async def people(store: Store, space: int) -> dict[str, int]:
    """Four people; bob has no phone, carol and dora share one."""
    made = {uid: (await store.people.create(space, uid)).id for uid in PHONES}
    for uid, phone in PHONES.items():
        if phone:
            await store.belongings.set_address(space, made[uid], "phone", phone)
    return made


@pytest.fixture
async def texts(store: Store, space: int) -> CarrierAccount:
    """The SMS service."""
    return await store.carrier_accounts.create(space, "texts", "sms", {"url": "http://a.test"}, set())


async def sender(store: Store, lookups: CachedLookups, space: int, who: int, **account: int) -> SenderInfo:
    person = await lookups.person(space, who)
    assert person is not None
    token = f"{who:032x}"
    await store.credentials.issue(space, "pushplus", "user", token, owner=who)
    credential = await lookups.credential("pushplus", "user", token)
    assert credential is not None
    return SenderInfo(
        space=await lookups.space(space), person=person, credential=credential, account=dict(account), site={},
        profile=PROFILES["off"], default=Default(), writes_as=Sender(party=who, kind=PartyKind.PERSON),
    )  # fmt: skip


async def test_each_phone_costs_once(
    store: Store, lookups: CachedLookups, space: int, people: dict[str, int], texts: CarrierAccount
):
    """Ten points an address: nobody without one, one that two people share once, nobody who refuses messages."""
    alice = await sender(store, lookups, space, people["alice"], points=100)
    topic = (await store.feeds.create(space, "pushplus", FeedKind.TOPIC, code="t")).id
    await store.feeds.join(space, topic, tuple(people.values()))

    async def costs(*audience: Members | People | Addresses) -> int:
        return sum([use.amount for use in await points.price(lookups, alice, texts, 10, audience)])

    assert await costs(People(feed=topic, ids=(people["alice"],))) == 10
    assert await costs(People(feed=topic, ids=(people["bob"],))) == 0
    assert await costs(Members(feed=topic)) == 20
    assert await costs(Members(feed=topic, exclude=(people["alice"],))) == 10
    assert await costs(Addresses(carrier="texts", values=("1",))) == 0


async def test_a_ledger_is_kept_only_where_points_were_given(
    store: Store, lookups: CachedLookups, space: int, people: dict[str, int], texts: CarrierAccount
):
    """No points, no guard; the guard's limit is all that was ever given, and other channels cost nothing."""
    audience = (People(feed=1, ids=(people["alice"],)),)
    free = await sender(store, lookups, space, people["alice"])
    poor = await sender(store, lookups, space, people["carol"], points=0)

    assert await points.price(lookups, free, texts, 10, audience) == ()
    assert await points.price(lookups, poor, texts, 0, audience) == ()
    (use,) = await points.price(lookups, poor, texts, 10, audience)
    assert (use.key, use.amount, use.limit) == (points.spent(people["carol"]), 10, 0)
    assert use.keep_s > 50 * 365 * 86_400


async def test_what_was_not_sent_is_given_back_once(database: Database, store: Store):
    """Of three texts one went out: 20 of 30 come back, however often the end is told."""
    rows, key = Rows(database), points.spent(5)
    await rows.space()
    account = await rows.account("texts")
    which = await rows.message(dialect="pushplus", extra=b'{"owner":5,"points":30}')
    for number, state in enumerate(("sent", "failed", "cancelled")):
        await rows.delivery(which, account, await rows.target(account, f"{number}"), state=state)
    await rows.put(schema.guard, [{"space_id": SPACE, "key": key, "used": 45, "expires_at": 9}])

    for _ in range(2):
        await store.pushplus.settle(SPACE, which, key, 10)
        assert await store.pushplus.spent(SPACE, key) == 25


async def test_what_was_spent_is_told(database: Database, store: Store):
    """The guard's row is the ledger; a person without one has spent nothing."""
    rows = Rows(database)
    await rows.put(schema.guard, [{"space_id": SPACE, "key": points.spent(5), "used": 30, "expires_at": 9}])

    assert [await store.pushplus.spent(SPACE, points.spent(who)) for who in (5, 6)] == [30, 0]
    assert await store.pushplus.spent(SPACE + 1, points.spent(5)) == 0
