"""The feeds of the caller's mailbox, who is at their other side, and conversations that begin."""

from collections.abc import Mapping, Sequence

import msgspec

from onebell.api.callers import mailbox_of
from onebell.api.errors import ApiError, invalid
from onebell.api.operations import Call, Caller, Operation, Parameter, Right
from onebell.clock import iso
from onebell.core.context import Context
from onebell.core.mailbox import FeedCount
from onebell.core.model import FeedKind
from onebell.core.presence import SOCKETS
from onebell.core.replies import Line, Replies
from onebell.http.exchange import Answer, json_answer

UIDS = 100
"""People whose presence is asked for at once."""
_INBOX = frozenset({Right.INBOX})


class PeerRef(msgspec.Struct, frozen=True, kw_only=True):
    """The other person of a conversation."""

    uid: str
    name: str
    online: bool  # has an open connection: an inbox page's or a client program's


class FeedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A feed as the caller's mailbox sees it."""

    id: str
    kind: str
    name: str
    code: str
    dialect: str
    entries: int
    unread: int
    last_seq: int
    last_at: str
    can_write: bool
    recall_s: int  # how long the caller's own messages can be taken back; 0 = never
    peer: PeerRef | None  # of a direct feed whose other side is a person


class FeedList(msgspec.Struct, frozen=True, kw_only=True):
    """The feeds of a mailbox, the liveliest first."""

    items: tuple[FeedItem, ...]
    unread: int


class OneFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed."""

    feed: FeedItem


class WithWhom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to talk to."""

    uid: str


