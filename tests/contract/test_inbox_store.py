"""Mailboxes in the store: places, changes, history, search, counts."""

import asyncio

import pytest
import sqlalchemy as sa
from tests.mailboxes import FEED, NOW, SPACE, Mailboxes

from onebell.clock import SystemClock
from onebell.core.inbox import Entry, ReadUpTo, Removed, changes, has_gap
from onebell.core.mailbox import PAGE, WINDOW, Change, Place, Wanted
from onebell.core.model import Content
from onebell.errors import NotFound
from onebell.ids import IdMint
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.schema import entry

ALICE = 11
BOB = 12
MINT = IdMint(SystemClock(), 0)
END = 1 << 62


@pytest.fixture
async def boxes(database: Database) -> Mailboxes:
    made = Mailboxes(database)
    await made.make(ALICE, BOB)
    return made


def mine(limit: int = PAGE, mailbox: int = ALICE, space: int = SPACE, **values) -> Wanted:
    return Wanted(space=space, mailbox=mailbox, limit=limit, **values)


def change(mailbox: int = ALICE, now: int = NOW, space: int = SPACE) -> Change:
    return Change(space=space, mailbox=mailbox, now=now)


async def walk(store: Store, after: int = 0, **values) -> list[tuple[str, int, int]]:
    """Kind, rev and seq of every change after a place."""
    page = await store.inbox.after(mine(**values), after)
    return [_short(item) for item in changes(page, after, NOW)]


def _short(item) -> tuple[str, int, int]:
    if isinstance(item, Entry):
        return ("entry", item.row.rev, item.row.seq)
    return ({Removed: "removed", ReadUpTo: "read_up_to"}[type(item)], item.rev, item.seq)


async def test_changes_come_in_order_of_rev(store: Store, boxes: Mailboxes) -> None:
    """A walk from the start meets every entry once, at the place of its last change."""
    for number in range(3):
        await boxes.send([ALICE], f"m{number}")
    await store.inbox_changes.mark_read(change(), 1, MINT)

    assert await walk(store) == [("entry", 2, 2), ("entry", 3, 3), ("entry", 4, 1)]
    assert await walk(store, after=3) == [("entry", 4, 1)]


async def test_a_page_says_where_to_go_on(store: Store, boxes: Mailboxes) -> None:
    """Pages of any size, one after the other, hold every change exactly once."""
    for number in range(7):
        await boxes.send([ALICE], f"m{number}")
    await store.inbox_changes.delete(change(), 2)

    seen, position, more = [], 0, True
    while more:
        page = await store.inbox.after(mine(limit=2), position)
        seen += [_short(item) for item in changes(page, position, NOW)]
        position, more = page.position, page.more

    assert seen == await walk(store)
    assert position == 8


async def test_history_is_newest_first_and_without_removed_entries(store: Store, boxes: Mailboxes) -> None:
    """``before`` pages entries by seq, newest first; what was deleted or has expired is not there."""
    for number in range(5):
        await boxes.send([ALICE], f"m{number}", expires_at=NOW - 1 if number == 1 else 0)
    await store.inbox_changes.delete(change(), 4)

    first = await store.inbox.before(mine(limit=2), END, NOW)
    rest = await store.inbox.before(mine(limit=2), first.rows[-1].seq, NOW)

    assert [row.seq for row in first.rows] == [5, 3]
    assert first.more
    assert [row.seq for row in rest.rows] == [1]
    assert not rest.more
    assert first.last == 6


async def test_a_deleted_entry_shows_as_removed(store: Store, boxes: Mailboxes) -> None:
    """A reader that knew the entry learns that it is gone, and cannot read or delete it again."""
    await boxes.send([ALICE])
    rev = await store.inbox_changes.delete(change(), 1)

    assert rev == 2
    assert await walk(store, after=1) == [("removed", 2, 1)]
    assert await store.inbox.one(SPACE, ALICE, 1) is None
    with pytest.raises(NotFound):
        await store.inbox_changes.delete(change(), 1)
    with pytest.raises(NotFound):
        await store.inbox_changes.mark_read(change(), 1, MINT)


