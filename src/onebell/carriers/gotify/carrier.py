"""Gotify servers: POST /message with an application's token (sheet wecom §6.7)."""

from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.group_bots import MARKED_UP
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.model import Severity
from onebell.core.outcomes import Outcome, Sent, Unauthorized

_REFUSED = frozenset((401, 403))
# Gotify's app is silent at 0, makes a sound from 4 and pops up from 8.
_PRIORITIES = {Severity.MIN: 0, Severity.LOW: 2, Severity.NORMAL: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """The native payload unchanged, else the message; the token stays out of the URL, which servers log."""
    native = batch.rendered.native
    return Call(
        url=f"{str(account.fields['base_url']).rstrip('/')}/message",
        body=msgspec.json.encode(message(batch) if native is None else native),
        headers={"X-Gotify-Key": account.fields["token"]},
    )


def message(batch: Batch) -> dict[str, Any]:
    """Markdown where the sender wrote it, else text; a message without a body shows its title twice."""
    rendered, content = batch.rendered, batch.rendered.content
    is_marked_up = content.format in MARKED_UP
    return {
        "title": rendered.title,
        "message": (rendered.markdown if is_marked_up else rendered.text) or rendered.title or content.url,
        "priority": _PRIORITIES[batch.severity],
        "extras": {
            "client::display": {"contentType": "text/markdown" if is_marked_up else "text/plain"},
            **_notification(content.url, content.images),
        },
    }


def _notification(url: str, images: tuple[str, ...]) -> dict[str, Any]:
    """What the app's notification opens and shows."""
    shown: dict[str, Any] = {"click": {"url": url}} if url else {}
    if images:
        shown["bigImageUrl"] = images[0]
    return {"client::notification": shown} if shown else {}


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """A 200 with the message's id is success."""
    told = http_answers.said(answer, "errorCode", "errorDescription")
    if answer.status in _REFUSED:
        return Unauthorized(why=f"HTTP {answer.status}" if told is None else told.why)
    made = (http_answers.json_of(answer) or {}).get("id")
    if answer.status == 200 and isinstance(made, int):
        return Sent(provider_ref=str(made))
    return http_answers.not_theirs(answer, now_ms)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
