"""One back-off for all carriers: when a delivery that failed for now is tried again.

The pauses triple from 5 s to 6 h, each jittered by 15 %: 5 s, 15 s, 45 s, 2 min, 7 min, 20 min, 1 h, 3 h, then every
6 h. That is at most 12 tries in any 24 h even when every pause comes out shortest (RELIABILITY R7).
"""

import random
from collections.abc import Callable

FIRST_S = 5.0
FACTOR = 3.0
LONGEST_S = 6 * 3600.0
JITTER = 0.15

Jitter = Callable[[], float]
"""A number in [0, 1)."""


def pause_s(attempt: int, jitter: Jitter = random.random) -> float:
    """Seconds between try ``attempt`` (1 = the first) and the next."""
    bare = min(FIRST_S * FACTOR ** min(attempt - 1, 32), LONGEST_S)
    return bare * (1 - JITTER + 2 * JITTER * jitter())


def ends_at(first_due: int, expires_at: int, max_age_s: float) -> int:
    """The instant after which a delivery is not tried any more: the message's end or the carrier's.

    A carrier's time runs from when the delivery was first due, so that quiet hours do not eat it.
    """
    oldest = first_due + round(max_age_s * 1000)
    return min(expires_at, oldest) if expires_at else oldest


def next_due(
    now_ms: int, attempt: int, ends_ms: int, not_before_s: float = 0, jitter: Jitter = random.random
) -> int | None:
    """When it is tried again, in ms; ``None`` when that would be past its end.

    ``not_before_s`` is the least that the provider asks for; the jitter only ever lengthens that.
    """
    asked_s = not_before_s * (1 + JITTER * jitter())
    due = now_ms + round(max(pause_s(attempt, jitter), asked_s) * 1000)
    return due if due < ends_ms else None
