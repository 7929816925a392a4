"""Reading one field of a request: the type and the hard limit the sheet gives, or 4004 with the field's name."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from onebell.core.bodies import ROW_BYTES
from onebell.dialects.ums.answer import invalid

Object: TypeAlias = Mapping[str, Any]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What a string field may hold. ``required`` means present and not empty."""

    name: str
    required: bool = False
    max_bytes: int = ROW_BYTES  # of UTF-8; without a limit of its own a text must have room in a row; 0 = no limit
    max_chars: int = 0


def is_integer(value: object) -> bool:
    """A JSON integer (Python counts booleans as integers; JSON does not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def text(source: Object, rule: Text, where: str) -> str:
    """A string field; empty when absent or null."""
    value = source.get(rule.name)
    field = f"{where}.{rule.name}"
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise invalid(field, "must be a string")
    if rule.required and not value:
        raise invalid(field, "is required")
    if rule.max_chars and len(value) > rule.max_chars:
        raise invalid(field, f"must not exceed {rule.max_chars} characters")
    if rule.max_bytes and len(value.encode()) > rule.max_bytes:
        raise invalid(field, f"must not exceed {rule.max_bytes} bytes")
    return value


def check_texts(source: Object, rules: Sequence[Text], where: str) -> None:
    """Every string field of an object."""
    for rule in rules:
        text(source, rule, where)


def choice(source: Object, name: str, allowed: Sequence[object], where: str) -> None:
    """An optional field with few values."""
    value = source.get(name)
    if value is None:
        return
    if type(value) is not type(allowed[0]) or value not in allowed:
        raise invalid(f"{where}.{name}", f"must be one of {', '.join(map(str, allowed))}")


def an_object(source: Object, name: str, where: str) -> dict[str, Any]:
    """A required object."""
    value = source.get(name)
    if not isinstance(value, dict):
        raise invalid(f"{where}.{name}", "must be an object")
    return value


def optional_object(source: Object, name: str, where: str) -> dict[str, Any] | None:
    """An object, or None when absent or null."""
    return None if source.get(name) is None else an_object(source, name, where)


def objects(source: Object, name: str, most: int, where: str) -> list[dict[str, Any]]:
    """A required array of 1 to ``most`` objects."""
    value = source.get(name)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise invalid(f"{where}.{name}", f"must be an array of 1 to {most} objects")
    if not all(isinstance(item, dict) for item in value):
        raise invalid(f"{where}.{name}", "must hold objects only")
    return value
