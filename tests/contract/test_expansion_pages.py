"""Large audiences on both engines: everybody exactly once, page by page, whatever stops in between."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes.carriers import FakeCarriers
from tests.fakes.node import HeardBell, context_of
from tests.rows import SPACE, Rows

from onebell.core.bell import Changed, Due, NewEntries
from onebell.core.defects import DEFECT_ATTEMPTS
from onebell.core.expand import Expander
from onebell.core.model import Content, Members, Part, PeopleQuery
from onebell.core.work import LEASE_S, Addressing, ExpansionPlan, Spread
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database

TO_INBOX = (Part(content=Content(body="all"), carriers=("inbox",)),)


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


async def broadcast(rows: Rows, spread: Spread, parts: Sequence[Part] = TO_INBOX, **values: Any) -> int:
    message = await rows.message(parts=parts, state="expanding", **values)
    row = {"space_id": SPACE, "message_id": message, "no": 0, "audience": msgspec.json.encode(spread)}
    await rows.put(schema.expansion, [row])
    return message


async def people(rows: Rows, count: int) -> list[int]:
    return [
        new
        for start in range(0, count, 500)
        for new in await rows.people([f"u{n}" for n in range(start, min(start + 500, count))])
    ]


def expander(store: Store, rows: Rows, bell: HeardBell | None = None, **settings: float) -> Expander:
    return Expander(context_of(store, rows, bell, **settings), FakeCarriers(), ("fake", "mail", "sms", "bot"))


async def entries(rows: Rows, message: int) -> dict[int, list[tuple[int, int]]]:
    """Places (seq, rev) of a message by mailbox."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in await rows.all(schema.entry, message_id=message):
        found.setdefault(row.mailbox_id, []).append((row.seq, row.rev))
    return found


async def read_by_socket(rows: Rows, mailbox: int, kind: str, lease_s: int = 60) -> None:
    """A session row, as presence writes it."""
    until = rows.clock.now_ms() + lease_s * 1000
    row = {"space_id": SPACE, "id": rows.mint.mint(), "kind": kind, "mailbox_id": mailbox, "lease_until": until}
    await rows.put(schema.session, [row])


def everyone(**more: Any) -> Spread:
    return Spread(audience=PeopleQuery(feed=9, **more))


async def test_everybody_gets_exactly_one_entry(store: Store, rows: Rows) -> None:
    """A broadcast puts one entry into each mailbox, at the mailbox's next place, and then the message is finished."""
    ids = await people(rows, 2_300)
    message = await broadcast(rows, everyone(), watched=1)

    assert await expander(store, rows).turn()

    found = await entries(rows, message)
    assert sorted(found) == ids
    assert {tuple(places) for places in found.values()} == {((1, 1),)}
    assert {row.last for row in await rows.all(schema.mailbox)} == {1}
    stored = await rows.one(schema.message)
    assert (stored.state, stored.finished_at) == ("finished", rows.clock.now_ms())
    done = await rows.one(schema.expansion)
    assert (done.done, done.count) == (1, 2_300)
    assert (await rows.one(schema.event, kind="finished")).data == b'{"ok":true,"message":""}'


async def test_a_kill_in_the_middle_doubles_and_drops_nobody(store: Store, rows: Rows) -> None:
    """Stopped after some pages and taken over by another node, everybody of 10,000 still gets exactly one entry."""
    ids = await people(rows, 10_000)
    message = await broadcast(rows, everyone())
    bell = HeardBell()
    task = asyncio.create_task(expander(store, rows, bell).turn())
    bell.listen(Changed, lambda _: task.cancel())
    await asyncio.gather(task, return_exceptions=True)
    assert 0 < (await rows.one(schema.expansion)).count < 10_000
    other = Rows(rows.db, rows.clock, node=2)
    assert not await expander(store, other).turn()

    rows.clock.move(LEASE_S)
    assert await expander(store, other).turn()

    found = await entries(rows, message)
    assert sorted(found) == ids
    assert all(len(places) == 1 for places in found.values())


