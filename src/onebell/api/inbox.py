"""The caller's own mailbox: changes, history, reading, deleting."""

import asyncio

import msgspec

from onebell.api.callers import mailbox_of
from onebell.api.errors import invalid
from onebell.api.guard import id_of, number_in, number_of
from onebell.api.items import ItemEncoder
from onebell.api.operations import Call, Caller, Operation, Parameter, Right
from onebell.api.shapes import InboxPage
from onebell.api.talks import Talks, may_write
from onebell.core.bell import Changed, Due
from onebell.core.context import Context
from onebell.core.inbox import Entry, Item, changes, entry_of, has_gap, says, shown_part, unpack
from onebell.core.mailbox import PAGE, Change, Page, Wanted
from onebell.core.stream import Hub
from onebell.core.takings import Takings
from onebell.core.waking import woken
from onebell.errors import NotFound
from onebell.http.exchange import Answer

LIMIT = 100
WAIT_S = 60
SCAN_PAGES = 10
"""Pages that one search looks through; its ``more`` says whether to go on."""
END = (1 << 62) - 1
_INBOX = frozenset({Right.INBOX})


class ReadUpTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move the read marker."""

    up_to: int  # seq


class Press(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Press the action of an entry that has this key and value."""

    key: str
    value: str = ""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a change did."""

    rev: int  # its place; 0 = it was so already


class InboxApi:
    """Operations on the caller's mailbox."""

    def __init__(self, context: Context, hub: Hub, encoder: ItemEncoder, takings: Takings, talks: Talks) -> None:
        self._context = context
        self._hub = hub
        self._encoder = encoder
        self._takings = takings
        self._talks = talks

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="GET",
                path="/inbox",
                rights=_INBOX,
                do=self.listing,
                tag="inbox",
                answer=InboxPage,
                parameters=_LIST,
                about="Changes after a rev, oldest first; or history before a seq, newest first (the default).",
            ),
            Operation(
                method="POST",
                path="/inbox/read",
                rights=_INBOX,
                do=self.read_up_to,
                tag="inbox",
                body=ReadUpTo,
                answer=Moved,
                about="Mark everything up to a seq as read: one marker moves. Who wrote it in conversations is told.",
            ),
            Operation(
                method="GET",
                path="/inbox/{}",
                names=("seq",),
                rights=_INBOX,
                do=self.one,
                tag="inbox",
                answer=InboxPage,
                about="One entry, as a page.",
            ),
            Operation(
                method="DELETE",
                path="/inbox/{}",
                names=("seq",),
                rights=_INBOX,
                do=self.delete,
                tag="inbox",
                answer=Moved,
                about="Delete an entry.",
            ),
            Operation(
                method="POST",
                path="/inbox/{}/read",
                names=("seq",),
                rights=_INBOX,
                do=self.read,
                tag="inbox",
                answer=Moved,
                about="Mark one entry as read. Who wrote it in a conversation is told.",
            ),
            Operation(
                method="POST",
                path="/inbox/{}/press",
                names=("seq",),
                rights=_INBOX,
                do=self.press,
                tag="inbox",
                body=Press,
                answer=Moved,
                about="Press an action of an entry, named by its key and value. The first answer under a key stands.",
            ),
        ]

    # ------------------------------------------------------------ reading

    async def listing(self, call: Call) -> Answer:
        """A page of changes or of history."""
        request = call.request
        wanted = self._wanted(call)
        if request.query_value("after") is not None:
            after = number_of(request, "after", 0)
            wait = number_of(request, "wait", 0, most=WAIT_S)
            self._takings.note(wanted.space, wanted.mailbox, after)
            return await self._changes(wanted, after, wait)
        before = number_of(request, "before", 0) or END
        return await self._history(wanted, before)

    def _wanted(self, call: Call) -> Wanted:
        request = call.request
        feed = id_of(request.query_value("feed") or "0")
        if feed is None:
            raise invalid("feed", "feed is the id of a feed, as items show it")
        return Wanted(
            space=call.who.space,
            mailbox=mailbox_of(call.who),
            limit=number_of(request, "limit", LIMIT, least=1, most=PAGE),
            feed=feed,
            text=(request.query_value("q") or "")[:200],
        )

    async def _changes(self, wanted: Wanted, after: int, wait: int) -> Answer:
        clock = self._context.clock
        deadline = clock.monotonic() + wait
        position = after
        while True:
            page = await self._context.store.inbox.after(wanted, position)
            if page is None:
                page = _empty(wanted)
            gap = has_gap(page, position)
            items = _said(changes(page, position, clock.now_ms()), wanted.text)
            rest = deadline - clock.monotonic()
            if items or gap or page.more or rest <= 0:
                return await self._page(items, page.position, gap=gap, more=page.more)
            position = page.position
            await self._news(wanted, position, rest)

    async def _news(self, wanted: Wanted, after: int, timeout_s: float) -> None:
        """Wait until something comes after a place, or the time is over."""
        news = asyncio.Event()
        reader = self._hub.join(wanted.space, wanted.mailbox, after, news.set)
        try:
            await woken(news, timeout_s)
        finally:
            self._hub.leave(reader)

    async def _history(self, wanted: Wanted, before: int) -> Answer:
        now = self._context.clock.now_ms()
        found: list[Item] = []
        page = None
        for _ in range(SCAN_PAGES):
            page = await self._context.store.inbox.before(wanted, before, now)
            if page is None or not page.rows:
                break
            found += _said([entry_of(row, page.marker) for row in page.rows], wanted.text)
            before = page.rows[-1].seq
            if not page.more or len(found) >= wanted.limit:
                break
        page = page or _empty(wanted)
        more = page.more or len(found) > wanted.limit
        return await self._page(found[: wanted.limit], page.last, gap=False, more=more)

    async def _page(self, items: list[Item], position: int, *, gap: bool, more: bool) -> Answer:
        await self._encoder.prepare(items)
        return self._encoder.page(items, position, gap=gap, more=more)

    async def one(self, call: Call) -> Answer:
        """A single entry."""
        seq = number_in(call.path[0], "entry")
        page = await self._context.store.inbox.one(call.who.space, mailbox_of(call.who), seq)
        if page is None:
            raise NotFound("there is no such entry")
        return await self._page([entry_of(page.rows[0], page.marker)], page.last, gap=False, more=False)

    # ------------------------------------------------------------ changing

    async def read(self, call: Call) -> Moved:
        """Mark one entry as read, and tell who wrote it."""
        seq = number_in(call.path[0], "entry")
        await self._talks.tell_read(call.who, (seq - 1, seq))
        rev = await self._context.store.inbox_changes.mark_read(self._change(call.who), seq, self._context.mint)
        return self._moved(call.who, rev)

    async def press(self, call: Call) -> Moved:
        """Answer by an action of an entry."""
        may_write(call.who)
        seq, body = number_in(call.path[0], "entry"), call.body
        page = await self._context.store.inbox.one(call.who.space, mailbox_of(call.who), seq)
        if page is None:
            raise NotFound("there is no such entry")
        part = shown_part(unpack(page.rows[0].parts))
        offered = () if part is None else part.content.buttons
        if not any(button.key and (button.key, button.value) == (body.key, body.value) for button in offered):
            raise invalid("key", "the entry has no action with this key and value")
        answer = (body.key, body.value)
        rev = await self._context.store.pressing.press(self._change(call.who), seq, answer, self._context.mint)
        return self._moved(call.who, rev)

    async def read_up_to(self, call: Call) -> Moved:
        """Move the read marker."""
        body: ReadUpTo = call.body
        if not 0 <= body.up_to <= END:
            raise invalid("up_to", "up_to is the seq of an entry")
        await self._talks.tell_read(call.who, (0, body.up_to))
        change = self._change(call.who)
        rev = await self._context.store.inbox_changes.read_up_to(change, body.up_to, self._context.mint)
        return self._moved(call.who, rev)

    async def delete(self, call: Call) -> Moved:
        """Delete an entry."""
        seq = number_in(call.path[0], "entry")
        return self._moved(call.who, await self._context.store.inbox_changes.delete(self._change(call.who), seq))

    def _change(self, caller: Caller) -> Change:
        return Change(space=caller.space, mailbox=mailbox_of(caller), now=self._context.clock.now_ms())

    def _moved(self, caller: Caller, rev: int) -> Moved:
        if rev:
            self._context.bell.ring(Changed(space=caller.space, mailboxes=(caller.person,)))
            self._context.bell.ring(Due(space=caller.space, queue="events"))
        return Moved(rev=rev)


_LIST = (
    Parameter(name="after", about="Changes after this rev, oldest first; 0 = from the start", is_number=True),
    Parameter(name="before", about="Entries before this seq, newest first; 0 = from the end", is_number=True),
    Parameter(name="limit", about="Items in the page, 1 to 500 (100)", is_number=True),
    Parameter(name="wait", about="With after: seconds to wait for the first item, up to 60", is_number=True),
    Parameter(name="feed", about="Only entries of the feed with this id"),
    Parameter(name="q", about="Only messages that hold these words, without case"),
)


def _empty(wanted: Wanted) -> Page:
    return Page(mailbox=wanted.mailbox)


def _said(items: list[Item], text: str) -> list[Item]:
    """Without entries that the store's sieve let through by mistake."""
    if not text:
        return items
    return [item for item in items if not isinstance(item, Entry) or says(item.row, text)]
