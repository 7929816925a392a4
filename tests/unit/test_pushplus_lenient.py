"""JSON as PushPlus' own documents print it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from onebell.dialects.pushplus.lenient import (
    LENIENT_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    NotJson,
    clean,
    loads,
    loads_lenient,
    number_value,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'name':'名称','size':'大小'}", {"name": "名称", "size": "大小"}),
        ("{a:1,b_c:-2.5e3,$d:true,e-f:null}", {"a": 1, "b_c": Raw(b"-2.5e3"), "$d": True, "e-f": None}),
        ("{24G:'40',5G1:'41',名称:1,1:2}", {"24G": "40", "5G1": "41", "名称": 1, "1": 2}),
        ("[1,2,]", [1, 2]),
        ("{}", {}),
        ("{'a':{'b':[{'c':[]}]}}", {"a": {"b": [{"c": []}]}}),
        ('"a\nb\tc"', "a\nb\tc"),
        (r"'it\'s \"q\" \u4e2d \n \/ \x'", 'it\'s "q" 中 \n / x'),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\ud800x"', "\ufffdx"),
        (" \ufeff 'x' ", "x"),
        ("''", ""),
    ],
)
def test_lenient_forms_are_read(text, value):
    """Every leniency the documented bodies need."""
    assert value == loads_lenient(text)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[", "{'a'", "{'a':", "{'a':1", "'a", '"\\', r'"\u12"', "tru", "undefined", "1 2", "{a 1}",
     "[1 2]", "{,}", "--1", "NaN", "}"],
)  # fmt: skip
def test_what_is_not_json_is_refused(text):
    """A clear refusal, never another exception."""
    with pytest.raises(NotJson):
        loads_lenient(text)


def test_nesting_is_bounded():
    """A parser's stack is not the caller's to use."""
    assert loads_lenient("[[]]") == [[]]
    with pytest.raises(NotJson, match="nested deeper"):
        loads_lenient("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))
    with pytest.raises(NotJson):
        loads(b"[" * 100_000)


def test_what_is_read_value_by_value_is_bounded():
    """Nobody holds up the others with a body of a million values, or with one that only leniency could read."""
    assert len(loads_lenient("[" + "1," * (MAX_VALUES - 1) + "]")) == MAX_VALUES - 1
    with pytest.raises(NotJson, match="more than"):
        loads(b"{'a':[" + b"1," * MAX_VALUES + b"]}")
    assert len(loads(b"'" + b"\\n" * 1000 + b"'")) == 1000
    with pytest.raises(NotJson, match="too long"):
        loads(b"'" + b"x" * LENIENT_BYTES + b"'")


def test_numbers_can_be_kept_as_written():
    """A page shows 1.50 as it was sent, and so does a content that is an object."""
    assert loads_lenient("{a:1.50}", str) == {"a": "1.50"}
    assert loads_lenient("{a:1.50}") == loads(b'{"a":1.50}') == {"a": Raw(b"1.50")}


def test_huge_numbers_do_no_harm():
    """A number of very many digits stays text; one that no float holds is kept as written."""
    assert number_value("9" * 1000) == "9" * 1000
    assert loads(b"1e400") == Raw(b"1e400")
    assert loads(b"1" * 100_000) == "1" * 100_000


def test_strict_bodies_take_the_fast_way():
    """What is JSON is read as JSON: the last of two equal keys counts, big integers are exact."""
    assert loads(b'{"a":1,"a":2}') == {"a": 2}
    assert loads(b"12345678901234567890123") == 12345678901234567890123


@pytest.mark.parametrize("body", [b"{" * 200_000, b"'" + b"\\u" * 200_000, b'{"a":' * 50_000, b"[" + b"1," * 100_000])
def test_adversarial_bodies_are_refused(body):
    """No pattern goes back over what it has read, no recursion follows the caller: else this test would not end."""
    with pytest.raises(NotJson):
        loads(body)


@given(st.binary(max_size=200) | st.text(alphabet="{}[]:,'\"\\u0123456789abtruefalsn \n", max_size=80).map(str.encode))
def test_any_bytes_are_a_value_or_refused(body):
    """Whatever comes, the outcome is a value that can be stored, or NotJson."""
    try:
        value = loads(body)
    except NotJson:
        return

    str(value).encode()


def test_lone_surrogates_are_replaced():
    """A string that cannot be encoded cannot be stored."""
    assert clean("a\ud800b\ud83d\ude00") == "a\ufffdb😀"
    assert clean("plain") == "plain"
