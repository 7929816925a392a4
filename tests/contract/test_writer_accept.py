"""What the group-commit writer stores, refuses and answers, one rule a test, on both engines."""

import asyncio

import pytest
import sqlalchemy as sa
from tests.fakes.clock import MovedClock
from tests.writing import SPACE, TABLES, Node, count, entries, key, make_mailboxes, use

from onebell.core.bell import Due, Mark, NewEntries
from onebell.core.events import EventKind
from onebell.core.model import FirstEvent
from onebell.errors import Conflict, Refused
from onebell.store.engine import Database
from onebell.store.prepared import Box, Expansion, Prepared, Timer, Wait
from onebell.store.schema import (
    delivery,
    event,
    expansion,
    guard,
    idempotency,
    mailbox,
    message,
    plan,
    public_id,
    recipient,
    session,
)


@pytest.fixture
def node(database: Database) -> Node:
    """One node's writer."""
    return Node(database)


async def accept_all(node: Node, items: list[Prepared]) -> list[object]:
    """Submit at once; what each got."""
    return await asyncio.gather(*(node.writer.accept(item) for item in items), return_exceptions=True)


async def test_a_receipt_means_rows(node: Node) -> None:
    """A receipt names a message whose row, entries and public id are committed."""
    await node.database.write(make_mailboxes(11, 12))
    item = node.item(11, 12, public="abc")

    receipt = await node.writer.accept(item)

    assert (receipt.message, receipt.public_id, receipt.repeated) == (item.stored.id, "abc", False)
    assert await node.database.read(entries) == [(11, 1, item.stored.id, 0), (12, 1, item.stored.id, 0)]
    row = await node.database.read(lambda c: c.execute(sa.select(message)).one())
    assert (row.id, row.dialect, row.state, row.parts) == (item.stored.id, "pushgo", "finished", b"[]")
    found = await node.database.read(lambda c: c.execute(sa.select(public_id)).one())
    assert tuple(found) == ("pushgo", "abc", SPACE, item.stored.id)


async def test_places_are_counted_per_mailbox(node: Node) -> None:
    """Each mailbox counts its own entries without gap, in arrival order, over batches and inside one."""
    first = await accept_all(node, [node.item(11, 12), node.item(11), node.item(12)])
    await accept_all(node, [node.item(12, 11)])

    places = [(box, seq) for box, seq, _, _ in await node.database.read(entries)]
    assert places == [(11, 1), (11, 2), (11, 3), (12, 1), (12, 2), (12, 3)]
    assert all(not isinstance(result, Exception) for result in first)


async def test_one_message_twice_in_a_mailbox(node: Node) -> None:
    """Two feeds of one submission that meet in a mailbox make two entries, each with its place."""
    item = node.item(boxes=[Box(11, 1), Box(11, 2)])

    await node.writer.accept(item)

    assert [row[:2] for row in await node.database.read(entries)] == [(11, 1), (11, 2)]


async def test_a_missing_mailbox_is_made(node: Node) -> None:
    """An entry for an owner without a mailbox makes one rather than lose the message."""
    await node.writer.accept(node.item(99))

    row = await node.database.read(lambda c: c.execute(sa.select(mailbox)).one())
    assert (row.id, row.last) == (99, 1)


async def test_an_unclaimed_name_is_kept_a_week_longer(database: Database) -> None:
    """The mailbox of an unclaimed name lives 7 days after its last entry; others do not expire."""
    node = Node(database, clock=MovedClock(1_800_000_000_000))
    await database.write(make_mailboxes(11, 12))
    await database.write(lambda c: c.execute(sa.update(mailbox).where(mailbox.c.id == 12).values(expires_at=5)))

    await node.writer.accept(node.item(11, 12))

    rows = await database.read(lambda c: c.execute(sa.select(mailbox.c.id, mailbox.c.expires_at)).all())
    assert sorted(map(tuple, rows)) == [(11, 0), (12, 1_800_000_000_000 + 7 * 86_400_000)]


async def test_deliveries_and_the_people_behind_them(node: Node) -> None:
    """A delivery is due with its target; people who share an address are its recipients."""
    item = node.item(
        state="accepted", waits=[Wait(0, 5, 50, 11, 1000), Wait(1, 6, 60, 0, 2000, shared=(11, 12))], priority=4
    )

    await node.writer.accept(item)

    rows = await node.database.read(lambda c: c.execute(sa.select(delivery).order_by(delivery.c.id)).all())
    assert [(r.part, r.account_id, r.target_id, r.person_id, r.due_at, r.state, r.priority) for r in rows] == [
        (0, 5, 50, 11, 1000, "due", 4),
        (1, 6, 60, 0, 2000, "due", 4),
    ]
    people = await node.database.read(lambda c: c.execute(sa.select(recipient)).all())
    assert [tuple(row) for row in people] == [(SPACE, rows[1].id, 11), (SPACE, rows[1].id, 12)]


