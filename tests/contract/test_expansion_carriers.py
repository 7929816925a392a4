"""Large audiences over carriers on both engines: addresses, shared addresses, quiet hours, events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes.carriers import FakeCarriers
from tests.fakes.clock import MovedClock
from tests.fakes.node import HeardBell, context_of
from tests.rows import SPACE, Rows

from onebell.core.bell import Due
from onebell.core.expand import Expander
from onebell.core.model import Content, Part, PeopleQuery
from onebell.core.work import Spread
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database

NIGHT = round(datetime(2026, 11, 21, 23, 0, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database, MovedClock(NIGHT))
    await made.space()
    return made


def over(*carriers: str) -> tuple[Part, ...]:
    return (Part(content=Content(body="b"), carriers=carriers),)


async def expand(store: Store, rows: Rows, parts: Sequence[Part], **spread: Any) -> int:
    """Broadcast to everybody and run it to the end."""
    watched = spread.pop("watched", 0)
    message = await rows.message(parts=parts, state="expanding", watched=watched)
    packed = msgspec.json.encode(Spread(audience=PeopleQuery(feed=9), **spread))
    await rows.put(schema.expansion, [{"space_id": SPACE, "message_id": message, "no": 0, "audience": packed}])
    bell = HeardBell()
    runner = Expander(context_of(store, rows, bell), FakeCarriers(), ("fake", "mail", "sms", "bot"))
    runner.page_size = 2
    assert await runner.turn()
    if await rows.all(schema.delivery, message_id=message):
        assert Due(space=SPACE, queue="deliveries") in bell.rung
    return message


async def address(rows: Rows, person: int, carrier: str, value: str, scope: str = "all", verified: int = 1) -> None:
    row = {"person_id": person, "carrier": carrier, "value": value, "scope": scope, "verified": verified}
    await rows.put(schema.address, [{"space_id": SPACE, "id": rows.mint.mint(), **row}])


async def sent_to(rows: Rows, message: int) -> dict[str, int]:
    """Person behind each address that has a delivery (0 = several)."""
    targets = {row.id: row.value for row in await rows.all(schema.target)}
    found = await rows.all(schema.delivery, message_id=message)
    assert len({row.target_id for row in found}) == len(found)
    return {targets[row.target_id]: row.person_id for row in found}


async def test_a_named_carrier_reaches_who_has_an_address(store: Store, rows: Rows) -> None:
    """The account's own address first, then the person's e-mail where the kind takes that; nobody else; no inbox."""
    await rows.account("post", "mail")
    own, plain, bare, unproven = await rows.people(["own", "plain", "bare", "unproven"])
    await address(rows, own, "post", "own@post")
    await address(rows, own, "email", "own@home")
    await address(rows, plain, "email", "plain@home")
    await address(rows, bare, "phone", "13800001111")
    await address(rows, unproven, "email", "not@verified", verified=0)

    message = await expand(store, rows, over("post"))

    assert await sent_to(rows, message) == {"own@post": own, "plain@home": plain}
    assert await rows.all(schema.entry) == []


async def test_the_senders_scope_comes_before_the_general_one(store: Store, rows: Rows) -> None:
    """Addresses are looked for scope by scope, the best first."""
    await rows.account("post", "mail")
    both, general = await rows.people(["both", "general"])
    await address(rows, both, "email", "all@home")
    await address(rows, both, "email", "key@home", scope="key1")
    await address(rows, general, "email", "general@home")

    message = await expand(store, rows, over("post"), scopes=("key1", "all"))

    assert await sent_to(rows, message) == {"key@home": both, "general@home": general}


async def test_each_person_over_his_own_routes(store: Store, rows: Rows) -> None:
    """A part for no carrier in particular goes to the inbox and over each person's routes that lead somewhere."""
    await rows.account("post", "mail")
    await rows.account("text", "sms")
    await rows.account("off", "sms", enabled=0)
    two, one, none = await rows.people(["two", "one", "none"])
    for person in (two, one, none):
        await address(rows, person, "email", f"{person}@home")
    await address(rows, two, "phone", "138")
    routes = [(two, "post"), (two, "text"), (two, "off"), (one, "post"), (one, "text")]
    await rows.put(schema.route, [{"space_id": SPACE, "person_id": who, "carrier": code} for who, code in routes])

    message = await expand(store, rows, over())

    assert await sent_to(rows, message) == {f"{two}@home": two, "138": two, f"{one}@home": one}
    assert len(await rows.all(schema.entry)) == 3


async def test_a_shared_address_gets_it_once(store: Store, rows: Rows) -> None:
    """However many people stand behind an address, also on different pages, it gets one delivery that names them."""
    await rows.account("post", "mail")
    ids = await rows.people([f"p{n}" for n in range(5)])
    for person in ids:
        await address(rows, person, "email", "family@home")

    message = await expand(store, rows, over("post"))

    assert await sent_to(rows, message) == {"family@home": 0}
    assert [row.person_id for row in await rows.all(schema.recipient)] == ids


