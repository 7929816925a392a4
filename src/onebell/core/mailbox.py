"""The words between a mailbox's readers and the store: where they stand, what they ask for, what they get."""

import msgspec

PAGE = 500
"""Rows that one read fetches at most (DESIGN §4)."""
WINDOW = 128
"""Changes that one mailbox gets in one common catch-up."""


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """An entry with its message and its feed, in the order of ``_COLUMNS``."""

    mailbox: int
    seq: int
    rev: int
    message: int
    feed: int
    direction: int
    public_id: int
    mentioned: int
    expires_at: int
    read_at: int
    recalled_at: int
    deleted_at: int
    dialect: str
    message_id: str
    sender_kind: str
    sender_name: str
    severity: int
    parts: bytes
    created_at: int
    message_expires_at: int
    feed_kind: str
    feed_name: str
    feed_code: str
    space: int
    shown: int = 0
    delivered_at: int = 0
    seen_at: int = 0
    answers: tuple[tuple[str, str], ...] = ()  # keys and values of buttons that the mailbox's owner pressed


class Marker(msgspec.Struct, frozen=True):
    """Everything up to ``seq`` was read at ``at``; the marker moved there at ``rev``."""

    seq: int = 0
    rev: int = 0
    at: int = 0


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a mailbox."""

    mailbox: int
    rows: tuple[EntryRow, ...] = ()
    marker: Marker = Marker()
    position: int = 0  # every change up to this rev is in here, or was before
    last: int = 0  # the mailbox's last place when the page was read
    floor: int = 0  # rows below this rev were removed for good
    more: bool = False  # another page follows


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True):
    """What many readers have not seen."""

    pages: tuple[Page, ...]
    complete: bool  # a mailbox without a page does not exist; else it may have found no room in the answer


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a reader of a mailbox stands."""

    mailbox: int
    rev: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of which mailbox, and how many at most."""

    space: int
    mailbox: int
    limit: int = PAGE
    feed: int = 0  # 0 = any
    text: str = ""  # somewhere in the message, without case; "" = any


class FeedCount(msgspec.Struct, frozen=True, kw_only=True):
    """A feed as one mailbox sees it."""

    feed: int
    kind: str
    name: str
    code: str
    dialect: str
    entries: int
    unread: int
    last_seq: int
    last_at: int
    peer: int = 0  # the other party of a direct feed; 0 = there is none but himself


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader did in his mailbox."""

    space: int
    mailbox: int
    now: int  # ms
