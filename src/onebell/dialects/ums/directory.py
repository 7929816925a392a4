"""The ``[ums]`` table of a directory file (DESIGN §6; sheet jpush-ums §3 to §5)."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from onebell.clock import SHANGHAI
from onebell.core.model import FeedKind
from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.ums.group import (
    ACCESS,
    BLACK_LIST,
    BROADCASTS_PER_DAY,
    CALLS_PER_MINUTE,
    CHANNEL_GROUP,
    DIALECT,
    SEGMENT,
    STATUSES,
    STRATEGY,
    WHITE_LIST,
    CarrierUse,
    Group,
    Segment,
    Step,
    Strategy,
    UserList,
    Window,
)
from onebell.dialects.ums.kinds import KINDS

CALLBACK_URLS = 5  # sheet §5.1
STEPS = 8  # sheet §4
WAIT_S = (10, 259_200)
DURATION = re.compile(r"^(\d{1,6})([smhd])$")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MINUTE = re.compile(r"^(?:[01]\d|2[0-3]):[0-5]\d$")
LIST_KINDS = {"black": BLACK_LIST, "white": WHITE_LIST}
ADVANCE_IF = ("not_delivered", "not_clicked")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every table refuses keys that it does not know."""


class GroupTable(_Table, frozen=True, kw_only=True):
    """``[[ums.channel_groups]]``; the fields are those of ``group.Group``."""

    channel_key: str
    master_secret: str
    name: str = ""
    carriers: tuple[CarrierUse, ...] = ()
    callback_urls: tuple[str, ...] = ()
    callback_statuses: tuple[int, ...] = STATUSES
    enabled: bool = True
    expires: datetime | None = None  # without an offset: Asia/Shanghai
    calls_per_minute: int = CALLS_PER_MINUTE
    broadcasts_per_day: int = BROADCASTS_PER_DAY
    sensitive_words: tuple[str, ...] = ()
    do_not_disturb: Window | None = None
    black_lists: bool = True
    white_lists: bool = True


class SegmentTable(_Table, frozen=True, kw_only=True):
    """``[[ums.segments]]``."""

    id: str
    name: str = ""
    any_tags: tuple[str, ...] = ()
    attributes: dict[str, str] = {}


class ListTable(_Table, frozen=True, kw_only=True):
    """``[[ums.lists]]``."""

    id: int
    kind: str  # black | white
    people: tuple[str, ...] = ()


class StepTable(_Table, frozen=True, kw_only=True):
    """One step of a strategy."""

    carriers: tuple[str, ...]
    wait: str = ""  # "60s", "5m", "2h", "1d"
    advance_if: str = ""


class StrategyTable(_Table, frozen=True, kw_only=True):
    """``[[ums.strategies]]``."""

    id: int
    channel_key: str
    steps: tuple[StepTable, ...]
    name: str = ""
    enabled: bool = True


class Section(_Table, frozen=True, kw_only=True):
    """``[ums]``."""

    access_key: str = ""
    access_secret: str = ""
    channel_groups: tuple[GroupTable, ...] = ()
    segments: tuple[SegmentTable, ...] = ()
    lists: tuple[ListTable, ...] = ()
    strategies: tuple[StrategyTable, ...] = ()


def wanted(section: Section) -> Sequence[Wanted]:
    """What the table asks for.

    Raises:
        Problem: a rule of the sheet is broken.
    """
    return [*_access(section), *_groups(section), *_segments(section), *_lists(section), *_strategies(section)]


def _require(holds: bool, where: str, why: str) -> None:
    if not holds:
        raise Problem(where, why)


def _access(section: Section) -> Iterator[Wanted]:
    if not section.access_key and not section.access_secret:
        return
    _require(bool(section.access_key and section.access_secret), "ums.access_key", "needs access_secret too")
    _require(":" not in section.access_key, "ums.access_key", "must not hold a colon")
    pair = f"{section.access_key}:{section.access_secret}"
    yield WantedCredential(dialect=DIALECT, kind=ACCESS, name=section.access_key, value=pair)


def _groups(section: Section) -> Iterator[Wanted]:
    seen: set[str] = set()
    for number, table in enumerate(section.channel_groups):
        where = f"ums.channel_groups[{number}]"
        _require(table.channel_key not in seen, f"{where}.channel_key", "is there twice")
        seen.add(table.channel_key)
        _check_group(table, where)
        code = table.channel_key
        yield WantedFeed(dialect=DIALECT, kind=FeedKind.CHANNEL.value, code=code, name=table.name or code)
        yield WantedCredential(
            dialect=DIALECT,
            kind=CHANNEL_GROUP,
            name=code,
            value=f"{code}:{table.master_secret}",
            feed=(FeedKind.CHANNEL.value, "", code),
            settings=_settings(table),
        )


