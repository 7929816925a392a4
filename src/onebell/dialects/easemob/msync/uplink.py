"""What a device sends: messages, acks, recalls, edits, contacts (sheet easemob-msync §7); durable before the answer."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from onebell.core import seen
from onebell.core.bell import Changed, Due
from onebell.core.context import Context
from onebell.core.conversations import Found
from onebell.core.inbox import unpack
from onebell.core.mailbox import Change
from onebell.core.model import IdempotencyKey, PartyKind, Sender, Shown
from onebell.dialects.easemob.app import DIALECT, UPLINK_BYTES
from onebell.dialects.easemob.conversations import conversation_with, peers
from onebell.dialects.easemob.edits import Edit, TooManyEdits, edit
from onebell.dialects.easemob.msync import codec, refusals
from onebell.dialects.easemob.msync.codec import Undecodable
from onebell.dialects.easemob.msync.content import to_body
from onebell.dialects.easemob.msync.device import Seated
from onebell.dialects.easemob.msync.keyvalues import from_pairs
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody, Meta
from onebell.dialects.easemob.msync.refusals import NotTaken
from onebell.dialects.easemob.msync.roster_frames import take_roster
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.send import Origin, number_of, send_from
from onebell.dialects.easemob.signals import ONCE, READ_ACK, RECALL, Signal, tell
from onebell.dialects.easemob.single import message_of, take_back_by
from onebell.dialects.easemob.standing import Objection, is_slow_enough, objection
from onebell.errors import NotFound, Reason, Refused

REPEAT_S = 600
"""What a client sent again, because it heard no answer, is the same message for so long (sheet §7)."""
ACKS = frozenset((MessageBody.READ_ACK, MessageBody.DELIVER_ACK, MessageBody.CHANNEL_ACK))
TURN_S, TURNS = 0.1, 100
"""How often an ack asks for its turn: for 10 s, before the SDK gives up on it (sheet §2)."""
GROUPS = "conference"
NEVER = 2**62
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Answered:
    """What is said to a client's frame that was taken."""

    server_id: int
    metas: tuple[Meta, ...] = ()