async def test_an_account_that_is_its_own_address(store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group robot gets a broadcast once: everybody's address there is the account itself."""
    monkeypatch.setattr(FakeCarriers, "address_from", lambda self, kind: "account" if kind == "bot" else "")
    await rows.account("ops", "bot")
    ids = await rows.people(["a", "b", "c"])

    message = await expand(store, rows, over("ops"))

    assert await sent_to(rows, message) == {"ops": 0}
    assert [row.person_id for row in await rows.all(schema.recipient)] == ids


async def test_known_addresses_are_used_again(store: Store, rows: Rows) -> None:
    """An address has one row on its account, however many messages go there."""
    account = await rows.account("post", "mail")
    known = await rows.target(account, "a@home")
    (person,) = await rows.people(["a"])
    await address(rows, person, "email", "a@home")

    await expand(store, rows, over("post"))
    await expand(store, rows, over("post"))

    assert {row.target_id for row in await rows.all(schema.delivery)} == {known}
    assert len(await rows.all(schema.delivery)) == 2


async def test_quiet_hours_move_the_delivery_and_nothing_else(store: Store, rows: Rows) -> None:
    """Who wants quiet now gets his carriers at its end, but his inbox at once; ``quiet_through`` waits for nobody."""
    await rows.account("post", "mail")
    quiet = msgspec.json.encode({"from": "22:00", "to": "07:00", "timezone": "UTC", "through": "critical"})
    (sleeper,) = await rows.people(["sleeper"], quiet_hours=quiet)
    (awake,) = await rows.people(["awake"])
    for person in (sleeper, awake):
        await address(rows, person, "email", f"{person}@home")

    calm = await expand(store, rows, over("inbox", "post"))
    loud = await expand(store, rows, over("post"), quiet_through=True)

    due = {(row.message_id, row.person_id): row.due_at for row in await rows.all(schema.delivery)}
    seven = NIGHT + 8 * 3_600_000
    assert due == {(calm, sleeper): seven, (calm, awake): NIGHT, (loud, sleeper): NIGHT, (loud, awake): NIGHT}
    assert len(await rows.all(schema.entry)) == 2


async def test_a_silent_message_rings_nobody(store: Store, rows: Rows) -> None:
    """Silent: inbox only."""
    await rows.account("post", "mail")
    (person,) = await rows.people(["a"])
    await address(rows, person, "email", "a@home")

    await expand(store, rows, over("inbox", "post"), is_silent=True)

    assert await rows.all(schema.delivery) == []
    assert len(await rows.all(schema.entry)) == 1


async def test_deliveries_carry_the_queue_place(store: Store, rows: Rows) -> None:
    """Priority and creation time are those that the dispatcher orders by; the message stays open for them."""
    await rows.account("post", "mail")
    (person,) = await rows.people(["a"])
    await address(rows, person, "email", "a@home")

    message = await expand(store, rows, over("post"), priority=5)

    row = await rows.one(schema.delivery)
    assert (row.priority, row.created_at, row.due_at, row.state, row.part) == (5, NIGHT, NIGHT, "due", 0)
    stored = await rows.one(schema.message, id=message)
    assert (stored.state, stored.finished_at) == ("accepted", 0)


async def test_a_watched_broadcast_tells_whom_it_found(store: Store, rows: Rows) -> None:
    """One event per person and named carrier, found or missed, in the words that small audiences get too."""
    await rows.account("post", "mail")
    found, missed = await rows.people(["found", "missed"])
    await address(rows, found, "email", "found@home")
    parts = (*over("inbox", "post"), *over("post"))

    await expand(store, rows, parts, watched=1)

    told = sorted((row.person_id, row.kind, row.data, row.packed) for row in await rows.all(schema.event))
    assert told == [
        (found, "resolved", b'{"carrier":"inbox"}', 0),
        (found, "resolved", b'{"carrier":"post"}', 0),
        (missed, "resolved", b'{"carrier":"inbox"}', 0),
        (missed, "unresolved", b'{"uid":"missed","carrier":"post","code":0,"message":"no address on post"}', 0),
    ]


async def test_nobody_reached_is_said_when_all_is_done(store: Store, rows: Rows) -> None:
    """A watched broadcast that reaches nobody finishes with ok false, once."""
    await rows.account("post", "mail")
    await rows.people(["a"])

    message = await expand(store, rows, over("post"), watched=1)

    (event,) = await rows.all(schema.event, kind="finished")
    assert (event.message_id, event.data) == (message, b'{"ok":false,"message":""}')


async def test_other_spaces_are_never_reached(store: Store, rows: Rows) -> None:
    """People, accounts and addresses of another space with the same codes stay out of it."""
    await rows.account("post", "mail")
    (mine,) = await rows.people(["a"])
    await address(rows, mine, "email", "mine@home")
    stranger = {"space_id": SPACE + 1, "id": mine + 1, "uid": "b", "uid_key": "b"}
    await rows.put(schema.person, [stranger])
    await rows.put(schema.mailbox, [{"space_id": SPACE + 1, "id": mine + 1, "kind": "person"}])

    message = await expand(store, rows, over("inbox", "post"))

    assert await sent_to(rows, message) == {"mine@home": mine}
    count = sa.select(sa.func.count()).select_from(schema.entry)
    assert await rows.db.read(lambda c: c.scalar(count)) == 1
