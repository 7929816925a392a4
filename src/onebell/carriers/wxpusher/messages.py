"""What goes to WxPusher: whom an account's address names, and a message in its words (sheet wecom §6.10)."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from onebell.carriers.base import Batch
from onebell.core.model import Format

SUMMARY_CHARS = 100
_TEXT, _HTML, _MARKDOWN = 1, 2, 3


class Receivers(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a call is for."""

    uids: tuple[str, ...]
    topics: tuple[int, ...] = ()
    app_token: str = ""
    endpoint: str = ""  # of the POST entry

    def joined(self, uids: Sequence[str]) -> "Receivers":
        """These and more, each once."""
        return msgspec.structs.replace(self, uids=tuple(dict.fromkeys((*self.uids, *uids))))


def receivers(url: str) -> Receivers:
    """Token and receivers of an address as users paste it: ``…/api/send/message/?appToken=AT_…&uid=…&topicId=…``."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return Receivers(
        uids=tuple(query.get("uid", ())),
        topics=tuple(int(topic) for topic in query.get("topicId", ()) if topic.isdecimal()),
        app_token="".join(query.get("appToken", ())[:1]),
        endpoint=f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}",
    )


def with_query(url: str, more: Mapping[str, Any]) -> str:
    """The GET entry: the address with further parameters, percent-encoded."""
    return f"{url.partition('#')[0]}&{urlencode(more)}"


def message(batch: Batch) -> dict[str, Any]:
    """The neutral form: Markdown and HTML where the sender wrote them, else text; the title comes first."""
    rendered, content = batch.rendered, batch.rendered.content
    kind, body = _TEXT, "\n".join(filter(None, (rendered.title, rendered.text)))
    if content.format is Format.HTML:
        heading = f"<h3>{escape(rendered.title)}</h3>" if rendered.title else ""
        kind, body = _HTML, heading + rendered.html
    elif content.format is Format.MARKDOWN:
        heading = f"### {rendered.title}\n\n" if rendered.title else ""
        kind, body = _MARKDOWN, heading + rendered.markdown
    return {
        "content": body,
        "summary": (rendered.title or rendered.text)[:SUMMARY_CHARS],
        "contentType": kind,
        "url": content.url or batch.link,
        "verifyPayType": 0,
    }
