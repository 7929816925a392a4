"""Reads a message as strictly as PushGo does: JSON or query → :class:`Intent` → checked fields (sheet pushgo §1)."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from onebell.dialects.pushgo import answer
from onebell.dialects.pushgo.answer import Failure, PlainRejected, Rejected

BODY_BYTES = 32_768

_SECONDS_BELOW = 10**12  # smaller values are Unix seconds, others milliseconds (sheet §1.2)
_INT64 = (-(2**63), 2**63 - 1)
_UINT64_MAX = 2**64 - 1
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
NOT_AN_OBJECT = "metadata must be a JSON object"
_KEY_TWICE = Failure(400, "metadata key must be unique")

T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    channel_id: str
    password: str
    title: str
    body: str | None = None
    op_id: str | None = None
    thing_id: str | None = None
    occurred_at: int | str | None = None
    severity: str | None = None
    ttl: int | str | None = None
    url: str | None = None
    images: list[str] = []
    tags: list[str] = []
    ciphertext: str | None = None
    metadata: Any = None


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode
_FIELDS = frozenset(_Body.__struct_fields__)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the right shape, nothing about it checked yet. Instants are milliseconds; None = absent."""

    channel_id: str
    password: str
    title: str
    body: str | None = None
    op_id: str | None = None
    thing_id: str | None = None
    occurred_at: int | None = None
    severity: str | None = None
    ttl: int | None = None
    url: str | None = None
    images: list[str] = []
    tags: list[str] = []
    ciphertext: str | None = None
    metadata: dict[str, Any] = {}


# ---------------------------------------------------------------- JSON → Intent


