"""What people write and read in the inbox page: as if their SDK had done it (``core.replies.Replies``)."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.core.model import IN_THE_PAGE, Kind, PartyKind, Receipt, Sender
from onebell.core.replies import Blocked, Draft, Line, NotWritable, Sent, TooFast, Unread, kind_of
from onebell.dialects.easemob.app import APP, DIALECT, UPLINK_BYTES, App
from onebell.dialects.easemob.conversations import peers
from onebell.dialects.easemob.page_files import chatfile
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.send import Origin, send_from
from onebell.dialects.easemob.signals import ONCE, READ_ACK, RECALL, Signal, tell
from onebell.dialects.easemob.single import take_back_by
from onebell.dialects.easemob.standing import Objection, is_slow_enough, objection
from onebell.errors import InvalidInput

TYPES: Final = {Kind.IMAGE: "img", Kind.VOICE: "audio", Kind.VIDEO: "video", Kind.FILE: "file"}
_encode = msgspec.json.Encoder().encode


class Ends(msgspec.Struct, frozen=True):
    """The two users of a conversation."""

    app: App
    me: Account
    peer: Account


class PageReplies:
    """Conversations of users of the apps."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def writable(self, lines: Sequence[Line]) -> frozenset[int]:
        """Where both still are users, and the app lets the one write to the other."""
        return frozenset([line.feed for line in lines if await self._is_open(line)])

    async def _is_open(self, line: Line) -> bool:
        ends = await self._ends(line)
        if ends is None:
            return False
        return not ends.app.contacts_only or await self._objection(line, ends) is not Objection.NO_CONTACT

    async def between(self, space: int, me: int, peer: int) -> int:
        """In the first app, by name, where both are users."""
        mine = {one.app: one for one in await self._accounts(space, me) if one.active}
        for other in await self._accounts(space, peer):
            if other.app in mine:
                return await self._context.lookups.direct(space, DIALECT, me, peer, other.app)
        return 0

    async def write(self, line: Line, draft: Draft) -> Receipt:
        """Through all that a client's message goes through."""
        ends = await self._ends(line)
        if ends is None:
            raise NotWritable("one of the two is no user of the app any more")
        await self._check(line, ends)
        body = await self._body(ends.app, draft)
        if len(_encode(body)) + len(_encode({})) > UPLINK_BYTES:
            raise InvalidInput(f"a message has at most {UPLINK_BYTES} bytes", "text")
        message = Message(
            sender=ends.me.name,
            receivers=(ends.peer.name,),
            kind=body["type"],
            body=body,
            ext={},
            online_only=False,
            sync_device=True,
        )
        origin = Origin(party=line.me, device=IN_THE_PAGE, once=draft.once, guards=draft.guards)
        return await send_from(self._context, line.space, ends.app, message, origin)

    async def _check(self, line: Line, ends: Ends) -> None:
        if not await is_slow_enough(self._context, line.space, ends.app, ends.me.name):
            raise TooFast("too many messages within a second")
        match await self._objection(line, ends):
            case Objection.BLOCKED:
                raise Blocked(f"{ends.peer.name} has blocked you")
            case Objection.NO_CONTACT:
                raise NotWritable(f"{ends.peer.name} has not got you as a contact")

    async def _body(self, app: App, draft: Draft) -> dict[str, Any]:
        """The stored body, as a client's content becomes one."""
        if draft.file is not None:
            return await self._file_body(app, draft)
        if draft.location is not None:
            place = draft.location
            return {"lat": place.lat, "lng": place.lng, "addr": place.address, "type": "loc"}
        return {"msg": draft.text, "type": "txt"}

    async def _file_body(self, app: App, draft: Draft) -> dict[str, Any]:
        assert draft.file is not None, "asked for one"
        file = await chatfile(self._context, app, draft.file)
        kind = TYPES[kind_of(draft.file.type)]
        body: dict[str, Any] = {
            "filename": draft.file.name,
            "url": f"{draft.origin}/{app.key}/chatfiles/{file.uuid}",
            "secret": file.secret,
            "file_length": draft.file.size,
        }
        if kind in ("audio", "video"):
            body["length"] = draft.duration_s
        return {**body, "type": kind}

    async def recall_s(self, line: Line) -> int:
        """The app's own window."""
        ends = await self._ends(line)
        return 0 if ends is None else ends.app.recall_window_s

    async def recall(self, line: Line, sent: Sent) -> None:
        """First the word to the clients: a crash between the two leaves a recall that can be repeated."""
        ends = await self._ends(line)
        if ends is not None:
            signal = _signal(line, ends.me, (line.peer, ends.peer.name), RECALL, sent.public_id)
            await tell(self._context, line.space, ends.app, signal)
        await take_back_by(self._context, line.space, sent.public_id)

    async def tell_read(self, line: Line, read: Sequence[Unread]) -> None:
        """A read ack for each, which its writer's SDK gets, and the reader's own.

        Where the writer is no user of the app, only the reader's own clients are told.
        """
        found = await self._side(line)
        if found is None:
            return
        app, me = found
        names = await peers(self._context, line.space, app, line.me, [line.feed])
        if line.feed not in names:
            return
        is_user = await self._account(line.space, app.key, line.peer) is not None
        to = (line.peer if is_user else line.me, names[line.feed])
        async with asyncio.TaskGroup() as tasks:
            for one in read:
                signal = _signal(line, me, to, READ_ACK, one.public_id)
                tasks.create_task(tell(self._context, line.space, app, signal))

    # ------------------------------------------------------------ who they are

    async def _ends(self, line: Line) -> Ends | None:
        found = await self._side(line)
        if found is None or line.me == line.peer:
            return None
        app, me = found
        peer = await self._account(line.space, app.key, line.peer)
        return None if peer is None else Ends(app, me, peer)

    async def _side(self, line: Line) -> tuple[App, Account] | None:
        """The app, and who writes or reads; None = he is no user of it any more."""
        key = line.code.rsplit(":", 2)[0]
        record = await self._context.lookups.record(line.space, DIALECT, APP, key)
        me = await self._account(line.space, key, line.me)
        if record is None or me is None or not me.active:
            return None
        return msgspec.convert(record.data, App), me

    async def _account(self, space: int, app: str, person: int) -> Account | None:
        return next((one for one in await self._accounts(space, person) if one.app == app), None)

    async def _accounts(self, space: int, person: int) -> Sequence[Account]:
        shelf = self._context.lookups.shelf(space)
        key = ("easemob accounts", person)
        known: Sequence[Account] | None = shelf.get(key, None)
        if known is None:
            known = await self._context.store.accounts.of_person(space, person)
            shelf.put(key, known)
        return known

    async def _objection(self, line: Line, ends: Ends) -> Objection | None:
        return await objection(self._context, line.space, ends.app, ends.me.name, ends.peer.name)


def _signal(line: Line, me: Account, to: tuple[int, str], kind: str, of: int) -> Signal:
    """About one message, to a party by its name and to one's own clients; repeated it is the same."""
    party, name = to
    return Signal(
        kind=kind,
        sender=Sender(party=line.me, kind=PartyKind.PERSON, name=me.name),
        sender_name=me.name,
        to=name,
        party=party,
        feed=line.feed,
        of=of,
        once=ONCE,
        has_copy=True,
    )
