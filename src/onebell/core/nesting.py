"""A bound on how deep foreign HTML nests.

An HTML parser's work grows with the square of the depth: 100,000 open ``<div>`` hold it for a minute [measured, nh3
0.3.7]. Documents with many tags are therefore written anew first, well nested and at most ``DEPTH`` deep. This is no
sanitiser: what it writes is sanitised afterwards like everything else.
"""

import re
from collections.abc import Container

MANY_TAGS = 3000
"""Below this many tags depth cannot hurt: under 30 ms."""
DEPTH = 100

_VOID = frozenset(("br", "col", "hr", "img", "wbr"))
# What a start tag closes by itself, so that a long table without end tags does not look deep.
_CLOSES = {
    "p": frozenset(("p",)),
    "li": frozenset(("li", "p")),
    "dt": frozenset(("dt", "dd", "p")),
    "dd": frozenset(("dt", "dd", "p")),
    "td": frozenset(("td", "th", "p")),
    "th": frozenset(("td", "th", "p")),
    "tr": frozenset(("td", "th", "tr", "p")),
}
_NOTHING: frozenset[str] = frozenset()
_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>="'<]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>"']*))?""")
_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z-]{1,30}")


def flattened(html: str, tags: Container[str], with_content: Container[str]) -> str:
    """The same document with only ``tags``, those ``with_content`` dropped whole, nested at most ``DEPTH`` deep."""
    return _Flattener(html, tags, with_content).run()


class _Flattener:
    """One walk over a document, from ``<`` to ``<``; every character is looked at a bounded number of times."""

    def __init__(self, html: str, tags: Container[str], with_content: Container[str]) -> None:
        self._html = html
        self._tags = tags
        self._with_content = with_content
        self._out: list[str] = []
        self._open: list[str] = []

    def run(self) -> str:
        at = 0
        while (found := self._html.find("<", at)) >= 0:
            self._text(self._html[at:found])
            at = self._markup(found)
        self._text(self._html[at:])
        self._out.extend(f"</{name}>" for name in reversed(self._open))
        return "".join(self._out)

    def _text(self, text: str) -> None:
        self._out.append(text.replace("<", "&lt;").replace(">", "&gt;"))

    def _markup(self, at: int) -> int:
        """Take what begins with ``<``; returns where it ends."""
        following = self._html[at + 1 : at + 2]
        if following.isalpha() and following.isascii():
            return self._start(at + 1)
        if following == "/":
            return self._end(at + 2)
        if following in {"!", "?"}:
            return self._after("-->" if self._html.startswith("<!--", at) else ">", at + 2)
        self._text("<")
        return at + 1

    def _after(self, text: str, at: int) -> int:
        # A construct that never ends swallows the rest, as it does in a browser.
        found = self._html.find(text, at)
        return len(self._html) if found < 0 else found + len(text)

    def _start(self, at: int) -> int:
        named = _NAME.match(self._html, at)
        assert named is not None, "a letter was seen"
        name, at = named[0].lower(), named.end()
        attributes: list[str] = []
        while (found := _ATTRIBUTE.match(self._html, at)) is not None:
            attributes.append(_attribute(found[1], found[2] or ""))
            at = found.end()
        end = self._after(">", at)
        if name in self._with_content:
            return self._after_element(name, end)
        if name in self._tags:
            self._enter(name, "".join(attributes))
        return end

    def _after_element(self, name: str, at: int) -> int:
        closed = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(self._html, at)
        return len(self._html) if closed is None else self._after(">", closed.end() - 1)

    def _enter(self, name: str, attributes: str) -> None:
        if name in _VOID:
            self._out.append(f"<{name}{attributes}>")
            return
        while self._open and self._open[-1] in _CLOSES.get(name, _NOTHING):
            self._out.append(f"</{self._open.pop()}>")
        if len(self._open) < DEPTH:
            self._open.append(name)
            self._out.append(f"<{name}{attributes}>")

    def _end(self, at: int) -> int:
        named = _NAME.match(self._html, at)
        if named is None:
            return self._after(">", at)
        name = named[0].lower()
        if name in self._open:
            while (closing := self._open.pop()) != name:
                self._out.append(f"</{closing}>")
            self._out.append(f"</{name}>")
        return self._after(">", named.end())


def _attribute(name: str, raw: str) -> str:
    if not _ATTRIBUTE_NAME.fullmatch(name):
        return ""
    value = raw[1:-1] if raw[:1] in {'"', "'"} else raw
    safe = value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    return f' {name}="{safe}"'
