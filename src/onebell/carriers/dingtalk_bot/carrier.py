"""DingTalk custom robots: POST to the robot's address; HTTP 200 is not success, ``errcode`` 0 is (sheet wecom §6.3)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier, Rendered
from onebell.carriers.group_bots import MARKED_UP, joined, linked, paragraphs, signature, titled
from onebell.carriers.http_answers import Said
from onebell.carriers.one_call import Again, Call, OneCall, fitted
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.clock import until_shanghai_midnight_s
from onebell.core.directory import CarrierAccount
from onebell.core.fit import ELLIPSIS, cut
from onebell.core.outcomes import Outcome, Permanent, Sent, Throttled, Unauthorized

BODY_BYTES = 20_000
"""Of the whole JSON."""
CAPTION_BYTES = 64
"""What a notification shows of a message without a title."""
BLOCKED_S = 600.0
"""A robot that sent more than 20 messages in a minute is blocked for 10 minutes."""

_TOO_FAST = frozenset((130101, 410100))
_DAY_IS_FULL = frozenset((90030,))
# Keyword, signature, clock or IP list; which of them, only the words tell.
_NOT_SAFE = frozenset((310000,))
_ROBOT_IS_DEAD = frozenset((300001, 300005, 400013, 400101, 400102, 400106))
_BAD_CONTENT = frozenset((40035, 43004, 400105, 430101, 430102, 430103, 430104, 460101))
_ADDRESS_IS_BLOCKED = 1111  # a body without errcode, from the gateway: too many calls from one IP address

Payload = Mapping[str, Any]


def ask(account: CarrierAccount, batch: Batch, now_ms: int) -> Call:
    """Post to the robot's address, signed when there is a secret."""
    url, secret = str(account.fields["url"]), str(account.fields.get("secret") or "")
    if secret:
        signed = {"timestamp": str(now_ms), "sign": signature(secret, f"{now_ms}\n{secret}")}
        url += ("&" if "?" in url else "?") + urlencode(signed)
    return Call(url=url, body=_body(batch.rendered, str(account.fields.get("keyword") or "")))


def read(answer: HttpAnswer, now_ms: int) -> Outcome | Again:
    """What the service said."""
    said = http_answers.said(answer, "errcode", "errmsg")
    if said is not None:
        return Sent(detail=said.text) if said.code == 0 else _judge(said, answer, now_ms)
    gateway = http_answers.said(answer, "status", "punish")
    if gateway is not None and gateway.code == _ADDRESS_IS_BLOCKED:
        return Throttled(why=gateway.why, wait_s=BLOCKED_S)
    return http_answers.not_theirs(answer, now_ms)


def _judge(said: Said, answer: HttpAnswer, now_ms: int) -> Outcome | Again:
    code, why = said.code, said.why
    if code in _TOO_FAST:
        return Throttled(why=why, wait_s=BLOCKED_S)
    if code in _DAY_IS_FULL:
        return Throttled(why=why, wait_s=until_shanghai_midnight_s(now_ms))
    if code in _NOT_SAFE and "timestamp" in said.text:
        return Again(then=Unauthorized(why=why))
    if code in _NOT_SAFE or code in _ROBOT_IS_DEAD:
        return Unauthorized(why=why)
    if code in _BAD_CONTENT:
        return Permanent(why=why, code=code)
    return http_answers.unlisted(said, answer, now_ms)


def _body(rendered: Rendered, keyword: str) -> bytes:
    """The native payload unchanged; else a card for buttons, Markdown for what needs it, text for the rest."""
    if rendered.native is not None:
        return msgspec.json.encode(rendered.native)
    content = rendered.content
    title = titled(rendered, keyword)
    buttons = [{"title": one.text, "actionURL": one.url} for one in content.buttons if one.url]
    if not buttons and not content.images and content.format not in MARKED_UP:

        def text(said: str) -> Payload:
            return {"msgtype": "text", "text": {"content": joined(title, said, content.url)}}

        return fitted(text, rendered.text, BODY_BYTES)

    def marked_up(said: str) -> Payload:
        images = paragraphs(*(f"![]({url})" for url in content.images))
        shown = paragraphs(f"### {title}" if title else "", said, images, linked(content.url))
        caption = title or cut(rendered.text.partition("\n")[0], CAPTION_BYTES) or ELLIPSIS
        if not buttons:
            return {"msgtype": "markdown", "markdown": {"title": caption, "text": shown}}
        card = {"title": caption, "text": shown, "btnOrientation": "0", "btns": buttons}
        return {"msgtype": "actionCard", "actionCard": card}

    return fitted(marked_up, rendered.markdown, BODY_BYTES)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
