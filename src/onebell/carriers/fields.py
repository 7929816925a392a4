"""The fields of a carrier account against its manifest."""

import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Any

from onebell.carriers.address_gate import AddressForbidden, read_host, read_url
from onebell.carriers.manifest import Field, FieldType, Manifest, defaults
from onebell.errors import InvalidInput

_MAIL_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[^\s@<>\"(),:;\\\[\]]{1,255}")


def checked_fields(manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of an account, defaults filled in.

    Raises:
        InvalidInput: an unknown field, a required one missing, or a value that breaks its rule; names the field.
    """
    known = {field.name: field for field in manifest.fields}
    for name in given:
        if name not in known:
            raise InvalidInput(f"{manifest.kind} has no field {name}", name)
    fields = defaults(manifest) | dict(given)
    for field in manifest.fields:
        _check(field, fields.get(field.name))
    return fields


def is_mail_address(text: str) -> bool:
    """``user@host`` without anything that a mail header or an SMTP command reads as more."""
    return text.isprintable() and "=?" not in text and _MAIL_ADDRESS.fullmatch(text) is not None


def _check(field: Field, value: object) -> None:
    if value is None or value == "":
        if field.required:
            raise InvalidInput(f"{field.name} is required", field.name)
        return
    if not _TYPES[field.type](field, value):
        raise InvalidInput(f"{field.name} must be {_MEANINGS[field.type](field)}", field.name)
    if field.pattern and not re.fullmatch(field.pattern, str(value)):
        raise InvalidInput(f"{field.name} must match {field.pattern}", field.name)


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_lines(value: object) -> bool:
    return isinstance(value, str) and all(line.replace("\t", "").isprintable() for line in value.splitlines())


def _is_regex(value: object) -> bool:
    try:
        return _is_line(value) and bool(re.compile(str(value)))
    except re.error:
        return False


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_host(field: Field, value: object) -> bool:
    try:
        return isinstance(value, str) and bool(read_host(value))
    except AddressForbidden:
        return False


def _is_url(field: Field, value: object) -> bool:
    try:
        return isinstance(value, str) and bool(read_url(value))
    except AddressForbidden:
        return False


def _is_mailbox(field: Field, value: object) -> bool:
    return _is_line(value) and is_mail_address(parseaddr(str(value))[1])


_TYPES: dict[FieldType, Callable[[Field, object], bool]] = {
    FieldType.TEXT: lambda _, value: _is_line(value),
    FieldType.LINES: lambda _, value: _is_lines(value),
    FieldType.REGEX: lambda _, value: _is_regex(value),
    FieldType.INTEGER: lambda _, value: _is_integer(value),
    FieldType.BOOLEAN: lambda _, value: isinstance(value, bool),
    FieldType.CHOICE: lambda field, value: value in field.choices,
    FieldType.HOST: _is_host,
    FieldType.PORT: lambda _, value: _is_integer(value) and 0 < int(str(value)) < 65536,
    FieldType.URL: _is_url,
    FieldType.MAILBOX: _is_mailbox,
}
_MEANINGS: dict[FieldType, Callable[[Field], str]] = {
    FieldType.TEXT: lambda _: "one line of text",
    FieldType.LINES: lambda _: "text without control characters",
    FieldType.REGEX: lambda _: "a regular expression",
    FieldType.INTEGER: lambda _: "a whole number",
    FieldType.BOOLEAN: lambda _: "true or false",
    FieldType.CHOICE: lambda field: "one of " + ", ".join(field.choices),
    FieldType.HOST: lambda _: "a host name or an address",
    FieldType.PORT: lambda _: "a port from 1 to 65535",
    FieldType.URL: lambda _: "an http or https URL",
    FieldType.MAILBOX: lambda _: "an e-mail address, with or without a name",
}
