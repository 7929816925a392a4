"""Live readers of mailboxes on this node: each gets every change once, in order of ``rev``, from where it stands.

A reader that stands right before a new entry gets it at once from the bell. All others are behind, and are caught up
by one statement for all of them every 50 ms (a statement per reader caps at 4,000 frames/s, DESIGN §3). A lost bell is
found by a poll. What waits to be sent is bounded: a reader that does not take its frames is cut, and resumes later
from the last rev it has.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import structlog

from onebell.clock import Clock
from onebell.core.bell import Bell, Changed, ConfigChanged, Mark, NewEntries, StoredMessage
from onebell.core.inbox import Entry, Item, changes, has_gap, rev_of
from onebell.core.mailbox import PAGE, CaughtUp, Page, Place
from onebell.core.reader import ROOM, Frame, Reader, Tail
from onebell.core.waking import woken
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

UNSENT_LIMIT = 256 * 1024
"""Bytes that may wait for one reader (R16: who takes nothing costs no more)."""
STUCK_S = 10.0
"""A reader that takes nothing for so long while frames wait is cut."""
CATCH_UP_S = 0.05
SLICE = 250
"""Mailboxes that a new message is handed to in one turn of the loop: a feed of thousands must not hold up senders."""
SLOW = "slow"
STOPPING = "stopping"
GONE = "gone"


class Encoder(Protocol):
    """How frames look on the wire: each holds one item."""

    def message(self, message: StoredMessage) -> Tail | None:
        """The shared part; None when making it takes too long for the event loop."""
        ...

    def live(self, mark: Mark, feed: str, tail: Tail) -> str:
        """A new entry."""
        ...

    def feed(self, entry: Entry) -> str:
        """An entry's feed as ``live`` takes it."""
        ...

    def frame(self, item: Item) -> str:
        """Anything."""
        ...

    def gap(self, rev: int) -> str:
        """The reader missed what can no longer be told."""
        ...

    async def prepare(self, items: Sequence[Item]) -> None:
        """Make the dear parts of these items off the loop."""
        ...


class Source(Protocol):
    """The reads that the hub needs of the store."""

    async def catch_up(self, space: int, places: Sequence[Place]) -> CaughtUp: ...
    async def latest(self, space: int, mailboxes: Sequence[int]) -> dict[int, int]: ...


_Box: TypeAlias = tuple[int, int]  # space, mailbox
_Told: TypeAlias = tuple[Tail | None, Mark]  # a message, and where it stands in the mailbox


