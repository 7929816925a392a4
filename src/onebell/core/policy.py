"""When a person's carriers may ring: quiet hours (DESIGN §2). The inbox always takes a message at once."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from onebell.clock import utc
from onebell.core.directory import Person, QuietHours
from onebell.core.model import Severity


def due_at(person: Person, severity: Severity, now_ms: int) -> int:
    """When a delivery to this person is due: now, or the end of the quiet hours that now lies in, in ms."""
    if person.quiet_hours is None:
        return now_ms
    return after_quiet(person.quiet_hours, severity, now_ms)


def after_quiet(quiet: QuietHours, severity: Severity, now_ms: int) -> int:
    """``now_ms``, or when the quiet hours that it lies in end. The first instant of the end is no longer quiet."""
    if severity >= _through(quiet.through):
        return now_ms
    zone = _zone(quiet.timezone)
    start, end = _time(quiet.start), _time(quiet.to)
    if start is None or end is None or start == end:
        return now_ms
    now = utc(now_ms).astimezone(zone)
    for day in (now.date() - timedelta(days=1), now.date()):
        # Two walls of the clock, each read on its own day: a night with a change of time stays one night.
        begins = datetime.combine(day, start, zone)
        ends = datetime.combine(day if start < end else day + timedelta(days=1), end, zone)
        if _ms(begins) <= now_ms < _ms(ends):
            return _ms(ends)
    return now_ms


def _through(word: str) -> Severity:
    try:
        return Severity[word.upper()]
    except KeyError:
        return Severity.CRITICAL


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
