"""What a message becomes in the neutral form (sheet wecom §2.4)."""

import html
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from onebell.core.model import Attachment, Button, Content, Format
from onebell.dialects.wecom.body import Article, Body
from onebell.dialects.wecom.kinds import Checked
from onebell.dialects.wecom.mentions import Mentions

TITLE_CHARS = 200
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_MARKS = ("**", "`", "</font>", *(f'<font color="{colour}">' for colour in ("info", "comment", "warning")))
_IMAGE_TITLE = "[图片]"

Render: TypeAlias = Callable[[Body, Checked, Mentions, str], Content]


def content_of(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    """The neutral form of a checked body; an image gets its file later (:func:`with_picture`)."""
    return _RENDERERS[body.msgtype](body, checked, mentions, bot_name)


def with_picture(content: Content, picture: Attachment) -> Content:
    """An ``image`` message with its stored file."""
    return Content(title=content.title, attachments=(picture,))


def _text(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    return Content(title=bot_name, body=mentions.shown(body.text.content) or " ".join(mentions.listed))


def _markdown(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    text = mentions.shown(body.markdown.content)
    return Content(
        title=_heading(text) or bot_name,
        body=text,
        format=Format.WECOM_MARKDOWN,
        buttons=tuple(
            # The key finds the button again: callback_id, name and value stay in the original.
            Button(text=action.text, key=f"{block}.{number}", value=action.value, replace_text=action.replace_text)
            for block, buttons in enumerate(body.markdown.attachments)
            for number, action in enumerate(buttons.actions)
        ),
    )


def _markdown_v2(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    text = body.markdown_v2.content
    return Content(title=_heading(text) or bot_name, body=text, format=Format.MARKDOWN)


def _heading(text: str) -> str:
    found = _HEADING.search(text)
    if found is None:
        return ""
    title = found[1][:TITLE_CHARS]
    for mark in _MARKS:
        title = title.replace(mark, "")
    return title.strip()


def _news(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    first = checked.articles[0]
    return Content(
        title=first.title,
        body="".join(_article(article) for article in checked.articles),
        format=Format.HTML,
        url=_absolute(first.url),
        images=(first.picurl,) if first.picurl else (),
        data={"articles": [_fields(article) for article in checked.articles]},
    )


def _article(article: Article) -> str:
    link = f'<a href="{html.escape(_absolute(article.url))}">{html.escape(article.title)}</a>'
    note = f"<br>{html.escape(article.description)}" if article.description else ""
    return f"<p>{link}{note}</p>"


def _fields(article: Article) -> dict[str, str]:
    return {
        "title": article.title,
        "description": article.description,
        "url": article.url,
        "picurl": article.picurl,
    }


def _absolute(url: str) -> str:
    # "www.qq.com" is a link to WeCom (docs 91770).
    return url if "://" in url else f"http://{url}"


def _image(body: Body, checked: Checked, mentions: Mentions, bot_name: str) -> Content:
    return Content(title=_IMAGE_TITLE)


_RENDERERS: Mapping[str, Render] = {
    "text": _text,
    "markdown": _markdown,
    "markdown_v2": _markdown_v2,
    "news": _news,
    "image": _image,
}
