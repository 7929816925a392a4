"""The hub: every change once and in order, whatever the bell loses and however slowly a reader reads."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from tests.fakes.files import Shelf
from tests.mailboxes import FEED, NOW, SPACE, Mailboxes

from onebell.api.items import ItemEncoder
from onebell.clock import SystemClock
from onebell.core.bell import ConfigChanged
from onebell.core.context import Files
from onebell.core.mailbox import Change
from onebell.core.model import Content
from onebell.core.reader import ROOM, Reader
from onebell.core.stream import SLICE, STUCK_S, UNSENT_LIMIT, Hub
from onebell.ids import IdMint
from onebell.store.base import Store
from onebell.store.schema import feed

ALICE = 11
BOB = 12
MINT = IdMint(SystemClock(), 0)
POLL_S = 0.05
NEVER_S = 3600.0


class Steps(SystemClock):
    """A clock whose durations a test moves forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Taker:
    """A reader that keeps what it takes, as its client would."""

    def __init__(self, hub: Hub, mailbox: int, after: int = 0, space: int = SPACE) -> None:
        self.hub = hub
        self.items: list[dict] = []
        self.pieces: list[int] = []
        """How many came at once."""
        self.reads = True
        self._news = asyncio.Event()
        self.reader: Reader = hub.join(space, mailbox, after, self._wake)

    def _wake(self) -> None:
        self._news.set()
        if self.reads:
            self.take()

    def take(self) -> None:
        while frames := self.reader.next():
            for frame in frames:
                page = json.loads(frame.text)
                assert page["next"] == frame.rev
                self.items += page["items"] or [{"kind": "gap", "rev": page["next"]}]
                assert page["gap"] is not bool(page["items"])
            self.pieces.append(len(frames))
            self.reader.sent(frames)

    @property
    def places(self) -> list[tuple[str, int]]:
        return [(item["kind"], item["rev"]) for item in self.items]

    async def until(self, rev: int, within_s: float = 20) -> "Taker":
        """Wait until the change ``rev`` has come."""
        async with asyncio.timeout(within_s):
            while not self.items or self.items[-1]["rev"] < rev:
                self._news.clear()
                await self._news.wait()
                self.take()
        return self

    async def current(self) -> None:
        """Wait until the bell alone serves it."""
        async with asyncio.timeout(20):
            while not self.reader.current:
                await asyncio.sleep(0)

    async def woken(self) -> None:
        """Wait until there is something to take."""
        async with asyncio.timeout(20):
            await self._news.wait()

    async def ended(self) -> str:
        async with asyncio.timeout(20):
            while not self.reader.ended:
                self._news.clear()
                await self._news.wait()
        return self.reader.ended


@pytest.fixture
async def boxes(store: Store) -> Mailboxes:
    made = Mailboxes(store.db)
    await made.make(ALICE, BOB)
    return made


@pytest.fixture
def clock() -> Steps:
    return Steps()


@asynccontextmanager
async def serving(store: Store, boxes: Mailboxes, clock: Steps, poll_s: float) -> AsyncIterator[Hub]:
    """A hub at work."""
    encoder = ItemEncoder(lambda space, file: f"/f/{space}-{file}", cast(Files, Shelf()))
    made = Hub(store.inbox, boxes.bell, clock, encoder, poll_s)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
async def hub(store: Store, boxes: Mailboxes, clock: Steps) -> AsyncIterator[Hub]:
    async with serving(store, boxes, clock, POLL_S) as made:
        yield made


async def test_a_reader_gets_its_past_and_then_what_comes(hub: Hub, boxes: Mailboxes) -> None:
    """Whoever joins at 0 gets all there is, in order, and every later message once."""
    for number in range(3):
        await boxes.send([ALICE], f"m{number}")
    reader = await Taker(hub, ALICE).until(3)
    await boxes.send([ALICE], "m3")
    await boxes.send([ALICE, BOB], "m4")
    await reader.until(5)

    assert [item["title"] for item in reader.items] == ["m0", "m1", "m2", "m3", "m4"]
    assert [item["rev"] for item in reader.items] == [1, 2, 3, 4, 5]