async def test_an_expired_entry_shows_as_removed(store: Store, boxes: Mailboxes) -> None:
    """An entry whose time has passed is not shown, also before the keeper removes it."""
    await boxes.send([ALICE], expires_at=NOW)

    assert await walk(store) == [("removed", 1, 1)]


async def test_reading_twice_changes_nothing(store: Store, boxes: Mailboxes) -> None:
    """The second reading of an entry takes no new place."""
    await boxes.send([ALICE])

    assert await store.inbox_changes.mark_read(change(), 1, MINT) == 2
    assert await store.inbox_changes.mark_read(change(), 1, MINT) == 0
    assert await boxes.last(ALICE) == 2
    page = await store.inbox.one(SPACE, ALICE, 1)
    assert (page.rows[0].read_at, page.rows[0].rev) == (NOW, 2)


async def test_read_up_to_moves_one_marker(store: Store, boxes: Mailboxes) -> None:
    """Reading everything is one change, whatever the number of entries; entries below the marker count as read."""
    for number in range(4):
        await boxes.send([ALICE], f"m{number}")

    assert await store.inbox_changes.read_up_to(change(), 3, MINT) == 5

    assert await walk(store, after=4) == [("read_up_to", 5, 3)]
    page = await store.inbox.after(mine(), 0)
    read = [item.read_at for item in changes(page, 0, NOW) if isinstance(item, Entry)]
    assert read == [NOW, NOW, NOW, 0]


async def test_the_marker_never_goes_back_nor_past_the_end(store: Store, boxes: Mailboxes) -> None:
    """A lower marker changes nothing; one beyond the last entry stops there, so that later messages are unread."""
    await boxes.send([ALICE])
    assert await store.inbox_changes.read_up_to(change(), 900, MINT) == 2
    assert await store.inbox_changes.read_up_to(change(), 1, MINT) == 0

    await boxes.send([ALICE])

    page = await store.inbox.after(mine(), 2)
    assert [item.read_at for item in changes(page, 2, NOW)] == [0]
    assert page.marker.seq == 1


async def test_reading_below_the_marker_changes_nothing(store: Store, boxes: Mailboxes) -> None:
    """An entry that the marker has passed is read already."""
    await boxes.send([ALICE])
    await store.inbox_changes.read_up_to(change(), 1, MINT)

    assert await store.inbox_changes.mark_read(change(), 1, MINT) == 0


async def test_watched_messages_tell_that_they_were_read(store: Store, boxes: Mailboxes) -> None:
    """Reading writes an event for the dialect's callbacks in the same transaction; unwatched messages write none."""
    await boxes.send([ALICE], watched=True)
    await boxes.send([ALICE], watched=True)
    await boxes.send([ALICE])

    await store.inbox_changes.mark_read(change(), 1, MINT)
    await store.inbox_changes.read_up_to(change(), 3, MINT)

    assert await boxes.events() == [("delivered", ALICE), ("read", ALICE), ("read", ALICE)]


async def test_taking_counts_once(store: Store, boxes: Mailboxes) -> None:
    """A reader's acknowledgement delivers each entry once, however often it is repeated."""
    await boxes.send([ALICE], watched=True)
    await boxes.send([ALICE], watched=True)

    assert await store.inbox_changes.take(change(), 1, MINT) == 1
    assert await store.inbox_changes.take(change(), 1, MINT) == 0
    assert await store.inbox_changes.take(change(), 99, MINT) == 1
    assert await boxes.events() == [("delivered", ALICE), ("delivered", ALICE)]
    assert await boxes.last(ALICE) == 2


