"""Channel ids of PushGo (sheet pushgo §2.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.pushgo.channel_id import canonical, encode


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x11" * 16, "248H248H248H248H248H248H24"),
        (bytes(range(16)), "000G40R40M30E209185GR38E1W"),
        (bytes.fromhex("01a407fe01f23b08049bd5c9e1c020a6"), "06J0FZG1Y8XGG14VTQ4Y3G10MR"),
    ],
)
def test_the_sheets_vectors(value: bytes, text: str) -> None:
    """The vectors of the sheet hold in both directions."""
    assert encode(value) == text
    assert canonical(text) == text


def test_a_sample_with_spare_bits_is_invalid() -> None:
    """The low two bits of the last digit must be zero; the printed docs sample breaks that."""
    assert canonical("01HZX9G7G7JPRV4M3H5T9B3C6A") is None


@pytest.mark.parametrize(
    "text", ["", "248H", "248H248H248H248H248H248H2U", "२" * 26, "ı48H248H248H248H248H248H24", "@" * 26]
)
def test_what_is_no_channel_id(text: str) -> None:
    """Other lengths and characters outside of Crockford's alphabet are refused."""
    assert canonical(text) is None


@given(st.binary(min_size=16, max_size=16), st.data())
def test_every_way_of_writing_reads_the_same(value: bytes, data: st.DataObject) -> None:
    """Blanks and dashes are ignored, case does not matter, O reads as 0 and I and L as 1."""
    looks_like = {"0": "0Oo", "1": "1IiLl"}
    text = encode(value)
    written = ""
    for digit in text:
        written += data.draw(st.sampled_from(["", "-", " ", "\t"]))
        written += data.draw(st.sampled_from(looks_like.get(digit, digit + digit.lower())))
    assert canonical(written) == text


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(text: str) -> None:
    """Whatever is not an id is None, never an error; an id is its own canonical form."""
    found = canonical(text)
    assert found is None or canonical(found) == found
