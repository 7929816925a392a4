"""Conversations of two people, as somebody who writes in his inbox sees them: the port to the dialect they belong to.

The native API is handed one implementation per dialect; it knows none of them.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from onebell.core.context import StoredFile
from onebell.core.conversations import other_of
from onebell.core.directory import Feed
from onebell.core.model import FeedKind, GuardUse, IdempotencyKey, Kind, Location, Receipt
from onebell.errors import OnebellError


class NotWritable(OnebellError):
    """Nobody can write to this conversation, or not this person."""


class Blocked(OnebellError):
    """The other side does not want to hear from him."""


class TooFast(OnebellError):
    """He writes faster than he may."""


_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
"""What every browser and client shows; other kinds of pictures are files."""


def kind_of(media_type: str) -> Kind:
    """What a file is to people."""
    if media_type in _PICTURES:
        return Kind.IMAGE
    family = media_type.partition("/")[0]
    return {"audio": Kind.VOICE, "video": Kind.VIDEO}.get(family, Kind.FILE)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as one of its two sides has it."""

    space: int
    feed: int
    dialect: str
    code: str  # of the feed
    me: int  # party
    peer: int  # party; himself where he talks to himself


def line_of(feed: Feed, me: int) -> Line | None:
    """A feed as somebody's conversation; None = it is none of his."""
    if feed.kind is not FeedKind.DIRECT or str(me) not in feed.code.rsplit(":", 2)[-2:]:
        return None
    peer = other_of(feed.code, me)
    return Line(space=feed.space, feed=feed.id, dialect=feed.dialect, code=feed.code, me=me, peer=peer)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody writes: a text, a file or a place, exactly one."""

    name: str  # of the writer, as shown
    text: str = ""
    file: StoredFile | None = None  # his own, uploaded before
    duration_s: int = 0  # of a recording or film; 0 = unknown
    location: Location | None = None
    origin: str  # where his page came from, "https://host": links that programs open begin with it
    once: IdempotencyKey | None = None
    guards: tuple[GuardUse, ...] = ()


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming entry of a conversation that its reader has not read."""

    seq: int
    feed: int
    dialect: str
    code: str  # of the feed
    message: int
    public_id: int  # 0 = its dialect does not number entries


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An outgoing entry."""

    message: int
    public_id: int  # as in ``Unread``


class Replies(Protocol):
    """The conversations of one dialect."""

    async def writable(self, lines: Sequence[Line]) -> frozenset[int]:
        """The feeds of those that can be written to now."""
        ...

    async def between(self, space: int, me: int, peer: int) -> int:
        """The conversation of two people, made at first use; 0 = they have nothing in common here."""
        ...

    async def write(self, line: Line, draft: Draft) -> Receipt:
        """Store a message; the writer gets an outgoing entry.

        Raises:
            NotWritable, Blocked, TooFast, InvalidInput, Refused, Conflict, StoreUnavailable: nothing is stored.
        """
        ...

    async def recall_s(self, line: Line) -> int:
        """How long after it was sent a message can be taken back; 0 = never."""
        ...

    async def recall(self, line: Line, sent: Sent) -> None:
        """Take an own message back, for everybody. The same again does nothing.

        Raises:
            StoreUnavailable
        """
        ...

    async def tell_read(self, line: Line, read: Sequence[Unread]) -> None:
        """Tell whoever wrote these that they were read, once however often it is called.

        Raises:
            StoreUnavailable
        """
        ...