def _check_group(table: GroupTable, where: str) -> None:
    # The colon parts key and secret in the Basic header; "all" is the global binding id.
    key_ok = bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", table.channel_key)) and table.channel_key != "all"
    _require(key_ok, f"{where}.channel_key", "must be 1 to 64 letters and digits")
    _require(bool(table.master_secret), f"{where}.master_secret", "is required")
    for index, use in enumerate(table.carriers):
        _require(use.type in KINDS, f"{where}.carriers[{index}].type", f"must be one of {', '.join(KINDS)}")
    urls = table.callback_urls
    _require(len(urls) <= CALLBACK_URLS, f"{where}.callback_urls", f"at most {CALLBACK_URLS}")
    for url in urls:
        _require(_is_web_url(url), f"{where}.callback_urls", "must start with http:// or https://")
    known = all(status in STATUSES for status in table.callback_statuses)
    _require(known, f"{where}.callback_statuses", "must be numbers from 0 to 8")
    positive = table.calls_per_minute >= 0 and table.broadcasts_per_day >= 0
    _require(positive, where, "limits must not be negative")
    if (hours := table.do_not_disturb) is not None:
        readable = MINUTE.match(hours.start) and MINUTE.match(hours.to)
        _require(bool(readable), f"{where}.do_not_disturb", "must be HH:MM")


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _settings(table: GroupTable) -> dict[str, Any]:
    expires = table.expires
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=SHANGHAI)
    given = {name: getattr(table, name) for name in Group.__struct_fields__ if name in GroupTable.__struct_fields__}
    group = Group(**given, expires_ms=int(expires.timestamp() * 1000) if expires else 0)
    return _plain(group)


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    # Through JSON: what is compared with the store must be what comes back from it, lists and not tuples.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain


def _segments(section: Section) -> Iterator[Wanted]:
    for number, table in enumerate(section.segments):
        where = f"ums.segments[{number}]"
        _require(bool(table.id) and "\x00" not in table.id, f"{where}.id", "is required")
        _require(bool(table.any_tags or table.attributes), where, "needs any_tags or attributes")
        data = Segment(name=table.name, any_tags=table.any_tags, attributes=table.attributes)
        yield WantedRecord(dialect=DIALECT, kind=SEGMENT, key=table.id, data=_plain(data))


def _lists(section: Section) -> Iterator[Wanted]:
    for number, table in enumerate(section.lists):
        where = f"ums.lists[{number}]"
        _require(table.kind in LIST_KINDS, f"{where}.kind", "must be black or white")
        _require(table.id > 0, f"{where}.id", "must be above 0")
        data = _plain(UserList(people=table.people))
        yield WantedRecord(dialect=DIALECT, kind=LIST_KINDS[table.kind], key=str(table.id), data=data)


def _strategies(section: Section) -> Iterator[Wanted]:
    keys = {group.channel_key for group in section.channel_groups}
    for number, table in enumerate(section.strategies):
        where = f"ums.strategies[{number}]"
        _require(table.id > 0, f"{where}.id", "must be above 0")
        _require(table.channel_key in keys, f"{where}.channel_key", "names no channel group of this file")
        _require(1 <= len(table.steps) <= STEPS, f"{where}.steps", f"must be 1 to {STEPS} steps")
        data = Strategy(
            channel_key=table.channel_key,
            name=table.name,
            enabled=table.enabled,
            steps=tuple(_steps(table.steps, f"{where}.steps")),
        )
        kinds = [kind for step in data.steps for kind in step.carriers]
        _require(len(kinds) == len(set(kinds)), f"{where}.steps", "a carrier type occurs once")
        yield WantedRecord(dialect=DIALECT, kind=STRATEGY, key=str(table.id), data=_plain(data))


def _steps(tables: Sequence[StepTable], where: str) -> Iterator[Step]:
    for number, table in enumerate(tables):
        here = f"{where}[{number}]"
        _require(bool(table.carriers), f"{here}.carriers", "is required")
        known = all(kind in KINDS for kind in table.carriers)
        _require(known, f"{here}.carriers", f"must be of {', '.join(KINDS)}")
        if number == len(tables) - 1:
            _require(not table.wait and not table.advance_if, here, "the last step has no wait and no advance_if")
            yield Step(carriers=table.carriers)
            continue
        advance = table.advance_if or ADVANCE_IF[0]
        _require(advance in ADVANCE_IF, f"{here}.advance_if", f"must be {' or '.join(ADVANCE_IF)}")
        yield Step(carriers=table.carriers, wait_s=_wait_s(table.wait, f"{here}.wait"), advance_if=advance)


def _wait_s(text: str, where: str) -> int:
    match = DURATION.match(text)
    seconds = int(match[1]) * UNITS_S[match[2]] if match else 0
    _require(WAIT_S[0] <= seconds <= WAIT_S[1], where, f"must be {WAIT_S[0]}s to {WAIT_S[1]}s")
    return seconds
