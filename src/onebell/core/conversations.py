"""The words between devices that read a mailbox conversation by conversation, and the store.

A conversation is a feed of two. In one mailbox public ids rise with ``seq`` (DESIGN §4), so a place is a ``seq`` and
clients name it by the public id.
"""

from typing import Any

import msgspec

from onebell.core.model import Part
from onebell.core.presence import Session

REPLACED = "replaced"
"""Why a session ends when the same device signs in again."""


def other_of(code: str, me: int) -> int:
    """The other party of the direct feed of this code; himself where he talks to himself."""
    one, other = (int(number) for number in code.rsplit(":", 2)[-2:])
    return other if one == me else one


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to sign in, with which device."""

    space: int
    mailbox: int
    dialect: str
    realm: str  # of the dialect: devices of different realms have nothing in common
    key: str  # what the device calls itself
    name: str
    platform: str
    limit: int  # other devices of the platform that may be signed in beside it, plus one
    session: Session  # as it shall be; its device is filled in

    @property
    def code(self) -> str:
        """What the device is found by among all of the dialect."""
        return f"{self.realm}:{self.mailbox}:{self.key}"


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that is stored."""

    session: Session
    seen_at: int  # ms; when the device was last there before; 0 = never
    replaced: tuple[int, ...]  # sessions of the same device, which end now


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A device that reads a mailbox."""

    space: int
    mailbox: int
    device: int
    dialect: str
    realm: str  # conversations of other realms are not his
    kept: int  # of the messages up to ``counted_until`` so many wait; the newest stay
    counted_until: int  # ms; what came later came while he was there, and all of it waits
    since: int  # ms; older ones do not wait any more


class Waiting(msgspec.Struct, frozen=True):
    """A conversation with something that the device has not acknowledged."""

    feed: int
    count: int


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a conversation."""

    seq: int
    public_id: int
    is_copy: bool  # the mailbox' owner wrote it
    created_at: int
    sender_name: str
    parts: bytes
    extra: bytes


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What follows a place."""

    after: int  # the place: a seq
    rows: tuple[Queued, ...]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """A device has everything of a conversation up to ``seq``."""

    reader: Reader
    feed: int
    after: int  # its place before
    seq: int
    public_id: int
    at: int  # ms


class Found(msgspec.Struct, frozen=True):
    """An entry that somebody names by its public id."""

    seq: int
    feed: int
    direction: int
    shown: int
    taken_at: int
    read_at: int
    recalled_at: int
    created_at: int
    message: int
    sender: int  # party
    parts: bytes
    extra: bytes


class Numbered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that somebody names by the public id of one of its entries."""

    message: int
    sender: int  # party
    sender_kind: str
    sender_name: str
    created_at: int
    feed: int  # of the receiver's entry
    mailbox: int  # the receiver's
    receivers: int  # how many there are
    shown: int
    is_recalled: bool
    part: Part
    extra: dict[str, Any]


class HourRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A message as one receiver got it."""

    public_id: int
    created_at: int
    to: str  # the receiver's account name
    part: Part


class HourPage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an hour of messages."""

    records: tuple[HourRecord, ...]
    after: tuple[int, int] | None  # where the next piece begins; None = there is none


class Roam(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a conversation is looked back on."""

    space: int
    me: int  # whose view
    peer: int  # the other party
    feed: int
    start: int  # public id behind which it begins; 0 = at the end that the direction starts from
    is_forward: bool  # oldest first
    since: int  # ms; 0 = no bound
    until: int  # ms; 0 = no bound
    limit: int


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation on somebody's list."""

    feed: int
    unread: int
    last: Queued
