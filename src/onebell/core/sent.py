"""A message as the API that it came through asks about it later."""

from typing import Any

import msgspec

from onebell.core.model import Part


class SentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a user's messages a PushPlus list shows."""

    channel: str = ""  # empty = all
    is_topic: bool | None = None
    is_read: bool | None = None  # somebody has read it
    since_ms: int = 0  # older ones are not told of


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored, and what has become of it."""

    id: int
    space: int
    public_id: str
    sender: int  # party
    sender_name: str
    parts: tuple[Part, ...]
    extra: dict[str, Any]  # Submission.extra
    state: str
    created_at: int
    finished_at: int  # 0 = something is still open
    is_reached: bool  # somebody has it
    why: str  # the last provider's words, empty when there are none