async def test_expansions_timers_and_events(node: Node) -> None:
    """Expansions, plans and a watched message's events are rows of the same transaction."""
    item = node.item(
        state="expanding",
        watched=True,
        expansions=[Expansion(b"one", 5), Expansion(b"two")],
        timers=[Timer("review", b"{}", 77)],
        events=[FirstEvent(kind=EventKind.UNRESOLVED, person=11, data={"uid": "x"})],
    )

    await node.writer.accept(item)

    pages = await node.database.read(lambda c: c.execute(sa.select(expansion).order_by(expansion.c.no)).all())
    assert [(page.no, page.audience, page.lease_until, page.done) for page in pages] == [
        (0, b"one", 5, 0),
        (1, b"two", 0, 0),
    ]
    timer = await node.database.read(lambda c: c.execute(sa.select(plan)).one())
    assert (timer.kind, timer.message_id, timer.next_at) == ("review", item.stored.id, 77)
    told = await node.database.read(lambda c: c.execute(sa.select(event)).one())
    assert (told.kind, told.person_id, told.data, told.packed) == ("unresolved", 11, b'{"uid":"x"}', 0)
    assert {n.queue for n in node.bell.notes if isinstance(n, Due)} == {"expansions", "plans", "events"}


async def test_nobody_watches_no_events(node: Node) -> None:
    """Events of a message that nobody watches are not written."""
    await node.writer.accept(node.item(11, events=[FirstEvent(kind=EventKind.FINISHED)]))

    assert await node.database.read(count(event)) == 0


async def test_the_bell_rings_after_the_commit(node: Node) -> None:
    """Readers hear of each new entry with its place; the bell carries the message itself once."""
    item = node.item(11, 12)

    await node.writer.accept(item)

    marks = (Mark(11, 1, 1, 1), Mark(12, 1, 1, 1))
    assert node.bell.notes == [NewEntries(message=item.stored, marks=marks)]


async def test_a_repeat_gets_the_first_receipt(node: Node) -> None:
    """A second submission with the same key stores nothing and gets the first one's receipt and extra."""
    first = await node.writer.accept(node.item(11, idempotency=key("k"), extra=b'{"n":1}'))
    second = await node.writer.accept(node.item(11, idempotency=key("k"), extra=b'{"n":2}'))

    assert (second.message, second.public_id, second.repeated, second.extra) == (
        first.message,
        first.public_id,
        True,
        {"n": 1},
    )
    assert await node.database.read(count(message)) == 1
    assert len(await node.database.read(entries)) == 1
    assert len(node.bell.notes) == 1


async def test_repeats_inside_one_batch(node: Node) -> None:
    """A thousand at once under one key: one is stored, all get its receipt."""
    items = [node.item(11, idempotency=key("k"), extra=b'{"n":1}') for _ in range(1000)]

    receipts = await accept_all(node, items)

    assert {receipt.message for receipt in receipts} == {items[0].stored.id}
    assert [receipt.repeated for receipt in receipts].count(False) == 1
    assert {str(receipt.extra) for receipt in receipts if receipt.repeated} == {"{'n': 1}"}
    assert [await node.database.read(count(table)) for table in TABLES] == [1, 1, 1]


async def test_keys_are_scoped(node: Node) -> None:
    """The same key in another scope is another key."""
    other = key("k").__class__(scope="other", key="k", keep_s=10)

    receipts = await accept_all(node, [node.item(11, idempotency=key("k")), node.item(11, idempotency=other)])

    assert [receipt.repeated for receipt in receipts] == [False, False]


async def test_another_payload_conflicts(node: Node) -> None:
    """Same key with another fingerprint is a Conflict, inside a batch and after it; without fingerprint it is not."""
    both = await accept_all(node, [node.item(11, idempotency=key("k", "a")), node.item(11, idempotency=key("k", "b"))])
    later = await accept_all(node, [node.item(11, idempotency=key("k", "c"))])
    silent = await node.writer.accept(node.item(11, idempotency=key("k")))

    assert isinstance(both[1], Conflict)
    assert isinstance(later[0], Conflict)
    assert silent.repeated
    assert len(await node.database.read(entries)) == 1


