"""Sanitised HTML as plain text: blocks become lines, links keep their address, pictures their description."""

import re
from html.parser import HTMLParser

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


def text_of(html: str) -> str:
    """The words of sanitised HTML, with the addresses of links in brackets."""
    return _read(_TextWriter(), html)


def summary_of(html: str) -> str:
    """The first words of sanitised HTML on one line, for notifications."""
    return shortened(_read(_SummaryWriter(), html))


def shortened(text: str) -> str:
    """One line of at most ``SUMMARY_CHARACTERS``."""
    return " ".join(text.split())[:SUMMARY_CHARACTERS]


def _read(writer: "_SummaryWriter", html: str) -> str:
    writer.feed(html)
    writer.close()
    return writer.text()


class _SummaryWriter(HTMLParser):
    """Collects words; a block starts a new line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._counters: list[int] = []
        self._pre = 0
        self._href = ""
        self._label_from = 0

    def text(self) -> str:
        """What was read so far, tidied."""
        lines = (line.strip(" ") if self._pre == 0 else line for line in "".join(self._out).split("\n"))
        return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()

    def handle_data(self, data: str) -> None:
        text = data if self._pre else _BLANKS.sub(" ", data)
        if self._at_line_start() and not self._pre:
            text = text.lstrip(" ")
        if text:
            self._out.append(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in _BLOCKS:
            self._new_line(apart=tag in _APART)
        match tag:
            case "br":
                self._out.append("\n")
            case "pre":
                self._pre += 1
            case "ol":
                self._counters.append(_number(values.get("start")))
            case "ul":
                self._counters.append(0)
            case "li":
                self._out.append(self._bullet())
            case "td" | "th" if not self._at_line_start():
                self._out.append(" | ")
            case "img" if values.get("alt"):
                self._out.append(f"[{values['alt']}]")
            case "a":
                self._href, self._label_from = values.get("href") or "", len(self._out)

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "pre":
                self._pre = max(0, self._pre - 1)
            case "ol" | "ul" if self._counters:
                self._counters.pop()
            case "a":
                self._close_link("".join(self._out[self._label_from :]))
        if tag in _BLOCKS:
            self._new_line(apart=tag in _APART)

    def _close_link(self, label: str) -> None:
        self._href = ""

    def _bullet(self) -> str:
        if not self._counters or self._counters[-1] == 0:
            return "• "
        self._counters[-1] += 1
        return f"{self._counters[-1] - 1}. "

    def _at_line_start(self) -> bool:
        return not self._out or self._out[-1].endswith("\n")

    def _new_line(self, apart: bool) -> None:
        if not self._at_line_start():
            self._out.append("\n")
        if apart and self._out and not self._out[-1].endswith("\n\n"):
            self._out.append("\n")


class _TextWriter(_SummaryWriter):
    """Shows where links lead."""

    def _close_link(self, label: str) -> None:
        if self._href and self._href not in label:
            self._out.append(f" ({self._href.removeprefix('mailto:')})")
        self._href = ""


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 and int(text) else 1
