"""What callers write is never taken for a mark of the server's own."""

from onebell.core.foreign import foreign


def test_a_callers_file_mark_is_taken_out() -> None:
    """``{"$file": id}`` would send a caller a file that is not his: the key is dropped, at any depth."""
    payload = {"image": {"base64": {"$file": 7}, "md5": "x"}, "list": [{"$file": 8, "a": 1}], "$file": 9}

    assert foreign(payload) == {"image": {"base64": {}, "md5": "x"}, "list": [{"a": 1}]}


def test_all_else_stays_as_it_was() -> None:
    """Unknown keys, numbers, nulls and order go through unchanged."""
    payload = {"b": [1, 2.5, None, True, "x"], "a": {"file": 1, "$files": 2}}

    assert foreign(payload) == payload
    assert list(foreign(payload)) == ["b", "a"]