class Uplink:
    """One per device; frames are taken one after the other, so that a sender's order is kept."""

    __slots__ = ("_context", "_seated")

    def __init__(self, context: Context, seated: Seated) -> None:
        self._context = context
        self._seated = seated

    async def take(self, meta: Meta) -> Answered:
        """Store what the client sent.

        Raises:
            NotTaken: in the words of §7; nothing is stored.
            StoreUnavailable: likewise.
        """
        match meta.ns:
            case Meta.CHAT:
                return await self._message(meta)
            case Meta.ROSTER:
                await self._count()
                metas = await take_roster(self._context, self._seated, meta)
                return Answered(self._context.mint.mint(), metas)
        raise NotTaken(*refusals.UNSUPPORTED)

    async def _message(self, meta: Meta) -> Answered:
        if GROUPS in meta.to.domain:
            raise NotTaken(*refusals.NO_GROUPS)
        try:
            body = codec.read(MessageBody, meta.payload)
        except Undecodable:
            raise NotTaken(*refusals.UNREADABLE) from None
        await (self._turn() if body.type in ACKS else self._count())
        match body.type:
            case MessageBody.CHAT | MessageBody.NORMAL:
                return await self._chat(meta, body)
            case MessageBody.READ_ACK:
                return await self._read(body)
            case MessageBody.DELIVER_ACK:
                return await self._delivered(body)
            case MessageBody.CHANNEL_ACK:
                return await self._channel(meta)
            case MessageBody.RECALL:
                return await self._recall(meta, body)
            case MessageBody.EDIT:
                return await self._edit(body)
        raise NotTaken(*refusals.UNSUPPORTED)

    async def _count(self) -> None:
        if not await self._is_slow_enough():
            raise NotTaken(*refusals.TOO_FAST)

    async def _turn(self) -> None:
        """Who comes back acknowledges hundreds at once, and the SDK repeats none: acks wait, and are not refused."""
        for _ in range(TURNS):
            if await self._is_slow_enough():
                return
            await asyncio.sleep(TURN_S)
        raise NotTaken(*refusals.TOO_FAST)

    async def _is_slow_enough(self) -> bool:
        seated = self._seated
        return await is_slow_enough(self._context, seated.space, seated.app, seated.user)

    # ------------------------------------------------------------ messages

    async def _chat(self, meta: Meta, body: MessageBody) -> Answered:
        seated, to = self._seated, meta.to.name.lower()
        if not to:
            raise NotTaken(*refusals.UNREADABLE)
        await self._may_write(to)
        content, ext = _content(body), from_pairs(body.ext)
        message = Message(
            sender=seated.user,
            receivers=(to,),
            kind=content["type"],
            body=content,
            ext=ext,
            online_only=meta.routetype == Meta.ROUTE_ONLINE,
            sync_device=True,
        )
        device = seated.reader.device
        origin = Origin(party=seated.reader.mailbox, device=device, once=_once(device, meta.id))
        try:
            receipt = await send_from(self._context, seated.space, seated.app, message, origin)
            return Answered(number_of(receipt))
        except Refused as refusal:
            if refusal.reason is Reason.VETOED:
                raise NotTaken(refusals.EXTERNAL, refusal.detail) from None
            raise NotTaken(refusals.FAIL, refusal.detail) from None

    async def _may_write(self, to: str) -> None:
        seated = self._seated
        match await objection(self._context, seated.space, seated.app, seated.user, to):
            case Objection.BLOCKED:
                raise NotTaken(*refusals.BLOCKED)
            case Objection.NO_CONTACT:
                raise NotTaken(*refusals.NOT_A_FRIEND)

    # ------------------------------------------------------------ acks

    async def _delivered(self, body: MessageBody) -> Answered:
        found = await self._mine(body.ack_message_id)
        if found is None or found.direction:
            return self._nothing()
        await seen.delivered(self._context, self._change(found.sender), found.feed, [found.message])
        return await self._ack("deliver_ack", found, body.ack_message_id)

    async def _read(self, body: MessageBody) -> Answered:
        """It shows as read in his inbox too, and its sender is told."""
        found = await self._mine(body.ack_message_id)
        if found is None or found.direction:
            return self._nothing()
        # First the word to the clients: callbacks name the ack by the id that they know it by.
        answered = await self._ack(READ_ACK, found, body.ack_message_id)
        change = self._change(self._seated.reader.mailbox)
        try:
            if await self._context.store.inbox_changes.mark_read(change, found.seq, self._context.mint):
                self._changed()
        except NotFound:  # he has deleted it meanwhile
            return answered
        await seen.seen(self._context, self._change(found.sender), found.feed, [found.message])
        return answered

    async def _channel(self, meta: Meta) -> Answered:
        """Everything of a conversation was read."""
        seated, to = self._seated, meta.to.name.lower()
        which = await conversation_with(self._context, seated.space, seated.app, seated.reader.mailbox, to)
        account = await self._context.lookups.account(seated.space, seated.app.key, to) if which else None
        if account is None:
            return self._nothing()
        mine, theirs = self._change(seated.reader.mailbox), self._change(account.person)
        if await self._context.store.inbox_changes.read_feed(mine, which, NEVER, self._context.mint):
            self._changed()
        await seen.seen_all(self._context, theirs, which)
        return await self._tell("channel_ack", (account.person, to, which), has_copy=True)

    async def _ack(self, kind: str, found: Found, of: int) -> Answered:
        """To who wrote it; a system name and a stranger hear nothing."""
        seated = self._seated
        names = await peers(self._context, seated.space, seated.app, seated.reader.mailbox, [found.feed])
        name = names.get(found.feed, "")
        if not name or await self._context.lookups.account(seated.space, seated.app.key, name) is None:
            return self._nothing()
        # Where something was read concerns the reader's other devices too; where it has arrived does not.
        has_copy = kind == READ_ACK
        return await self._tell(kind, (found.sender, name, found.feed), of=of, once=ONCE, has_copy=has_copy)

    # ------------------------------------------------------------ recalls and edits

    async def _recall(self, meta: Meta, body: MessageBody) -> Answered:
        of = body.ack_message_id
        found, receiver = await self._own(of, refusals.NOTHING_TO_RECALL, refusals.NOTHING_TO_RECALL)
        if found.shown != Shown.PERSON or found.recalled_at:
            raise NotTaken(*refusals.NOTHING_TO_RECALL)
        window_s = self._seated.app.recall_window_s
        if not window_s:
            raise NotTaken(*refusals.NO_RECALL)
        if self._context.clock.now_ms() - found.created_at > window_s * 1000:
            raise NotTaken(*refusals.LATE_RECALL)
        info = from_pairs(meta.ext).get("recallMessageExtensionInfo")
        # First the word to the clients: a crash between the two leaves a recall that can be repeated.
        more = {"info": info} if isinstance(info, str) and info else {}
        answered = await self._tell(RECALL, receiver, of=of, once=ONCE, has_copy=True, more=more)
        await take_back_by(self._context, self._seated.space, of)
        return answered

    async def _edit(self, body: MessageBody) -> Answered:
        of = body.edit_message_id
        found, receiver = await self._own(of, refusals.NO_MESSAGE, refusals.NOT_HIS)
        if found.shown != Shown.PERSON or found.recalled_at:
            raise NotTaken(*refusals.NO_EDIT)
        content, ext = _content(body), from_pairs(body.ext)
        if content["type"] != unpack(found.parts)[0].content.data.get("type"):
            raise NotTaken(*refusals.NO_EDIT)
        has_ext = body.edit_scope == MessageBody.BODY_AND_EXT
        user = self._seated.user
        change = Edit(operator=user, sender=user, sent_at=found.created_at, body=content, ext=ext if has_ext else None)
        message = await message_of(self._context, self._seated.space, of)
        try:
            edited = await edit(self._context, self._seated.space, message, change)
        except TooManyEdits:
            raise NotTaken(*refusals.NO_MORE_EDITS) from None
        except NotFound:
            raise NotTaken(*refusals.NO_MESSAGE) from None
        once, more = str(edited.told["count"]), edited.words(change)
        answered = await self._tell("edit", receiver, of=of, once=once, has_copy=True, more=more)
        said = Meta(ns=Meta.NOTIFY, id=answered.server_id, payload=_encode({"edit_msg": edited.told}))
        return Answered(answered.server_id, (said,))

    async def _own(
        self, number: int, missing: tuple[Any, str], foreign: tuple[Any, str]
    ) -> tuple[Found, tuple[int, str, int]]:
        """A message of his, and to whom it went: party, name, conversation."""
        found = await self._mine(number)
        if found is None:
            raise NotTaken(*missing)
        seated = self._seated
        if found.sender != seated.reader.mailbox:
            raise NotTaken(*foreign)
        names = await peers(self._context, seated.space, seated.app, seated.reader.mailbox, [found.feed])
        if found.feed not in names:
            raise NotTaken(*missing)
        party = await self._context.store.queues.other_side(seated.space, found.feed, seated.reader.mailbox)
        return found, (party, names[found.feed], found.feed)

    # ------------------------------------------------------------ what all of them need

    async def _mine(self, number: int) -> Found | None:
        reader = self._seated.reader
        if not 0 < number < 2**63:
            return None
        return await self._context.store.queues.find(reader.space, reader.mailbox, DIALECT, number)

    def _nothing(self) -> Answered:
        """Acks that concern nobody are taken all the same (sheet §7)."""
        return Answered(self._context.mint.mint())

    def _change(self, mailbox: int) -> Change:
        """Somebody's mailbox, now."""
        return Change(space=self._seated.space, mailbox=mailbox, now=self._context.clock.now_ms())

    def _changed(self) -> None:
        reader, bell = self._seated.reader, self._context.bell
        bell.ring(Changed(space=reader.space, mailboxes=(reader.mailbox,)))
        bell.ring(Due(space=reader.space, queue="events"))

    async def _tell(
        self,
        kind: str,
        receiver: tuple[int, str, int],
        *,
        of: int = 0,
        once: str = "",
        has_copy: bool = False,
        more: dict[str, Any] | None = None,
    ) -> Answered:
        seated = self._seated
        party, name, feed = receiver
        signal = Signal(
            kind=kind,
            sender=Sender(party=seated.reader.mailbox, kind=PartyKind.PERSON, name=seated.user),
            sender_name=seated.user,
            to=name,
            party=party,
            feed=feed,
            of=of,
            once=once,
            device=seated.reader.device,
            has_copy=has_copy,
            more=more or {},
        )
        return Answered(await tell(self._context, seated.space, seated.app, signal))


def _once(device: int, number: int) -> IdempotencyKey | None:
    """By what the client calls its message; without a name none is the repeat of another."""
    return IdempotencyKey(scope=f"easemob:uplink:{device}", key=str(number), keep_s=REPEAT_S) if number else None


def _content(body: MessageBody) -> dict[str, Any]:
    """The message's one content as it is stored. Raises ``NotTaken``."""
    if not body.contents:
        raise NotTaken(*refusals.UNREADABLE)
    try:
        content = to_body(body.contents[0])
    except ValueError:
        raise NotTaken(*refusals.UNREADABLE) from None
    if len(_encode(content)) + len(_encode(from_pairs(body.ext))) > UPLINK_BYTES:
        raise NotTaken(*refusals.TOO_LARGE)
    return content
