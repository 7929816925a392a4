"""A ``msg_*`` element in the core's neutral form, for the inbox and for carriers of another kind than its own."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from onebell.core.model import Attachment, Content, Format
from onebell.dialects.ums.fields import Object

# ``[^<>]`` instead of ``[^>]``: linear on a megabyte of "<a" (RELIABILITY S10).
MARKUP = re.compile(r"<(?:!--|[A-Za-z/!][^<>]*>)")
TITLE_CHARS = 500
PLATFORM_ORDER = ("android", "ios", "hmos", "quickapp", "winphone")


def content_of(kind: str, element: Object) -> Content:
    """The neutral form of a checked element."""
    return RENDERERS[kind](element)


def joined(contents: Sequence[Content]) -> Content:
    """Several messages as one: the first, with the words and pictures of the others below its own."""
    first, *others = contents
    texts = (first.body, *("\n".join(filter(None, (other.title, other.body))) for other in others))
    return msgspec.structs.replace(
        first,
        body="\n\n".join(filter(None, texts)),
        url=_first(*(content.url for content in contents)),
        images=tuple(image for content in contents for image in content.images),
    )


def _string(source: object, *path: str) -> str:
    for name in path:
        source = source.get(name) if isinstance(source, dict) else None
    return source if isinstance(source, str) else ""


def _first(*values: str) -> str:
    return next(filter(None, values), "")


def _web_url(*values: str) -> str:
    return _first(*(value for value in values if value.startswith(("http://", "https://"))))


def _alerts(notification: Object) -> Iterator[tuple[str, str]]:
    """(title, text) of each platform's alert; JPush's iOS alert may be an object."""
    for name in PLATFORM_ORDER:
        platform = notification.get(name)
        alert = platform.get("alert") if isinstance(platform, dict) else platform
        if isinstance(alert, dict):
            yield _string(alert, "title"), _string(alert, "body")
        else:
            yield _string(platform, "title"), _string(platform, "alert")


def _app(element: Object) -> Content:
    notification = element.get("notification") or {}
    message, other = element.get("message") or {}, element.get("notification_3rd") or {}
    alerts = list(_alerts(notification))
    android = notification.get("android")
    extras = next((found for found in _extras(notification, message) if found), None)
    picture = _web_url(_string(android, "big_pic_path"))
    title = _first(*(title for title, _ in alerts), _string(message, "title"), _string(other, "title"))
    return Content(
        title=title[:TITLE_CHARS],
        body=_first(
            *(text for _, text in alerts),
            _string(notification, "alert"),
            _string(message, "msg_content"),
            _string(other, "content"),
        ),
        url=_web_url(_string(android, "intent", "url")),
        icon=_web_url(_string(android, "large_icon")),
        images=(picture,) if picture else (),
        data={"extras": extras} if extras else {},
    )


def _extras(notification: Object, message: Object) -> Iterator[dict[str, Any] | None]:
    for source in (*(notification.get(name) for name in PLATFORM_ORDER), message):
        extras = source.get("extras") if isinstance(source, dict) else None
        yield extras if isinstance(extras, dict) else None


def _template_lines(data: Object) -> str:
    lines = (value.get("value") for value in data.values() if isinstance(value, dict))
    return "\n".join(str(line) for line in lines if isinstance(line, str | int | float))


def _wechat(element: Object) -> Content:
    return Content(
        body=_template_lines(element["data"]),
        url=_web_url(_string(element, "url"), _string(element, "page")),
        tags=(_string(element, "template_id"),),
    )


def _sms(element: Object) -> Content:
    if text := _string(element, "content"):
        return Content(body=text)
    para = element.get("temp_para") or {}
    return Content(body="\n".join(f"{key}: {value}" for key, value in para.items()))


def _email(element: Object) -> Content:
    text = _string(element, "text")
    return Content(
        title=_string(element, "subject"),
        body=text,
        format=Format.HTML if MARKUP.search(text) else Format.TEXT,
        attachments=tuple(Attachment(name=_file_name(url), url=url) for url in element.get("files") or ()),
    )


def _file_name(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return PurePosixPath(unquote(path)).name


def _alipay(element: Object) -> Content:
    context = element["context"]
    keys = sorted(key for key in context if key.startswith("keyword"))
    lines = (_string(context, key, "value") for key in ("first", *keys, "remark"))
    return Content(body="\n".join(filter(None, lines)), url=_web_url(_string(context, "url")))


def _dingtalk(element: Object) -> Content:
    return Content(body=_string(element, "msg", "text", "content"))


def _wecom(element: Object) -> Content:
    kind = _string(element, "msgtype")
    body = element[kind]
    if kind == "text":
        return Content(body=_string(body, "content"))
    if kind == "mpnews":
        article = body["articles"][0]
        return Content(
            title=_string(article, "title"),
            body=_string(article, "content"),
            format=Format.HTML,
            summary=_string(article, "digest"),
            url=_web_url(_string(article, "content_source_url")),
        )
    if kind == "news":
        return _wecom_news(body["articles"])
    if kind == "miniprogram_notice":
        items = body.get("content_item") or ()
        lines = (f"{_string(item, 'key')}: {_string(item, 'value')}" for item in items)
        return Content(title=_string(body, "title"), body="\n".join((_string(body, "description"), *lines)).strip())
    return Content(body="[图片]" if kind == "image" else "[文件]")


def _wecom_news(articles: list[dict[str, Any]]) -> Content:
    first = articles[0]
    lines = [_string(first, "description"), *(_string(article, "title") for article in articles[1:])]
    pictures = (_web_url(_string(article, "picurl")) for article in articles)
    return Content(
        title=_string(first, "title"),
        body="\n".join(filter(None, lines)),
        url=_web_url(_string(first, "url")),
        images=tuple(filter(None, pictures)),
    )


RENDERERS: dict[str, Callable[[Object], Content]] = {
    "app": _app,
    "wechatoa": _wechat,
    "wechatmp": _wechat,
    "sms": _sms,
    "email": _email,
    "alipay_life": _alipay,
    "dingtalk_cc": _dingtalk,
    "wechatwk": _wecom,
}
