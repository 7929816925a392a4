"""Corpus B by what it is sent as."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

_CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/xss.toml").read_text())

_TURNS = 4


def turns(usual: int) -> list[object]:
    """A test takes a quarter of the payloads in each run, and the other three in ``make test-all``. The sanitiser's own
    tests have all of them by every way in each run."""
    others = [turn for turn in range(_TURNS) if turn != usual]
    return [usual, *(pytest.param(turn, marks=pytest.mark.all) for turn in others)]


def in_turn(texts: Sequence[str], turn: int) -> list[str]:
    """Each fourth, another fourth for each turn."""
    return [text for text in texts[turn % _TURNS :: _TURNS] if text.strip()]


def _all(section: str, *without: str) -> list[str]:
    return [text for name, texts in _CORPUS[section].items() if name not in without for text in texts]


HTML = _all("html")
MARKDOWN = _all("markdown")
WECOM = _all("wecom")
NAMES = list(_CORPUS["names"]["values"])
TEXT = list(_CORPUS["text"]["values"])
EVERYTHING = list(dict.fromkeys([*HTML, *MARKDOWN, *WECOM, *NAMES, *TEXT]))
