"""The one back-off of all carriers (RELIABILITY R7)."""

import random
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from onebell.core.backoff import JITTER, LONGEST_S, ends_at, next_due, pause_s

DAY_S = 86_400


def pauses(jitter: float, count: int = 40) -> list[float]:
    return [pause_s(attempt, lambda: jitter) for attempt in range(1, count + 1)]


def test_the_first_retry_is_quick() -> None:
    """The second try comes about 5 s after the first, the third soon after."""
    assert pauses(0.5)[:4] == [5, 15, 45, 135]


def test_pauses_grow_to_six_hours_and_stay() -> None:
    """The schedule is exponential up to its longest pause; no attempt number is too large for it."""
    middle = pauses(0.5)

    assert middle == sorted(middle)
    assert middle[-1] == LONGEST_S
    assert pause_s(10_000, lambda: 0.5) == LONGEST_S


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=40, max_size=40))
def test_at_most_twelve_tries_in_any_day(numbers: list[float]) -> None:
    """However the jitter falls, no window of 24 h holds more than 12 tries."""
    source = iter(numbers)
    starts = [0.0, *accumulate(pause_s(attempt, lambda: next(source)) for attempt in range(1, 40))]

    for start in starts:
        assert len([one for one in starts if start <= one < start + DAY_S]) <= 12


def test_jitter_spreads_a_herd() -> None:
    """Deliveries that failed together come back spread over at least ± 10 %."""
    source = random.Random(1)
    spread = [pause_s(3, source.random) / pause_s(3, lambda: 0.5) for _ in range(1_000)]

    assert JITTER >= 0.1
    assert min(spread) < 0.9
    assert max(spread) > 1.1
    assert all(1 - JITTER <= one <= 1 + JITTER for one in spread)


def test_the_providers_minimum_is_never_undercut() -> None:
    """What a provider asks for is a minimum; jitter only lengthens it."""
    for number in (0.0, 0.3, 0.99):
        due = next_due(0, 1, 10**12, 60, lambda number=number: number)
        assert due is not None
        assert due >= 60_000
    assert next_due(0, 5, 10**12, 1, lambda: 0.5) == 405_000


def test_tries_end() -> None:
    """A try that would come at or after the end does not come."""
    assert next_due(1_000, 1, 6_000, 0, lambda: 0.5) is None
    assert next_due(1_000, 1, 6_001, 0, lambda: 0.5) == 6_000


def test_the_end_is_the_messages_or_the_carriers() -> None:
    """Whichever comes first; a message without one leaves it to the carrier."""
    assert ends_at(1_000, 0, 10) == 11_000
    assert ends_at(1_000, 5_000, 10) == 5_000
    assert ends_at(1_000, 50_000, 10) == 11_000


def test_every_pause_is_longer_than_the_one_before() -> None:
    """Until the longest is reached, even the longest jitter of one pause is below the shortest of the next."""
    longest, shortest = pauses(0.999999, 8), pauses(0, 8)

    assert all(before < after for (before, _), (_, after) in pairwise(zip(longest, shortest, strict=True)))
