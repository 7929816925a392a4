"""A mapping with a bound."""

from hypothesis import given
from hypothesis import strategies as st

from onebell.bounded import KEY_CHARS, Bounded, ShortKeyed


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans())), st.integers(1, 20))
def test_never_more_than_the_limit_and_never_a_wrong_value(steps: list[tuple[int, bool]], limit: int):
    """Whatever is put and read, the size stays within the limit and a hit is the last value put."""
    bounded: Bounded[int, int] = Bounded(limit)
    last: dict[int, int] = {}
    for at, (key, put) in enumerate(steps):
        if put:
            bounded.put(key, at)
            last[key] = at
            assert bounded.get(key, -1) == at
        else:
            assert bounded.get(key, -1) in (-1, last.get(key, -1))
        assert len(bounded) <= max(limit, 2)


def test_what_is_used_stays():
    """An entry that is read between others survives any number of them."""
    bounded: Bounded[int, str] = Bounded(10)
    bounded.put(-1, "kept")
    for key in range(1000):
        bounded.put(key, "passing")
        assert bounded.get(-1, "lost") == "kept"


def test_drop_forgets_in_both_generations():
    """A dropped entry is gone, young or old."""
    bounded: Bounded[int, int] = Bounded(4)
    for key in range(4):
        bounded.put(key, key)
    for key in range(4):
        bounded.drop(key)
    assert len(bounded) == 0


def test_long_keys_are_not_remembered():
    """Entries are bounded by their number, so each must be small: all texts of a key count, however deep."""
    remembered: ShortKeyed[object, int] = ShortKeyed(10)
    half = "k" * (KEY_CHARS // 2)
    remembered.put((1, half, (half,)), 1)
    remembered.put((1, half, (half, "k")), 2)
    remembered.put(b"k" * (KEY_CHARS + 1), 3)

    assert remembered.get((1, half, (half,)), 0) == 1
    assert len(remembered) == 1
