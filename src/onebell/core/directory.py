"""What the core knows about a space: frozen, as read from the store, shared by all who look them up."""

from typing import Any

import msgspec

from onebell.core.model import FeedKind


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """One directory of people and all that hangs on it."""

    id: int
    name: str
    timezone: str
    language: str
    public_url: str  # links in messages, pages, QR codes; no trailing slash
    allow_callbacks: tuple[str, ...]  # origins a callback URL in a request may name beside public addresses
    config_version: int


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """When a person wants no carrier to ring (the inbox always takes the message)."""

    start: str = msgspec.field(name="from")  # "HH:MM"
    to: str  # "HH:MM"; before ``from`` means the next morning
    timezone: str = "UTC"
    through: str = "critical"  # severity that still comes through


class RouteTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a person on one carrier account."""

    account: int
    target: int
    value: str


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A human receiver. His mailbox has his id, and so has his party."""

    id: int
    space: int
    uid: str
    name: str
    role: str
    language: str
    timezone: str
    quiet_hours: QuietHours | None
    email: str  # of scope all
    phone: str  # of scope all
    password_hash: str
    origin: str
    created_at: int

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Person({self.id}, {self.uid!r})"


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A named place that messages go to and parties belong to."""

    id: int
    space: int
    kind: FeedKind
    dialect: str
    code: str
    name: str
    owner: int  # party; 0 = the space
    settings: dict[str, Any]
    created_at: int


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller shows."""

    id: int
    space: int
    dialect: str
    kind: str
    name: str
    owner: int  # person or feed; 0 = the space
    value: str  # issued values that are shown again; else empty
    password_hash: str  # chosen passwords
    settings: dict[str, Any]
    enabled: bool
    expires_at: int
    created_at: int
    holder: int = 0  # the only person who may show it; 0 = whoever knows it

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Credential({self.id}, {self.dialect}, {self.kind}, {self.name!r})"


class CarrierAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One configured instance of a carrier."""

    id: int
    space: int
    code: str
    kind: str
    name: str
    fields: dict[str, Any]  # all manifest fields, secrets in clear (in memory only)
    allow_networks: tuple[str, ...]
    owner: int
    enabled: bool
    stopped_why: str
    is_foreign: bool = False  # made through an API by somebody who is not the operator; its owner's alone
    allow_origins: tuple[str, ...] = ()  # what a foreign account may reach beside public addresses
    max_age_s: int = 0  # how long a delivery is worth trying; 0 = the kind's manifest says

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"CarrierAccount({self.id}, {self.code!r}, {self.kind})"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration object of a dialect."""

    id: int
    space: int
    dialect: str
    kind: str
    key: str
    owner: int
    data: dict[str, Any]
    secrets: dict[str, str]  # in clear (in memory only)
    created_at: int
    updated_at: int

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Record({self.id}, {self.dialect}, {self.kind}, {self.key!r})"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person's identity in one Easemob app."""

    app: str
    name: str
    space: int
    person: int
    uuid: str
    password_hash: str
    nickname: str
    active: bool
    settings: dict[str, Any]
    created_at: int
    updated_at: int
    tokens_from: int = 0  # ms: user tokens that were made before are dead

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Account({self.app!r}, {self.name!r})"


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """Who belongs to a feed, when that is few enough for one batch."""

    feed: int
    count: int
    ids: tuple[int, ...] | None  # party ids; None = more than a page, expand in the database
