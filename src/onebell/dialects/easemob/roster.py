"""Who knows whom, as users change it themselves: each change is told to whom it concerns (sheet easemob-msync §3).

The events are the official SDK's: an invitation, its answer to who invited, a new contact to who accepted, a contact
that is gone. A block is nobody's business but the owner's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from onebell.core.accounts import RelationKind
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.core.model import PartyKind, Sender
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.conversations import conversations
from onebell.dialects.easemob.signals import ROSTER, Signal, tell

MOST_BLOCKED = 500
REASON_CHARS = 500


class Operation(IntEnum):
    """``RosterBody.Operation`` of the client protocol."""

    INVITED = 2
    DELETED = 3
    ADDED = 4
    AGREED = 8
    REFUSED = 9


@dataclass(frozen=True)
class Roster:
    """The lists of one app's users."""

    context: Context
    space: int
    app: App

    async def blocks(self, owner: Account, other: Account) -> bool:
        """Whether somebody wants nothing from another."""
        return await self._is(owner, RelationKind.BLOCK, other)

    async def invite(self, me: Account, other: Account, reason: str) -> bool:
        """Ask somebody to be one's contact; False = he has blocked whoever asks.

        Raises:
            StoreUnavailable
        """
        if await self.blocks(other, me):
            return False
        if not await self._is(me, RelationKind.CONTACT, other):
            await self.context.store.relations.invite(self.space, self.app.key, other.name, me.name)
            await self._tell(Operation.INVITED, me, other, reason[:REASON_CHARS])
        return True

    async def accept(self, me: Account, other: Account) -> bool:
        """Take somebody's invitation; False = there is none. A repeat tells both again: a crash may have kept it."""
        if not await self.context.store.relations.accept(self.space, self.app.key, me.name, other.name):
            return False
        await self._tell(Operation.AGREED, me, other)
        await self._tell(Operation.ADDED, other, me)
        return True

    async def decline(self, me: Account, other: Account) -> None:
        """Refuse somebody's invitation."""
        # First the word, here and below: a crash between the two leaves what can be repeated.
        if await self._is(me, RelationKind.INVITATION, other):
            await self._tell(Operation.REFUSED, me, other)
            await self.context.store.relations.decline(self.space, self.app.key, me.name, other.name)

    async def befriend(self, one: Account, other: Account) -> None:
        """The app makes two each other's contact, asking neither."""
        await self.context.store.relations.befriend(self.space, self.app.key, one.name, other.name)
        await self._tell(Operation.ADDED, one, other)
        await self._tell(Operation.ADDED, other, one)

    async def part(self, me: Account, other: Account) -> None:
        """End it for both, and tell the other one."""
        if await self._is(me, RelationKind.CONTACT, other):
            await self._tell(Operation.DELETED, me, other)
        await self.context.store.relations.part(self.space, self.app.key, me.name, other.name)

    async def sever(self, one: Account, other: Account) -> None:
        """The app ends it for two, asking neither."""
        if await self._is(one, RelationKind.CONTACT, other):
            await self._tell(Operation.DELETED, other, one)
        await self.part(one, other)

    async def block(self, me: Account, names: Sequence[str]) -> None:
        """Hear nothing more from these lower-case names.

        Raises:
            Refused: the list would be too long; nobody is added.
        """
        await self.context.store.relations.block(self.space, self.app.key, me.name, names, MOST_BLOCKED)

    async def unblock(self, me: Account, names: Sequence[str]) -> None:
        """Let them write again."""
        for name in names:
            await self.context.store.relations.unblock(self.space, self.app.key, me.name, name)

    async def _is(self, me: Account, kind: RelationKind, other: Account) -> bool:
        relations = self.context.store.relations
        return await relations.is_there(self.space, self.app.key, me.name, kind, other.name)

    async def _tell(self, operation: Operation, sender: Account, to: Account, reason: str = "") -> None:
        feeds = await conversations(self.context, self.space, self.app, sender.person, [to.person])
        signal = Signal(
            kind=ROSTER,
            sender=Sender(party=sender.person, kind=PartyKind.PERSON, name=sender.name),
            sender_name=sender.name,
            to=to.name,
            party=to.person,
            feed=feeds[to.person],
            more={"operation": int(operation), "reason": reason},
        )
        await tell(self.context, self.space, self.app, signal)
