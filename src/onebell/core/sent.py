"""A message as the API that it came through asks about it later."""

from typing import Any

import msgspec

from onebell.core.model import Part


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
