"""Conversations of two people: writing, taking back, and telling the writer that he was read."""

from collections.abc import Mapping
from itertools import groupby

import msgspec

from onebell.api.callers import mailbox_of
from onebell.api.errors import ApiError, forbidden, invalid
from onebell.api.guard import id_of, number_in
from onebell.api.idempotency import KEEP_S, ONCE, key_of
from onebell.api.operations import Call, Caller, Operation, Right
from onebell.core import seen
from onebell.core.context import Context, StoredFile
from onebell.core.directory import Feed
from onebell.core.mailbox import Change
from onebell.core.model import GuardUse, Location
from onebell.core.replies import Draft, Line, NotWritable, Replies, Sent, Unread, line_of
from onebell.errors import Conflict, NotFound, Reason, Refused

ADDRESS_CHARACTERS = 200
DURATION_S = 86_400
_INBOX = frozenset({Right.INBOX})
_FILE = "file:"
"""Guards of files: each is sent once."""


class NewLocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place, in degrees."""

    lat: float
    lng: float
    address: str = ""


class NewReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Exactly one of text, file and location."""

    text: str | None = None
    file: str | None = None  # from POST /files
    duration_s: int = 0  # of a recording or film
    location: NewLocation | None = None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own entry."""

    message_id: str
    seq: int


class Talks:
    """What the operations on conversations have in common; also tells writers who has read them."""

    def __init__(self, context: Context, replies: Mapping[str, Replies]) -> None:
        self._context = context
        self._replies = replies

    async def line(self, caller: Caller, which: str) -> tuple[Line, Replies]:
        """One of the caller's conversations.

        Raises:
            NotFound: he has no such feed.
            NotWritable: it is no conversation.
        """
        me = mailbox_of(caller)
        feed = await self._context.lookups.feed(caller.space, number_in(which, "feed"))
        if feed is None:
            raise NotFound("there is no such feed")
        line = line_of(feed, me)
        if line is None and not await self._is_his(caller, feed):
            raise NotFound("there is no such feed")
        replies = self._replies.get(feed.dialect)
        if line is None or replies is None:
            raise NotWritable
        return line, replies

    async def _is_his(self, caller: Caller, feed: Feed) -> bool:
        now = self._context.clock.now_ms()
        counts = await self._context.store.inbox.feeds(caller.space, caller.person, now)
        return any(count.feed == feed.id for count in counts)

    async def tell_read(self, caller: Caller, span: tuple[int, int], only: int = 0) -> None:
        """Tell whoever wrote what the caller has not read yet, behind the first seq and up to the second.

        Before it is marked as read: a crash between the two leaves what a repeat makes good.
        """
        after, up_to = span
        change = self._change(caller.space, mailbox_of(caller))
        while found := await self._context.store.conversations.unread(change, (after, up_to), only):
            after = found[-1].seq
            for _, some in groupby(sorted(found, key=_feed_of), key=_feed_of):
                await self._tell(change, list(some))

    async def _tell(self, change: Change, read: list[Unread]) -> None:
        feed = await self._context.lookups.feed(change.space, read[0].feed)
        line = None if feed is None else line_of(feed, change.mailbox)
        if line is None or line.peer == line.me or line.dialect not in self._replies:
            return
        await self._replies[line.dialect].tell_read(line, read)
        theirs = self._change(line.space, line.peer)
        await seen.seen(self._context, theirs, line.feed, [one.message for one in read])

    def _change(self, space: int, mailbox: int) -> Change:
        return Change(space=space, mailbox=mailbox, now=self._context.clock.now_ms())


class TalksApi:
    """Operations on conversations."""

    def __init__(self, context: Context, talks: Talks) -> None:
        self._context = context
        self._talks = talks

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="POST",
                path="/inbox/feeds/{}/messages",
                names=("feed",),
                rights=_INBOX,
                do=self.write,
                tag="inbox",
                body=NewReply,
                answer=Written,
                status=201,
                parameters=(ONCE,),
                about="Write in a conversation: a text, a file or a place.",
            ),
            Operation(
                method="POST",
                path="/inbox/{}/recall",
                names=("seq",),
                rights=_INBOX,
                do=self.recall,
                tag="inbox",
                status=204,
                about="Take back what the caller wrote in a conversation, as long as its dialect allows.",
            ),
        ]

    async def write(self, call: Call) -> Written:
        """Write in a conversation."""
        body: NewReply = call.body
        caller = call.who
        may_write(caller)
        line, replies = await self._talks.line(caller, call.path[0])
        draft = await self._draft(call, line, body)
        try:
            receipt = await replies.write(line, draft)
        except Conflict as error:
            raise ApiError("key_reused", "this Idempotency-Key was used with another message") from error
        except Refused as refusal:
            if refusal.reason is Reason.GUARD_EXHAUSTED and refusal.detail.startswith(_FILE):
                raise invalid("file", "this file was sent before; upload it again") from refusal
            raise
        seq = await self._context.store.conversations.own_seq(line.space, line.me, receipt.message)
        return Written(message_id=receipt.public_id, seq=seq)

    async def _draft(self, call: Call, line: Line, body: NewReply) -> Draft:
        _check(body)
        file = None if body.file is None else await self._file(line, body.file)
        guards = () if file is None else (GuardUse(key=f"{_FILE}{file.id}", limit=1),)
        place = body.location
        return Draft(
            name=call.who.name,
            text=body.text or "",
            file=file,
            duration_s=body.duration_s,
            location=None if place is None else Location(lat=place.lat, lng=place.lng, address=place.address),
            origin=f"{call.request.scheme}://{call.request.text_header(b'host')}",
            once=key_of(call, b"%d:%s" % (line.feed, msgspec.json.encode(body))),
            guards=guards,
        )

    async def _file(self, line: Line, which: str) -> StoredFile:
        """A file that the caller uploaded.

        Within a day a guard says whether it was sent before, so that a repeat gets the first answer.
        """
        number = id_of(which)
        file = None if number is None else await self._context.files.find(line.space, number)
        now = self._context.clock.now_ms()
        if file is None or file.owner != line.me or now - file.created_at > KEEP_S * 1000:
            raise invalid("file", "there is no such file of yours; upload it again")
        return file

    async def recall(self, call: Call) -> None:
        """Take an own message back."""
        caller = call.who
        may_write(caller)
        page = await self._context.store.inbox.one(caller.space, mailbox_of(caller), number_in(call.path[0], "entry"))
        if page is None:
            raise NotFound("there is no such entry")
        row = page.rows[0]
        if row.direction != 1:
            raise forbidden("only what the caller wrote himself can be taken back")
        line, replies = await self._talks.line(caller, str(row.feed))
        if row.recalled_at:
            return
        window_s = await replies.recall_s(line)
        if self._context.clock.now_ms() - row.created_at > window_s * 1000:
            raise ApiError("too_late", f"a message can be taken back for {window_s} seconds")
        await replies.recall(line, Sent(message=row.message, public_id=row.public_id))


def may_write(caller: Caller) -> None:
    """Raises ``ApiError``: forbidden, for a token that is made for reading only."""
    if not caller.session and not caller.may(Right.SEND):
        raise forbidden("a token with the scope read writes nothing")


def _check(body: NewReply) -> None:
    """Rules that the types do not say.

    Raises:
        ApiError: one is broken.
    """
    if sum(value is not None for value in (body.text, body.file, body.location)) != 1:
        raise invalid("text", "a message has exactly one of text, file and location")
    if body.text is not None and not body.text.strip():
        raise invalid("text", "a text has words")
    if not 0 <= body.duration_s <= DURATION_S:
        raise invalid("duration_s", f"duration_s is a number from 0 to {DURATION_S}")
    if (place := body.location) is None:
        return
    if not -90 <= place.lat <= 90 or not -180 <= place.lng <= 180:
        raise invalid("location", "lat is from -90 to 90, lng from -180 to 180")
    if len(place.address) > ADDRESS_CHARACTERS:
        raise invalid("location", f"an address has at most {ADDRESS_CHARACTERS} characters")


def _feed_of(one: Unread) -> int:
    return one.feed
