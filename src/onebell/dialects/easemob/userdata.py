"""An account as answers show it, and what ``PUT /users/{u}`` changes of it (sheet easemob §3.2, §6)."""

from collections.abc import Callable, Mapping
from typing import Any

from onebell.core.directory import Account
from onebell.dialects.easemob.answer import illegal
from onebell.dialects.easemob.app import App, user_uuid

DISPLAY_STYLE = "notification_display_style"
"""0 = "you have a message", 1 = the text; kept in the account's settings under this name, as the others are."""
NO_DISTURBING = "notification_no_disturbing"
NO_DISTURBING_START = "notification_no_disturbing_start"
NO_DISTURBING_END = "notification_no_disturbing_end"
"""Hours of a day, 0 to 24."""


def token_user(app: App, account: Account) -> dict[str, Any]:
    """An account beside a token of its own."""
    return {
        "uuid": account.uuid or user_uuid(app, account.name),
        "type": "user",
        "created": account.created_at,
        "modified": account.updated_at,
        "username": account.name,
        "activated": account.active,
    }


def user_entity(app: App, account: Account) -> dict[str, Any]:
    """An account as the answers of §3.2 show it."""
    entity = token_user(app, account)
    if account.nickname:
        entity["nickname"] = account.nickname
    return entity


def edited(account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """The push settings that a body names, as they are kept.

    Raises:
        Rejected: a value is none of those that the service knows.
    """
    return {name: read(name, body[name]) for name, read in _SETTINGS.items() if body.get(name) is not None}


def _style(name: str, value: object) -> int:
    if value in (0, "0"):
        return 0
    if value in (1, "1"):
        return 1
    raise illegal(f"{name} is not legal")


def _switch(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise illegal(f"{name} is not legal")


def _hour(name: str, value: object) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= 24:
        return text
    raise illegal(f"{name} is not legal")


_SETTINGS: dict[str, Callable[[str, object], Any]] = {
    DISPLAY_STYLE: _style,
    NO_DISTURBING: _switch,
    NO_DISTURBING_START: _hour,
    NO_DISTURBING_END: _hour,
}
