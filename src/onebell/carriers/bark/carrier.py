"""Bark: POST /push with the device's key; HTTP 200 and ``code`` 200 are success (sheet wecom §6.6)."""

from base64 import b64encode
from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.bark import cipher
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.group_bots import MARKED_UP
from onebell.carriers.one_call import Call, OneCall, fitted
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.fit import cut
from onebell.core.model import Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Unauthorized

SERVICE = "https://api.day.app"
PAYLOAD_BYTES = 3584
"""Of Apple's 4096: the server adds names, sound, category and the group once more."""
SEALED_BYTES = 2560
"""Of the parameters when they are encrypted: base64 makes four bytes of three."""
TITLE_BYTES = 512
"""Of a title that is cut at all; the manifest says the same of those that are rendered."""
PREVIEW_BYTES = 256
"""Of plain text beside Markdown, for versions of the app that do not know it."""

_LEVELS = {
    Severity.MIN: "passive", Severity.LOW: "passive", Severity.NORMAL: "active",
    Severity.HIGH: "timeSensitive", Severity.CRITICAL: "critical",
}  # fmt: skip
_REFUSED = frozenset((401, 418))  # 418 is Bark's word for a missing password
_DEVICE_IS_GONE = (
    "device key is empty", "failed to get device token", "BadDeviceToken", "Unregistered", "DeviceTokenNotForTopic",
)  # fmt: skip
_TOO_LARGE = "PayloadTooLarge"


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """The message for the account's device, encrypted when there is a key for that."""
    fields = account.fields
    base = str(fields.get("base_url") or SERVICE).rstrip("/")
    return Call(url=f"{base}/push", body=_body(fields, batch), headers=_signed_in(fields))


def _signed_in(fields: dict[str, Any]) -> dict[str, str]:
    user = fields.get("username")
    pair = f"{user}:{fields.get('password') or ''}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()} if user else {}


def _body(fields: dict[str, Any], batch: Batch) -> bytes:
    key = {"device_key": fields["device_key"]}
    secret = fields.get("encryption_key")
    if not secret:
        return _parameters(fields, batch, key, PAYLOAD_BYTES)
    sealed = cipher.seal(_parameters(fields, batch, {}, SEALED_BYTES), secret, fields.get("encryption") or "CBC")
    return msgspec.json.encode({**key, **sealed})


def _parameters(fields: dict[str, Any], batch: Batch, whom: dict[str, str], limit_bytes: int) -> bytes:
    """The native payload, else the message; the same ``id`` on every try, so that a repeat replaces the first."""
    rendered, content = batch.rendered, batch.rendered.content
    whom = {**whom, "id": f"dlv_{batch.addresses[0].delivery}"}
    if rendered.native is not None:
        return _native({**whom, **rendered.native}, limit_bytes)
    is_marked_up = content.format in MARKED_UP
    chosen = {
        "title": rendered.title,
        "level": _LEVELS[batch.severity],
        "url": content.url,
        "icon": content.icon or fields.get("icon"),
        "image": next(iter(content.images), ""),
        "group": fields.get("group"),
        "sound": fields.get("sound"),
    }
    told = {**whom, **{name: value for name, value in chosen.items() if value}}

    def text(said: str) -> dict[str, str]:
        return {**told, "body": said}

    def marked_up(said: str) -> dict[str, str]:
        return {**told, "body": cut(rendered.text, PREVIEW_BYTES), "markdown": said}

    if is_marked_up:
        return fitted(marked_up, rendered.markdown, limit_bytes, _weight)
    return fitted(text, rendered.text, limit_bytes, _weight)


def _native(payload: dict[str, Any], limit_bytes: int) -> bytes:
    """As the dialect brought it; too long for Apple, it would reach nobody, so then its texts are cut."""
    whole, body, title = msgspec.json.encode(payload), payload.get("body"), payload.get("title")
    if not isinstance(body, str) or _weight(whole) <= limit_bytes:
        return whole
    if isinstance(title, str):
        payload = {**payload, "title": cut(title, TITLE_BYTES)}
    return fitted(lambda said: {**payload, "body": said}, body, limit_bytes, _weight)


def _weight(body: bytes) -> int:
    """Go writes these three as six bytes each."""
    return len(body) + 5 * sum(body.count(sign) for sign in (b"<", b">", b"&"))


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """What the server said; it passes on Apple's words."""
    said = http_answers.said(answer, "code", "message")
    if answer.status in _REFUSED:
        return Unauthorized(why=f"HTTP {answer.status}")
    if said is None:
        return http_answers.not_theirs(answer, now_ms)
    if said.code == 200 and answer.status == 200:
        return Sent(detail=said.text)
    if any(words in said.text for words in _DEVICE_IS_GONE):
        return Permanent(why=said.why, drop_target=True, code=said.code)
    if said.code == 400 or _TOO_LARGE in said.text:
        return Permanent(why=said.why, code=said.code)
    return http_answers.unlisted(said, answer, now_ms)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