async def test_recall_reaches_every_mailbox(store: Store, boxes: Mailboxes) -> None:
    """A recalled message takes a new place in each mailbox that has it, and in no other."""
    note = await boxes.send([ALICE, BOB])
    await boxes.send([BOB])

    assert await store.inbox_changes.recall_message(SPACE, note.message.id, NOW, MINT)
    assert await store.inbox_changes.recall(SPACE, note.message.id, NOW) == (ALICE, BOB)

    assert await store.inbox_changes.recall(SPACE, note.message.id, NOW) == ()
    assert not await store.inbox_changes.recall_message(SPACE, note.message.id, NOW, MINT)
    assert await walk(store, after=1) == [("entry", 2, 1)]
    assert await walk(store, after=2, mailbox=BOB) == [("entry", 3, 1)]
    assert (await store.inbox.one(SPACE, BOB, 1)).rows[0].recalled_at == NOW


async def test_hiding_leaves_tombstones(store: Store, boxes: Mailboxes) -> None:
    """A hidden message is a removal at a new place in each mailbox that has it, recalled before or not."""
    note = await boxes.send([ALICE, BOB])
    await boxes.send([ALICE])
    await store.inbox_changes.recall(SPACE, note.message.id, NOW)
    assert await store.inbox_changes.hide(SPACE, note.message.id, NOW) == (ALICE, BOB)
    assert await store.inbox_changes.hide(SPACE, note.message.id, NOW) == ()

    assert await walk(store) == [("entry", 2, 2), ("removed", 4, 1)]
    assert await walk(store, mailbox=BOB) == [("removed", 3, 1)]
    assert await store.inbox.one(SPACE, ALICE, 1) is None


async def test_places_are_given_out_once(store: Store, boxes: Mailboxes) -> None:
    """Changes that come at the same time each get a place of their own."""
    for number in range(10):
        await boxes.send([ALICE], f"m{number}")

    revs = await asyncio.gather(*(store.inbox_changes.mark_read(change(), seq, MINT) for seq in range(1, 11)))

    assert sorted(revs) == list(range(11, 21))


async def test_one_statement_serves_many_readers(store: Store, boxes: Mailboxes) -> None:
    """A catch-up answers for every mailbox from its own place; one that does not exist gets no page."""
    await boxes.send([ALICE, BOB])
    await boxes.send([BOB])
    await store.inbox_changes.read_up_to(change(BOB), 2, MINT)

    caught = await store.inbox.catch_up(SPACE, [Place(ALICE, 1), Place(BOB, 1), Place(99, 0)])

    assert caught.complete
    by_box = {page.mailbox: page for page in caught.pages}
    assert set(by_box) == {ALICE, BOB}
    assert changes(by_box[ALICE], 1, NOW) == []
    assert [_short(item) for item in changes(by_box[BOB], 1, NOW)] == [("entry", 2, 2), ("read_up_to", 3, 2)]


