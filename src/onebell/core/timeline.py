"""What became of a message: the words between the timeline's readers and the store."""

from typing import Any

import msgspec


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a list."""

    id: int
    space: int
    dialect: str
    public_id: str
    sender: int
    sender_kind: str
    sender_name: str
    credential: int
    severity: int
    state: str  # held | accepted | expanding | finished | recalled | refused
    parts: bytes
    created_at: int
    expires_at: int
    finished_at: int


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, with the names behind its numbers."""

    id: int
    account_code: str
    account_kind: str
    target: str
    person: int
    uid: str
    state: str
    attempts: int
    due_at: int
    why: str
    code: int
    provider_ref: str
    created_at: int
    closed_at: int


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery."""

    delivery: int
    no: int
    started_at: int
    ended_at: int
    outcome: str
    why: str
    provider_ref: str


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and when."""

    id: int
    kind: str
    delivery: int
    person: int
    data: dict[str, Any]
    at: int


class EntryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A message in mailboxes."""

    entries: int = 0
    taken: int = 0
    read: int = 0
    recalled: int = 0


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about a message; each list holds at most its first 500."""

    message: MessageRow
    inbox: EntryCounts
    deliveries: tuple[DeliveryRow, ...]
    attempts: tuple[AttemptRow, ...]
    events: tuple[EventRow, ...]
    more: bool


class CallbackRow(msgspec.Struct, frozen=True, kw_only=True):
    """A callback, without its body."""

    id: int
    dialect: str
    kind: str
    message: int
    url: str
    state: str
    attempts: int
    due_at: int
    last_status: int
    last_reply: str
    created_at: int
    closed_at: int


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a space."""

    space: int
    before: int = 0  # id; 0 = from the newest
    limit: int = 50
    dialect: str = ""
    state: str = ""
    sender: int = 0  # party; 0 = anybody's
    credential: int = 0  # that was shown; 0 = any
