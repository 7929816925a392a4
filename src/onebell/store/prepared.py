"""What one submission needs written: decided by the core, numbered and stored by the writer."""

from typing import TypeAlias

import msgspec

from onebell.core.bell import Mark, StoredMessage
from onebell.core.model import EntryRef, FirstEvent, GuardUse, IdempotencyKey, Receipt
from onebell.errors import OnebellError
from onebell.store.hot import Row
from onebell.store.schema import delivery, entry, event, expansion, message, plan, public_id, recipient

_encode = msgspec.json.Encoder().encode


class Box(msgspec.Struct, frozen=True, gc=False):
    """One entry to be: in which mailbox, from which feed."""

    mailbox: int
    feed: int
    direction: int = 0  # 0 in, 1 out
    mentioned: int = 0
    slot: int = 0  # numbered submissions: entries of one slot get the same public id


class Wait(msgspec.Struct, frozen=True, gc=False):
    """One delivery to be."""

    part: int
    account: int
    target: int
    person: int  # 0 = nobody known, or several (``shared``)
    due_at: int
    shared: tuple[int, ...] = ()  # the people behind a shared address


class Expansion(msgspec.Struct, frozen=True):
    """An audience that the database expands in pages."""

    spread: bytes  # core.work.Spread, packed
    due_at: int = 0  # not before


class Timer(msgspec.Struct, frozen=True):
    """A plan to be: what happens with the message later."""

    kind: str
    data: bytes
    next_at: int


class Prepared(msgspec.Struct, kw_only=True):
    """Everything to write for one submission; the message's id is minted already."""

    stored: StoredMessage  # what readers get, and most of the message's row
    feed: int
    state: str  # held | accepted | expanding | finished
    severity: int
    priority: int
    credential: int
    keep: str
    watched: bool
    is_told: bool = False  # its end is among ``events``: none is written when its last delivery closes
    parts: bytes
    extra: bytes
    callback: bytes  # empty = none
    due_at: int
    boxes: list[Box]
    waits: list[Wait] = []
    events: list[FirstEvent] = []
    expansions: list[Expansion] = []
    timers: list[Timer] = []
    slots: int = 0  # numbered: how many public ids are needed; 0 = not numbered
    shown: int = 0  # core.model.Shown
    only_online: bool = False  # entries only for mailboxes with a live session, for 60 s
    idempotency: IdempotencyKey | None = None
    guards: tuple[GuardUse, ...] = ()
    files: frozenset[int] = frozenset()  # stored files that it names

    @property
    def space(self) -> int:
        """The owner."""
        return self.stored.space

    @property
    def weight(self) -> int:
        """About how many bytes it writes; a batch holds a few MiB."""
        return len(self.parts) + len(self.extra) + 128 * (4 + len(self.boxes) + len(self.waits))


class Stored(msgspec.Struct, frozen=True):
    """A submission that a batch stores, or finds stored."""

    receipt: Receipt
    marks: tuple[Mark, ...] = ()


Result: TypeAlias = Stored | OnebellError


class FirstReceipt(msgspec.Struct, array_like=True):
    """What an idempotency row remembers of the first receipt."""

    entries: tuple[EntryRef, ...]
    extra: msgspec.Raw


# The columns that acceptance fills, in the table's order; the rest have their defaults.
MESSAGE = (
    "space_id", "id", "dialect", "public_id", "sender", "sender_kind", "sender_name", "credential_id", "feed_id",
    "parent_id", "severity", "keep", "state", "watched", "parts", "extra", "callback", "due_at", "expires_at",
    "created_at", "finished_at", "device_id",
)  # fmt: skip
ENTRY = (
    "space_id", "mailbox_id", "seq", "rev", "message_id", "feed_id", "direction", "public_id", "mentioned", "severity",
    "created_at", "expires_at", "shown",
)  # fmt: skip
PUBLIC_ID = ("dialect", "public_id", "space_id", "message_id")
DELIVERY = (
    "space_id", "id", "message_id", "part", "account_id", "target_id", "person_id", "priority", "due_at", "expires_at",
    "created_at",
)  # fmt: skip
RECIPIENT = ("space_id", "delivery_id", "person_id")
EVENT = ("space_id", "id", "dialect", "message_id", "person_id", "kind", "data", "packed", "created_at")
EXPANSION = ("space_id", "message_id", "no", "audience", "lease_until")
PLAN = ("space_id", "id", "kind", "message_id", "data", "next_at")

PLAIN = (
    (message, MESSAGE),
    (entry, ENTRY),
    (public_id, PUBLIC_ID),
    (delivery, DELIVERY),
    (recipient, RECIPIENT),
    (expansion, EXPANSION),
    (plan, PLAN),
    (event, EVENT),
)
"""The fixed order in which a batch fills its tables."""


def message_row(item: Prepared) -> Row:
    """The row of ``message``.

    Its bytes are bytearrays: of every ``bytes`` and ``None``, sqlite3 asks whether somebody adapts it, which costs more
    than binding the whole row.
    """
    stored = item.stored
    return (
        stored.space, stored.id, stored.dialect, stored.public_id, stored.sender, stored.sender_kind,
        stored.sender_name, item.credential, item.feed, stored.parent, item.severity, item.keep, item.state,
        1 if item.watched and not item.is_told else 0, bytearray(item.parts), bytearray(item.extra),
        bytearray(item.callback), item.due_at, stored.expires_ms, stored.created_ms,
        stored.created_ms if item.state == "finished" else 0, stored.device,
    )  # fmt: skip


def remembered(extra: bytes, entries: tuple[EntryRef, ...] = ()) -> bytes:
    """What the idempotency row keeps, so that a repeat gets the first one's receipt."""
    return _encode(FirstReceipt(entries, msgspec.Raw(extra)))
