"""Quiet hours: zones, nights, changes of time, what comes through."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from onebell.core.directory import Person, QuietHours
from onebell.core.model import Severity
from onebell.core.policy import after_quiet, due_at


def quiet(start: str = "22:00", end: str = "07:00", zone: str = "UTC", through: str = "critical") -> QuietHours:
    return QuietHours(start=start, to=end, timezone=zone, through=through)


def at(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def after(hours: QuietHours, now: int, severity: Severity = Severity.NORMAL) -> int:
    return after_quiet(hours, severity, now)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-21 21:59:59", "2026-11-21 21:59:59"),
        ("2026-11-21 22:00:00", "2026-11-22 07:00:00"),
        ("2026-11-21 23:59:59", "2026-11-22 07:00:00"),
        ("2026-11-22 00:00:00", "2026-11-22 07:00:00"),
        ("2026-11-22 06:59:59", "2026-11-22 07:00:00"),
        ("2026-11-22 07:00:00", "2026-11-22 07:00:00"),
        ("2026-11-22 12:00:00", "2026-11-22 12:00:00"),
    ],
)
def test_a_night_ends_in_the_morning(now: str, due: str) -> None:
    """Quiet over midnight holds from its first instant to just before its last."""
    assert after(quiet(), at(now)) == at(due)


@pytest.mark.parametrize(
    ("now", "due"), [("12:59", "12:59"), ("13:00", "14:30"), ("14:29", "14:30"), ("14:30", "14:30")]
)
def test_a_nap_is_on_one_day(now: str, due: str) -> None:
    """Quiet within a day is that day's."""
    assert after(quiet("13:00", "14:30"), at(f"2026-11-21 {now}")) == at(f"2026-11-21 {due}")


def test_the_persons_zone_counts() -> None:
    """Ten at night is ten at night where the person lives."""
    shanghai = quiet(zone="Asia/Shanghai")

    assert after(shanghai, at("2026-11-21 15:00")) == at("2026-11-21 23:00")
    assert after(shanghai, at("2026-11-21 10:00")) == at("2026-11-21 10:00")


def test_a_night_with_a_change_of_time_stays_one_night() -> None:
    """The end is the wall clock's, an hour sooner or later by the sun."""
    berlin = quiet(zone="Europe/Berlin")
    spring, autumn = at("2026-03-28 23:00", "Europe/Berlin"), at("2026-10-24 23:00", "Europe/Berlin")

    assert after(berlin, spring) - spring == 7 * 3_600_000
    assert after(berlin, autumn) - autumn == 9 * 3_600_000


def test_an_end_in_the_hour_that_does_not_exist() -> None:
    """Quiet until half past two, in the night when that is left out, still ends."""
    berlin = quiet("22:00", "02:30", "Europe/Berlin")
    now = at("2026-03-29 01:30", "Europe/Berlin")

    due = after(berlin, now)

    assert now < due <= now + 2 * 3_600_000
    assert after(berlin, due) == due


@pytest.mark.parametrize(
    ("severity", "through", "rings"),
    [
        (Severity.CRITICAL, "critical", True),
        (Severity.HIGH, "critical", False),
        (Severity.HIGH, "high", True),
        (Severity.NORMAL, "high", False),
        (Severity.CRITICAL, "nonsense", True),
        (Severity.HIGH, "nonsense", False),
    ],
)
def test_what_is_urgent_enough_comes_through(severity: Severity, through: str, rings: bool) -> None:
    """A severity of at least ``through`` rings at once; an unknown word means critical."""
    now = at("2026-11-21 23:00")

    assert (after(quiet(through=through), now, severity) == now) is rings


@pytest.mark.parametrize("broken", [quiet("25:00"), quiet("soon"), quiet("07:00", "07:00")])
def test_hours_that_cannot_be_read_hold_nothing_back(broken: QuietHours) -> None:
    """Broken or empty hours are no reason to keep a message."""
    now = at("2026-11-21 23:00")

    assert after(broken, now) == now


def test_an_unknown_zone_is_utc() -> None:
    """A zone that nobody knows does not lose the hours."""
    assert after(quiet(zone="Mars/Olympus"), at("2026-11-21 23:00")) == at("2026-11-22 07:00")


def test_people_without_quiet_hours_are_rung_at_once() -> None:
    """``due_at`` reads the person."""

    def person(hours: QuietHours | None) -> Person:
        return Person(
            id=1,
            space=1,
            uid="a",
            name="",
            role="reader",
            language="",
            timezone="",
            quiet_hours=hours,
            email="",
            phone="",
            password_hash="",
            origin="api",
            created_at=0,
        )

    now = at("2026-11-21 23:00")

    assert due_at(person(None), Severity.NORMAL, now) == now
    assert due_at(person(quiet()), Severity.NORMAL, now) == at("2026-11-22 07:00")
