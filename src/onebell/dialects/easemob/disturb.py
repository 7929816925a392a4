"""Do not disturb: when somebody wants no offline pushes (sheet easemob §3.2, §6)."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from onebell.dialects.easemob.userdata import NO_DISTURBING, NO_DISTURBING_END, NO_DISTURBING_START

NOTIFICATION = "notification"
"""In an account's settings: ``{"user/peer": {"type","ignoreInterval","ignoreDuration"}}``; the account's own name
stands for all conversations, and ``ignoreDuration`` is the instant it ends, in ms."""
TYPES = ("DEFAULT", "ALL", "AT", "NONE")
INTERVAL = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d")
MOST_MS = 7 * 86_400_000


def is_quiet(
    settings: Mapping[str, Any], me: str, peer: str, ext: Mapping[str, Any], now_ms: int, zone: tzinfo
) -> bool:
    """Whether a message of ``peer`` makes no push for the account ``me`` now."""
    clock = datetime.fromtimestamp(now_ms / 1000, zone).strftime("%H:%M")
    kept = settings.get(NOTIFICATION, {})
    everywhere, here = kept.get(f"user/{me}", {}), kept.get(f"user/{peer}", {})
    if _in_hours(settings, clock) or _in_interval(everywhere.get("ignoreInterval", ""), clock):
        return True
    if max(everywhere.get("ignoreDuration", 0), here.get("ignoreDuration", 0)) > now_ms:
        return True
    kind = here.get("type", "DEFAULT")
    if kind == "DEFAULT":
        kind = everywhere.get("type", "ALL")
    return bool(kind == "NONE" or (kind == "AT" and not _is_named(me, ext.get("em_at_list"))))


def _is_named(me: str, named: object) -> bool:
    if isinstance(named, str):
        return named.lower() == "all"
    return isinstance(named, list) and any(isinstance(one, str) and one.lower() == me for one in named)


def _in_hours(settings: Mapping[str, Any], clock: str) -> bool:
    """The old switch, with hours of the day, both missing = always."""
    if not settings.get(NO_DISTURBING):
        return False
    start, end = settings.get(NO_DISTURBING_START), settings.get(NO_DISTURBING_END)
    if start is None or end is None:
        return True
    return _is_between(f"{int(start):02}:00", f"{int(end):02}:00", clock)


def _in_interval(interval: str, clock: str) -> bool:
    start, _, end = interval.partition("-")
    return bool(interval) and _is_between(start, end, clock)


def _is_between(start: str, end: str, clock: str) -> bool:
    """The same start and end is the whole day; an earlier end is tomorrow's."""
    return start <= clock < end if start < end else clock >= start or clock < end
