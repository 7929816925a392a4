"""Columns of type ``Packed``: compact JSON as bytes."""

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def pack(value: object) -> bytes | None:
    """Compact JSON; ``None`` and what is empty become null, so that the common row stays small."""
    return _encode(value) if value else None


def unpack_object(packed: bytes | None) -> dict[str, Any]:
    """A JSON object; null is an empty one."""
    return _decode(packed) if packed else {}


def unpack_texts(packed: bytes | None) -> tuple[str, ...]:
    """A JSON array of strings; null is an empty one."""
    return tuple(_decode(packed)) if packed else ()
