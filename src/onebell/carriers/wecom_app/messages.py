"""What goes out for a part: its native payload, else the type that shows most of it (sheet wecom §6.2)."""

from collections.abc import Mapping
from typing import Any

from onebell.carriers.base import Batch
from onebell.core.fit import cut, size
from onebell.core.model import Format

# Bytes of UTF-8; the service cuts a longer text, and refuses the rest.
TEXT_BYTES = 2048
CARD_TITLE_BYTES = 128
CARD_TEXT_BYTES = 512
URL_BYTES = 2048

_MARKED_UP = frozenset((Format.MARKDOWN, Format.WECOM_MARKDOWN))
# Who gets it, and from which application, is ours to say.
_OURS = frozenset(("touser", "toparty", "totag", "toall", "agentid", "access_token"))

Message = Mapping[str, Any]


def message(batch: Batch) -> Message:
    """The call's body without its receivers."""
    native = batch.rendered.native
    if isinstance(native, Mapping):
        return {name: value for name, value in native.items() if name not in _OURS}
    content = batch.rendered.content
    if content.format in _MARKED_UP:
        return _markdown(batch)
    if _is_news(batch):
        return _news(batch)
    if _is_card(batch):
        return _card(batch)
    return _text(batch)


def _link(batch: Batch) -> str:
    return batch.rendered.content.url or batch.link


def _is_news(batch: Batch) -> bool:
    content = batch.rendered.content
    return bool(content.images and batch.rendered.title) and 0 < size(_link(batch)) <= URL_BYTES


def _is_card(batch: Batch) -> bool:
    """A title that links somewhere, over a text that the card has room for."""
    rendered = batch.rendered
    has_link = 0 < size(rendered.content.url) <= URL_BYTES
    return has_link and bool(rendered.title and rendered.text) and size(rendered.text) <= CARD_TEXT_BYTES


def _news(batch: Batch) -> Message:
    rendered = batch.rendered
    article = {
        "title": cut(rendered.title, CARD_TITLE_BYTES),
        "description": cut(rendered.text, CARD_TEXT_BYTES),
        "url": _link(batch),
        "picurl": rendered.content.images[0],
    }
    return {"msgtype": "news", "news": {"articles": [article]}}


def _card(batch: Batch) -> Message:
    rendered = batch.rendered
    card = {
        "title": cut(rendered.title, CARD_TITLE_BYTES),
        "description": rendered.text,
        "url": rendered.content.url,
    }
    return {"msgtype": "textcard", "textcard": card}


def _markdown(batch: Batch) -> Message:
    rendered, content = batch.rendered, batch.rendered.content
    source = content.body if content.format is Format.WECOM_MARKDOWN else rendered.markdown
    heading = f"**{rendered.title}**" if rendered.title else ""
    link = f"[{content.url}]({content.url})" if content.url else ""
    return {"msgtype": "markdown", "markdown": {"content": _joined((heading, source), link)}}


def _text(batch: Batch) -> Message:
    rendered = batch.rendered
    return {"msgtype": "text", "text": {"content": _joined((rendered.title, rendered.text), rendered.content.url)}}


def _joined(lines: tuple[str, ...], last: str) -> str:
    """Lines within the limit; what is too long is cut before the last line, which is a link."""
    text = "\n".join(filter(None, lines))
    room = TEXT_BYTES - size(last) - 1
    if not last or room <= 0:
        return cut(text, TEXT_BYTES)
    return "\n".join(filter(None, (cut(text, room), last)))
