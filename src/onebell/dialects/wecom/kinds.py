"""What each ``msgtype`` asks of its fields, in the order the service checks them (sheet wecom §2.3)."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from onebell.dialects.wecom import answer
from onebell.dialects.wecom.answer import Fault, Rejected
from onebell.dialects.wecom.body import Article, Body, Buttons, Media, MiniProgram

MARKDOWN_BYTES = 4096
ATTACHMENTS = 20
CALLBACK_ID_BYTES = 1024
ACTIONS = 20
ACTION_BYTES = {"name": 64, "text": 128, "value": 128, "replace_text": 128}
ARTICLES = 8
ARTICLE_TITLE_BYTES = 128
ARTICLE_DESCRIPTION_BYTES = 512
ARTICLE_URL_BYTES = 2048
IMAGE_BYTES = 2_097_152
MINIPROGRAM_TITLE_BYTES = 64

_IMAGE_MAGIC = {b"\xff\xd8\xff": ("image/jpeg", "image.jpg"), b"\x89PNG\r\n\x1a\n": ("image/png", "image.png")}


class Picture(msgspec.Struct, frozen=True):
    """A decoded ``image`` message."""

    data: bytes
    type: str
    name: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks made of the fields that are not used as they stand."""

    articles: tuple[Article, ...] = ()
    picture: Picture | None = None


_NOTHING = Checked()
Check: TypeAlias = Callable[[Body, int], Checked]


def checked(body: Body, text_bytes: int) -> Checked:
    """Check the fields of the body's own ``msgtype``.

    Raises:
        Rejected: the type is unknown, or the first rule that is broken.
    """
    check = _CHECKS.get(body.msgtype)
    if check is None:
        raise Rejected(answer.UNKNOWN_TYPE)
    return check(body, text_bytes)


def _text(body: Body, text_bytes: int) -> Checked:
    text = body.text
    # A message that only mentions people has no content (wecom-notifier, send_mention_all).
    if not text.content and not text.mentioned_list and not text.mentioned_mobile_list:
        raise Rejected(answer.EMPTY_CONTENT)
    _check_bytes("text.content", text.content, text_bytes)
    return _NOTHING


def _markdown(body: Body, text_bytes: int) -> Checked:
    _check_content("markdown.content", body.markdown.content)
    if len(body.markdown.attachments) > ATTACHMENTS:
        raise Rejected(answer.too_many("markdown.attachments", ATTACHMENTS))
    for block in body.markdown.attachments:
        _check_buttons(block)
    return _NOTHING


def _check_buttons(block: Buttons) -> None:
    path = "markdown.attachments"
    if not block.callback_id:
        raise Rejected(answer.missing(f"{path}.callback_id"))
    _check_bytes(f"{path}.callback_id", block.callback_id, CALLBACK_ID_BYTES)
    if not block.actions:
        raise Rejected(answer.missing(f"{path}.actions"))
    if len(block.actions) > ACTIONS:
        raise Rejected(answer.too_many(f"{path}.actions", ACTIONS))
    for action in block.actions:
        for name in ("type", "name", "text", "value"):
            if not getattr(action, name):
                raise Rejected(answer.missing(f"{path}.actions.{name}"))
        if action.type != "button":
            raise Rejected(answer.invalid(f"{path}.actions.type"))
        for name, limit in ACTION_BYTES.items():
            _check_bytes(f"{path}.actions.{name}", getattr(action, name), limit)


def _markdown_v2(body: Body, text_bytes: int) -> Checked:
    _check_content("markdown_v2.content", body.markdown_v2.content)
    return _NOTHING


def _check_content(path: str, content: str) -> None:
    if not content:
        raise Rejected(answer.EMPTY_CONTENT)
    _check_bytes(path, content, MARKDOWN_BYTES)


def _check_bytes(path: str, text: str, limit: int) -> None:
    # WeCom counts bytes of UTF-8, not characters (seed 003, text.content).
    if len(text.encode()) > limit:
        raise Rejected(answer.too_long(path, limit))


def _news(body: Body, text_bytes: int) -> Checked:
    articles = body.news.articles
    if not articles:
        raise Rejected(answer.NO_ARTICLES)
    if len(articles) > ARTICLES:
        raise Rejected(answer.TOO_MANY_ARTICLES)
    return Checked(articles=tuple(_article(article) for article in articles))


def _article(article: Article) -> Article:
    if not article.title:
        raise Rejected(answer.NO_TITLE)
    if not article.url:
        raise Rejected(answer.NO_URL)
    for name in ("url", "picurl"):
        _check_bytes(f"news.articles.{name}", getattr(article, name), ARTICLE_URL_BYTES)
    return Article(
        title=_cut(article.title, ARTICLE_TITLE_BYTES),
        description=_cut(article.description, ARTICLE_DESCRIPTION_BYTES),
        url=article.url,
        picurl=article.picurl,
    )


def _cut(text: str, limit: int) -> str:
    # Silently, on a character boundary, without an ellipsis (sheet §2.3, news).
    return text.encode()[:limit].decode(errors="ignore")


def _image(body: Body, text_bytes: int) -> Checked:
    if not body.image.base64.strip():
        raise Rejected(answer.EMPTY_MEDIA)
    data = _decoded(body.image.base64)
    if data is None or hashlib.md5(data, usedforsecurity=False).hexdigest() != body.image.md5.lower():
        raise Rejected(answer.WRONG_MD5)
    if len(data) > IMAGE_BYTES:
        raise Rejected(answer.IMAGE_TOO_LARGE)
    for magic, (media_type, name) in _IMAGE_MAGIC.items():
        if data.startswith(magic):
            return Checked(picture=Picture(data, media_type, name))
    raise Rejected(answer.NOT_AN_IMAGE)


def _decoded(text: str) -> bytes | None:
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _file(body: Body, text_bytes: int) -> Checked:
    return _media(body.file)


def _voice(body: Body, text_bytes: int) -> Checked:
    return _media(body.voice)


def _media(media: Media) -> Checked:
    raise Rejected(_media_fault(media.media_id))


def _miniprogram(body: Body, text_bytes: int) -> Checked:
    program: MiniProgram = body.miniprogram
    if not program.title:
        raise Rejected(answer.missing("miniprogram.title"))
    _check_bytes("miniprogram.title", program.title, MINIPROGRAM_TITLE_BYTES)
    if not program.pic_media_id:
        raise Rejected(answer.NO_MEDIA_ID)
    for name in ("appid", "page"):
        if not getattr(program, name):
            raise Rejected(answer.missing(f"miniprogram.{name}"))
    raise Rejected(_media_fault(program.pic_media_id))


def _media_fault(media_id: str) -> Fault:
    # Nothing can be uploaded yet (upload_media, sheet §3.1), so every id is unknown.
    return answer.UNKNOWN_MEDIA if media_id else answer.NO_MEDIA_ID


_CHECKS: Mapping[str, Check] = {
    "text": _text,
    "markdown": _markdown,
    "markdown_v2": _markdown_v2,
    "news": _news,
    "image": _image,
    "file": _file,
    "voice": _voice,
    "miniprogram": _miniprogram,
}
