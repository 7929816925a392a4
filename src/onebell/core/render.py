"""Content in the forms that readers and carriers show: HTML, plain text, Markdown and a summary. Made once per part."""

import re
from collections.abc import Callable, Mapping
from html import escape

import msgspec

from onebell.core import sanitize
from onebell.core.markdown import MENTION, plain_mentions, render_markdown, render_wecom, without_colors
from onebell.core.model import Content, Format
from onebell.core.plaintext import Words, shortened, words_of

NOBODY: Mapping[str, str] = {}
_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~])")
_MARKDOWN_STARTS = re.compile(r"(?m)^([ \t]*(?:\d{1,9}(?=[.)]))?)([-+.)])")


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """One content, in every form."""

    title: str  # one line
    text: str
    html: str  # sanitised
    markdown: str
    summary: str  # one line of at most 200 characters


def mentions(content: Content) -> frozenset[str]:
    """The ids that a WeCom text names with ``<@id>``: whom :func:`render` wants the names of."""
    if content.format is not Format.WECOM_MARKDOWN:
        return frozenset()
    return frozenset(MENTION.findall(content.body))


def render(
    content: Content, names: Mapping[str, str] = NOBODY, sanitized: Callable[[str], str] = sanitize.page
) -> Forms:
    """Every form of a content.

    ``names`` maps ids of mentions to names; ``sanitized`` is ``sanitize.page`` or ``sanitize.mail``, by where it goes.
    """
    body = _encodable(content.body)
    match content.format:
        case Format.TEXT:
            html, words = as_paragraph(body), Words(body, shortened(body))
            markdown = _escaped_markdown(body)
        case Format.HTML:
            html, words = sanitized(body), words_of(sanitize.words(body))
            markdown = _escaped_markdown(words.text)
        case Format.MARKDOWN:
            source = render_markdown(body)
            html, words, markdown = sanitized(source), words_of(sanitize.words(source)), body
        case Format.WECOM_MARKDOWN:
            source = render_wecom(body, names)
            html, words = sanitized(source), words_of(sanitize.words(source))
            markdown = plain_mentions(without_colors(body), names)
    summary = shortened(_encodable(content.summary)) or words.summary
    return Forms(title=sanitize.one_line(content.title), text=words.text, html=html, markdown=markdown, summary=summary)


def as_paragraph(text: str) -> str:
    """Plain text as HTML, shown as it is written."""
    if not text:
        return ""
    lines = escape(text).replace("\r\n", "\n").split("\n")
    return f"<p>{'<br>'.join(lines)}</p>"


def _escaped_markdown(text: str) -> str:
    return _MARKDOWN_STARTS.sub(r"\1\\\2", _MARKDOWN_SIGNS.sub(r"\\\1", text)).replace("\n", "  \n")


def _encodable(text: str) -> str:
    """Without NUL and lone surrogates, which no carrier's wire can hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
