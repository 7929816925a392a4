"""Feishu and Lark custom bots: POST to the bot's address; HTTP 200 is not success, ``code`` 0 is (sheet wecom §6.5)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.group_bots import MARKED_UP, linked, paragraphs, signature, titled
from onebell.carriers.http_answers import Said
from onebell.carriers.one_call import Call, OneCall, fitted
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.model import Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Throttled, Unauthorized
from onebell.core.retry_after import retry_after_s

BODY_BYTES = 20_000
"""Of the whole JSON, signature included."""
TOO_FAST_S = 60.0

_TOO_FAST = frozenset((11232, 99991400))
_BAD_REQUEST = 9499  # "too many requests" has come under it too
_TOO_FAST_WORDS = ("frequency", "too many")
# Address, signature or clock, IP list, keyword.
_BOT_REFUSES = frozenset((19001, 19021, 19022, 19024))
_BAD_CONTENT = frozenset((19002, _BAD_REQUEST))
_COLORS = {Severity.MIN: "grey", Severity.LOW: "grey", Severity.HIGH: "orange", Severity.CRITICAL: "red"}

Payload = Mapping[str, Any]


def ask(account: CarrierAccount, batch: Batch, now_ms: int) -> Call:
    """Post to the bot's address; with a secret the body says when it was made, and is signed."""
    at_s, secret = now_ms // 1000, str(account.fields.get("secret") or "")
    signed = {"timestamp": str(at_s), "sign": signature(f"{at_s}\n{secret}", "")} if secret else {}
    return Call(url=account.fields["url"], body=_body(batch, str(account.fields.get("keyword") or ""), signed))


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """What the service said; older answers name their code ``StatusCode``."""
    said = http_answers.said(answer, "code", "msg") or http_answers.said(answer, "StatusCode", "StatusMessage")
    if said is not None and said.code == 0:
        return Sent(detail=said.text)
    if answer.status == 429 or (said is not None and _is_too_fast(said)):
        why = f"HTTP {answer.status}" if said is None else said.why
        return Throttled(why=why, wait_s=_reset_s(answer, now_ms))
    return http_answers.not_theirs(answer, now_ms) if said is None else _judge(said, answer, now_ms)


def _is_too_fast(said: Said) -> bool:
    words = said.text.lower()
    return said.code in _TOO_FAST or (said.code == _BAD_REQUEST and any(word in words for word in _TOO_FAST_WORDS))


def _reset_s(answer: HttpAnswer, now_ms: int) -> float:
    headers = (answer.headers.get(name, "") for name in ("x-ogw-ratelimit-reset", "retry-after"))
    waits = (retry_after_s(value, now_ms) for value in headers)
    return next((wait for wait in waits if wait is not None), TOO_FAST_S)


def _judge(said: Said, answer: HttpAnswer, now_ms: int) -> Outcome:
    if said.code in _BOT_REFUSES:
        return Unauthorized(why=said.why)
    if said.code in _BAD_CONTENT:
        return Permanent(why=said.why, code=said.code)
    return http_answers.unlisted(said, answer, now_ms)


def _body(batch: Batch, keyword: str, signed: Payload) -> bytes:
    """The native payload with the signature; else a card for what is marked up or urgent, a post for the rest."""
    rendered = batch.rendered
    if rendered.native is not None:
        return msgspec.json.encode({**signed, **rendered.native})
    title, url = titled(rendered, keyword), rendered.content.url
    is_marked_up = rendered.content.format in MARKED_UP

    def post(said: str) -> Payload:
        lines = [[{"tag": "text", "text": said or title}], [{"tag": "a", "text": url, "href": url}] if url else []]
        told = {"title": title, "content": [line for line in lines if line]}
        return {**signed, "msg_type": "post", "content": {"post": {"zh_cn": told}}}

    def card(said: str) -> Payload:
        color = _COLORS.get(batch.severity, "blue")
        plain = {"tag": "div", "text": {"tag": "plain_text", "content": said}}
        link = {"tag": "markdown", "content": linked(url)}
        marked = {"tag": "markdown", "content": paragraphs(said, linked(url))}
        elements = [marked] if is_marked_up else [plain, link] if url else [plain]
        header = {"title": {"tag": "plain_text", "content": title}, "template": color}
        return {**signed, "msg_type": "interactive", "card": {"header": header, "elements": elements}}

    if is_marked_up:
        return fitted(card, rendered.markdown, BODY_BYTES)
    return fitted(card if batch.severity > Severity.NORMAL else post, rendered.text, BODY_BYTES)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