class FeedsApi:
    """Operations on feeds as a whole."""

    def __init__(self, context: Context, replies: Mapping[str, Replies]) -> None:
        """``replies`` by dialect, in the order in which they are asked for a conversation of two."""
        self._context = context
        self._replies = replies

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="GET",
                path="/inbox/feeds",
                rights=_INBOX,
                do=self.feeds,
                tag="inbox",
                answer=FeedList,
                about="The feeds of the mailbox with unread counts, and who is at the other side of conversations.",
            ),
            Operation(
                method="GET",
                path="/inbox/presence",
                rights=_INBOX,
                do=self.presence,
                tag="inbox",
                answer=dict[str, bool],
                parameters=(Parameter(name="uids", about="Up to 100 uids, separated by commas"),),
                about="Who of these people has an open connection; people who do not exist are left out.",
            ),
            Operation(
                method="POST",
                path="/inbox/conversations",
                rights=_INBOX,
                do=self.open,
                tag="inbox",
                body=WithWhom,
                answer=OneFeed,
                about="The conversation with a person, made at first use.",
            ),
        ]

    async def feeds(self, call: Call) -> FeedList:
        """Feeds and what waits unread in them."""
        counts = await self._counts(call.who)
        items = await self._items(call.who, counts)
        return FeedList(items=items, unread=sum(count.unread for count in counts))

    async def presence(self, call: Call) -> Answer:
        """Who is online."""
        mailbox_of(call.who)
        uids = [uid for uid in (call.request.query_value("uids") or "").split(",") if uid]
        if len(uids) > UIDS:
            raise invalid("uids", f"at most {UIDS} uids")
        people = (await self._context.lookups.people_by_uid(call.who.space, uids)).values() if uids else ()
        online = await self._online(call.who.space, [person.id for person in people])
        said = {person.uid: person.id in online for person in people}
        return json_answer(200, said, {b"cache-control": b"no-store"})

    async def open(self, call: Call) -> OneFeed:
        """The conversation with a person."""
        body: WithWhom = call.body
        caller, me = call.who, mailbox_of(call.who)
        person = await self._context.lookups.person_by_uid(caller.space, body.uid)
        if person is None:
            raise ApiError("not_found", "there is no such person")
        if person.id == me:
            raise invalid("uid", "a conversation is with somebody else")
        feed = await self._between(caller.space, me, person.id)
        counts = [count for count in await self._counts(caller) if count.feed == feed]
        (item,) = await self._items(caller, counts or [await self._empty(caller, feed, person.id)])
        return OneFeed(feed=item)

    async def _between(self, space: int, me: int, peer: int) -> int:
        for replies in self._replies.values():
            if feed := await replies.between(space, me, peer):
                return feed
        raise ApiError("not_writable", "these two have nothing in common")

    async def _empty(self, caller: Caller, which: int, peer: int) -> FeedCount:
        feed = await self._context.lookups.feed(caller.space, which)
        assert feed is not None, "it was made or found just now"
        return FeedCount(
            feed=which,
            kind=feed.kind.value,
            name="",
            code=feed.code,
            dialect=feed.dialect,
            entries=0,
            unread=0,
            last_seq=0,
            last_at=feed.created_at,
            peer=peer,
        )

    async def _counts(self, caller: Caller) -> list[FeedCount]:
        now = self._context.clock.now_ms()
        return await self._context.store.inbox.feeds(caller.space, mailbox_of(caller), now)

    # ------------------------------------------------------------ who is there

    async def _items(self, caller: Caller, counts: Sequence[FeedCount]) -> tuple[FeedItem, ...]:
        terms = await self._terms(caller, counts)
        peers = await self._peers(caller, [count.peer for count in counts if count.peer])
        counts = await self._named(caller, counts)
        return tuple(_item(count, peers.get(count.peer), terms.get(count.feed, _NO_TERMS)) for count in counts)

    async def _named(self, caller: Caller, counts: Sequence[FeedCount]) -> Sequence[FeedCount]:
        """A conversation whose other side is deleted is called what the last message from there says."""
        nameless = [count.feed for count in counts if count.peer and not count.name]
        if not nameless:
            return counts
        newest = await self._context.store.queues.newest_each_way(caller.space, caller.person, nameless)
        names = {which: last.sender_name for which, last in newest if not last.is_copy}
        return [msgspec.structs.replace(count, name=count.name or names.get(count.feed, "")) for count in counts]

    async def _terms(self, caller: Caller, counts: Sequence[FeedCount]) -> dict[int, "_Terms"]:
        found: dict[int, _Terms] = {}
        for dialect, replies in self._replies.items():
            lines = [
                Line(
                    space=caller.space,
                    feed=count.feed,
                    dialect=dialect,
                    code=count.code,
                    me=caller.person,
                    peer=count.peer,
                )
                for count in counts
                if count.dialect == dialect and count.kind == FeedKind.DIRECT.value
            ]
            writable = await replies.writable(lines)
            for line in lines:
                found[line.feed] = _Terms(line.feed in writable, await replies.recall_s(line))
        return found

    async def _peers(self, caller: Caller, ids: Sequence[int]) -> dict[int, PeerRef]:
        others = [one for one in ids if one != caller.person]
        people = await self._context.lookups.people(caller.space, others) if others else {}
        online = await self._online(caller.space, list(people))
        return {
            who: PeerRef(uid=person.uid, name=person.name or person.uid, online=who in online)
            for who, person in people.items()
        }

    async def _online(self, space: int, ids: Sequence[int]) -> set[int]:
        if not ids:
            return set()
        sessions = await self._context.store.sessions.of_mailboxes(space, ids, self._context.clock.now_ms())
        return {session.mailbox for session in sessions if session.kind in SOCKETS}


class _Terms(msgspec.Struct, frozen=True):
    """What somebody may do in a conversation."""

    can_write: bool = False
    recall_s: int = 0


_NO_TERMS = _Terms()


def _item(count: FeedCount, peer: PeerRef | None, terms: _Terms) -> FeedItem:
    return FeedItem(
        id=str(count.feed),
        kind=count.kind,
        name=count.name or (peer.name if peer is not None else ""),
        code=count.code,
        dialect=count.dialect,
        entries=count.entries,
        unread=count.unread,
        last_seq=count.last_seq,
        last_at=iso(count.last_at),
        can_write=terms.can_write,
        recall_s=terms.recall_s,
        peer=peer,
    )
