"""Foreign HTML and foreign names, made harmless (RELIABILITY §2.2 "HTML", corpus B).

Two profiles: :func:`page` for the sandboxed frame of our own pages, :func:`mail` for messages that leave the house.
Both keep remote images, because showing them is the surface's decision: the frame's Content-Security-Policy blocks
them until a click, a mail program asks its reader.
"""

import re
import unicodedata
from collections.abc import Mapping

import nh3

from onebell.core.nesting import MANY_TAGS, flattened


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT_TAGS = _names(
    "a abbr b bdi blockquote br caption center cite code col colgroup dd del dfn div dl dt em figcaption figure font "
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strike strong sub sup table "
    "tbody td tfoot th thead tr tt u ul var wbr"
)
_PAGE_TAGS = _TEXT_TAGS | _names("details summary section article header footer time")
# Their content is code or another language, never words for a reader.
_WITH_CONTENT = _names("script style iframe object embed noscript template title textarea")

_CELL = _names("align valign bgcolor width height colspan rowspan")
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "*": _names("style align dir lang title"),
    "a": _names("href"),
    "img": _names("src alt width height"),
    "font": _names("color size face"),
    "ol": _names("start type reversed"),
    "table": _names("border cellpadding cellspacing width bgcolor"),
    "td": _CELL,
    "th": _CELL,
    "tr": _names("align valign bgcolor"),
    "col": _names("span width"),
    "details": _names("open"),
    "time": _names("datetime"),
}
_SCHEMES = frozenset(("https", "mailto"))
_REL = "noopener noreferrer nofollow"

# Nothing that moves, stacks, loads or escapes its box.
_STYLES = _names(
    "background-color border border-bottom border-collapse border-color border-left border-radius border-right "
    "border-spacing border-style border-top border-width color font-family font-size font-style font-weight height "
    "letter-spacing line-height list-style-type margin margin-bottom margin-left margin-right margin-top max-width "
    "padding padding-bottom padding-left padding-right padding-top text-align text-decoration text-indent "
    "vertical-align white-space width word-break"
)
# No bracket but a colour's, so no url() or expression(); no backslash, so no escape that spells one.
_STYLE_VALUE = re.compile(r"(?:[#\w.%,\s'\"!+-]|rgba?\([\d\s.,%]{1,40}\))*")
_NEGATIVE = re.compile(r"(?:^|[\s,])-[\d.]")
_STYLE_CHARACTERS = 2000

# Overrides turn the reading order of what follows them: a file "fdp.exe" then reads "exe.pdf".
_OVERRIDES = dict.fromkeys((0x202D, 0x202E))
_INVISIBLE = frozenset((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x00AD, 0x061C, 0xFEFF))
_UNDRAWN = frozenset(("Cc", "Cs", "Zl", "Zp"))


def _style(value: str) -> str | None:
    if len(value) > _STYLE_CHARACTERS:
        return None
    kept = [declaration.strip() for declaration in value.split(";") if _is_harmless(declaration)]
    return ";".join(kept) or None


def _is_harmless(declaration: str) -> bool:
    name, colon, value = declaration.partition(":")
    if not colon or name.strip().lower() not in _STYLES:
        return False
    return _STYLE_VALUE.fullmatch(value) is not None and _NEGATIVE.search(value) is None


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "style":
        return _style(value)
    if tag == "img" and name == "src" and not value.lower().startswith("https:"):
        return None
    return value


def _cleaner(
    tags: frozenset[str], fixed: Mapping[str, Mapping[str, str]], schemes: frozenset[str] = _SCHEMES
) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=tags,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        link_rel=_REL,
        set_tag_attribute_values=fixed,
        url_schemes=schemes,
        url_relative="deny",
    )


_PAGE = _cleaner(_PAGE_TAGS, {"a": {"target": "_blank"}, "img": {"loading": "lazy", "referrerpolicy": "no-referrer"}})
_MAIL = _cleaner(_TEXT_TAGS, {})
_WORDS = _cleaner(_TEXT_TAGS, {}, _SCHEMES | {"http"})


def page(html: str) -> str:
    """HTML for a sandboxed frame with a strict Content-Security-Policy. Cleaning it again changes nothing."""
    return _PAGE.clean(_bounded(html, _PAGE_TAGS))


def mail(html: str) -> str:
    """HTML for mail and other services. Cleaning it again changes nothing."""
    return _MAIL.clean(_bounded(html, _TEXT_TAGS))


def words(html: str) -> str:
    """HTML to read plain text out of, never to show: as :func:`mail`, but links to http: keep their address."""
    return _WORDS.clean(_bounded(html, _TEXT_TAGS))


def _bounded(html: str, tags: frozenset[str]) -> str:
    html = html.translate(_OVERRIDES)
    return flattened(html, tags, _WITH_CONTENT) if html.count("<") > MANY_TAGS else html


def one_line(text: str) -> str:
    """A title, a file name or a sender's name: one line that reads as it is written.

    Control, bidirectional and zero-width characters are dropped, blanks collapsed; emoji joiners stay.
    """
    kept = (char for char in text if not _is_hidden(char))
    return " ".join("".join(" " if char in "\t\n\r\v\f" else char for char in kept).split())


def _is_hidden(char: str) -> bool:
    if char in "\t\n\r\v\f\u200d":
        return False
    return ord(char) in _INVISIBLE or unicodedata.category(char) in _UNDRAWN
