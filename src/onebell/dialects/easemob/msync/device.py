"""One signed-in device: where it stands in each conversation, and the frames that this makes (sheet easemob-msync §6).

What the client believes must never be overtaken: after a NOTICE it ignores further ones of that conversation until it
has seen the empty last answer. "Nothing is left" is therefore decided, and that frame put on its way, in one step of
the event loop; whatever was heard of while the store was asked means that it is asked again.
"""

from dataclasses import dataclass

from onebell.core.context import Context
from onebell.core.conversations import Ack, Pulled, Queued, Reader
from onebell.core.presence import Session
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.conversations import conversation_with, peers
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.acks import Acks
from onebell.dialects.easemob.msync.down import to_meta
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncUL, Meta
from onebell.dialects.easemob.msync.outbox import Outbox

BATCH_BYTES = 96 * 1024
"""Messages of one answer; the first is sent however large it is."""
QUEUES = 128
"""Conversations whose state is kept; the others are asked for anew."""


@dataclass(slots=True)
class Queue:
    """One conversation as the client sees it."""

    name: str
    after: int = -1  # its place; -1 = to be read from the store
    last: tuple[int, int] = (0, 0)  # (seq, public id) of the batch that is not acknowledged yet
    noticed: bool = False  # it will pull until it has seen the empty last answer
    stale: bool = False  # something new was heard of since the store was asked


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


class Device:
    """Serves one device on one socket."""

    __slots__ = ("_acks", "_context", "_outbox", "_queues", "rev", "seated", "sure")

    def __init__(self, context: Context, seated: Seated, outbox: Outbox, acks: Acks) -> None:
        self._context = context
        self._outbox = outbox
        self._acks = acks
        self._queues: dict[int, Queue] = {}
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
        queue = self._queue(which, name)
        if queue.noticed:
            queue.stale = True
            return
        queue.noticed = True
        self._outbox.put(codec.notice(codec.user(self.seated.app, name)))

    async def look(self) -> None:
        """Find what was not heard of: a lost bell costs a delay and nothing else."""
        for which, (name, _) in (await self._waiting()).items():
            self.notice(which, name)

    async def unread(self) -> None:
        """Answer the client's question what it has not got; it then pulls those conversations."""
        waiting = await self._waiting()
        for which, (name, _) in waiting.items():
            self._queue(which, name).noticed = True
        counts = [(codec.user(self.seated.app, name), count) for name, count in waiting.values()]
        self._outbox.put(codec.unread(counts, self._context.clock.now_ms()))

    async def _waiting(self) -> dict[int, tuple[str, int]]:
        seated, context = self.seated, self._context
        rev = (await context.store.inbox.latest(seated.space, [seated.reader.mailbox])).get(seated.reader.mailbox, 0)
        found = await context.store.queues.waiting(seated.reader, context.clock.now_ms())
        self.sure, self.rev = self.rev <= rev, max(rev, self.rev)
        feeds = [one.feed for one in found]
        names = await peers(context, seated.space, seated.app, seated.reader.mailbox, feeds)
        return {one.feed: (names[one.feed], one.count) for one in found if one.feed in names}

    def _queue(self, which: int, name: str) -> Queue:
        queue = self._queues.get(which)
        if queue is None:
            if len(self._queues) >= QUEUES:
                self._queues = {number: one for number, one in self._queues.items() if one.noticed}
            queue = self._queues[which] = Queue(name)
        return queue

    # ------------------------------------------------------------ pulling

    async def pull(self, asked: CommSyncUL) -> None:
        """Acknowledge and answer with what follows, or with the end."""
        name = asked.queue.name
        which = await self._which(name)
        if which == 0:
            self._outbox.put(codec.end_of(asked.queue, self._context.clock.now_ms()))
            return
        queue = self._queue(which, name)
        queue.noticed = True
        if asked.key:
            await self._acknowledge(which, queue, asked.key)
        while not await self._answer(which, queue):
            pass

    async def _which(self, name: str) -> int:
        for which, queue in self._queues.items():
            if queue.name == name:
                return which
        seated = self.seated
        return await conversation_with(self._context, seated.space, seated.app, seated.reader.mailbox, name)

    async def _answer(self, which: int, queue: Queue) -> bool:
        """Send a batch or the end; False = something came meanwhile, ask again."""
        queue.stale = False
        pulled = await self._pulled(which, queue)
        jid = codec.user(self.seated.app, queue.name)
        now = self._context.clock.now_ms()
        metas, last = self._metas(queue.name, pulled)
        if metas:
            queue.last = (last.seq, metas[-1].id) if last else (0, 0)
            self._outbox.put(codec.batch(jid, metas, now))
            return True
        if last is not None:
            # Nothing of all this can be shown: pass over it, or it would wait for ever.
            queue.after = last.seq
            return False
        if queue.stale:
            return False
        queue.noticed = False
        self._outbox.put(codec.end_of(jid, now))
        return True

    async def _pulled(self, which: int, queue: Queue) -> Pulled:
        after = None if queue.after < 0 else queue.after
        now = self._context.clock.now_ms()
        pulled = await self._context.store.queues.pull(self.seated.reader, which, after, codec.BATCH, now)
        queue.after = pulled.after
        return pulled

    def _metas(self, peer: str, pulled: Pulled) -> tuple[list[Meta], Queued | None]:
        """As many as fit, and the last entry that they stand for."""
        metas: list[Meta] = []
        last: Queued | None = None
        size = 0
        for row in pulled.rows:
            meta = to_meta(self.seated.app, self.seated.user, peer, row)
            size += 0 if meta is None else len(meta.payload)
            if metas and size > BATCH_BYTES:
                break
            last = row
            if meta is not None:
                metas.append(meta)
        return metas, last

    async def _acknowledge(self, which: int, queue: Queue, key: int) -> None:
        if queue.after < 0:
            await self._pulled(which, queue)
        seq, number = queue.last
        if number != key:
            seq, number = await self._context.store.queues.place_of(self.seated.reader, which, key)
        queue.last = (0, 0)
        if seq <= queue.after:
            return
        at = self._context.clock.now_ms()
        ack = Ack(reader=self.seated.reader, feed=which, after=queue.after, seq=seq, public_id=number, at=at)
        await self._acks.store(ack)
        queue.after = seq
