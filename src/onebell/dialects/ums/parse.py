"""The body of ``/v1/sent`` and ``/v1/broadcast`` as a frozen call (sheet jpush-ums §1.2 to §1.5).

Strict JSON in, limits checked on the raw lists; what needs the channel group is checked later in ``audience``.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.core.bodies import ROW_BYTES
from onebell.dialects.ums.answer import BLACK_AND_WHITE, TOO_MANY_USERIDS, Rejected, invalid
from onebell.dialects.ums.fields import Object, Text, is_integer, optional_object, text
from onebell.dialects.ums.kinds import AUDIENCES, KINDS, LINKED
from onebell.dialects.ums.messages import CHECKS, clean
from onebell.http.exchange import NotJson, read_json

USERIDS = 1000
TAGS = 20
TAG_BYTES = 40
REGISTRATION_IDS = 1000
# Providers' own ids are far shorter; a longer one would not fit a database index.
REGISTRATION_ID_CHARS = 512
SENDNO_CHARS = 256
LAST_ID = 2**63 - 1
USERID = re.compile(r"^[A-Za-z0-9_@!#$&*+=.|￥¥]{1,64}$")
TAG = re.compile(r"^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaffA-Za-z0-9_@!#$&*+=.|￥¥]+$")
LINKED_ID = re.compile(r"^[^/\x00]+/[^/\x00]+$")
# An empty value of these keys means that the kind is not given (sheet §1.1).
ABSENT: tuple[object, ...] = (None, [])


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call, complete but for the channel group's own rules. Lists are without duplicates, in order."""

    userids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    segment: str = ""
    custom: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (aud kind, registration ids)
    elements: tuple[tuple[str, dict[str, Any]], ...] = ()  # (msg kind, element), one message each
    broadcast: bool = False
    rule_id: int = 0
    sendno: str | None = None
    owner: str = ""
    black_id: int = 0
    white_id: int = 0
    priority: int = 2
    callback_url: str = ""
    callback_params: dict[str, Any] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The carrier types the message goes over."""
        return frozenset(kind for kind, _ in self.elements)


def document(body: bytes) -> Object:
    """The JSON object that a body holds.

    Raises:
        Rejected: it holds none.
    """
    try:
        source = read_json(body)
    except NotJson:
        raise invalid("body", "is not valid JSON") from None
    if not isinstance(source, dict):
        raise invalid("body", "must be an object")
    return source


def parse_sent(source: Object) -> Call:
    """A body of ``/v1/sent``.

    Raises:
        Rejected: the first rule that it breaks, in the sheet's order (§1.6).
    """
    settings = _settings(source)
    users = _users(source)
    custom = _custom(source)
    if not users and not custom:
        raise invalid("aud_*", "is required")
    if users and custom:
        raise invalid("aud_*", "custom registration ids and user targets exclude each other")
    elements = _elements(source)
    if custom:
        _match(custom, elements)
    return _call({**settings, **users, "custom": custom, "elements": elements})


def parse_broadcast(source: Object) -> Call:
    """A body of ``/v1/broadcast``: no targets, and ``aud_*`` keys are not even read.

    Raises:
        Rejected: the first rule that it breaks.
    """
    settings = _settings(source)
    return _call({**settings, "elements": _elements(source), "broadcast": True})


def _call(values: dict[str, Any]) -> Call:
    if values["black_id"] and values["white_id"]:
        raise Rejected(BLACK_AND_WHITE)
    return Call(**values)


def _strings(source: Object, key: str) -> list[str]:
    values = source.get(key)
    if values in ABSENT:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise invalid(key, "must be an array of strings")
    return values


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _users(source: Object) -> dict[str, Any]:
    found = {
        "userids": _userids(_strings(source, "aud_userid")),
        "tags": _tags(_strings(source, "aud_tag")),
        "segment": _segment(_strings(source, "aud_segment")),
    }
    return {key: value for key, value in found.items() if value}


def _userids(values: list[str]) -> tuple[str, ...]:
    if len(values) > USERIDS:
        raise Rejected(TOO_MANY_USERIDS)
    for value in values:
        if not USERID.fullmatch(value):
            raise invalid("aud_userid", "holds an invalid userid")
    return _once(values)


def _tags(values: list[str]) -> tuple[str, ...]:
    if len(values) > TAGS:
        raise invalid("aud_tag", f"must not hold more than {TAGS} tags")
    for value in values:
        if not TAG.fullmatch(value) or len(value.encode()) > TAG_BYTES:
            raise invalid("aud_tag", "holds an invalid tag")
    return _once(values)


def _segment(values: list[str]) -> str:
    if len(values) > 1:
        raise invalid("aud_segment", "must hold one segment")
    if values == [""]:
        raise invalid("aud_segment", "holds an empty id")
    return values[0] if values else ""


def _custom(source: Object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for kind in AUDIENCES:
        key = f"aud_{kind}"
        if source.get(key) not in ABSENT:
            found.append((kind, _registration_ids(source[key], kind, key)))
    return tuple(found)


def _registration_ids(values: object, kind: str, key: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise invalid(key, "must be an array of objects")
    ids: list[str] = []
    for value in values:
        data = value.get("data")
        if not isinstance(data, list) or not data:
            raise invalid(f"{key}.data", "is required")
        ids.extend(data)
    if len(ids) > REGISTRATION_IDS:
        raise invalid(key, f"must not hold more than {REGISTRATION_IDS} ids")
    if not all(_is_registration_id(value, kind) for value in ids):
        raise invalid(f"{key}.data", "holds an invalid registration id")
    return _once(ids)


def _is_registration_id(value: object, kind: str) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= REGISTRATION_ID_CHARS or "\x00" in value:
        return False
    return kind != LINKED or LINKED_ID.fullmatch(value) is not None


def _elements(source: Object) -> tuple[tuple[str, dict[str, Any]], ...]:
    found: list[tuple[str, dict[str, Any]]] = []
    for kind in KINDS:
        key = f"msg_{kind}"
        values = source.get(key)
        if values in ABSENT:
            continue
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise invalid(key, "must be an array of objects")
        for number, value in enumerate(values):
            CHECKS[kind](value, f"{key}[{number}]")
            found.append((kind, clean(kind, value)))
    if not found:
        raise invalid("msg_*", "is required")
    return tuple(found)


def _match(custom: tuple[tuple[str, tuple[str, ...]], ...], elements: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    if {AUDIENCES[kind] for kind, _ in custom} != {kind for kind, _ in elements}:
        raise invalid("aud_*", "and msg_* must name the same carriers")


def _settings(source: Object) -> dict[str, Any]:
    option = optional_object(source, "option", "body") or {}
    callback = optional_object(source, "callback", "body") or {}
    return {
        "rule_id": _id(source, "rule_id", "body"),
        "sendno": _sendno(option),
        "owner": text(option, Text(name="owner"), "option"),
        "black_id": _id(option, "black_id", "option"),
        "white_id": _id(option, "white_id", "option"),
        "priority": _priority(option),
        "callback_url": text(callback, Text(name="url"), "callback"),
        "callback_params": _params(callback),
    }


def _params(callback: Object) -> dict[str, Any]:
    params = optional_object(callback, "params", "callback") or {}
    if len(msgspec.json.encode(params)) > ROW_BYTES:
        raise invalid("callback.params", f"must not exceed {ROW_BYTES} bytes")
    return params


def _id(source: Object, name: str, where: str) -> int:
    value = source.get(name)
    if value is None:
        return 0
    if not is_integer(value) or not 0 <= value <= LAST_ID:
        raise invalid(f"{where}.{name}", "must be an integer")
    return int(value)


def _sendno(option: Object) -> str | None:
    if option.get("sendno") is None:
        return None
    return text(option, Text(name="sendno", max_chars=SENDNO_CHARS), "option")


def _priority(option: Object) -> int:
    value = option.get("priority")
    if value is None:
        return 2
    if not is_integer(value) or value not in (1, 2, 3):
        raise invalid("option.priority", "must be 1, 2 or 3")
    return int(value)