def is_json(content_type: bytes | None) -> bool:
    """``application/json`` or ``application/*+json``, with or without parameters."""
    if content_type == b"application/json":
        return True
    kind = (content_type or b"").split(b";", 1)[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def from_json(body: bytes) -> Intent:
    """A POST body.

    Raises:
        Rejected: ``invalid_json_syntax`` or ``invalid_json_data``.
    """
    decoded = strictly(_decode, body)
    if not _has_each_key_once(decoded, body):
        _refuse_repeated_keys(body)
    return Intent(
        channel_id=decoded.channel_id,
        password=decoded.password,
        title=decoded.title,
        body=decoded.body,
        op_id=decoded.op_id,
        thing_id=decoded.thing_id,
        occurred_at=None if decoded.occurred_at is None else instant(decoded.occurred_at, "occurred_at"),
        severity=decoded.severity,
        ttl=None if decoded.ttl is None else instant(decoded.ttl, "ttl"),
        url=decoded.url,
        images=decoded.images,
        tags=decoded.tags,
        ciphertext=decoded.ciphertext,
        metadata=metadata_of(decoded.metadata),
    )


def strictly(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode JSON; syntax is judged before shape (sheet §1.1, step 5).

    Raises:
        Rejected: ``invalid_json_syntax`` or ``invalid_json_data``.
    """
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        _refuse_bad_syntax(body)
        raise Rejected(answer.json_data(str(error))) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Rejected(answer.json_syntax(str(error))) from error


def _refuse_bad_syntax(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Rejected(answer.json_syntax(str(error))) from error


def _has_each_key_once(decoded: _Body, body: bytes) -> bool:
    """True only if it is so. What was decoded, written again, has fewer quotes than a body with a key twice.

    Of bodies with a null, a default or an escaped quote in them this look tells nothing.
    """
    try:
        written = _encode(decoded)
    except RecursionError:
        return False
    return written.count(b'"') == body.count(b'"') and not _escapes_quotes(written) and not _escapes_quotes(body)


def _escapes_quotes(text: bytes) -> bool:
    # One character is found several times as fast as two.
    return b"\\" in text and b'\\"' in text


def _refuse_repeated_keys(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Rejected(answer.json_data("duplicate field"))

    try:
        json.loads(body.decode(), object_pairs_hook=unique)
    except RecursionError as error:  # it goes a little less deep than the decoder that took the body
        raise Rejected(answer.json_syntax(str(error))) from error


def instant(raw: int | str, field: str) -> int | None:
    """Unix seconds or milliseconds, also as digits in a string, as milliseconds; None = a blank string.

    Raises:
        Rejected: not a whole number of 64 bits.
    """
    try:
        return milliseconds(raw)
    except ValueError as error:
        raise Rejected(answer.json_data(f"{field}: {error}")) from error


def milliseconds(raw: int | str) -> int | None:
    """An instant as PushGo reads numbers; None = a blank string. Raises ``ValueError``."""
    if isinstance(raw, str):
        if not (text := raw.strip()):
            return None
        if not _INTEGER.fullmatch(text):
            raise ValueError("invalid digit found in string")
        raw = int(text)
    if not _INT64[0] <= raw <= _INT64[1]:
        raise ValueError("number out of range")
    return raw * 1000 if abs(raw) < _SECONDS_BELOW else raw


def metadata_of(raw: object) -> dict[str, Any]:
    """Trimmed keys and their scalars; null is none.

    Raises:
        Rejected: ``invalid_json_data``.
    """
    if raw is None:
        return {}
    try:
        return scalars(raw)
    except ValueError as error:
        raise Rejected(answer.json_data(str(error))) from error


def scalars(raw: object) -> dict[str, Any]:
    """A flat object by its trimmed keys. Raises ``ValueError`` with PushGo's sentence."""
    if not isinstance(raw, dict):
        raise ValueError(NOT_AN_OBJECT)  # noqa: TRY004 - the caller's input, not ours
    flat: dict[str, Any] = {}
    for written, value in raw.items():
        key = written.strip()
        if not key:
            raise ValueError("metadata key must not be empty")
        if not _is_scalar(value):
            raise ValueError(f"metadata.{key} must be a scalar")
        if key in flat:
            raise ValueError(_KEY_TWICE.error)
        flat[key] = _storable(value)
    return flat


def _is_scalar(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else isinstance(value, int | float)


def _storable(value: Any) -> Any:
    # Upstream keeps whole numbers of 64 bits and reads larger ones as floats.
    if isinstance(value, int) and not _INT64[0] <= value <= _UINT64_MAX:
        try:
            return float(value)
        except OverflowError:
            raise ValueError("number out of range") from None
    return value


# ---------------------------------------------------------------- query → Intent


def from_query(pairs: list[tuple[str, str]]) -> Intent:
    """``GET /message`` (sheet §2.1): lists with commas, metadata as JSON, blank optional values absent.

    Raises:
        PlainRejected: an unknown, repeated or missing parameter, or no number where one must stand.
        Rejected: metadata is not a flat JSON object.
    """
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in _FIELDS:
            raise _bad_query(f"unknown field `{name}`")
        if name in values:
            raise _bad_query(f"duplicate field `{name}`")
        values[name] = value
    for name in ("channel_id", "password", "title"):
        if name not in values:
            raise _bad_query(f"missing field `{name}`")
    return Intent(
        channel_id=values["channel_id"],
        password=values["password"],
        title=values["title"],
        body=values.get("body"),
        op_id=values.get("op_id"),
        thing_id=values.get("thing_id", "").strip() or None,
        occurred_at=_query_instant(values, "occurred_at"),
        severity=values.get("severity"),
        ttl=_query_instant(values, "ttl"),
        url=values.get("url"),
        images=comma_list(values.get("images", "")),
        tags=comma_list(values.get("tags", "")),
        ciphertext=values.get("ciphertext"),
        metadata=metadata_text(values.get("metadata", "")),
    )


def _bad_query(detail: str) -> PlainRejected:
    return PlainRejected(400, f"Failed to deserialize query string: {detail}")


def _query_instant(values: dict[str, str], name: str) -> int | None:
    try:
        return milliseconds(values.get(name, ""))
    except ValueError as error:
        raise _bad_query(f"{name}: {error}") from error


def comma_list(text: str) -> list[str]:
    """Items between commas; blank ones are dropped."""
    return [item for part in text.split(",") if (item := part.strip())]


def metadata_text(text: str) -> dict[str, Any]:
    """Metadata as the text of a JSON object.

    Raises:
        Rejected: ``metadata_object_required``, or the sentence about its content without a code.
    """
    if not text.strip():
        return {}
    try:
        raw = msgspec.json.decode(text)
        written = json.loads(text, object_pairs_hook=list)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Rejected(Failure(400, NOT_AN_OBJECT, "metadata_object_required")) from error
    if isinstance(raw, dict) and len(raw) != len(written):
        raise Rejected(_KEY_TWICE)
    try:
        return {} if raw is None else scalars(raw)
    except ValueError as error:
        code = "metadata_object_required" if str(error) == NOT_AN_OBJECT else None
        raise Rejected(Failure(400, str(error), code)) from error
