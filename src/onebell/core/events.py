"""What can happen to a message, for timelines and callbacks."""

from enum import Enum
from typing import Any

import msgspec


class EventKind(Enum):
    """Kinds of events. Written in the transaction that makes them true."""

    RESOLVED = "resolved"
    """A person has an address on a carrier this message goes over (UMS type 0)."""
    UNRESOLVED = "unresolved"
    """A person has none, or does not exist; ``data`` = {"uid","carrier","code","message"} (UMS type 1)."""
    STORED = "stored"
    """An entry was written for a receiver; ``data`` = {"public_id","offline"} (Easemob post-send)."""
    MISSED = "missed"
    """A message kept ``while_online`` found this receiver gone: he has no entry. ``data`` as of ``STORED``."""
    SENT = "sent"
    """A provider took the delivery (UMS type 2)."""
    FAILED = "failed"
    """A delivery failed for good, or without one the rest of an audience that could not be expanded; ``data`` =
    {"code","message"} (UMS type 3)."""
    DELIVERED = "delivered"
    """A provider or reader confirmed it (UMS type 4)."""
    UNDELIVERED = "undelivered"
    """The provider took it and later reported failure (UMS type 5)."""
    CLICKED = "clicked"
    """A reader opened it (UMS type 6)."""
    READ = "read"
    PRESSED = "pressed"
    """A reader pressed a button; ``data`` = {"key","value"}."""
    RECALLED = "recalled"
    NOT_RECALLED = "not_recalled"
    """A provider kept what it had; without a delivery, asking the providers was given up. ``data`` =
    {"code","message"}."""
    EXPIRED = "expired"
    """A delivery's time passed before its turn."""
    FINISHED = "finished"
    """No delivery is open any more, or the inbox suffices; ``data`` = {"ok": bool, "message": str} (PushPlus
    message_complate)."""
    JOINED = "joined"
    """A person came into a feed by a link; ``data`` = {"feed"} (PushPlus add_topic_user)."""
    BEFRIENDED = "befriended"
    """A person became a friend by a link; ``data`` = {"of", "credential", "content"} (PushPlus add_friend)."""
    ONLINE = "online"
    """Of no message: somebody's device has signed in; ``data`` is the dialect's (Easemob login)."""
    OFFLINE = "offline"
    """Of no message: it has signed out, or was put out."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a dialect's packer gets it."""

    id: int
    space: int
    dialect: str
    message: int
    public_id: str  # of the message
    delivery: int  # 0 = none
    person: int  # 0 = none
    kind: EventKind
    data: dict[str, Any]
    at: int
    extra: dict[str, Any]  # Submission.extra of the message
    callback_url: str  # CallbackTarget.url of the message
    callback_params: dict[str, Any]
    account_kind: str = ""  # carrier kind of the delivery
    account_code: str = ""
    target: str = ""  # address of the delivery
    sender: int = 0  # party that wrote the message; 0 = none


class CallbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request that a dialect made of 1…n events."""

    kind: str
    space: int
    url: str
    verified: bool  # the operator named this address; else it came in a request and meets the strict gate
    headers: dict[str, str]
    body: bytes
    order_key: str  # callbacks of one key go out one after the other
    message: int = 0
    events: tuple[int, ...] = ()  # ids of the events it covers
    timeout_s: int = 0  # how long its receiver is waited for, at most 60; 0 = as the schedule says
    context: dict[str, Any] = {}  # handed back to ``on_answer`` and ``on_failure``
    parked: str = ""  # why it is not sent, but kept to be replayed; empty = it is sent


class CallbackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a callback's receiver said."""

    status: int
    headers: dict[str, str]
    body: bytes  # ≤ 64 KiB


class CallbackSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a callback is tried again, and what counts as success (the sheet's rule)."""

    pauses_s: tuple[float, ...]  # before the second, third … try; then it is parked
    timeout_s: float
    success: tuple[int, ...] = ()  # statuses that end it; empty = any 2xx
    any_answer_ends: bool = False  # any HTTP answer ends it: only silence is retried (PushPlus)
    gather: int = 1  # events per request
    gather_s: float = 0  # how long the first waiting event waits for company
