"""Cutting and splitting by bytes of UTF-8, never inside a character."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.core.fit import ELLIPSIS, Limits, cut, fit, size, split
from onebell.core.model import Content, Format
from onebell.core.render import render

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "…"),
        ("abcde", 4, "a…"),
        ("中文字", 9, "中文字"),
        ("中文字", 8, "中…"),
        ("中文字", 7, "中…"),
        ("中文字", 6, "中…"),
        ("中文字", 5, "…"),
        ("中文字", 2, ""),
        ("ab", 1, "a"),
        ("😀😀", 7, "😀…"),
        ("abc", 0, ""),
        ("", 1, ""),
    ],
)
def test_a_cut_counts_its_ellipsis(text: str, limit: int, expected: str) -> None:
    """The limit is bytes with ``…`` (3) counted in, where it has room."""
    assert cut(text, limit) == expected


def test_wecom_text_at_its_limit() -> None:
    """682 characters of three bytes and two more are 2048 and stay; one more byte is cut (sheet wecom §6.1)."""
    whole = "中" * 682 + "ab"

    assert cut(whole, 2048) == whole
    assert cut(whole + "c", 2048) == "中" * 681 + ELLIPSIS


@given(TEXT, st.integers(0, 300))
def test_a_cut_is_a_beginning_within_the_limit(text: str, limit: int) -> None:
    """Whatever is cut is valid UTF-8, within the limit, and the beginning of the text."""
    short = cut(text, limit)

    assert size(short) <= limit
    assert text.startswith(short.removesuffix(ELLIPSIS) if short != text else short)
    assert cut(short, limit) == short
    assert (short == text) == (size(text) <= limit)


@given(TEXT, st.integers(4, 50))
def test_split_loses_nothing(text: str, limit: int) -> None:
    """The pieces, joined, are the text; each is within the limit."""
    pieces = split(text, limit)

    assert "".join(pieces) == text
    assert all(size(piece) <= limit for piece in pieces)


def test_split_prefers_line_ends() -> None:
    """A piece ends after a line where one ends within the limit."""
    assert split("ab\ncd\nefgh", 6) == ("ab\ncd\n", "efgh")
    assert split("abcdefgh", 5) == ("abcde", "fgh")


@given(TEXT, TEXT, st.sampled_from(Format), st.integers(0, 60), st.integers(0, 60), st.integers(0, 120))
def test_every_form_fits(title: str, body: str, written_in: Format, title_limit: int, limit: int, total: int) -> None:
    """After fitting, no form is over its limit, nor with its title over the whole's."""
    limits = Limits(title_bytes=title_limit, body_bytes=limit, markdown_bytes=limit // 2, total_bytes=total)

    fitted = fit(render(Content(title=title, body=body, format=written_in)), limits)

    assert title_limit == 0 or size(fitted.title) <= title_limit
    for form, own in ((fitted.text, limit), (fitted.markdown, limit // 2 or limit), (fitted.html, limit)):
        assert own == 0 or size(form) <= own
        assert total == 0 or size(fitted.title) + size(form) <= total


def test_no_limits_change_nothing() -> None:
    """A carrier without limits gets what was rendered."""
    forms = render(Content(title="t", body="<p>x</p>" * 1000, format=Format.HTML))

    assert fit(forms, Limits()) == forms


def test_html_that_is_too_long_becomes_a_paragraph() -> None:
    """Markup is never cut in the middle of a tag: the beginning of its words goes instead."""
    forms = render(Content(body="<ul>" + "<li>a &amp; b</li>" * 10 + "</ul>", format=Format.HTML))

    fitted = fit(forms, Limits(html_bytes=40)).html

    assert fitted.startswith("<p>• a &amp; b<br>")
    assert fitted.endswith("…</p>")
    assert size(fitted) <= 40


def test_limits_are_read_from_toml() -> None:
    """The struct is what a manifest's ``[limits]`` is decoded into."""
    assert msgspec.toml.decode(b"title_bytes = 5\nbatch = 3", type=Limits) == Limits(title_bytes=5, batch=3)