async def test_a_stale_node_cannot_write_its_page(store: Store, rows: Rows) -> None:
    """After a takeover the first node's next page writes nothing."""
    await people(rows, 30)
    message = await broadcast(rows, everyone())
    claim = await store.expansions.claim(rows.clock.now_ms(), 1)
    assert claim is not None
    job = await store.expansions.read(claim)
    rows.clock.move(LEASE_S)
    assert await store.expansions.claim(rows.clock.now_ms(), 2) is not None
    plan = ExpansionPlan(job=job, has_entries=True, names_inbox=True, parts=(), addressing=Addressing())

    page = await store.expansions.expand_page(plan, 0, 10, rows.clock.now_ms(), rows.mint, 1)

    assert (page.is_ours, page.is_last, page.count) == (False, True, 0)
    assert await entries(rows, message) == {}


async def test_new_entries_stand_behind_what_came_before(store: Store, rows: Rows) -> None:
    """A mailbox that holds something already gives its next place; none is given twice or left out."""
    ids = await people(rows, 3)
    await rows.db.write(
        lambda c: c.execute(sa.update(schema.mailbox).where(schema.mailbox.c.id == ids[1]).values(last=41))
    )
    message = await broadcast(rows, everyone())

    await expander(store, rows).turn()

    assert await entries(rows, message) == {ids[0]: [(1, 1)], ids[1]: [(42, 42)], ids[2]: [(1, 1)]}


async def test_who_has_the_message_already_is_left_out(store: Store, rows: Rows) -> None:
    """A second audience of the same message gives nobody a second entry, and moves no counter for him."""
    ids = await people(rows, 3)
    message = await broadcast(rows, everyone())
    row = {"space_id": SPACE, "mailbox_id": ids[0], "seq": 1, "rev": 1, "message_id": message}
    await rows.put(schema.entry, [row])
    await rows.db.write(
        lambda c: c.execute(sa.update(schema.mailbox).where(schema.mailbox.c.id == ids[0]).values(last=1))
    )

    await expander(store, rows).turn()

    assert await entries(rows, message) == {mailbox: [(1, 1)] for mailbox in ids}
    assert {row.last for row in await rows.all(schema.mailbox)} == {1}


async def test_members_of_a_feed(store: Store, rows: Rows) -> None:
    """A feed's members get it, nobody else; ``only`` and ``exclude`` narrow them."""
    ids = await people(rows, 6)
    feed = {"space_id": SPACE, "id": 9, "kind": "topic", "dialect": "test", "code": "t"}
    await rows.put(schema.feed, [feed])
    await rows.put(schema.member, [{"space_id": SPACE, "feed_id": 9, "party_id": one} for one in ids[:4]])
    to_all = await broadcast(rows, Spread(audience=Members(feed=9)))
    to_some = await broadcast(rows, Spread(audience=Members(feed=9, only=(ids[1], ids[5]))))
    to_most = await broadcast(rows, Spread(audience=Members(feed=9, exclude=(ids[0], ids[5]))))

    runner = expander(store, rows)
    assert await runner.turn()
    assert await runner.turn()
    assert await runner.turn()

    assert sorted(await entries(rows, to_all)) == ids[:4]
    assert sorted(await entries(rows, to_most)) == ids[1:4]
    assert sorted(await entries(rows, to_some)) == [ids[1]]


CASES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("one tag", {"any_tags": (("red", "all"),)}, [0, 1, 2]),
    ("a tag under its scope only", {"any_tags": (("red", "key"),)}, [5]),
    ("union of tags", {"any_tags": (("red", "all"), ("blue", "all"))}, [0, 1, 2, 3]),
    ("two unions must both hold", {"any_tags": (("red", "all"),), "more_tags": ((("blue", "all"),),)}, [2]),
    ("no tag of none", {"any_tags": (("green", "all"),)}, []),
    ("an attribute", {"attributes": (("city", "bj"),)}, [1, 3]),
    ("attributes must all hold", {"attributes": (("city", "bj"), ("os", "ios"))}, [3]),
    ("uids without case", {"uids": ("P1", "p4", "nobody")}, [1, 4]),
    ("uids and a tag", {"uids": ("p1", "p4"), "any_tags": (("red", "all"),)}, [1]),
]


