"""A webhook of one's own: each message as JSON, signed by Standard Webhooks when there is a secret."""

from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.clock import iso
from onebell.core.directory import CarrierAccount
from onebell.core.model import Attachment, Button
from onebell.core.outcomes import Outcome, Sent
from onebell.core.signing import headers


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver gets; README.md documents it. Fields are only ever added."""

    type: str = "message"
    id: str  # the same on every try
    timestamp: str  # when the message was accepted, RFC 3339
    message: str  # the message's public id
    dialect: str
    sender: str
    title: str
    text: str
    html: str
    markdown: str
    severity: str  # min | low | normal | high | critical
    url: str  # opened by a click
    link: str  # the message's page on the server
    images: tuple[str, ...]
    tags: tuple[str, ...]
    buttons: tuple[Button, ...]
    attachments: tuple[Attachment, ...]
    card: dict[str, Any] | None
    data: dict[str, Any]  # what else the sender gave, in his API's own names


def ask(account: CarrierAccount, batch: Batch, now_ms: int) -> Call:
    """The native payload, else the documented body; signed when there is a secret."""
    key = f"dlv_{batch.addresses[0].delivery}"
    native = batch.rendered.native
    body = msgspec.json.encode(native if native is not None else webhook_body(batch, key))
    secret: str = account.fields.get("secret") or ""
    signed = headers(key, now_ms // 1000, body, (secret,)) if secret else {"webhook-id": key}
    return Call(url=account.fields["url"], body=body, headers=signed)


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """Any 2xx is success."""
    return http_answers.failure(answer, now_ms) or Sent(detail=http_answers.told(answer))


def webhook_body(batch: Batch, key: str) -> WebhookBody:
    """The documented body."""
    rendered, content = batch.rendered, batch.rendered.content
    return WebhookBody(
        id=key,
        timestamp=iso(batch.created_ms),
        message=batch.message,
        dialect=batch.dialect,
        sender=batch.sender,
        title=rendered.title,
        text=rendered.text,
        html=rendered.html,
        markdown=rendered.markdown,
        severity=batch.severity.word,
        url=content.url,
        link=batch.link,
        images=content.images,
        tags=content.tags,
        buttons=content.buttons,
        attachments=content.attachments,
        card=content.card,
        data=content.data,
    )


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