async def test_a_current_reader_is_served_by_the_bell(store: Store, boxes: Mailboxes, clock: Steps) -> None:
    """A reader that stands right before an entry has it when the bell's ring returns: no query, no wait."""
    async with serving(store, boxes, clock, NEVER_S) as hub:
        await boxes.send([ALICE], "first")
        reader = await Taker(hub, ALICE).until(1)
        await reader.current()

        note = await boxes.send([ALICE], "second")

        assert reader.places == [("entry", 1), ("entry", 2)]
        assert reader.items[1]["message_id"] == note.message.public_id
        # The same item, whichever way it came.
        again = await Taker(hub, ALICE).until(2)
        assert again.items == reader.items


async def test_two_readers_of_one_mailbox_resume_at_any_place(hub: Hub, boxes: Mailboxes, store: Store) -> None:
    """Each reader goes on from its own rev; reads, removals and the marker come to both."""
    for number in range(4):
        await boxes.send([ALICE], f"m{number}")
    change = Change(space=SPACE, mailbox=ALICE, now=NOW)
    early = await Taker(hub, ALICE, 1).until(4)
    late = Taker(hub, ALICE, 3)
    await late.until(4)

    await store.inbox_changes.mark_read(change, 2, MINT)
    await store.inbox_changes.delete(change, 1)
    await store.inbox_changes.read_up_to(change, 4, MINT)
    boxes.changed(ALICE)
    await early.until(7)
    await late.until(7)

    assert early.places[:3] == [("entry", 2), ("entry", 3), ("entry", 4)]
    assert late.places[:1] == [("entry", 4)]
    assert early.places[3:] == late.places[1:] == [("entry", 5), ("removed", 6), ("read_up_to", 7)]
    for place in range(8):
        resumed = Taker(hub, ALICE, place)
        if place < 7:
            await resumed.until(7)
        expected = (("entry", 3), ("entry", 4), ("entry", 5), ("removed", 6), ("read_up_to", 7))
        assert resumed.places == [item for item in expected if item[1] > place]


async def test_a_lost_bell_is_found_by_the_poll(hub: Hub, boxes: Mailboxes) -> None:
    """What no wake-up told of comes with the next poll, in order, before what is told later."""
    reader = Taker(hub, ALICE)
    await boxes.send([ALICE], "heard")
    await reader.until(1)
    boxes.bell.lost = True
    await boxes.send([ALICE], "lost")
    await reader.until(2)
    boxes.bell.lost = False
    await boxes.send([ALICE], "heard again")
    await reader.until(3)

    assert [item["rev"] for item in reader.items] == [1, 2, 3]


async def test_bells_out_of_order_make_no_gap_and_no_double(hub: Hub, boxes: Mailboxes) -> None:
    """Wake-ups that come late, twice or the wrong way round change nothing in what a reader sees."""
    reader = Taker(hub, ALICE)
    boxes.bell.lost = True
    notes = [await boxes.send([ALICE], f"m{number}") for number in range(6)]
    boxes.bell.lost = False

    for note in [*reversed(notes), *notes, notes[0]]:
        boxes.bell.ring(note)
    await reader.until(6)
    boxes.bell.ring(notes[5])
    await boxes.send([ALICE], "last")
    await reader.until(7)

    assert [item["rev"] for item in reader.items] == [1, 2, 3, 4, 5, 6, 7]


async def test_changed_without_mailboxes_means_all(hub: Hub, boxes: Mailboxes) -> None:
    """After an expansion, every reader of the space looks for itself."""
    alice, bob = Taker(hub, ALICE), Taker(hub, BOB)
    boxes.bell.lost = True
    await boxes.send([ALICE, BOB])
    boxes.bell.lost = False

    boxes.changed()

    assert (await alice.until(1)).places == (await bob.until(1)).places == [("entry", 1)]


async def test_nobody_sees_another_mailbox_or_space(hub: Hub, boxes: Mailboxes) -> None:
    """A bell for one mailbox wakes no reader of another, nor of the same number in another space."""
    await boxes.make(ALICE, space=SPACE + 1)
    bob, stranger = Taker(hub, BOB), Taker(hub, ALICE, space=SPACE + 1)
    alice = Taker(hub, ALICE)
    await boxes.send([ALICE])
    await alice.until(1)
    await boxes.send([BOB])
    await bob.until(1)

    assert len(bob.items) == 1
    assert stranger.items == []


