"""What the webhook kinds send for a PushPlus message, as the service's own requests look (sheet pushplus §5.1, §5.2).

A part carries these as ``native`` payloads, so the carrier folders need not know this dialect.
"""

from collections.abc import Callable
from typing import Any

import msgspec

TEXT_CHARS = 1900  # a txt message below this goes out as text instead of a card
WECOM_TEXT_BYTES = 2048
"""WeCom counts bytes: it refuses a longer text of a robot, and cuts the link off an app's (sheet wecom §6)."""
ROBOT_BODY_BYTES = 19_800
"""Of DingTalk's and Feishu's whole JSON, which may have 20,000, Feishu's signature included."""
SERVERCHAN_TITLE_CHARS = 32
_MORE = "查看pushplus消息详情"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The letters of the sheet's table."""

    title: str  # T
    content: str  # C, after the preprocess script
    summary: str  # D
    link: str  # L
    short_code: str
    short_link: str  # of a text message: the page without scheme
    logo: str  # I
    is_text: bool  # template=txt, and not long
    is_markdown: bool  # template=markdown, likewise


Native = Callable[[Card], dict[str, Any]]


def payload(kind: str, card: Callable[[], Card]) -> dict[str, Any]:
    """The ``native`` map of a part for one account of this kind; empty where the carrier's own rendering serves."""
    make = _KINDS.get(kind)
    return {kind: make(card())} if make else {}


def _wecom_text(card: Card, *more: str) -> dict[str, Any] | None:
    """A short txt message whole; None for what is no txt, or too long."""
    if not card.is_text or len(card.title) + len(card.content) >= TEXT_CHARS:
        return None
    text = "\n\n".join((card.title, card.content, *more))
    return {"msgtype": "text", "text": {"content": text}} if len(text.encode()) <= WECOM_TEXT_BYTES else None


def _fits_robot(payload: dict[str, Any]) -> bool:
    return len(msgspec.json.encode(payload)) <= ROBOT_BODY_BYTES


def _news(card: Card) -> dict[str, Any]:
    article = {"title": card.title, "description": card.summary, "url": card.link, "picurl": card.logo}
    return {"msgtype": "news", "news": {"articles": [article]}}


def _wecom_bot(card: Card) -> dict[str, Any]:
    return _wecom_text(card) or _news(card)


def _wecom_app(card: Card) -> dict[str, Any]:
    return _wecom_text(card, f'<a href="{card.link}">查看详情</a>') or _news(card)


def _dingtalk_bot(card: Card) -> dict[str, Any]:
    # Users set the robot's keyword to "pushplus": the word must stay in every message.
    text = {"msgtype": "text", "text": {"content": f"pushplus消息：\n{card.title}\n\n{card.content}"}}
    if card.is_text and _fits_robot(text):
        return text
    action = {"title": card.title, "text": card.summary, "singleTitle": _MORE, "singleURL": card.link}
    return {"msgtype": "actionCard", "actionCard": action}


def _feishu_bot(card: Card) -> dict[str, Any]:
    text = {"msg_type": "text", "content": {"text": f"{card.title}\n\n{card.content}"}}
    if card.is_text and _fits_robot(text):
        return text
    lines = [[{"tag": "text", "text": card.summary}], [{"tag": "a", "text": _MORE, "href": card.link}]]
    return {
        "msg_type": "post",
        "content": {"post": {"zh_cn": {"title": card.title, "content": lines}}},
    }


def _flow(card: Card) -> dict[str, Any]:
    return {
        "title": card.title,
        "content": card.content,
        "icon": card.logo,
        "url": card.link,
        "shortCode": card.short_code,
    }


def _ifttt(card: Card) -> dict[str, Any]:
    return {"value1": card.title, "value2": card.content, "value3": card.link}


def _wxpusher(card: Card) -> dict[str, Any]:
    return {"content": f"{card.title}\n{card.summary}", "url": card.link}


def _http_template(card: Card) -> dict[str, Any]:
    return {"title": card.title, "content": card.content, "url": card.link}


def _serverchan(card: Card) -> dict[str, Any]:
    # It shows Markdown: what is written in something else goes as its beginning and a link.
    is_shown = card.is_text or card.is_markdown
    content = card.content if is_shown else f"{card.summary}\n\n[{_MORE}]({card.link})"
    return {"title": card.title[:SERVERCHAN_TITLE_CHARS], "desp": content}


def _bark(card: Card) -> dict[str, Any]:
    return {"title": card.title, "body": card.summary, "url": card.link, "icon": card.logo}


def _gotify(card: Card) -> dict[str, Any]:
    opened = {"client::notification": {"click": {"url": card.link}}}
    return {"title": card.title, "message": card.summary, "priority": 5, "extras": opened}


def _sms(card: Card) -> dict[str, Any]:
    text = f"【pushplus】您收到标题为“{card.title}”的提醒消息，详情：{card.short_link}"
    return {"text": text, "title": card.title, "url": card.short_link}


_KINDS: dict[str, Native] = {
    "wecom_bot": _wecom_bot,
    "wecom_app": _wecom_app,
    "dingtalk_bot": _dingtalk_bot,
    "feishu_bot": _feishu_bot,
    "hiflow": _flow,
    "jijyun": _flow,
    "ifttt": _ifttt,
    "wxpusher": _wxpusher,
    "http_template": _http_template,
    "serverchan": _serverchan,
    "bark": _bark,
    "gotify": _gotify,
    "sms": _sms,
}