async def test_a_full_page_says_so(store: Store, boxes: Mailboxes) -> None:
    """What finds no room in a catch-up is asked for again from the place that was reached: nothing is skipped."""
    many = list(range(1000, 1000 + PAGE // 2))
    await boxes.make(*many)
    for number in range(3):
        await boxes.send(many, f"m{number}")

    position = dict.fromkeys(many, 0)
    seen: dict[int, list[int]] = {box: [] for box in many}
    for _ in range(4):
        caught = await store.inbox.catch_up(SPACE, [Place(box, at) for box, at in position.items() if at < 3])
        for page in caught.pages:
            seen[page.mailbox] += [item.row.rev for item in changes(page, position[page.mailbox], NOW)]
            position[page.mailbox] = page.position

    assert caught.complete
    assert all(revs == [1, 2, 3] for revs in seen.values())


async def test_one_mailbox_cannot_fill_the_page(store: Store, boxes: Mailboxes) -> None:
    """A mailbox with a long past gets a window of it, so that the others are served too."""
    for number in range(WINDOW + 5):
        await boxes.send([ALICE], f"m{number}")

    caught = await store.inbox.catch_up(SPACE, [Place(ALICE, 0)])

    assert (len(caught.pages[0].rows), caught.pages[0].position, caught.pages[0].more) == (WINDOW, WINDOW, True)


async def test_search_finds_words_and_not_keys(store: Store, boxes: Mailboxes) -> None:
    """A search looks into a message's words without case; signs that SQL or JSON treats specially are plain signs."""
    await boxes.send([ALICE], content=Content(title="Disk 100% full", body='say "hello"\n部署完成'))
    await boxes.send([ALICE], content=Content(title="other", body="a_b"))

    async def found(text: str) -> list[int]:
        page = await store.inbox.before(mine(text=text), END, NOW)
        return [row.seq for row in page.rows]

    assert await found("DISK") == [1]
    assert await found("100%") == [1]
    assert await found('"hello"') == [1]
    assert await found("部署") == [1]
    assert await found("a_b") == [2]
    assert await found("axb") == []


async def test_a_feed_can_be_asked_for(store: Store, boxes: Mailboxes) -> None:
    """A filter by feed holds in both directions."""
    await boxes.send([ALICE], feed_id=FEED)
    await boxes.send([ALICE], feed_id=FEED + 1)

    history = await store.inbox.before(mine(feed=FEED + 1), END, NOW)

    assert [row.seq for row in history.rows] == [2]
    assert await walk(store, feed=FEED) == [("entry", 1, 1)]


async def test_unread_entries_are_counted_per_feed(store: Store, boxes: Mailboxes) -> None:
    """Counts leave out what was read, deleted, recalled, has expired or lies below the marker."""
    for _ in range(5):
        await boxes.send([ALICE])
    recalled = await boxes.send([ALICE])
    await boxes.send([ALICE], feed_id=FEED + 1)
    await store.inbox_changes.read_up_to(change(), 1, MINT)
    await store.inbox_changes.mark_read(change(), 2, MINT)
    await store.inbox_changes.delete(change(), 3)
    await store.inbox_changes.recall(SPACE, recalled.message.id, NOW)

    counts = await store.inbox.feeds(SPACE, ALICE, NOW)

    assert [(count.feed, count.name, count.entries, count.unread) for count in counts] == [
        (FEED + 1, "", 1, 1),
        (FEED, "Ops", 5, 2),
    ]


async def test_every_read_and_write_carries_its_owner(store: Store, boxes: Mailboxes) -> None:
    """Another space, or another mailbox, sees and changes nothing."""
    note = await boxes.send([ALICE])
    other = SPACE + 1

    assert await store.inbox.after(mine(space=other), 0) is None
    assert await store.inbox.before(mine(space=other), END, NOW) is None
    assert await store.inbox.one(other, ALICE, 1) is None
    assert await store.inbox.one(SPACE, BOB, 1) is None
    assert (await store.inbox.catch_up(other, [Place(ALICE, 0)])).pages == ()
    assert await store.inbox.latest(other, [ALICE]) == {}
    assert await store.inbox.feeds(other, ALICE, NOW) == []
    assert await store.inbox_changes.recall(other, note.message.id, NOW) == ()
    for who in (change(space=other), change(BOB)):
        with pytest.raises(NotFound):
            await store.inbox_changes.mark_read(who, 1, MINT)
        with pytest.raises(NotFound):
            await store.inbox_changes.delete(who, 1)
    with pytest.raises(NotFound):
        await store.inbox_changes.recall_message(other, note.message.id, NOW, MINT)


async def test_buried_tombstones_leave_a_gap(store: Store, boxes: Mailboxes) -> None:
    """A reader from before a tombstone that was removed for good is told to begin anew; later ones are not."""
    for _ in range(3):
        await boxes.send([ALICE])
    await store.inbox_changes.delete(change(now=NOW - 10), 1)

    assert await store.inbox_changes.bury(SPACE, NOW - 10) == 0
    assert await store.inbox_changes.bury(SPACE, NOW) == 1

    page = await store.inbox.after(mine(), 2)
    assert [has_gap(page, after) for after in (0, 2, 3, 4, 5)] == [False, True, True, False, True]
    left = await boxes.database.read(
        lambda conn: conn.execute(sa.select(entry.c.seq).order_by(entry.c.seq)).scalars().all()
    )
    assert left == [2, 3]
