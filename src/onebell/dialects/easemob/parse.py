"""The body of ``POST /messages/users`` and of its legacy twin as a frozen message (sheet easemob §1.3, §1.4).

The checks run in the order of the table of §1.3; the first one that fails answers. Between the two functions for a
body stands the one that needs the store: whether it shows the secrets of the files it names (row 14).
"""

import re
from typing import Any, TypeVar

import msgspec

from onebell.dialects.easemob.answer import (
    illegal,
    invalid_body,
    is_empty,
    is_illegal,
    message_too_large,
    request_too_large,
    send_error,
)
from onebell.dialects.easemob.bodies import TYPES, stored_body
from onebell.http.exchange import NotJson, read_json

RECEIVERS = 600
REQUEST_BYTES = 5120  # without the ``to`` array (D6)
ONLINE_ONLY = "ROUTE_ONLINE"
DEFAULT_SENDER = "admin"
ENV = re.compile(r"[A-Za-z0-9]{1,8}")
TARGET_TYPES = ("users", "chatgroups", "chatrooms")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an app may change about the checks."""

    message_bytes: int  # of ``body`` and ``ext`` as compact JSON
    lenient: bool  # fields that only the seed requires may be missing


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One call, checked."""

    sender: str  # as sent
    receivers: tuple[str, ...]  # as sent, without duplicates
    kind: str
    body: dict[str, Any]  # canonical (§1.7)
    ext: dict[str, Any]
    online_only: bool
    sync_device: bool
    roam_ignore: tuple[str, ...] = ()  # lower case
    env: str | None = None
    size: int = 0  # bytes of ``body`` and ``ext`` as they were sent, as compact JSON


class _Source(msgspec.Struct):
    """The top level; a wrong JSON type anywhere here is "Request body is invalid"."""

    sender: str | None = msgspec.field(name="from", default=None)
    to: list[str] | None = None
    type: str | None = None
    body: dict[str, Any] | None = None
    sync_device: bool | None = None
    routetype: str | None = None
    ext: Any = msgspec.UNSET
    roam_ignore_users: list[str] | None = None
    env: str | None = None


class _Legacy(msgspec.Struct):
    """The top level of ``POST /messages``."""

    target_type: str | None = None
    target: list[str] | None = None
    msg: dict[str, Any] | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    ext: Any = msgspec.UNSET
    routetype: str | None = None
    sync_device: bool | None = None


_raws = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode
T = TypeVar("T")


def parse_message(body: bytes, rules: Rules) -> Message:
    """A body of ``/messages/users``; :func:`check_rest` is still to come.

    Raises:
        Rejected: the first rule of §1.3 that it breaks, up to row 13.
    """
    check_size(body, "to")
    source = read_body(body, _Source)
    return _message(source, rules)


def parse_legacy(body: bytes, rules: Rules) -> Message:
    """A body of ``/messages``: the message sits in ``msg`` together with its type, errors have older texts.
    As :func:`parse_message`.

    Raises:
        Rejected: the first rule that it breaks.
    """
    check_size(body, "target")
    source = read_body(body, _Legacy)
    if source.sender == "":
        raise illegal("from can't be empty")
    if source.target_type not in TARGET_TYPES:
        raise illegal("target_type can only be 'users' or 'chatgroups' or 'chatrooms'")
    if source.target_type != "users":
        raise illegal("this is an invalid request.")
    return _message(_modern(source), msgspec.structs.replace(rules, lenient=True))


def _modern(legacy: _Legacy) -> _Source:
    content = dict(legacy.msg or {})
    kind = content.pop("type", None)
    if not isinstance(kind, str | None):
        raise invalid_body()
    return _Source(
        sender=legacy.sender,
        to=legacy.target,
        type=kind,
        body=content,
        ext=legacy.ext,
        routetype=legacy.routetype,
        sync_device=legacy.sync_device,
    )


def check_rest(message: Message, rules: Rules) -> None:
    """What is checked behind the files that a message names.

    Raises:
        Rejected: row 15 or 16 of §1.3.
    """
    if message.size > rules.message_bytes:
        raise message_too_large()
    if message.env is not None and not ENV.fullmatch(message.env):
        raise is_illegal("env")


def size_of(body: dict[str, Any], ext: dict[str, Any]) -> int:
    """How long a message is, as compact JSON."""
    return len(_encode(body)) + (len(_encode(ext)) if ext else 0)


def read_body(body: bytes, shape: type[T]) -> T:
    """A body as a struct.

    Raises:
        Rejected: it is not JSON, or a field has another JSON type.
    """
    try:
        return msgspec.convert(read_json(body), shape)
    except (NotJson, msgspec.ValidationError):
        raise invalid_body() from None


def check_size(body: bytes, receivers: str) -> None:
    """Raises ``Rejected``: the body is too long, not counting the field that names the receivers (D6)."""
    if len(body) <= REQUEST_BYTES:
        return
    try:
        raw = _raws.decode(body).get(receivers, b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raw = b""
    if len(body) - len(bytes(raw)) > REQUEST_BYTES:
        raise request_too_large()


def _message(source: _Source, rules: Rules) -> Message:
    if source.sender == "":
        raise is_empty("from")
    receivers = _receivers(source.to)
    if not source.type:
        raise is_empty("type")
    if source.type not in TYPES:
        raise is_illegal("type")
    if not source.body:
        raise is_empty("body")
    ext = _ext(source.ext)
    body = stored_body(source.type, source.body, lenient=rules.lenient)
    return Message(
        sender=DEFAULT_SENDER if source.sender is None else source.sender,
        receivers=receivers,
        kind=source.type,
        body=body,
        ext=ext,
        online_only=source.routetype == ONLINE_ONLY,
        sync_device=bool(source.sync_device),
        roam_ignore=tuple(name.lower() for name in source.roam_ignore_users or ()),
        env=source.env,
        size=size_of(source.body, ext),
    )


def _receivers(to: list[str] | None) -> tuple[str, ...]:
    if not to or "" in to:
        raise is_empty("to")
    if len(to) > RECEIVERS:
        raise send_error(f"params to's size can't exceed limit {RECEIVERS}")
    return tuple(dict.fromkeys(to))


def _ext(ext: object) -> dict[str, Any]:
    if ext is msgspec.UNSET:
        return {}
    if not isinstance(ext, dict):
        raise send_error("param ext must be JSONObject")
    return ext
