"""What must be true of a message's fields, in upstream's order (sheet pushgo §1.1 steps 6–17, §1.2)."""

import re
from typing import Any

import msgspec

from onebell.core.model import Severity
from onebell.dialects.pushgo.answer import Failure, Rejected
from onebell.dialects.pushgo.channel_id import canonical
from onebell.dialects.pushgo.parse import Intent

OP_ID_CHARS = 128
THING_ID_CHARS = 64
PASSWORD_BYTES = (8, 128)
LIST_ITEMS = 32
IMAGE_CHARS = 2048
TAG_CHARS = 64
METADATA_KEY_CHARS = 64
METADATA_VALUE_CHARS = 512
TTL_CAP_MS = 28 * 24 * 3600 * 1000

_NAME = re.compile(r"[A-Za-z0-9_:-]+")
_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "normal": Severity.NORMAL,
    "low": Severity.LOW,
}

_THING_ID_EMPTY = Failure(400, "thing_id must not be empty")
_THING_ID_LONG = Failure(400, "thing_id is too long")
_THING_ID_FORMAT = Failure(400, "thing_id format is invalid")
_OP_ID_LONG = Failure(400, "op_id is too long")
_OP_ID_FORMAT = Failure(400, "op_id format is invalid")
_CHANNEL_ID_EMPTY = Failure(400, "channel id must not be empty", "channel_id_required")
_CHANNEL_ID_FORMAT = Failure(400, "invalid channel id")
_PASSWORD_LENGTH = Failure(400, "channel password length must be between 8 and 128")
_TITLE_EMPTY = Failure(400, "title must not be empty", "title_required")
_KEY_LONG = Failure(400, "metadata key is too long", "metadata_key_too_long")
_VALUE_LONG = Failure(400, "metadata value is too long", "metadata_value_too_long")
_NO_OCCURRED_AT = Failure(
    400,
    "occurred_at is required when message is scoped to thing_id",
    "occurred_at_required_for_thing_scoped_message",
)


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """What must be right before the channel is looked up."""

    channel: str  # canonical
    password: str
    title: str
    op_id: str  # empty = none was sent
    thing_id: str | None


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is only looked at after the channel's password was right."""

    body: str
    url: str
    ciphertext: str
    occurred_at: int
    expires_at: int  # 0 = never
    severity: Severity
    images: tuple[str, ...]
    tags: tuple[str, ...]
    metadata: dict[str, Any]  # sorted by key


def addressed(intent: Intent) -> Addressed:
    """Steps 6 to 12: everything before the channel is looked up.

    Raises:
        Rejected: the first rule that is broken.
    """
    thing_id = None if intent.thing_id is None else _thing_id(intent.thing_id)
    if not intent.channel_id.strip():
        raise Rejected(_CHANNEL_ID_EMPTY)
    password = intent.password.strip()
    if not PASSWORD_BYTES[0] <= len(password.encode()) <= PASSWORD_BYTES[1]:
        raise Rejected(_PASSWORD_LENGTH)
    op_id = _op_id((intent.op_id or "").strip())
    title = intent.title.strip()
    if not title:
        raise Rejected(_TITLE_EMPTY)
    if intent.metadata:
        _check_lengths(intent.metadata)
    channel = canonical(intent.channel_id)
    if channel is None:
        raise Rejected(_CHANNEL_ID_FORMAT)
    return Addressed(channel=channel, password=password, title=title, op_id=op_id, thing_id=thing_id)


def details(intent: Intent, now_ms: int) -> Details:
    """Steps 14 to 17: what is only looked at after the password was right.

    Raises:
        Rejected: the first rule that is broken.
    """
    if intent.thing_id is not None and intent.occurred_at is None:
        raise Rejected(_NO_OCCURRED_AT)
    return Details(
        body=(intent.body or "").strip(),
        url=(intent.url or "").strip(),
        ciphertext=(intent.ciphertext or "").strip(),
        occurred_at=now_ms if intent.occurred_at is None else intent.occurred_at,
        expires_at=0 if intent.ttl is None else max(1, min(intent.ttl, now_ms + TTL_CAP_MS)),
        severity=_SEVERITIES.get((intent.severity or "").strip().lower(), Severity.NORMAL),
        images=_items(intent.images, "images", "url", IMAGE_CHARS) if intent.images else (),
        tags=_items(intent.tags, "tags", "tag", TAG_CHARS) if intent.tags else (),
        metadata=dict(sorted(intent.metadata.items())) if intent.metadata else {},
    )


def _thing_id(text: str) -> str:
    text = text.strip()
    if not text:
        raise Rejected(_THING_ID_EMPTY)
    if len(text) > THING_ID_CHARS:
        raise Rejected(_THING_ID_LONG)
    if not _NAME.fullmatch(text):
        raise Rejected(_THING_ID_FORMAT)
    return text


def _op_id(text: str) -> str:
    if len(text) > OP_ID_CHARS:
        raise Rejected(_OP_ID_LONG)
    if text and not _NAME.fullmatch(text):
        raise Rejected(_OP_ID_FORMAT)
    return text


def _check_lengths(metadata: dict[str, Any]) -> None:
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_CHARS:
            raise Rejected(_KEY_LONG)
        if isinstance(value, str) and len(value.strip()) > METADATA_VALUE_CHARS:
            raise Rejected(_VALUE_LONG)


def _items(written: list[str], field: str, item: str, limit: int) -> tuple[str, ...]:
    if len(written) > LIST_ITEMS:
        raise Rejected(Failure(400, f"{field} exceeds max length"))
    items: dict[str, None] = {}
    for text in written:
        trimmed = text.strip()
        if not trimmed:
            raise Rejected(Failure(400, f"{field} contains empty {item}"))
        if len(trimmed) > limit:
            raise Rejected(Failure(400, f"{field} contains oversized {item}"))
        items[trimmed] = None
    return tuple(items)
