"""What a carrier says about one delivery. The decision is in the type; nobody parses text."""

from enum import Enum
from typing import TypeAlias

import msgspec


class ReceiptMode(Enum):
    """How delivery is confirmed after the provider took the message."""

    NONE = "none"
    POLL = "poll"
    """``poll(refs)`` is asked ``poll_after_s`` later."""
    INBOUND = "inbound"
    """The provider calls ``/r/{account}/…``."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took it."""

    provider_ref: str = ""
    receipt: ReceiptMode = ReceiptMode.NONE
    poll_after_s: float = 0
    detail: str = ""  # the provider's words, ≤ 512 bytes


class Temporary(msgspec.Struct, frozen=True, kw_only=True):
    """May work later: the core's back-off decides when."""

    why: str
    not_before_s: float = 0  # a minimum the provider asks for


class Permanent(msgspec.Struct, frozen=True, kw_only=True):
    """Will never work unchanged."""

    why: str
    drop_target: bool = False  # this address is dead: no message goes there any more
    code: int = 0  # the provider's own code, for callbacks that show it


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """The provider says "too fast": nothing goes to this scope before ``wait_s`` has passed."""

    why: str
    wait_s: float
    scope: str = "account"  # "account" | "target"


class Unauthorized(msgspec.Struct, frozen=True, kw_only=True):
    """The credential is refused even after one refresh: the account stops and the operator is told."""

    why: str


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The batch as a whole was refused because of one member: send the halves."""

    why: str


Outcome: TypeAlias = Sent | Temporary | Permanent | Throttled | Unauthorized | Split