async def test_a_key_is_forgotten_in_time(database: Database) -> None:
    """When a key's time is over, its next use is a first one and takes its row."""
    clock = MovedClock(1_800_000_000_000)
    node = Node(database, clock=clock)
    await node.writer.accept(node.item(11, idempotency=key("k", keep_s=10)))
    clock.move(11)

    again = await node.writer.accept(node.item(11, idempotency=key("k", keep_s=10)))

    assert not again.repeated
    assert await database.read(count(idempotency)) == 1
    assert (await node.writer.accept(node.item(11, idempotency=key("k")))).message == again.message


async def test_a_guard_lets_through_what_it_has(node: Node) -> None:
    """Of submissions that charge one guard exactly as many are accepted as it allows, in arrival order."""
    results = await accept_all(node, [node.item(11, guards=use("g", 3)) for _ in range(5)])

    assert [isinstance(result, Refused) for result in results] == [False, False, False, True, True]
    assert str(results[4]) == "guard_exhausted: g"
    assert len(await node.database.read(entries)) == 3
    assert await node.database.read(lambda c: c.execute(sa.select(guard.c.used)).scalar_one()) == 3


async def test_guards_charge_all_or_none(node: Node) -> None:
    """A submission that one of its guards refuses leaves the others uncharged."""
    await accept_all(node, [node.item(11, guards=use("a", 10, 4) + use("b", 10, 11))])

    used = await node.database.read(lambda c: dict(c.execute(sa.select(guard.c.key, guard.c.used)).all()))
    assert used == {"a": 0, "b": 0}


async def test_a_guard_begins_anew_when_it_has_expired(database: Database) -> None:
    """A guard whose row has expired counts from zero."""
    clock = MovedClock(1_800_000_000_000)
    node = Node(database, clock=clock)
    await node.writer.accept(node.item(guards=use("g", 1)))
    clock.move(172_801)

    await node.writer.accept(node.item(guards=use("g", 1)))

    with pytest.raises(Refused):
        await node.writer.accept(node.item(guards=use("g", 1)))


async def test_a_refused_submission_leaves_its_key_free(node: Node) -> None:
    """A key whose submission a guard refused is not used up."""
    with pytest.raises(Refused):
        await node.writer.accept(node.item(11, idempotency=key("k"), guards=use("g", 0)))

    assert not (await node.writer.accept(node.item(11, idempotency=key("k")))).repeated


async def test_repeats_are_not_charged(node: Node) -> None:
    """Only the first of one key charges its guards; with the last unit gone, repeats still get its receipt."""
    items = [node.item(11, idempotency=key("k"), guards=use("g", 1)) for _ in range(3)]

    results = await accept_all(node, items)

    assert [result.repeated for result in results] == [False, True, True]
    assert (await node.writer.accept(node.item(idempotency=key("k"), guards=use("g", 1)))).repeated


async def test_refused_and_failing_ones_leave_their_neighbours_alone(node: Node) -> None:
    """In one batch with a refusal, a taken public id and a row no table takes, all others are stored."""
    await node.writer.accept(node.item(11, public="taken"))
    good = [node.item(11) for _ in range(20)]
    bad = [
        node.item(11, guards=use("g", 0)),
        node.item(11, public="taken"),
        node.item(11, priority=None, waits=[Wait(0, 1, 1, 1, 0)]),
    ]

    results = await accept_all(node, [*good[:10], *bad, *good[10:]])

    assert [type(result).__name__ for result in results[10:13]] == ["Refused", "Conflict", type(results[12]).__name__]
    assert isinstance(results[12], Exception)
    assert all(not isinstance(result, Exception) for result in results[:10] + results[13:])
    assert await node.database.read(count(message)) == 21
    assert [seq for _, seq, _, _ in await node.database.read(entries)] == list(range(1, 22))


async def test_while_online_reaches_live_sessions_only(database: Database) -> None:
    """A message that is kept while online gets entries only where a socket is open, and they expire in 60 s."""
    node = Node(database, clock=MovedClock(1_800_000_000_000))
    now = node.clock.now_ms()

    def sessions(connection: sa.Connection) -> None:
        for number, kind, box, lease in (
            (1, "inbox", 11, now + 1000), (2, "inbox", 12, now - 1), (3, "msync", 11, now + 5),
            (4, "sign_in", 13, now + 1000),
        ):  # fmt: skip
            row = {"space_id": SPACE, "id": number, "kind": kind, "mailbox_id": box, "lease_until": lease}
            connection.execute(session.insert(), [row])

    await database.write(sessions)

    await node.writer.accept(node.item(11, 12, 13, only_online=True, keep="while_online"))

    assert [row[0] for row in await database.read(entries)] == [11]
    expires = await database.read(lambda c: c.exec_driver_sql("SELECT expires_at FROM entry").scalar_one())
    assert expires == now + 60_000


