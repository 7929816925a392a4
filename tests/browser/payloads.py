"""Corpus B by what it is sent as."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

_CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/xss.toml").read_text())

_IN_TURN = 1 if os.environ.get("ONEBELL_TEST_ALL") == "1" else 4


def in_turn(texts: Sequence[str], turn: int) -> list[str]:
    """Every payload in ``make test-all``; else each fourth, another fourth for each turn of 0 to 3. The sanitiser's own
    tests have all of them by every way in each run."""
    return [text for text in texts[turn % _IN_TURN :: _IN_TURN] if text.strip()]


def _all(section: str, *without: str) -> list[str]:
    return [text for name, texts in _CORPUS[section].items() if name not in without for text in texts]


HTML = _all("html")
MARKDOWN = _all("markdown")
WECOM = _all("wecom")
NAMES = list(_CORPUS["names"]["values"])
TEXT = list(_CORPUS["text"]["values"])
EVERYTHING = list(dict.fromkeys([*HTML, *MARKDOWN, *WECOM, *NAMES, *TEXT]))
