"""The six types of ``msg_wechatwk`` (seed, WeCom part; sheet jpush-ums §1.4)."""

from collections.abc import Callable

from onebell.dialects.ums.answer import invalid
from onebell.dialects.ums.fields import (
    Object,
    Text,
    an_object,
    check_texts,
    choice,
    is_integer,
    objects,
    text,
)

ARTICLES = 8
DUPLICATE_CHECK_S = 14_400
CONTENT_ITEMS = 10
NEWS = (
    Text(name="title", required=True, max_bytes=128),
    Text(name="description", max_bytes=512),
    Text(name="url", max_bytes=2048),
    Text(name="picurl"),
    Text(name="appid"),
    Text(name="pagepath"),
)
MP_NEWS = (
    Text(name="thumb_media_id", required=True),
    Text(name="title", required=True, max_bytes=128),
    Text(name="content", required=True, max_bytes=666 * 1024),
    Text(name="digest", max_bytes=512),
    Text(name="author", max_bytes=64),
    Text(name="content_source_url"),
)
# The lower bound of 4 characters is a display limit of WeCom and is not enforced (sheet §1.4).
NOTICE = (
    Text(name="appid", required=True),
    Text(name="title", required=True, max_chars=12),
    Text(name="page"),
    Text(name="description", max_chars=12),
)
ITEM = (Text(name="key", required=True, max_chars=10), Text(name="value", required=True, max_chars=30))


def _text(body: Object, where: str) -> None:
    check_texts(body, (Text(name="content", required=True, max_bytes=2048),), where)


def _media(body: Object, where: str) -> None:
    check_texts(body, (Text(name="media_id", required=True),), where)


def _news(body: Object, where: str) -> None:
    for number, article in enumerate(objects(body, "articles", ARTICLES, where)):
        here = f"{where}.articles[{number}]"
        check_texts(article, NEWS, here)
        given = {name for name in ("url", "appid", "pagepath") if article.get(name)}
        if ("appid" in given) != ("pagepath" in given):
            raise invalid(here, "needs appid and pagepath together")
        if not given:
            raise invalid(here, "needs url, or appid and pagepath")


def _mp_news(body: Object, where: str) -> None:
    for number, article in enumerate(objects(body, "articles", ARTICLES, where)):
        check_texts(article, MP_NEWS, f"{where}.articles[{number}]")


def _notice(body: Object, where: str) -> None:
    check_texts(body, NOTICE, where)
    emphasis = body.get("emphasis_first_item")
    # The seed's table types it String, its example is a boolean: both pass.
    if not isinstance(emphasis, bool | str | None):
        raise invalid(f"{where}.emphasis_first_item", "must be a boolean")
    if body.get("content_item") is None:
        return
    for number, item in enumerate(objects(body, "content_item", CONTENT_ITEMS, where)):
        check_texts(item, ITEM, f"{where}.content_item[{number}]")


TYPES: dict[str, Callable[[Object, str], None]] = {
    "text": _text,
    "image": _media,
    "file": _media,
    "news": _news,
    "mpnews": _mp_news,
    "miniprogram_notice": _notice,
}
SAFE_WITHIN_CORP = frozenset({"mpnews", "miniprogram_notice"})


def _interval(element: Object, where: str) -> None:
    value = element.get("duplicate_check_interval")
    if value is None:
        return
    # Two tables of the seed type it String, the others int.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if not is_integer(value) or not 0 <= value <= DUPLICATE_CHECK_S:
        raise invalid(f"{where}.duplicate_check_interval", f"must be 0 to {DUPLICATE_CHECK_S} seconds")


def check_wecom(element: Object, where: str) -> None:
    """One element of ``msg_wechatwk``."""
    kind = text(element, Text(name="msgtype", required=True), where)
    if kind not in TYPES:
        raise invalid(f"{where}.msgtype", f"must be one of {', '.join(TYPES)}")
    TYPES[kind](an_object(element, kind, where), f"{where}.{kind}")
    choice(element, "safe", (0, 1, 2) if kind in SAFE_WITHIN_CORP else (0, 1), where)
    choice(element, "enable_duplicate_check", (0, 1), where)
    _interval(element, where)