async def test_numbered_ids_rise_and_are_shared_with_the_sender(node: Node) -> None:
    """Numbered entries get ids that rise in every mailbox; the sender's copy has the receiver's id."""
    items = [
        node.item(
            boxes=[Box(11, 1, slot=0), Box(1, 1, direction=1, slot=0), Box(12, 2, slot=1), Box(1, 2, 1, slot=1)],
            slots=2,
            public=f"m{n}",
        )
        for n in range(5)
    ]

    receipts = await accept_all(node, items)

    numbers: dict[int, list[int]] = {}
    for box, _, _, public in await node.database.read(entries):
        numbers.setdefault(box, []).append(public)
    assert all(ids == sorted(set(ids)) for ids in numbers.values())
    assert sorted(numbers[11] + numbers[12]) == numbers[1]
    assert [[ref.mailbox for ref in receipt.entries] for receipt in receipts] == [[11, 12]] * 5
    assert [int(receipt.entries[0].public_id) for receipt in receipts] == numbers[11]
    last = await node.database.read(lambda c: dict(c.execute(sa.select(mailbox.c.id, mailbox.c.last_public)).all()))
    assert last == {box: ids[-1] for box, ids in numbers.items()}


async def test_numbered_ids_can_be_found(node: Node) -> None:
    """The id that a receiver sees leads to the message."""
    receipt = await node.writer.accept(node.item(boxes=[Box(11, 1)], slots=1))

    ids = await node.database.read(
        lambda c: dict(c.execute(sa.select(public_id.c.public_id, public_id.c.message_id)).all())
    )
    assert ids[receipt.entries[0].public_id] == receipt.message


async def test_numbered_ids_overtake_a_faster_clock(database: Database) -> None:
    """Where another node's clock runs ahead, the next id is above its last one, in both mailboxes of a pair."""
    slow = Node(database, 1, MovedClock(1_800_000_000_000))
    fast = Node(database, 2, MovedClock(1_800_000_900_000))
    pair = [Box(11, 1), Box(1, 1, direction=1)]
    first = await fast.writer.accept(fast.item(boxes=[Box(11, 1)], slots=1))

    receipts = await accept_all(slow, [slow.item(boxes=pair, slots=1) for _ in range(3)])
    last = await fast.writer.accept(fast.item(boxes=pair, slots=1))

    seen = [int(r.entries[0].public_id) for r in (first, *receipts, last)]
    assert seen == sorted(set(seen))
    rows = await database.read(entries)
    assert [row[3] for row in rows if row[0] == 11][1:] == [row[3] for row in rows if row[0] == 1]
    tops = await database.read(lambda c: set(c.execute(sa.select(mailbox.c.last_public)).scalars()))
    assert tops == {seen[-1]}


async def test_a_repeat_of_a_numbered_one_gets_its_ids(node: Node) -> None:
    """The first one's entries with their ids are remembered under the key."""
    first = await node.writer.accept(node.item(boxes=[Box(11, 1)], slots=1, idempotency=key("k")))
    again = await node.writer.accept(node.item(boxes=[Box(11, 1)], slots=1, idempotency=key("k")))

    assert again.entries == first.entries != ()


async def test_a_watched_entry_tells_that_it_is_stored(node: Node) -> None:
    """Post-send events name each receiver, his id for the message and whether he is away."""
    receipt = await node.writer.accept(node.item(boxes=[Box(11, 1), Box(1, 1, direction=1)], slots=1, watched=True))

    told = await node.database.read(lambda c: c.execute(sa.select(event)).one())
    assert (told.kind, told.person_id) == ("stored", 11)
    assert told.data == b'{"public_id":"%s","offline":true}' % receipt.entries[0].public_id.encode()


async def test_a_watched_message_tells_whom_it_missed(node: Node) -> None:
    """Of a message that waits for nobody, who is away is told of with the id that the caller is given."""
    boxes = [Box(11, 1), Box(1, 1, direction=1)]
    receipt = await node.writer.accept(
        node.item(boxes=boxes, slots=1, watched=True, only_online=True, keep="while_online")
    )

    told = await node.database.read(lambda c: c.execute(sa.select(event)).one())
    assert (told.kind, told.person_id) == ("missed", 11)
    assert told.data == b'{"public_id":"%s","offline":true}' % receipt.entries[0].public_id.encode()
    assert await node.database.read(entries) == []
