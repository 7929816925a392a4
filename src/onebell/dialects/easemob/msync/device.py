"""One signed-in device: where it stands in each conversation, and the frames that this makes (sheet easemob-msync §6).

What the client believes must never be overtaken: after a NOTICE it ignores further ones of that conversation until it
has seen the empty last answer. "Nothing is left" is therefore decided, and that frame put on its way, in one step of
the event loop; whatever was heard of while the store was asked means that it is asked again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from onebell.core.context import Context
from onebell.core.conversations import Ack, Pulled, Queued, Reader
from onebell.core.presence import Session
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.conversations import conversation_with, peers
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.acks import Acks
from onebell.dialects.easemob.msync.down import to_meta
from onebell.dialects.easemob.msync.msync_pb2 import JID, CommSyncUL, Meta
from onebell.dialects.easemob.msync.outbox import Outbox

BATCH_BYTES = 96 * 1024
"""Messages of one answer; the first is sent however large it is."""
WINDOW = 50
"""Messages that may be on their way to a device without its acknowledgement, over all conversations together.

The SDK drops repeats among its last 100 ids only: what a lost connection makes us send again must still be among them,
or the page shows it twice. So nothing is sent but the oldest so many of what waits: those are sent again first.
"""
NO_LIMIT = 2**63 - 1
QUEUES = 128
"""Conversations whose state is kept; the others are asked for anew."""


@dataclass(slots=True)
class Queue:
    """One conversation as the client sees it."""

    name: str
    after: int = -1  # its place; -1 = to be read from the store
    last: tuple[int, int] = (0, 0)  # (seq, public id) of the batch that is not acknowledged yet
    key: int = 0  # what its acknowledgement says
    count: int = 0  # how many it holds
    head: int = 0  # the first seq that it has not got, as far as that is known
    resumed: bool = False  # the device may have got its next batch on an earlier socket
    first: tuple[int, int, int] = (0, 0, 0)  # (key, seq, public id) of that batch, once it is sent again
    noticed: bool = False  # it will pull until it has seen the empty last answer
    deferred: bool = False  # it has seen that, though something is left: to be told again when the window is there
    stale: bool = False  # something new was heard of since the store was asked

    @property
    def owed(self) -> bool:
        """The client will pull it, or has to be told of it."""
        return self.noticed or self.deferred

    @property
    def keys(self) -> tuple[int, int]:
        """What acknowledgements may say that are still to come."""
        return self.key, self.first[0]

    def ask_anew(self) -> None:
        """Nothing of it is on its way to the client."""
        self.last, self.key, self.count, self.head = (0, 0), 0, 0, 0


@dataclass(frozen=True, slots=True)
class Seated:
    """Who has signed in, and with what."""

    space: int
    app: App
    user: str  # account name
    resource: str
    session: Session
    reader: Reader
    ends_at: int  # of the token, ms; 0 = never
    has_been_here: bool
    """Whether the device has signed in before: what it got then may not be acknowledged."""


class Device:
    """Serves one device on one socket."""

    __slots__ = ("_acks", "_ahead", "_context", "_held", "_is_back", "_noticed", "_outbox", "_queues",
                 "rev", "seated", "sure")  # fmt: skip

    def __init__(self, context: Context, seated: Seated, outbox: Outbox, acks: Acks) -> None:
        self._context = context
        self._outbox = outbox
        self._acks = acks
        self._queues: dict[int, Queue] = {}
        self._held: list[int] = []
        """Conversations whose answer waits until others are acknowledged."""
        self._ahead = WINDOW + 1
        """At most so many messages wait for the device; more than it may get at once = ask the store."""
        self._noticed = 0
        """Messages heard of until now: those of the time in which the store counts come on top."""
        self._is_back = seated.has_been_here
        """It may be in the middle of what an earlier socket began."""
        self.seated = seated
        self.rev = 0
        """The mailbox' last place that this device knows of."""
        self.sure = False
        """Everything up to ``rev`` was heard of, one after the other."""

    # ------------------------------------------------------------ what is new

    def heard(self, rev: int) -> None:
        """The mailbox has a new place."""
        self.sure = self.sure and rev == self.rev + 1
        self.rev = max(self.rev, rev)

    def notice(self, which: int, name: str) -> None:
        """A conversation has something new."""
        self._ahead += 1
        self._noticed += 1
        queue = self._queue(which, name)
        if queue.noticed:
            queue.stale = True
            return
        if not queue.deferred:
            self._tell(queue)

    def _tell(self, queue: Queue) -> None:
        queue.noticed, queue.deferred = True, False
        self._outbox.put(codec.notice(codec.user(self.seated.app, queue.name)))

    async def look(self) -> None:
        """Find what was not heard of: a lost bell costs a delay and nothing else."""
        for which, (name, _) in (await self._waiting()).items():
            self.notice(which, name)

    async def unread(self) -> None:
        """Answer the client's question what it has not got; it then pulls those conversations."""
        if self.sure and self._ahead == 0 and not any(one.owed for one in self._queues.values()):
            # A heartbeat of a device that has everything: thousands of them would be most of what the store is asked.
            self._say_unread(())
            return
        for queue in self._queues.values():
            queue.count = 0  # it has had half a minute to acknowledge
            queue.deferred = False
        waiting = await self._waiting()
        counts: Counter[str] = Counter()
        for which, (name, count) in waiting.items():
            self._queue(which, name).noticed = True
            counts[name] += count
        self._say_unread([(codec.user(self.seated.app, name), count) for name, count in counts.items()])
        await self._answer_held()

    def _say_unread(self, queues: Sequence[tuple[JID, int]]) -> None:
        seated, now = self.seated, self._context.clock.now_ms()
        self._outbox.put(codec.unread(queues, now))
        if self._is_back and not queues:
            # An SDK that was cut off in the middle of a pull waits for its end, and pulls nothing else before it has
            # seen one: any will do.
            self._outbox.put(codec.end_of(codec.user(seated.app, seated.user), now))
        self._is_back = False

    async def _waiting(self) -> dict[int, tuple[str, int]]:
        seated, context = self.seated, self._context
        rev = (await context.store.inbox.latest(seated.space, [seated.reader.mailbox])).get(seated.reader.mailbox, 0)
        noticed = self._noticed
        found = await context.store.queues.waiting(seated.reader, context.clock.now_ms())
        self.sure, self.rev = self.rev <= rev, max(rev, self.rev)
        self._ahead = sum(one.count for one in found) + self._noticed - noticed
        feeds = [one.feed for one in found]
        names = await peers(context, seated.space, seated.app, seated.reader.mailbox, feeds)
        return {one.feed: (names[one.feed], one.count) for one in found if one.feed in names}

    def _queue(self, which: int, name: str) -> Queue:
        queue = self._queues.get(which)
        if queue is None:
            if len(self._queues) >= QUEUES:
                self._queues = {number: one for number, one in self._queues.items() if one.owed}
            queue = self._queues[which] = Queue(name, resumed=self.seated.has_been_here)
        return queue

    # ------------------------------------------------------------ pulling

    async def pull(self, asked: CommSyncUL) -> None:
        """Acknowledge and answer with what follows, or with the end."""
        name = asked.queue.name
        which = await self._which(name, asked.key)
        if which == 0:
            self._outbox.put(codec.end_of(asked.queue, self._context.clock.now_ms()))
            return
        queue = self._queue(which, name)
        queue.noticed, queue.deferred = True, False
        if asked.key:
            await self._acknowledge(which, queue, min(asked.key, NO_LIMIT))
        queue.ask_anew()
        if which not in self._held:
            self._held.append(which)
        await self._answer_held()

    async def _answer_held(self) -> None:
        """Answer whom the window lets through, and tell of those that it has reached."""
        limit = await self._limit()
        for queue in [one for one in self._queues.values() if one.deferred and one.head <= limit]:
            self._tell(queue)
        self._held = [left for which in self._held if (left := await self._answered(which, limit))]
        while self._held and not any(queue.count for queue in self._queues.values()):
            await self._let_go(self._held.pop(0))

    async def _let_go(self, which: int) -> None:
        """Answer a conversation that would wait for ever, for nothing is on its way that could move the window.

        The SDK pulls one conversation after another: what it must get first may be in one that it comes to only when
        this one has ended. Where it was told of no other, this one is sent whatever the window says.
        """
        if not any(one.noticed for number, one in self._queues.items() if number not in (which, *self._held)):
            await self._answered(which, NO_LIMIT)
            return
        queue = self._queues[which]
        queue.deferred = True
        if namesake := self._ended(queue):
            self._held.insert(0, namesake)

    async def _limit(self) -> int:
        """The last seq that may be sent now."""
        if self._ahead <= WINDOW:
            return NO_LIMIT
        now, noticed = self._context.clock.now_ms(), self._noticed
        last = await self._context.store.queues.nth_waiting(self.seated.reader, WINDOW, now)
        if last is None:
            self._ahead = WINDOW + self._noticed - noticed
            return NO_LIMIT
        return last

    async def _which(self, name: str, key: int) -> int:
        """The conversation that the client means: of those with one name the one it acknowledges, or is told of."""
        same = [which for which, queue in self._queues.items() if queue.name == name]
        if same:
            sent = [which for which in same if key and key in self._queues[which].keys]
            return (sent or [which for which in same if self._queues[which].noticed] or same)[0]
        seated = self.seated
        which = await conversation_with(self._context, seated.space, seated.app, seated.reader.mailbox, name)
        if which == 0:
            # Who is no user (``admin``) may have written at another node, whose bell is not heard here yet.
            which = next((one for one, (waiting, _) in (await self._waiting()).items() if waiting == name), 0)
        return which

    async def _answered(self, which: int, limit: int) -> int:
        """Send a batch or the end: 0. If all that is there lies beyond the limit, the conversation that has to wait."""
        queue = self._queues[which]
        while queue.head <= limit:
            queue.stale = False
            pulled = await self._pulled(which, queue, codec.BATCH)
            now, jid = self._context.clock.now_ms(), codec.user(self.seated.app, queue.name)
            if not pulled.rows:
                if queue.stale:
                    continue
                if (which := self._ended(queue)) == 0:
                    return 0
                queue = self._queues[which]
                queue.ask_anew()
                continue
            queue.head = pulled.rows[0].seq
            metas, last = self._metas(queue.name, [row for row in pulled.rows if row.seq <= limit])
            if metas:
                queue.last, queue.count = (last, metas[-1].id), len(metas)
                # The SDK acknowledges no batch whose key is the one it saw last. One that it got on a socket that
                # was lost with the acknowledgement has another key now: a time, which is below all ids.
                queue.key = metas[-1].id
                if queue.resumed:
                    # Kept, for the client may ask twice, and acknowledges the first answer behind the second.
                    queue.key, queue.resumed, queue.first = now, False, (now, *queue.last)
                self._outbox.put(codec.batch(jid, metas, queue.key, now))
                return 0
            # What cannot be shown is passed over, or it would wait for ever.
            queue.after = max(queue.after, last)
        return which

    def _ended(self, queue: Queue) -> int:
        """Nothing of it is left: say so, 0; or the conversation that the client takes for the same one."""
        queue.noticed = False
        namesake = self._namesake(queue.name)
        if namesake == 0:
            self._outbox.put(codec.end_of(codec.user(self.seated.app, queue.name), self._context.clock.now_ms()))
        return namesake

    def _namesake(self, name: str) -> int:
        """Another conversation that the client knows by this name and was told of; 0 = there is none.

        Whoever wrote under a name before he was its user has one of then and one of since.
        """
        return next((which for which, one in self._queues.items() if one.name == name and one.noticed), 0)

    async def _pulled(self, which: int, queue: Queue, limit: int) -> Pulled:
        after = None if queue.after < 0 else queue.after
        now = self._context.clock.now_ms()
        pulled = await self._context.store.queues.pull(self.seated.reader, which, after, limit, now)
        queue.after = pulled.after
        return pulled

    def _metas(self, peer: str, rows: Sequence[Queued]) -> tuple[list[Meta], int]:
        """As many as fit, and the last seq that they stand for."""
        metas: list[Meta] = []
        last = size = 0
        for row in rows:
            meta = to_meta(self.seated.app, self.seated.user, peer, row)
            size += 0 if meta is None else len(meta.payload)
            if metas and size > BATCH_BYTES:
                break
            last = row.seq
            if meta is not None:
                metas.append(meta)
        return metas, last

    async def _acknowledge(self, which: int, queue: Queue, key: int) -> None:
        if queue.after < 0:
            await self._pulled(which, queue, 1)
        (seq, number), count = queue.last, queue.count
        if key != queue.key:
            count = 0  # how many those were is not known
            seq, number = queue.first[1:] if key == queue.first[0] else await self._place_of(which, queue.name, key)
        if seq <= queue.after:
            return
        # Before it is stored: whoever asks the store meanwhile how many wait may find these gone already.
        self._ahead = max(0, self._ahead - count)
        at = self._context.clock.now_ms()
        ack = Ack(reader=self.seated.reader, feed=which, after=queue.after, seq=seq, public_id=number, at=at)
        await self._acks.store(ack)
        queue.after = seq

    async def _place_of(self, which: int, name: str, key: int) -> tuple[int, int]:
        """The message that an older key means: (seq, public id), (0, 0) = none of this conversation for sure."""
        if sum(one.name == name for one in self._queues.values()) > 1:
            return 0, 0
        return await self._context.store.queues.place_of(self.seated.reader, which, key)
