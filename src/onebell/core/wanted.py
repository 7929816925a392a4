"""What a directory file asks for, object by object, by natural keys (DESIGN §6).

Each dialect turns its own section into these; ``apply`` compares them with the store and writes the difference.
"""

from typing import Any

import msgspec


class WantedSpace(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of the space itself; None = nothing."""

    name: str
    timezone: str | None = None
    language: str | None = None
    public_url: str | None = None
    allow_callbacks: tuple[str, ...] | None = None


class WantedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person and what the file writes under him."""

    uid: str
    name: str = ""
    password: str = ""
    email: str = ""
    phone: str = ""
    role: str = "reader"
    language: str = ""
    timezone: str = ""
    tags: tuple[tuple[str, str], ...] = ()  # (tag, scope)
    addresses: tuple[tuple[str, str, str], ...] = ()  # (carrier code, value, scope)
    routes: tuple[str, ...] = ()  # carrier codes in order
    attributes: dict[str, str] = {}
    quiet_hours: dict[str, str] | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"WantedPerson({self.uid!r})"


class WantedCarrier(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier account; ``fields`` by the manifest of its kind."""

    code: str
    kind: str
    name: str = ""
    fields: dict[str, Any] = {}
    secret: frozenset[str] = frozenset()  # names of those fields that are kept encrypted
    allow_networks: tuple[str, ...] = ()
    max_age_s: int = 0  # 0 = the manifest's
    owner: str = ""  # uid

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"WantedCarrier({self.code!r}, {self.kind})"


class WantedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed and its members."""

    dialect: str
    kind: str  # FeedKind value
    code: str
    name: str = ""
    owner: str = ""  # uid
    settings: dict[str, Any] = {}
    members: tuple[str, ...] = ()  # uids


class WantedCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential: an issued ``value`` (found by it, shown again) or a chosen ``password`` (found by ``name``)."""

    dialect: str
    kind: str
    name: str = ""
    value: str = ""
    password: str = ""
    owner: str = ""  # uid; or
    feed: tuple[str, str, str] | None = None  # (kind, owner uid, code) of this dialect's feed that owns it
    holder: str = ""  # uid of the only person who may show it
    settings: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"WantedCredential({self.dialect}, {self.kind}, {self.name!r})"


class WantedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration object of a dialect."""

    dialect: str
    kind: str
    key: str
    owner: str = ""  # uid
    data: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    is_one: bool = False  # callers name it without saying in which space: no two spaces may have it

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"WantedRecord({self.dialect}, {self.kind}, {self.key!r})"


class WantedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An Easemob account that starts with the person's name and password."""

    app: str
    name: str
    person: str  # uid


Wanted = WantedPerson | WantedCarrier | WantedFeed | WantedCredential | WantedRecord | WantedAccount


class Problem(Exception):
    """A rule of the file is broken: where (``pushplus.topics[0].code``) and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why
