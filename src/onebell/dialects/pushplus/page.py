"""The detail page of a message: no sign-in, whoever knows the shortCode may read it (sheet pushplus §1.6, §4)."""

import asyncio
import re
from enum import Enum
from html import escape

from onebell.clock import shanghai_text
from onebell.core.bodies import LOOP_CHARS, whole
from onebell.core.context import Context
from onebell.core.model import Content
from onebell.core.render import render
from onebell.core.sanitize import one_line
from onebell.core.sent import SentMessage
from onebell.dialects.pushplus.limits import profile_of
from onebell.dialects.pushplus.senders import NAME, SITE_KEY
from onebell.http.exchange import Answer
from onebell.ids import HEX32


class Pictures(Enum):
    """Where pictures may come from: a picture tells its host who reads when, so the reader asks for them."""

    HIDDEN = "data:"
    SHOWN = "https: data:"


_SHOW = "pictures=show"
_ASK = f'<p class="ask">为保护隐私，未加载外部图片。<a href="?{_SHOW}">显示图片</a></p>'


def _headers(pictures: Pictures) -> list[tuple[bytes, bytes]]:
    # The page is foreign content through and through: it runs nothing, sends nothing and has no origin.
    policy = (
        f"default-src 'none'; img-src {pictures.value}; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    return [
        (b"content-type", b"text/html;charset=UTF-8"),
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-robots-tag", b"noindex"),
    ]


_STYLE = (
    ":root{color-scheme:light dark;--soft:light-dark(#626a76,#9aa3af);--line:light-dark(#dfe3e8,#39404a);"
    "--pale:light-dark(#f3f4f6,#1f242b)}"
    "body{margin:0 auto;max-width:46rem;padding:1.25rem 1rem 3rem;font:16px/1.65 Inter,system-ui,'PingFang SC',"
    "'Microsoft YaHei','Noto Sans CJK SC',sans-serif;color:light-dark(#1c1f23,#e7e9ec);"
    "background:light-dark(#fff,#16191e);overflow-wrap:anywhere}"
    "h1{font-size:1.4rem;line-height:1.35;margin:.5rem 0}h1:only-child{margin-top:30vh;text-align:center}"
    "h2,h3,h4{line-height:1.3}a{color:light-dark(#c2410c,#ff9a5c)}"
    ".by{margin:0;color:var(--soft);font-size:.9rem}"
    ".ask{padding:.5em .8em;border-radius:10px;background:var(--pale);color:var(--soft);font-size:.9rem}"
    ".badge{background:#07823c;color:#fff;border-radius:5px;padding:0 .4em;margin-right:.5em}"
    "hr{border:0;border-top:1px solid var(--line);margin:1rem 0}article{overflow-x:auto}"
    "img{max-width:100%;height:auto;border-radius:8px}"
    "pre,code{font-family:ui-monospace,monospace;font-size:.9em;background:var(--pale);border-radius:5px}"
    "code{padding:.1em .35em}pre{padding:.8em 1em;border-radius:10px;white-space:pre-wrap}pre code{padding:0}"
    "blockquote{margin:0 0 1em;padding:.1em 0 .1em 1em;border-left:3px solid var(--line);color:var(--soft)}"
    "blockquote p{margin:.2em 0}"
    "table{border-collapse:collapse}td,th{border:1px solid var(--line);padding:.3em .7em;text-align:left}"
    "th{background:var(--pale)}"
    "@media(prefers-color-scheme:dark){.paper{color-scheme:light;color:#1c1f23;background:#fff;padding:1rem;"
    "border-radius:12px}}"
)
_UNSEEN = "img:not([src^='data:']){display:none}"
"""Beside :data:`_ASK`: a picture that may not be loaded would show as a broken one."""
_COLOURED = re.compile(r"\b(?:color|background(?:-color)?|bgcolor)\s*[=:]", re.IGNORECASE)
"""Who chose colours chose them for white paper."""
_PAGE = (
    '<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
    "<style>{style}</style></head><body>{body}</body></html>"
)
_PICTURE = re.compile(r'<img [^<>]*\bsrc="')
"""One that there is to show: pictures over http are left out anyway."""
_MISSING = "消息不存在"
_TOPIC, _FRIEND = "群发", "好友消息"
_GONE = frozenset({"recalled", "refused"})


def pictures_of(query: str) -> Pictures:
    """What a page's own link asks for."""
    return Pictures.SHOWN if query == _SHOW else Pictures.HIDDEN


async def show(context: Context, short_code: str, pictures: Pictures) -> Answer:
    """The page of a shortCode; 404 for one that is unknown or deleted."""
    found = await context.store.pushplus.message(short_code) if HEX32.match(short_code) else None
    if found is None or found.state in _GONE or not await _is_shown(context, found):
        return missing()
    content = await whole(context.files, found.space, found.parts[0].content)
    if len(content.body) > LOOP_CHARS:
        return await asyncio.to_thread(_page, found, content, pictures)
    return _page(found, content, pictures)


async def _is_shown(context: Context, found: SentMessage) -> bool:
    site = await context.lookups.record(found.space, NAME, "site", SITE_KEY)
    since_ms = profile_of(site.data if site else None).since_ms(context.clock.now_ms())
    return found.created_at >= since_ms


def missing() -> Answer:
    """Nobody's message."""
    return _answer(404, _MISSING, f"<h1>{_MISSING}</h1>")


def _page(found: SentMessage, content: Content, pictures: Pictures) -> Answer:
    return _answer(200, content.title, _article(found, content, pictures), pictures)


def _article(found: SentMessage, content: Content, pictures: Pictures) -> str:
    badge = _TOPIC if "topic" in found.extra else _FRIEND if "friend" in found.extra else ""
    mark = f'<span class="badge">{badge}</span>' if badge else ""
    by = f"{escape(one_line(found.sender_name))} {shanghai_text(found.created_at)}"
    shown = render(content).html
    ask = _ASK if pictures is Pictures.HIDDEN and _PICTURE.search(shown) else ""
    title = escape(one_line(content.title))
    paper = ' class="paper"' if _COLOURED.search(shown) else ""
    return f'<h1>{title}</h1><p class="by">{mark}{by}</p><hr>{ask}<article{paper}>{shown}</article>'


def _answer(status: int, title: str, body: str, pictures: Pictures = Pictures.HIDDEN) -> Answer:
    style = _STYLE if pictures is Pictures.SHOWN else _STYLE + _UNSEEN
    page = _PAGE.format(title=escape(one_line(title)), style=style, body=body)
    return Answer(status, page.encode("utf-8", "replace"), _headers(pictures))
