"""Conversations of two people of a space that belong to no app (``core.replies.Replies``)."""

from collections.abc import Sequence

from onebell.api.callers import DIALECT
from onebell.core.context import Context
from onebell.core.model import Attachment, Content, Kind, Part, PartyKind, People, Receipt, Sender, Submission, Talk
from onebell.core.recall import recall
from onebell.core.replies import Draft, Line, NotWritable, Sent, Unread, kind_of
from onebell.errors import InvalidInput
from onebell.ids import native_id

TEXT_CHARACTERS = 4000
RECALL_S = 120


class OwnReplies:
    """Between people; what a token or an app wrote to somebody cannot be answered."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def writable(self, lines: Sequence[Line]) -> frozenset[int]:
        """Where the other side is a person."""
        if not lines:
            return frozenset()
        people = await self._context.lookups.people(lines[0].space, [line.peer for line in lines])
        return frozenset(line.feed for line in lines if line.peer in people and line.peer != line.me)

    async def between(self, space: int, me: int, peer: int) -> int:
        """Every two people have one."""
        return await self._context.lookups.direct(space, DIALECT, me, peer)

    async def write(self, line: Line, draft: Draft) -> Receipt:
        """To the other's inbox and over his routes."""
        if not await self.writable((line,)):
            raise NotWritable("nobody reads what is written here")
        if len(draft.text) > TEXT_CHARACTERS:
            raise InvalidInput(f"a text has at most {TEXT_CHARACTERS} characters", "text")
        submission = Submission(
            space=line.space,
            dialect=DIALECT,
            public_id=native_id(),
            sender=Sender(party=line.me, kind=PartyKind.PERSON, name=draft.name),
            audience=(People(feed=line.feed, ids=(line.peer,)),),
            parts=(Part(content=_content(draft)),),
            copy_to_sender=True,
            idempotency=draft.once,
            guards=draft.guards,
        )
        return await self._context.accept(submission)

    async def recall_s(self, line: Line) -> int:
        """The same for everybody."""
        return RECALL_S

    async def recall(self, line: Line, sent: Sent) -> None:
        """Out of both inboxes, and from carriers that can."""
        await recall(self._context, line.space, sent.message)

    async def tell_read(self, line: Line, read: Sequence[Unread]) -> None:
        """The marks on the writer's entries say it."""


def _content(draft: Draft) -> Content:
    if (file := draft.file) is not None:
        attached = Attachment(name=file.name, type=file.type, file=file.id, size=file.size)
        talk = Talk(kind=kind_of(file.type), file=attached, duration_s=draft.duration_s)
        return Content(body=file.name, talk=talk)
    if draft.location is not None:
        return Content(body=draft.location.address, talk=Talk(kind=Kind.LOCATION, location=draft.location))
    return Content(body=draft.text, talk=Talk(kind=Kind.TEXT))