async def test_a_mailbox_that_is_made_later(hub: Hub, boxes: Mailboxes) -> None:
    """A reader may wait for a mailbox that does not exist yet."""
    early = Taker(hub, 77)
    await boxes.make(77)
    await boxes.send([77], "first")

    assert (await early.until(1)).items[0]["title"] == "first"


async def test_a_slow_reader_is_cut_and_resumes_without_loss(store: Store, boxes: Mailboxes, clock: Steps) -> None:
    """Who takes nothing is cut when 256 KiB wait, holds no more than that, and loses nothing when it comes back.

    The bell alone tells it: a reader whom a poll has found behind waits for room, and is cut as one that is stuck.
    """
    async with serving(store, boxes, clock, NEVER_S) as hub:
        quick = Taker(hub, ALICE)
        slow = Taker(hub, ALICE)
        await boxes.send([ALICE])
        await quick.until(1)
        await slow.until(1)
        await slow.current()
        slow.reads = False
        body = "好" * 5000  # 15,000 bytes

        sent = 1
        while not slow.reader.ended:
            await boxes.send([ALICE], content=Content(body=body))
            sent += 1
            assert slow.reader.unsent <= UNSENT_LIMIT
            assert sent < UNSENT_LIMIT // len(body.encode()) + 10

        assert slow.reader.ended == "slow"
        assert hub.count == 1
        await quick.until(sent)
        back = await Taker(hub, ALICE, after=slow.items[-1]["rev"]).until(sent)
        assert [item["rev"] for item in slow.items + back.items] == list(range(1, sent + 1))
        assert [item["rev"] for item in quick.items] == list(range(1, sent + 1))


async def test_a_long_past_waits_for_room(hub: Hub, boxes: Mailboxes) -> None:
    """Catching up never cuts anybody: a reader gets its past as fast as it takes it."""
    body = "x" * 8000
    for _ in range(40):
        await boxes.send([ALICE], content=Content(body=body))
    slow = Taker(hub, ALICE)
    slow.reads = False
    other = await Taker(hub, ALICE).until(40)

    assert slow.reader.unsent < ROOM + 20_000
    assert not slow.reader.ended
    slow.reads = True
    slow.take()
    await slow.until(40)
    assert slow.items == other.items


async def test_a_stuck_reader_is_cut(hub: Hub, boxes: Mailboxes, clock: Steps) -> None:
    """A reader for whom frames wait and who takes none for ten seconds is cut, whatever their size."""
    stuck = Taker(hub, ALICE)
    stuck.reads = False
    await boxes.send([ALICE])
    await stuck.woken()
    assert not stuck.reader.ended

    clock.ahead = STUCK_S + 1

    assert await stuck.ended() == "slow"


async def test_a_long_message_is_rendered_off_the_loop(hub: Hub, boxes: Mailboxes) -> None:
    """A body that takes long to sanitise comes with the next catch-up, at its place."""
    reader = Taker(hub, ALICE)
    await boxes.send([ALICE], "short")
    await reader.until(1)
    await boxes.send([ALICE], content=Content(title="long", body="y" * 40_000))
    await boxes.send([ALICE], "after")
    await reader.until(3)

    assert [item["title"] for item in reader.items] == ["short", "long", "after"]


async def test_a_gap_is_told(hub: Hub, boxes: Mailboxes, store: Store) -> None:
    """A reader from before what was removed for good, or from another history, is told; the stream goes on."""
    for _ in range(3):
        await boxes.send([ALICE])
    await store.inbox_changes.delete(Change(space=SPACE, mailbox=ALICE, now=NOW - 9), 1)
    await store.inbox_changes.bury(SPACE, NOW)
    old, foreign = Taker(hub, ALICE, 2), Taker(hub, ALICE, 900)
    await old.until(4)
    await foreign.until(4)
    await boxes.send([ALICE])

    assert (await old.until(5)).places == [("gap", 4), ("entry", 5)]
    assert (await foreign.until(5)).places == [("gap", 4), ("entry", 5)]


