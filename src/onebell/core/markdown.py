"""Markdown and WeCom's subset of it, to HTML that still has to be sanitised."""

import re
from collections.abc import Iterator, Mapping
from html import escape

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

# A single newline breaks the line and inline HTML counts (sheet pushplus §4). No linkify: a word that looks like a
# host is not a link until its writer says so.
_MARKDOWN = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
_TASK = re.compile(r"\[([ xX])\](?=\s+\S)")
_BOXES = {" ": "\N{BALLOT BOX}", "x": "\N{BALLOT BOX WITH CHECK}"}
_IN_ITEM = ("list_item_open", "paragraph_open", "inline")

# Sheet wecom §2.3: these and nothing else; every other character stays as it is written.
_HEADING = re.compile(r"(#{1,6}) +(.*)")
_QUOTE = re.compile(r"> ?(.*)")
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<bold>[^*\n]+)\*\*"
    r"|\[(?P<label>[^\[\]\n]+)\]\((?P<url>[^()\[\]\s<>\"]+)\)"
    r"|<font color=\"(?P<color>info|comment|warning)\">(?P<colored>[^<\n]*)</font>"
    r"|<@(?P<mention>[^<>@\s]{1,64})>"
)
MENTION = re.compile(r"<@([^<>@\s]{1,64})>")
# Green, grey and orange-red (sheet wecom §2.3 names the colours; the values are ours).
_COLORS = {"info": "#2ba245", "comment": "#8c8c8c", "warning": "#f76a1e"}


def _tasks(state: StateCore) -> None:
    """GitHub's task lists: an item that begins with ``[ ]`` or ``[x]``. Signs instead of form fields, which neither
    the sanitiser nor mail programs let through."""
    for item, first, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, first.type, inline.type) != _IN_ITEM or not inline.children:
            continue
        # A link's label is no text any more here.
        words = inline.children[0]
        if words.type == "text" and (found := _TASK.match(inline.content)) and words.content.startswith(found[0]):
            words.content = _BOXES[found[1].lower()] + words.content[len(found[0]) :]
            item.attrSet("style", "list-style-type:none")


_MARKDOWN.core.ruler.push("tasks", _tasks)


def render_markdown(source: str) -> str:
    """CommonMark with tables, strikethrough, task lists and inline HTML, as HTML."""
    return str(_MARKDOWN.render(source))


def render_wecom(source: str, names: Mapping[str, str]) -> str:
    """WeCom's markdown as HTML; ``names`` maps the ids of mentions to the names shown."""
    return "".join(_blocks(source.replace("\r\n", "\n").split("\n"), names))


def plain_mentions(source: str, names: Mapping[str, str]) -> str:
    """``<@id>`` as ``@name``; an id that nobody has shows itself."""
    return MENTION.sub(lambda found: "@" + names.get(found[1], found[1]), source)


def without_colors(source: str) -> str:
    """WeCom's markdown without its font tags, which other markdown readers would show."""
    return re.sub(r"<font color=\"(?:info|comment|warning)\">|</font>", "", source)


def _blocks(lines: list[str], names: Mapping[str, str]) -> Iterator[str]:
    paragraph: list[str] = []
    quote: list[str] = []
    for line in lines:
        heading, quoted = _HEADING.fullmatch(line), _QUOTE.fullmatch(line)
        if quoted is None and quote:
            yield _element("blockquote", quote)
        if (quoted is not None or heading is not None or not line.strip()) and paragraph:
            yield _element("p", paragraph)
        if heading is not None:
            level = len(heading[1])
            yield f"<h{level}>{_inline(heading[2], names)}</h{level}>\n"
        elif quoted is not None:
            quote.append(_inline(quoted[1], names))
        elif line.strip():
            paragraph.append(_inline(line, names))
    if quote:
        yield _element("blockquote", quote)
    if paragraph:
        yield _element("p", paragraph)


def _element(tag: str, lines: list[str]) -> str:
    html = f"<{tag}>{'<br>'.join(lines)}</{tag}>\n"
    lines.clear()
    return html


def _inline(text: str, names: Mapping[str, str]) -> str:
    pieces: list[str] = []
    at = 0
    for found in _INLINE.finditer(text):
        pieces += (escape(text[at : found.start()]), _span(found, names))
        at = found.end()
    return "".join((*pieces, escape(text[at:])))


def _span(found: re.Match[str], names: Mapping[str, str]) -> str:
    match found.lastgroup:
        case "code":
            return f"<code>{escape(found['code'])}</code>"
        case "bold":
            return f"<strong>{_inline(found['bold'], names)}</strong>"
        case "url":
            return f'<a href="{escape(found["url"])}">{_inline(found["label"], names)}</a>'
        case "colored":
            return f'<span style="color:{_COLORS[found["color"]]}">{_inline(found["colored"], names)}</span>'
        case _:
            return f"<strong>@{escape(names.get(found['mention'], found['mention']))}</strong>"
