"""Words about accounts: a person's identities in apps that bring their own users (DESIGN §1)."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from onebell.core.directory import Account

ChangeSettings = Callable[[dict[str, Any]], dict[str, Any]]
"""Gets an account's settings as they are and gives them as they shall be."""


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account starts with."""

    app: str
    name: str
    person: int
    uuid: str
    password_hash: str = ""
    nickname: str = ""
    origin: str = "api"


class Owner(Enum):
    """Whose account a registration may make."""

    ANYBODY = "anybody"
    """The person of that uid, or else a new one."""
    KNOWN = "known"
    """Only a person who is there."""
    NEW = "new"
    """Only a new person: nobody registers himself into another's mailbox (sheet easemob §3.2)."""


class Refusal(Enum):
    """Why a name was not registered."""

    TAKEN = "taken"
    NOBODY = "nobody"
    """No person has that uid, and none may be made."""


class Registered(msgspec.Struct, frozen=True):
    """What became of the names."""

    made: tuple[Account, ...]  # in the order asked for
    refused: dict[str, Refusal]


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is issued for."""

    app: str
    user: str = ""  # account name; empty = the app itself
    person: int = 0
    password_hash: str | None = None  # what the password was compared with; None = none was shown
    expires_at: int = 0  # ms; 0 = never


class RelationKind(Enum):
    """What one account of an app is to another."""

    CONTACT = "contact"
    BLOCK = "block"
    INVITATION = "invitation"
    """The other one asks to be a contact, and has no answer yet."""