class Hub:
    """All readers of this node. Everything runs on the event loop."""

    def __init__(self, source: Source, bell: Bell, clock: Clock, encoder: Encoder, poll_s: float) -> None:
        self._source = source
        self._clock = clock
        self._encoder = encoder
        self._poll_s = poll_s
        # Tuples that are replaced: a reader may leave while its mailbox's readers are being served.
        self._readers: dict[int, dict[int, tuple[Reader, ...]]] = {}
        self._feeds: dict[int, dict[int, str]] = {}
        self._behind: set[Reader] = set()
        self._handing: OrderedDict[_Box, list[_Told]] = OrderedDict()
        self._due = asyncio.Event()
        self._look_due = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self.count = 0
        self.frames = 0
        self.cut = 0
        bell.listen(NewEntries, self._on_entries)
        bell.listen(Changed, self._on_changed)
        bell.listen(ConfigChanged, self._on_config)

    def now(self) -> float:
        """Seconds that never jump."""
        return self._clock.monotonic()

    def join(self, space: int, mailbox: int, after: int, wake: Callable[[], None]) -> Reader:
        """Serve a reader from ``after`` on; it is caught up first."""
        reader = Reader(self, space, mailbox, after, wake)
        boxes = self._readers.setdefault(space, {})
        boxes[mailbox] = (*boxes.get(mailbox, ()), reader)
        self.count += 1
        self.fall_behind(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """The reader has gone."""
        boxes = self._readers.get(reader.space, {})
        readers = boxes.get(reader.mailbox, ())
        if reader not in readers:
            return
        reader.ended = reader.ended or GONE
        reader.current = False
        self.count -= 1
        self._behind.discard(reader)
        left = tuple(other for other in readers if other is not reader)
        if left:
            boxes[reader.mailbox] = left
            return
        del boxes[reader.mailbox]
        if not boxes:
            del self._readers[reader.space]

    def end(self, reader: Reader, why: str) -> None:
        """Let go of a reader and tell it."""
        if not reader.ended:
            reader.ended = why
            self.leave(reader)
            reader.wake()

    def fall_behind(self, reader: Reader) -> None:
        """The reader needs what the bell alone cannot give it."""
        reader.current = False
        if reader.ended:
            return
        if reader.catching:
            reader.wanted = True
        elif reader.unsent < ROOM:
            self._behind.add(reader)
            self._due.set()

    # ------------------------------------------------------------ the bell

    def _on_entries(self, note: NewEntries) -> None:
        boxes = self._readers.get(note.message.space)
        if not boxes:
            return
        space = note.message.space
        served = [mark for mark in note.marks if mark.mailbox in boxes]
        if not served:
            return
        # What is only for programs is told as removed: readers pass over its place (core/inbox.py).
        tail = None if served[0].shown else self._encoder.message(note.message)
        for mark in served:
            self._handing.setdefault((space, mark.mailbox), []).append((tail, mark))
        if self._at_rest.is_set():
            self._at_rest.clear()
            self._hand_on()

    def _hand_on(self) -> None:
        """Serve some mailboxes; the rest when the loop has looked after everybody else.

        What came for a mailbox meanwhile goes with what waits for it, in one write.
        """
        now = self.now()
        for _ in range(min(SLICE, len(self._handing))):
            (space, mailbox), waiting = self._handing.popitem(last=False)
            feeds = self._feeds.get(space, {})
            frames = [(mark.rev, self._live(tail, mark, feeds.get(mark.feed))) for tail, mark in waiting]
            for reader in self._readers.get(space, {}).get(mailbox, ()):
                self._offer(reader, frames, now)
        if self._handing:
            asyncio.get_running_loop().call_soon(self._hand_on)
        else:
            self._at_rest.set()

    def _live(self, tail: Tail | None, mark: Mark, feed: str | None) -> Frame | None:
        """A new entry's frame; None = only the store can give it."""
        if tail is None or feed is None:
            return None
        text = self._encoder.live(mark, feed, tail)
        # The head is ASCII but for a feed's name: counted as if every character of it were long.
        return Frame(mark.rev, text, tail.size + 4 * (len(text) - len(tail.text)))

    def _offer(self, reader: Reader, frames: Sequence[tuple[int, Frame | None]], now: float) -> None:
        for rev, frame in frames:
            if rev <= reader.position:
                continue
            if frame is None or not reader.current or rev != reader.position + 1:
                self.fall_behind(reader)
                break
            if reader.unsent and reader.unsent + frame.size > UNSENT_LIMIT:
                self._cut(reader)
                return
            reader.put(frame, now)
            self.frames += 1
        if reader.has_frames:
            reader.wake()

    def _cut(self, reader: Reader) -> None:
        self.cut += 1
        log.info("reader_cut", mailbox=reader.mailbox, rev=reader.position, unsent=reader.unsent)
        self.end(reader, SLOW)

    def _on_config(self, note: ConfigChanged) -> None:
        self._feeds.pop(note.space, None)

    def _on_changed(self, note: Changed) -> None:
        boxes = self._readers.get(note.space, {})
        if boxes and not note.mailboxes:
            self._look_due.set()
        for mailbox in note.mailboxes:
            for reader in boxes.get(mailbox, ()):
                self.fall_behind(reader)

    # ------------------------------------------------------------ catching up

    async def run(self) -> None:
        """Serve until cancelled; then every reader is let go, to resume on another node or after the restart."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._catch_up_forever())
                tasks.create_task(self._poll_forever())
        finally:
            for reader in self.readers():
                self.end(reader, STOPPING)

    def readers(self) -> list[Reader]:
        """All readers of this node."""
        return [reader for boxes in self._readers.values() for readers in boxes.values() for reader in readers]

    async def _catch_up_forever(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            began = self.now()
            try:
                full = await self._round()
            except StoreUnavailable:
                log.warning("catch_up_postponed", readers=len(self._behind))
                await asyncio.sleep(1)
                full = False
            # Another round follows at once only while a page could not hold what was asked for.
            if not full and (rest := began + CATCH_UP_S - self.now()) > 0:
                await asyncio.sleep(rest)

    async def _round(self) -> bool:
        """Serve all who are behind; whether some of them need another page now."""
        by_place: dict[int, dict[int, list[Reader]]] = {}
        for reader in self._behind:
            by_place.setdefault(reader.space, {}).setdefault(reader.mailbox, []).append(reader)
        self._behind.clear()
        waiting = {(space, box): readers for space, boxes in by_place.items() for box, readers in boxes.items()}
        for readers in waiting.values():
            for reader in readers:
                reader.catching, reader.wanted = True, False
        try:
            for space, boxes in by_place.items():
                for part in _parts(boxes):
                    await self._serve(space, part, waiting)
        finally:
            # Whoever was not served (no room in the page, the store failed) asks again.
            for readers in waiting.values():
                for reader in readers:
                    self._settle(reader, more=True)
        return bool(self._behind)

    async def _serve(
        self, space: int, boxes: dict[int, list[Reader]], waiting: dict[tuple[int, int], list[Reader]]
    ) -> None:
        places = [Place(box, min(reader.position for reader in readers)) for box, readers in boxes.items()]
        caught = await self._source.catch_up(space, places)
        now = self._clock.now_ms()
        after = {place.mailbox: place.rev for place in places}
        items = {page.mailbox: changes(page, after[page.mailbox], now) for page in caught.pages}
        await self._encoder.prepare([item for found in items.values() for item in found])
        for page in caught.pages:
            self._hand_out(page, items[page.mailbox], waiting.pop((space, page.mailbox)))
        if caught.complete:
            # No such mailbox: there will be a bell when it is made.
            for box in after.keys() - items.keys():
                for reader in waiting.pop((space, box)):
                    self._settle(reader, more=False)

    def _hand_out(self, page: Page, items: Sequence[Item], readers: Sequence[Reader]) -> None:
        frames = [self._encode(item, readers[0].space) for item in items]
        for reader in readers:
            if has_gap(page, reader.position):
                # It begins anew: what it missed is in the history, and the stream goes on from here.
                reader.put(self._sized(page.last, self._encoder.gap(page.last)), self.now())
            done = self._put_all(reader, frames)
            if done:
                reader.position = max(reader.position, page.position)
            if reader.has_frames:
                reader.wake()
            self._settle(reader, more=page.more or not done)

    def _put_all(self, reader: Reader, frames: Sequence[Frame]) -> bool:
        """Let frames wait while there is room; whether all found it."""
        now = self.now()
        for frame in frames:
            if frame.rev <= reader.position:
                continue
            if reader.unsent >= ROOM:
                return False
            reader.put(frame, now)
            self.frames += 1
        return True

    def _encode(self, item: Item, space: int) -> Frame:
        if isinstance(item, Entry):
            self._feeds.setdefault(space, {}).setdefault(item.row.feed, self._encoder.feed(item))
        return self._sized(rev_of(item), self._encoder.frame(item))

    @staticmethod
    def _sized(rev: int, text: str) -> Frame:
        return Frame(rev, text, len(text.encode()))

    def _settle(self, reader: Reader, *, more: bool) -> None:
        reader.catching = False
        if more or reader.wanted:
            self.fall_behind(reader)
        else:
            reader.current = not reader.ended

    async def _poll_forever(self) -> None:
        while True:
            await woken(self._look_due, self._poll_s)
            await self._at_rest.wait()  # who is about to be handed something is not behind
            self._look_due.clear()
            self._cut_stuck()
            try:
                await self._look()
            except StoreUnavailable:
                log.warning("poll_postponed", readers=self.count)

    async def _look(self) -> None:
        """Find what a lost bell missed, or one that named nobody."""
        for space in list(self._readers):
            boxes = list(self._readers.get(space, {}))
            for start in range(0, len(boxes), PAGE):
                last = await self._source.latest(space, boxes[start : start + PAGE])
                for box, rev in last.items():
                    for reader in self._readers.get(space, {}).get(box, ()):
                        if reader.current and reader.position < rev:
                            self.fall_behind(reader)

    def _cut_stuck(self) -> None:
        limit = self.now() - STUCK_S
        for reader in self.readers():
            if reader.unsent and reader.moved_at < limit:
                self._cut(reader)


def _parts(boxes: dict[int, list[Reader]]) -> list[dict[int, list[Reader]]]:
    """Mailboxes in groups that one statement can serve."""
    keys = list(boxes)
    return [{key: boxes[key] for key in keys[start : start + PAGE]} for start in range(0, len(keys), PAGE)]
