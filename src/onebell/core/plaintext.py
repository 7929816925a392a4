"""Sanitised HTML as plain text: blocks become lines, links keep their address, pictures their description."""

import re
from collections.abc import Callable, Mapping
from html import unescape

import msgspec

SUMMARY_CHARACTERS = 200
"""Length of a derived summary (sheet pushplus §4)."""

_BLOCKS = frozenset(
    (
        "article", "blockquote", "caption", "center", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "h1",
        "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
    )
)  # fmt: skip
_APART = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table", "blockquote"))
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
# What the sanitiser writes: lower-case tags, attributes in double quotes, no comments, every other "<" escaped.
_TOKEN = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>|([^<]+)')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


class Words(msgspec.Struct, frozen=True):
    """The words of a document."""

    text: str  # with the addresses of links in brackets
    summary: str  # its beginning on one line, without addresses


def words_of(html: str) -> Words:
    """Read sanitised HTML."""
    writer = _Writer()
    for closing, tag, attributes, text in _TOKEN.findall(html):
        if text:
            writer.words(unescape(text))
        elif closing:
            writer.end(tag)
        else:
            writer.start(tag, attributes)
    return Words(text=writer.text(), summary=shortened(writer.plain()))


def shortened(text: str) -> str:
    """One line of at most ``SUMMARY_CHARACTERS``."""
    return " ".join(text.split())[:SUMMARY_CHARACTERS]


class _LinkTarget(str):
    """Where a link leads: in the text, not in the summary."""

    __slots__ = ()


class _Writer:
    """Collects words; a block starts a new line."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._counters: list[int] = []
        self._pre = 0
        self._href = ""
        self._label_from = 0
        self._starts: Mapping[str, Callable[[str], None]] = {
            "br": lambda _: self._out.append("\n"),
            "pre": self._start_pre,
            "ol": lambda attributes: self._counters.append(_number(_values(attributes).get("start", ""))),
            "ul": lambda _: self._counters.append(0),
            "li": lambda _: self._out.append(self._bullet()),
            "td": self._start_cell,
            "th": self._start_cell,
            "img": self._picture,
            "a": self._start_link,
        }
        self._ends: Mapping[str, Callable[[], None]] = {
            "pre": self._end_pre,
            "ol": self._end_list,
            "ul": self._end_list,
            "a": self._end_link,
        }

    def text(self) -> str:
        """What was read so far, tidied."""
        lines = (line.strip(" ") for line in "".join(self._out).split("\n"))
        return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()

    def plain(self) -> str:
        """The same without the addresses of links."""
        return "".join(piece for piece in self._out if not isinstance(piece, _LinkTarget))

    def words(self, text: str) -> None:
        if self._pre:
            self._out.append(text)
            return
        text = _BLANKS.sub(" ", text)
        if self._at_line_start():
            text = text.lstrip(" ")
        if text:
            self._out.append(text)

    def start(self, tag: str, attributes: str) -> None:
        if tag in _BLOCKS:
            self._new_line(tag)
        if (begin := self._starts.get(tag)) is not None:
            begin(attributes)

    def end(self, tag: str) -> None:
        if (finish := self._ends.get(tag)) is not None:
            finish()
        if tag in _BLOCKS:
            self._new_line(tag)

    def _start_pre(self, _: str) -> None:
        self._pre += 1

    def _end_pre(self) -> None:
        self._pre = max(0, self._pre - 1)

    def _end_list(self) -> None:
        if self._counters:
            self._counters.pop()

    def _bullet(self) -> str:
        if not self._counters or self._counters[-1] == 0:
            return "• "
        self._counters[-1] += 1
        return f"{self._counters[-1] - 1}. "

    def _start_cell(self, _: str) -> None:
        if not self._at_line_start():
            self._out.append(" | ")

    def _picture(self, attributes: str) -> None:
        if alt := _values(attributes).get("alt"):
            self._out.append(f"[{alt}]")

    def _start_link(self, attributes: str) -> None:
        self._href, self._label_from = _values(attributes).get("href", ""), len(self._out)

    def _end_link(self) -> None:
        label = "".join(self._out[self._label_from :])
        if self._href and self._href not in label:
            self._out.append(_LinkTarget(f" ({self._href.removeprefix('mailto:')})"))
        self._href = ""

    def _at_line_start(self) -> bool:
        return not self._out or self._out[-1].endswith("\n")

    def _new_line(self, tag: str) -> None:
        if not self._at_line_start():
            self._out.append("\n")
        if tag in _APART and self._out and not self._out[-1].endswith("\n\n"):
            self._out.append("\n")


def _values(attributes: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(attributes)}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 and int(text) else 1
