"""``KeyValue`` lists and the JSON objects that they stand for (sheet easemob-msync §3)."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from onebell.dialects.easemob.msync.msync_pb2 import KeyValue
from onebell.http.exchange import NotJson, read_json

INT_32 = range(-(2**31), 2**31)
INT_64 = range(-(2**63), 2**63)
_encode = msgspec.json.Encoder().encode


def to_pairs(values: Mapping[str, Any]) -> list[KeyValue]:
    """An object as the SDK reads it back."""
    return [_pair(key, value) for key, value in values.items()]


def _pair(key: str, value: object) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, type=KeyValue.STRING, string_value=value)
    if isinstance(value, bool):
        return KeyValue(key=key, type=KeyValue.BOOL, varint_value=int(value))
    if isinstance(value, int) and value in INT_64:
        kind = KeyValue.INT if value in INT_32 else KeyValue.LLINT
        return KeyValue(key=key, type=kind, varint_value=value)
    if isinstance(value, float):
        return KeyValue(key=key, type=KeyValue.DOUBLE, double_value=value)
    return KeyValue(key=key, type=KeyValue.JSON_STRING, string_value=_encode(value).decode())


def from_pairs(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """The object; of a key that is there twice the last one counts."""
    return {pair.key: _value(pair) for pair in pairs if pair.key}


def _value(pair: KeyValue) -> Any:
    match pair.type:
        case KeyValue.BOOL:
            return bool(pair.varint_value)
        case KeyValue.INT | KeyValue.UINT | KeyValue.LLINT:
            return pair.varint_value
        case KeyValue.FLOAT:
            return _finite(pair.float_value)
        case KeyValue.DOUBLE:
            return _finite(pair.double_value)
        case KeyValue.JSON_STRING:
            return _json(pair.string_value)
    return pair.string_value


def _finite(value: float) -> float | None:
    """JSON has no word for infinity."""
    return value if math.isfinite(value) else None


def _json(text: str) -> Any:
    """What REST would not take stays text: nested too deeply, it could be written and never be read again."""
    try:
        return read_json(text.encode())
    except NotJson:
        return text
