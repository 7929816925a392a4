"""Reads a body as tolerantly as WeCom does, and remembers whether it had to (sheet wecom §2.1)."""

import json
import re
from typing import Any, NoReturn, get_args, get_origin

import msgspec
from msgspec import UNSET

from onebell.dialects.wecom.body import Body
from onebell.http.exchange import JSON_DEPTH, NotJson, read_json

TOLERATED_VALUES = 20_000
"""Bodies of more values are read strictly or not at all: the tolerant way looks at each of them."""

# Stands for bytes that were not valid UTF-8 while the text is read as JSON; no text has this noncharacter.
_BROKEN = "\ufdd0"
_INT64 = 2**63
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNREADABLE = re.compile("[\udc80-\udcff]")


class Read(msgspec.Struct, frozen=True):
    """A body in both forms."""

    body: Body
    raw: dict[str, Any]  # as the caller wrote it, what could not be read left out
    wrong_json: bool = False  # the answer carries the warning


_NOTHING = Read(Body(), {}, wrong_json=True)


def read(data: bytes) -> Read:
    """Never raises: what cannot be read is an empty body with the warning."""
    try:
        raw = read_json(data)
        return Read(msgspec.convert(raw, Body), raw)
    except (NotJson, msgspec.ValidationError, ValueError):
        return _read_tolerantly(data)


def _read_tolerantly(data: bytes) -> Read:
    if data.count(b",") > TOLERATED_VALUES:
        return _NOTHING
    text = data.decode(errors="surrogateescape")
    marked = _UNREADABLE.sub(_BROKEN, text).removeprefix("\ufeff")
    try:
        raw, is_strict = _loads(marked)
        cleaned = _clean(raw, JSON_DEPTH)
    except (ValueError, RecursionError):
        return _NOTHING
    if not isinstance(cleaned, dict):
        return _NOTHING
    body, is_typed = _convert(Body, cleaned)
    return Read(body, cleaned, wrong_json=not (is_strict and is_typed and marked == text))


def _loads(text: str) -> tuple[Any, bool]:
    """The value, and whether it is JSON to the letter. Raises ``ValueError``."""
    try:
        return json.loads(text, parse_constant=_refuse), True
    except ValueError:
        return json.loads(text, parse_constant=_refuse, strict=False), False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _clean(value: Any, depth: int) -> Any:
    # UNSET where a string was not UTF-8. A lone surrogate escape is legal JSON and becomes U+FFFD.
    if isinstance(value, str):
        return UNSET if _BROKEN in value else _SURROGATES.sub("\ufffd", value)
    if depth == 0 and isinstance(value, list | dict):
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        return [item for entry in value if (item := _clean(entry, depth - 1)) is not UNSET]
    if isinstance(value, dict):
        pairs = ((_clean(key, depth), _clean(entry, depth - 1)) for key, entry in value.items())
        return {key: entry for key, entry in pairs if key is not UNSET and entry is not UNSET}
    # A number of a thousand digits is JSON, but what is stored must be readable by every decoder.
    return str(value) if isinstance(value, int) and abs(value) >= _INT64 else value


def _convert(kind: type[msgspec.Struct], raw: dict[str, Any]) -> tuple[Any, bool]:
    """A struct of what has its documented type, and whether that was everything."""
    known: dict[str, Any] = {}
    is_typed = True
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in raw:
            continue
        value = raw[field.encode_name]
        try:
            known[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            is_typed = False
            if (partly := _partly(field.type, value)) is not None:
                known[field.name] = partly
    return kind(**known), is_typed


def _partly(kind: Any, value: Any) -> Any:
    # A struct with one wrong field keeps the others, and so does each struct in a list.
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
        if not isinstance(value, list) or not _is_struct(kind):
            return None
        return [_convert(kind, item)[0] for item in value if isinstance(item, dict)]
    return _convert(kind, value)[0] if _is_struct(kind) and isinstance(value, dict) else None


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
