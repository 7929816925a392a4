"""The ``[easemob]`` table of a directory file (DESIGN §6; sheet easemob §3.2, §4)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from onebell.core.wanted import (
    Problem,
    Wanted,
    WantedAccount,
    WantedCredential,
    WantedRecord,
)
from onebell.dialects.easemob.app import (
    ACCOUNT_NAME,
    APP,
    CALLBACK,
    CALLS_PER_SECOND,
    CLIENT,
    DIALECT,
    HISTORY_OFFSET_MIN,
    MESSAGE_BYTES,
    MESSAGES_PER_MINUTE,
    NEVER_S,
    RECALL_WINDOW_S,
    RESERVED_NAME,
    TOKEN_TTL_S,
    App,
    Rule,
)
from onebell.dialects.easemob.bodies import TYPES
from onebell.dialects.easemob.happenings import POST_EVENTS
from onebell.dialects.easemob.parse import ENV
from onebell.http.areas import reserved_first_segments

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
MOST_MESSAGE_BYTES = 5120
WAIT_MS = (1, 3000)
WEEK_S = 7 * 86_400
DAY_MIN = 24 * 60


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every table refuses keys that it does not know."""


class AppTable(_Table, frozen=True, kw_only=True):
    """``[[easemob.apps]]``; the fields are those of ``app.App``."""

    org: str
    app: str
    client_id: str
    client_secret: str
    users: tuple[str, ...] = ()
    open_registration: bool = False
    create_people: bool = True
    token_ttl_s: int = TOKEN_TTL_S
    lenient_body: bool = False
    message_bytes: int = MESSAGE_BYTES
    calls_per_second: int = CALLS_PER_SECOND
    messages_per_minute: int = MESSAGES_PER_MINUTE
    contacts_only: bool = False
    recall_window_s: int = RECALL_WINDOW_S
    history_offset_min: int = HISTORY_OFFSET_MIN


class CallbackTable(_Table, frozen=True, kw_only=True):
    """``[[easemob.callbacks]]``."""

    app: str
    name: str
    kind: str
    url: str
    secret: str
    events: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    env: str = "default"
    enabled: bool = True
    wait_ms: int = 200
    default_policy: str = "allow"


class Section(_Table, frozen=True, kw_only=True):
    """``[easemob]``."""

    apps: tuple[AppTable, ...] = ()
    callbacks: tuple[CallbackTable, ...] = ()


def wanted(section: Section) -> Sequence[Wanted]:
    """What the table asks for.

    Raises:
        Problem: a rule of the sheet or of the table of routes is broken.
    """
    return [*_apps(section), *_callbacks(section)]


def _require(holds: bool, where: str, why: str) -> None:
    if not holds:
        raise Problem(where, why)


def _apps(section: Section) -> Iterator[Wanted]:
    seen: set[str] = set()
    clients: set[str] = set()
    for number, table in enumerate(section.apps):
        where = f"easemob.apps[{number}]"
        _check_app(table, where)
        app = _app(table)
        _require(app.key not in seen, f"{where}.app", "is there twice")
        _require(app.client_id not in clients, f"{where}.client_id", "is another app's")
        seen.add(app.key)
        clients.add(app.client_id)
        yield WantedRecord(dialect=DIALECT, kind=APP, key=app.key, data=_plain(app), is_one=True)
        yield WantedCredential(
            dialect=DIALECT,
            kind=CLIENT,
            name=app.client_id,
            value=f"{app.client_id}:{table.client_secret}",
            settings={"app": app.key},
        )
        yield from _accounts(app.key, table.users, where)


def _check_app(table: AppTable, where: str) -> None:
    for field, name in (("org", table.org), ("app", table.app)):
        _require(bool(NAME.fullmatch(name)), f"{where}.{field}", "must be 1 to 64 of A-Z a-z 0-9 _ . -")
    taken = table.org in reserved_first_segments()
    _require(not taken, f"{where}.org", f"{table.org} is the beginning of another API's paths")
    for field, value in (("client_id", table.client_id), ("client_secret", table.client_secret)):
        _require(bool(value), f"{where}.{field}", "is required")
    _require(":" not in table.client_id, f"{where}.client_id", "must not hold a colon")
    fits = MESSAGE_BYTES <= table.message_bytes <= MOST_MESSAGE_BYTES
    _require(fits, f"{where}.message_bytes", f"must be {MESSAGE_BYTES} to {MOST_MESSAGE_BYTES}")
    lives = 0 <= table.token_ttl_s <= NEVER_S
    _require(lives, f"{where}.token_ttl_s", f"must be 0 (never expires) to {NEVER_S}")
    _require(0 <= table.recall_window_s <= WEEK_S, f"{where}.recall_window_s", f"must be 0 (never) to {WEEK_S}")
    _require(abs(table.history_offset_min) <= DAY_MIN, f"{where}.history_offset_min", "must be minutes of a day")
    positive = table.calls_per_second >= 0 and table.messages_per_minute >= 0
    _require(positive, where, "limits must not be negative")


def _app(table: AppTable) -> App:
    return App(**{name: getattr(table, name) for name in App.__struct_fields__})


def _accounts(app: str, users: Sequence[str], where: str) -> Iterator[Wanted]:
    for number, uid in enumerate(users):
        name, here = uid.lower(), f"{where}.users[{number}]"
        _require(bool(ACCOUNT_NAME.fullmatch(name)), here, f"{uid} cannot be an account name")
        _require(name != RESERVED_NAME, here, f"{name} is the default sender")
        yield WantedAccount(app=app, name=name, person=uid)


def _callbacks(section: Section) -> Iterator[Wanted]:
    apps = {f"{table.org}/{table.app}" for table in section.apps}
    for number, table in enumerate(section.callbacks):
        where = f"easemob.callbacks[{number}]"
        _require(table.app in apps, f"{where}.app", "names no app of this file")
        _check_callback(table, where)
        rule = Rule(**{name: getattr(table, name) for name in Rule.__struct_fields__})
        yield WantedRecord(
            dialect=DIALECT,
            kind=CALLBACK,
            key=f"{table.app}/{table.name}",
            data=_plain(rule),
            secrets={"secret": table.secret},
        )


def _check_callback(table: CallbackTable, where: str) -> None:
    _require(table.kind in ("pre", "post"), f"{where}.kind", "must be pre or post")
    _require(bool(NAME.fullmatch(table.name)), f"{where}.name", "must be 1 to 64 of A-Z a-z 0-9 _ . -")
    _require(_is_web_url(table.url), f"{where}.url", "must start with http:// or https://")
    _require(bool(table.secret), f"{where}.secret", "is required")
    known = all(event in POST_EVENTS for event in table.events)
    _require(known, f"{where}.events", f"must be of {', '.join(POST_EVENTS)}")
    _require(all(kind in TYPES for kind in table.types), f"{where}.types", f"must be of {', '.join(TYPES)}")
    _require(bool(ENV.fullmatch(table.env)), f"{where}.env", "must be 1 to 8 letters and digits")
    fits = WAIT_MS[0] <= table.wait_ms <= WAIT_MS[1]
    _require(fits, f"{where}.wait_ms", f"must be {WAIT_MS[0]} to {WAIT_MS[1]}")
    _require(table.default_policy in ("allow", "deny"), f"{where}.default_policy", "must be allow or deny")


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    # Through JSON: what is compared with the store must be what comes back from it, lists and not tuples.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
