"""PushPlus's numbers as data (sheet pushplus §6), and their checks.

The profile ``off`` (the default) has the member's lengths and no quotas; ``strict`` is the whole column of a
verified user.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from onebell.bounded import Bounded
from onebell.clock import Clock, shanghai_day
from onebell.core.context import Limits
from onebell.dialects.pushplus.answer import Fault, Rejected

COUNTED = ("wechat", "cp", "webhook", "mail", "extension", "app", "sms")
"""Channels whose requests are counted by day; a request may name whatever it likes."""
_DAY_MS = 86_400_000
_DAY_KEPT_S = 172_800  # a day's count is found by the day's name; the window only has to outlive it


class Window(msgspec.Struct, frozen=True):
    """At most ``limit`` in any ``seconds``."""

    limit: int
    seconds: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the table of limits."""

    title_chars: int
    content_chars: int
    to_friends: int
    per_day: dict[str, int] = {}  # by channel; one that is missing has no quota
    rate: Window | None = None
    same_content: Window | None = None
    webhooks: int  # configs a user may have
    verified_only: bool = False  # an account whose owner is not real-name verified sends nothing
    topics: int = 0  # that one person may make; 0 = no limit, here and below
    members: int = 0  # of one topic
    friends: int = 0  # of one person
    history_days: int = 0  # for how long its messages are shown; 0 = for as long as they are kept

    @property
    def has_rates(self) -> bool:
        """Whether :meth:`Counters.check_rate` has anything to count."""
        return self.rate is not None or self.same_content is not None

    def since_ms(self, now_ms: int) -> int:
        """Older messages are told of no more."""
        return now_ms - self.history_days * _DAY_MS if self.history_days else 0


OBJECTS = 1000
"""Message tokens, and scripts, of one user: the sheet knows no number, a list that is read whole needs one."""

PROFILES = {
    # Webhooks are a member's too: every node keeps all carrier accounts in memory.
    "off": Profile(title_chars=200, content_chars=100_000, to_friends=100, webhooks=50),
    "strict": Profile(
        title_chars=100,
        content_chars=20_000,
        to_friends=10,
        per_day={"wechat": 200, "cp": 1000, "webhook": 1000, "mail": 200, "extension": 1000, "app": 200},
        rate=Window(5, 60),
        same_content=Window(3, 3600),
        webhooks=10,
        verified_only=True,
        topics=5,
        members=100,
        friends=1000,
        history_days=30,
    ),
}


def profile_of(site: Mapping[str, Any] | None) -> Profile:
    """What a space's settings choose; ``off`` where they say nothing."""
    return PROFILES.get(str((site or {}).get("limits")), PROFILES["off"])


BAD_TOKENS = Window(300, 60)
"""Requests with unknown tokens from one address before it is shut out (E19); the sheet leaves the number to us."""


_FINE_S = 1.0
"""How long an address that may send is not looked up again: what it did on another node is seen that much later."""
_ADDRESSES = 10_000


class Counters:
    """The counted limits of all senders, shared by all nodes."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._fine_until: Bounded[str, float] = Bounded(_ADDRESSES)

    def is_fine(self, address: str) -> bool:
        """Whether the address was seen to be a moment ago."""
        return self._fine_until.get(address, 0.0) > self._clock.monotonic()

    async def check_address(self, address: str) -> None:
        """Raises: Rejected (E19)."""
        if await self._limits.used(0, _address_key(address), BAD_TOKENS.seconds) >= BAD_TOKENS.limit:
            raise Rejected(Fault.ADDRESS_BANNED)
        self._fine_until.put(address, self._clock.monotonic() + _FINE_S)

    async def bad_token(self, address: str) -> None:
        """Count a request with an unknown token."""
        self._fine_until.drop(address)
        await self._limits.take(0, _address_key(address), BAD_TOKENS.limit, BAD_TOKENS.seconds)

    def count(self, space: int, person: int, channel: str) -> None:
        """Count a request with a valid token, refused ones too."""
        if channel in COUNTED:
            self._limits.count(space, self._day_key(person, channel), _DAY_KEPT_S)

    async def is_within_day(self, space: int, person: int, profile: Profile, channel: str) -> bool:
        """False once the requests that were counted go beyond the channel's quota."""
        quota = profile.per_day.get(channel)
        return quota is None or await self.used_today(space, person, channel) <= quota

    async def used_today(self, space: int, person: int, channel: str) -> int:
        """How many requests with a valid token were counted today."""
        return await self._limits.used(space, self._day_key(person, channel), _DAY_KEPT_S)

    def _day_key(self, person: int, channel: str) -> str:
        return f"pushplus:day:{shanghai_day(self._clock.now_ms())}:{person}:{channel}"

    async def check_rate(self, space: int, person: int, profile: Profile, content: str) -> None:
        """Raises: Rejected (E17, E18)."""
        if not await self._take(space, f"pushplus:rate:{person}", profile.rate):
            raise Rejected(Fault.TOO_FAST)
        if profile.same_content is None:
            return
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        if not await self._take(space, f"pushplus:same:{person}:{digest}", profile.same_content):
            raise Rejected(Fault.REPEATED_CONTENT)

    async def _take(self, space: int, key: str, window: Window | None) -> bool:
        return window is None or await self._limits.take(space, key, window.limit, window.seconds)


def _address_key(address: str) -> str:
    return f"pushplus:badtoken:{address}"
