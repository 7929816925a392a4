"""Corpus B by what it is sent as."""

import tomllib
from pathlib import Path

_CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/xss.toml").read_text())


def _all(section: str, *without: str) -> list[str]:
    return [text for name, texts in _CORPUS[section].items() if name not in without for text in texts]


HTML = _all("html")
MARKDOWN = _all("markdown")
WECOM = _all("wecom")
NAMES = list(_CORPUS["names"]["values"])
TEXT = list(_CORPUS["text"]["values"])
EVERYTHING = list(dict.fromkeys([*HTML, *MARKDOWN, *WECOM, *NAMES, *TEXT]))