@pytest.mark.parametrize(("query", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_conditions(store: Store, rows: Rows, query: dict[str, Any], expected: list[int]) -> None:
    """Each condition is a union of its own values; all of them must hold."""
    ids = await rows.people([f"p{n}" for n in range(6)])
    tags = [(0, "red"), (1, "red"), (2, "red"), (2, "blue"), (3, "blue")]
    await rows.put(
        schema.tag, [{"space_id": SPACE, "person_id": ids[n], "tag": name, "scope": "all"} for n, name in tags]
    )
    await rows.put(schema.tag, [{"space_id": SPACE, "person_id": ids[5], "tag": "red", "scope": "key"}])
    attributes = [(1, "city", "bj"), (3, "city", "bj"), (3, "os", "ios"), (4, "os", "ios")]
    await rows.put(
        schema.attribute,
        [{"space_id": SPACE, "person_id": ids[n], "key": key, "value": value} for n, key, value in attributes],
    )
    message = await broadcast(rows, everyone(**query))

    await expander(store, rows).turn()

    assert sorted(await entries(rows, message)) == [ids[n] for n in expected]


async def test_white_and_black_lists(store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists longer than one page looks at are honoured to their end."""
    monkeypatch.setattr("onebell.store.spread.NAMED_AT_ONCE", 4)
    ids = await people(rows, 20)
    black = await broadcast(rows, everyone(exclude=tuple(ids[:10])))
    white = await broadcast(rows, everyone(include=tuple(ids[5:18])))

    runner = expander(store, rows)
    assert await runner.turn()
    assert await runner.turn()

    assert sorted(await entries(rows, black)) == ids[10:]
    assert sorted(await entries(rows, white)) == ids[5:18]


async def test_named_receivers_may_be_names_and_devices(store: Store, rows: Rows) -> None:
    """Whoever is named by id and has a mailbox gets it, also a name that nobody has claimed; its mailbox lives on."""
    await rows.put(schema.mailbox, [{"space_id": SPACE, "id": 77, "kind": "name", "expires_at": 5}])
    message = await broadcast(rows, everyone(include=(77,)))

    await expander(store, rows).turn()

    assert sorted(await entries(rows, message)) == [77]
    assert (await rows.one(schema.mailbox)).expires_at == rows.clock.now_ms() + 7 * 86_400_000


async def test_only_who_is_online_now(store: Store, rows: Rows) -> None:
    """A message kept while online goes to mailboxes with an open socket, for 60 s, and over no carrier."""
    ids = await people(rows, 3)
    now = rows.clock.now_ms()
    await read_by_socket(rows, ids[0], "inbox")
    await read_by_socket(rows, ids[1], "inbox", lease_s=0)
    await read_by_socket(rows, ids[2], "sign_in")
    message = await broadcast(rows, everyone(), keep="while_online")

    await expander(store, rows).turn()

    assert sorted(await entries(rows, message)) == [ids[0]]
    assert (await rows.one(schema.entry)).expires_at == now + 60_000


async def test_mentioned_people_are_marked(store: Store, rows: Rows) -> None:
    """An entry says whether the message names its receiver."""
    ids = await people(rows, 3)
    await broadcast(rows, Spread(audience=PeopleQuery(feed=9), mentions=(ids[2],)))

    await expander(store, rows).turn()

    assert [row.mentioned for row in await rows.all(schema.entry)] == [0, 0, 1]


async def test_a_later_message_waits_for_its_time(store: Store, rows: Rows) -> None:
    """An expansion whose lease column holds its due time starts then; one of a held message not at all."""
    await people(rows, 1)
    message = await broadcast(rows, everyone())
    await rows.db.write(
        lambda c: c.execute(sa.update(schema.expansion).values(lease_until=rows.clock.now_ms() + 1_000))
    )
    runner = expander(store, rows)
    assert not await runner.turn()
    assert await store.expansions.next_due() == rows.clock.now_ms() + 1_000
    rows.clock.move(1)
    await rows.db.write(lambda c: c.execute(sa.update(schema.message).values(state="held")))
    assert not await runner.turn()

    await rows.db.write(lambda c: c.execute(sa.update(schema.message).values(state="expanding")))

    assert await runner.turn()
    assert len(await entries(rows, message)) == 1


async def test_a_recalled_message_expands_no_further(store: Store, rows: Rows) -> None:
    """After stop no page is written."""
    await people(rows, 5)
    message = await broadcast(rows, everyone())
    await store.expansions.stop(SPACE, message)

    assert not await expander(store, rows).turn()
    assert await entries(rows, message) == {}


async def test_readers_with_a_socket_are_told_where_the_message_stands(store: Store, rows: Rows) -> None:
    """A page hands its message on to mailboxes that somebody reads now; who is only signed in, or has left, is none."""
    ids = await people(rows, 5)
    await read_by_socket(rows, ids[1], "inbox")
    await read_by_socket(rows, ids[2], "sign_in")
    await read_by_socket(rows, ids[3], "inbox", lease_s=-1)
    bell = HeardBell()
    message = await broadcast(rows, everyone())

    await expander(store, rows, bell).turn()

    [note] = [note for note in bell.rung if isinstance(note, NewEntries)]
    assert (note.message.id, note.message.space, note.message.parts) == (message, SPACE, TO_INBOX)
    assert [(mark.mailbox, mark.seq, mark.rev) for mark in note.marks] == [(ids[1], 1, 1)]


async def test_who_came_a_moment_ago_is_found_by_a_ring_for_all(store: Store, rows: Rows) -> None:
    """Readers whose session is not stored yet are rung for without names, and not at every page."""
    await people(rows, 2_000)
    bell = HeardBell()
    await broadcast(rows, everyone())
    await expander(store, rows, bell).turn()

    assert bell.rung == [Changed(space=SPACE, mailboxes=())] * 2


async def test_pages_shrink_while_they_hold_the_writer(store: Store, rows: Rows) -> None:
    """A page that takes longer than its share halves the next, down to a floor; quick ones double it, to a ceiling."""
    runner = expander(store, rows)

    sizes = []
    for shares in (2.0, 2.0, 2.0, 2.0, 0.0, 0.6, *[0.0] * 6):
        runner.adapt(shares * store.expansions.page_s)
        sizes.append(runner.page_size)

    assert sizes == [500, 250, 125, 125, 250, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]


async def test_a_stop_ends_after_the_page(store: Store, rows: Rows) -> None:
    """A stopped expander gives its audience back, so that another node goes on at once."""
    await people(rows, 10)
    await broadcast(rows, everyone())
    runner = expander(store, rows)
    runner.stop()

    await runner.turn()
    other = expander(store, rows)

    assert await other.turn()
    assert len(await rows.all(schema.entry)) == 10


async def test_the_bell_starts_it(store: Store, rows: Rows) -> None:
    """A ring starts an expansion; the task ends when told."""
    await people(rows, 10)
    bell = HeardBell()
    runner = expander(store, rows, bell, poll_s=3600)
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0.05)
    message = await broadcast(rows, everyone())

    bell.ring(Due(space=SPACE, queue="expansions"))
    async with asyncio.timeout(20):
        while len(await entries(rows, message)) < 10:
            await asyncio.sleep(0.01)
    runner.stop()
    await running


async def test_an_audience_that_cannot_be_expanded_holds_up_no_other(store: Store, rows: Rows) -> None:
    """A defect costs its own message time; the task lives on and takes the next one."""
    ids = await people(rows, 3)
    poisoned = await broadcast(rows, Spread(audience=PeopleQuery(feed=2**63)))  # no column holds such an id
    message = await broadcast(rows, everyone())
    working = expander(store, rows)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(working.run())
        while not await entries(rows, message):
            await asyncio.sleep(0.01)
        working.stop()

    assert sorted(await entries(rows, message)) == ids
    assert await entries(rows, poisoned) == {}
    assert (await rows.one(schema.message, id=poisoned)).state == "expanding"


async def parked(store: Store, rows: Rows, working: Expander) -> str:
    """Fail as often as is allowed; the reason that stands in the row then."""
    for _ in range(DEFECT_ATTEMPTS):
        assert not (await rows.one(schema.expansion)).done
        assert await working.turn()
        rows.clock.move(LEASE_S)
    assert not await working.turn()
    return str((await rows.one(schema.expansion)).why)


async def test_an_audience_that_never_expands_is_parked(store: Store, rows: Rows) -> None:
    """R15: after the limit its message ends as failed; the timeline and its callback say why, with the log's trace."""
    await people(rows, 3)
    poisoned = await broadcast(rows, Spread(audience=PeopleQuery(feed=2**63)), watched=1)
    bell = HeardBell()

    why = await parked(store, rows, expander(store, rows, bell))

    assert re.fullmatch(r"defect in expanding the audience: \w+ \(trace [0-9a-f]{16}\)", why)
    assert (await rows.one(schema.message)).state == "finished"
    told = [(row.kind, msgspec.json.decode(row.data)) for row in await rows.all(schema.event, message_id=poisoned)]
    assert told == [("failed", {"code": 0, "message": why}), ("finished", {"ok": False, "message": why})]
    assert Due(space=SPACE, queue="events") in bell.rung


async def test_deliveries_of_a_parked_audience_still_go_out(store: Store, rows: Rows) -> None:
    """What was reached before the defect is sent; only then is the message finished."""
    await people(rows, 3)
    poisoned = await broadcast(rows, Spread(audience=PeopleQuery(feed=2**63)))
    account = await rows.account("main")
    await rows.delivery(poisoned, account, await rows.target(account, "a"))

    await parked(store, rows, expander(store, rows))

    assert (await rows.one(schema.message)).state == "accepted"
    assert [row.kind for row in await rows.all(schema.event)] == ["failed"]


@pytest.mark.parametrize(
    ("table", "column"), [(schema.expansion, "audience"), (schema.message, "parts")], ids=["audience", "message"]
)
async def test_an_audience_that_nobody_can_read_is_parked(
    store: Store, rows: Rows, table: sa.Table, column: str
) -> None:
    """What no version of ours has written holds up no other, and ends like any defect: with a reason and a trace."""
    ids = await people(rows, 3)
    unreadable = await broadcast(rows, everyone(), watched=1)
    await rows.db.write(lambda connection: connection.execute(sa.update(table).values({column: b"{"})))
    working = expander(store, rows)
    await working.turn()
    message = await broadcast(rows, everyone())
    await working.turn()

    for _ in range(DEFECT_ATTEMPTS):
        rows.clock.move(LEASE_S)
        await working.turn()

    assert sorted(await entries(rows, message)) == ids
    row = await rows.one(schema.expansion, message_id=unreadable)
    assert (row.done, row.defects) == (1, DEFECT_ATTEMPTS)
    assert re.fullmatch(r"defect in expanding the audience: \w+ \(trace [0-9a-f]{16}\)", row.why)
    assert (await rows.one(schema.message, id=unreadable)).state == "finished"
    failed, finished = await rows.all(schema.event, message_id=unreadable)
    assert msgspec.json.decode(failed.data) == {"code": 0, "message": row.why}
    assert msgspec.json.decode(finished.data) == {"ok": False, "message": row.why}
