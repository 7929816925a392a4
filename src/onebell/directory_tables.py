"""The general tables of a directory file: [space], [[people]], [[tags]], [[addresses]], [[carriers]], [[routes]]."""

import ipaddress
import re
from datetime import time
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from onebell.core.model import Severity
from onebell.core.wanted import Problem
from onebell.ids import UID
from onebell.passwords import LENGTH, is_allowed

CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED_CODES = frozenset({"inbox", "email", "phone"})
"""Words that stand where a carrier's code stands, and mean something else."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SEVERITIES = tuple(severity.word for severity in Severity)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every table refuses keys that it does not know."""


class SpaceTable(_Table, frozen=True, kw_only=True):
    """``[space]``."""

    name: str = "main"
    timezone: str | None = None
    language: str | None = None
    public_url: str | None = None  # links in messages, pages, QR codes
    allow_callbacks: tuple[str, ...] | None = None  # origins a callback URL in a request may name


class QuietTable(_Table, frozen=True, kw_only=True):
    """``quiet_hours`` of a person."""

    start: str = msgspec.field(name="from")
    to: str
    timezone: str = "UTC"
    through: str = "critical"  # severity that still comes through


class PersonTable(_Table, frozen=True, kw_only=True):
    """``[[people]]``."""

    uid: str
    name: str = ""
    password: str = ""
    email: str = ""
    phone: str = ""
    tags: tuple[str, ...] = ()  # of scope all
    role: Literal["owner", "operator", "sender", "reader"] = "reader"
    language: str = ""
    timezone: str = ""
    attributes: dict[str, str] = {}
    quiet_hours: QuietTable | None = None


class TagTable(_Table, frozen=True, kw_only=True):
    """``[[tags]]``."""

    person: str
    tag: str
    scope: str = "all"


class AddressTable(_Table, frozen=True, kw_only=True):
    """``[[addresses]]``."""

    person: str
    carrier: str  # code of a carrier account, or email or phone
    value: str
    scope: str = "all"


class RouteTable(_Table, frozen=True, kw_only=True):
    """``[[routes]]``."""

    person: str
    carriers: tuple[str, ...]


class CarrierTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[[carriers]]``: these keys, and the fields of the kind's manifest."""

    code: str
    kind: str
    name: str = ""
    owner: str = ""
    allow_networks: tuple[str, ...] = ()
    max_age_s: int = 0  # how long a message is worth trying; 0 = as long as the kind's manifest says


def check_space(table: SpaceTable, where: str) -> None:
    """Raises: Problem."""
    _require(bool(CODE.fullmatch(table.name)), f"{where}.name", "must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if table.timezone is not None:
        check_zone(table.timezone, f"{where}.timezone")
    if table.language is not None:
        check_language(table.language, f"{where}.language")
    if table.public_url:
        _require(_is_web(table.public_url), f"{where}.public_url", "must start with http:// or https://")
    for number, origin in enumerate(table.allow_callbacks or ()):
        bare = _is_web(origin) and urlsplit(origin).path in ("", "/") and "?" not in origin and "#" not in origin
        _require(bare, f"{where}.allow_callbacks[{number}]", "must be an origin: http://host:port")


def is_email(text: str) -> bool:
    """Whether mail can go there: an address alone, without a name."""
    local, at, host = text.rpartition("@")
    return bool(local and at and host) and not any(one.isspace() or one in "<>," for one in text)


def check_person(table: PersonTable, where: str) -> None:
    """Raises: Problem."""
    rule = "must be 1 to 64 of A-Z a-z 0-9 _ . @ ! # $ & * + = | ¥ ￥ -"
    _require(bool(UID.fullmatch(table.uid)), f"{where}.uid", rule)
    if table.timezone:
        check_zone(table.timezone, f"{where}.timezone")
    if table.language:
        check_language(table.language, f"{where}.language")
    if table.email:
        _require(is_email(table.email), f"{where}.email", "is no e-mail address")
    if table.password:
        _require(is_allowed(table.password), f"{where}.password", f"must have {LENGTH}")
    for number, tag in enumerate(table.tags):
        _require(bool(tag.strip()), f"{where}.tags[{number}]", "must not be empty")
    if table.quiet_hours is not None:
        _check_quiet(table.quiet_hours, f"{where}.quiet_hours")


def _check_quiet(table: QuietTable, where: str) -> None:
    for field, value in (("from", table.start), ("to", table.to)):
        _require(_is_clock(value), f"{where}.{field}", "must be HH:MM")
    check_zone(table.timezone, f"{where}.timezone")
    _require(table.through in _SEVERITIES, f"{where}.through", f"must be one of {', '.join(_SEVERITIES)}")


def check_carrier(table: CarrierTable, where: str) -> None:
    """Raises: Problem."""
    _require(bool(CODE.fullmatch(table.code)), f"{where}.code", "must be 1 to 64 of A-Z a-z 0-9 _ . -")
    _require(table.code not in RESERVED_CODES, f"{where}.code", f"{table.code} has a meaning of its own")
    _require(table.max_age_s >= 0, f"{where}.max_age_s", "must be a number of seconds")
    for number, network in enumerate(table.allow_networks):
        _require(_is_network(network), f"{where}.allow_networks[{number}]", "must be a network: 10.0.0.0/8")


def check_zone(name: str, where: str) -> None:
    """Raises: Problem."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Problem(where, "is no time zone") from error


def check_language(name: str, where: str) -> None:
    """Raises: Problem."""
    _require(bool(_LANGUAGE.fullmatch(name)), where, "must be a language tag: zh-CN, en")


def carrier_fields(table: dict[str, Any]) -> dict[str, Any]:
    """The fields of a ``[[carriers]]`` table that belong to the kind's manifest."""
    return {key: value for key, value in table.items() if key not in CarrierTable.__struct_fields__}


def _require(holds: bool, where: str, why: str) -> None:
    if not holds:
        raise Problem(where, why)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _is_clock(text: str) -> bool:
    try:
        return len(text) == len("23:59") and time.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        return ipaddress.ip_network(text) is not None
    except ValueError:
        return False
