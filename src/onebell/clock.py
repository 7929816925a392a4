"""The only place that asks what time it is.

Instants are integers: milliseconds since the epoch, UTC. Durations are monotonic seconds.
"""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

# PushPlus and UMS write strings and count days in this zone whatever the space's own is (DESIGN §5).
SHANGHAI = ZoneInfo("Asia/Shanghai")
_SHANGHAI_AHEAD_MS = 8 * 3_600_000  # all year round since 1992
_DAY_MS = 86_400_000


class Clock(Protocol):
    """What time it is; tests move it."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def utc(at_ms: int) -> datetime:
    """An instant as an aware UTC datetime."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def iso(at_ms: int) -> str:
    """An instant as RFC 3339 with milliseconds and Z."""
    return utc(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shanghai_text(at_ms: int) -> str:
    """``yyyy-MM-dd HH:mm:ss`` in Asia/Shanghai (sheet pushplus §1.6)."""
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def shanghai_day(at_ms: int) -> str:
    """``yyyy-MM-dd`` in Asia/Shanghai, the day of PushPlus' and UMS' quotas."""
    return _shanghai_day((at_ms + _SHANGHAI_AHEAD_MS) // _DAY_MS)


@lru_cache(8)
def _shanghai_day(number: int) -> str:
    return utc(number * _DAY_MS).strftime("%Y-%m-%d")


def until_shanghai_midnight_s(at_ms: int) -> float:
    """Seconds until the next day in Asia/Shanghai, when quotas of Chinese services begin anew."""
    now = datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()