async def test_a_renamed_feed_shows_its_new_name(hub: Hub, boxes: Mailboxes) -> None:
    """What is remembered of feeds is forgotten when the directory changes."""
    reader = Taker(hub, ALICE)
    await boxes.send([ALICE])
    await reader.until(1)

    def rename(conn) -> None:
        conn.execute(feed.update().where(feed.c.id == FEED).values(name="Operations"))

    await boxes.database.write(rename)
    boxes.bell.ring(ConfigChanged(space=SPACE, version=2))
    await boxes.send([ALICE])
    await reader.until(2)

    assert [item["feed"]["name"] for item in reader.items] == ["Ops", "Operations"]


async def test_the_hub_survives_a_store_that_is_away(hub: Hub, boxes: Mailboxes) -> None:
    """Readers that could not be caught up are caught up when the store is back."""
    await boxes.database.close()
    reader = Taker(hub, ALICE)
    await asyncio.sleep(POLL_S)
    await boxes.database.open()
    await boxes.send([ALICE])

    assert (await reader.until(1)).places == [("entry", 1)]


async def test_a_thousand_messages_while_readers_come_and_go(hub: Hub, boxes: Mailboxes, store: Store) -> None:
    """None lost, none doubled: 1,000 messages, reads among them, while a reader leaves and resumes all the time."""
    steady = Taker(hub, ALICE)
    restless: list[dict] = []
    change = Change(space=SPACE, mailbox=ALICE, now=NOW)

    async def write() -> None:
        for number in range(1000):
            await boxes.send([ALICE], f"m{number}")
            if number % 100 == 50:
                await store.inbox_changes.mark_read(change, await boxes.last(ALICE), MINT)
                boxes.changed(ALICE)
            boxes.bell.lost = number % 7 == 3

    async def come_and_go() -> None:
        while not restless or restless[-1]["rev"] < 1010:
            reader = Taker(hub, ALICE, after=restless[-1]["rev"] if restless else 0)
            goal = (restless[-1]["rev"] if restless else 0) + 20
            await reader.until(min(goal, 1010))
            hub.leave(reader.reader)
            restless.extend(reader.items)

    await asyncio.gather(write(), come_and_go(), steady.until(1010, within_s=120))

    for items in (steady.items, restless):
        revs = [item["rev"] for item in items]
        assert revs == sorted(set(revs))
        newest = {item["seq"]: item for item in items}
        assert sorted(item["title"] for item in newest.values()) == sorted(f"m{n}" for n in range(1000))
        assert sum(item["read_at"] is not None for item in newest.values()) == 10


async def crowd(hub: Hub, boxes: Mailboxes, mailboxes: list[int]) -> list[Taker]:
    """A reader of each, who has the first message and knows of all there is."""
    readers = [Taker(hub, box) for box in mailboxes]
    await boxes.send(mailboxes, "first")
    for reader in readers:
        await reader.until(1)
        await reader.current()
    return readers


async def test_a_feed_of_thousands_is_served_in_slices(store: Store, boxes: Mailboxes, clock: Steps) -> None:
    """A message for many readers leaves room for others between slices; a second one waits its turn."""
    many = list(range(1000, 1000 + SLICE * 2 + 10))
    await boxes.make(*many)
    async with serving(store, boxes, clock, NEVER_S) as hub:
        readers = await crowd(hub, boxes, many)

        await boxes.send(many, "second")
        assert sum(len(reader.items) for reader in readers) == len(many) + SLICE
        readers[-1].reader.wake = lambda: None
        hub.leave(readers[-1].reader)
        await boxes.send(many, "third")
        for reader in readers[:-1]:
            await reader.until(3)

    assert all([item["rev"] for item in reader.items] == [1, 2, 3] for reader in readers[:-1])
    assert len(readers[-1].items) == 1


async def test_what_comes_meanwhile_goes_in_one_piece(store: Store, boxes: Mailboxes, clock: Steps) -> None:
    """Messages that wait for one reader, because others are served before him, cost him one write."""
    many = list(range(1000, 1000 + SLICE + 10))
    await boxes.make(*many)
    async with serving(store, boxes, clock, NEVER_S) as hub:
        readers = await crowd(hub, boxes, many)
        boxes.bell.lost = True
        notes = [await boxes.send(many, title) for title in ("second", "third")]
        boxes.bell.lost = False

        for note in notes:
            boxes.bell.ring(note)
        for reader in readers:
            await reader.until(3)

    assert (readers[0].pieces, readers[-1].pieces) == ([1, 1, 1], [1, 2])
