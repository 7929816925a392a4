"""A carrier's ``manifest.toml``: what it is called, asks for, takes, can do and keeps to."""

from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from onebell.core.fit import Limits
from onebell.errors import InvalidInput

# What a good carrier does, or says why it need not (STYLE §3).
RULES = (
    "answers-mapped", "dead-target-detected", "throttle-obeyed", "credential-refresh-once", "time-out-bounded",
    "limits-declared", "secret-fields-marked", "check-before-save", "update", "recall", "receipt",
    "wire-test-from-official-sample", "docs-credential", "docs-limits", "owner",
)  # fmt: skip


class AddressKind(Enum):
    """Where the address of a person comes from; the values are those of ``store.routing.Addressed``."""

    EMAIL = "email"
    """The person's e-mail address, unless he has one for the very account."""
    PHONE = "phone"
    """The person's phone number, unless he has one for the very account."""
    ACCOUNT = "account"
    """The account itself is the only place: a group bot, a webhook."""
    OWN = "own"
    """Only an address that the person has for this very account."""


class Ability(Enum):
    """What a carrier can do besides sending text."""

    HTML = "html"
    MARKDOWN = "markdown"
    ATTACHMENTS = "attachments"
    NATIVE = "native"
    """Sends ``part.native[kind]`` as it is."""
    CHECK = "check"
    POLL = "poll"
    RECEIPT = "receipt"
    RECALL = "recall"
    UPDATE = "update"


class FieldType(Enum):
    """What a field's value is."""

    TEXT = "text"
    LINES = "lines"
    """Text of several lines."""
    REGEX = "regex"
    """A regular expression as Python reads it."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    HOST = "host"
    PORT = "port"
    URL = "url"
    """Begins with http:// or https://."""
    MAILBOX = "mailbox"
    """``Name <user@host>`` or ``user@host``."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in the console's languages."""

    en: str
    zh: str = msgspec.field(name="zh-CN")


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that an account is configured with."""

    name: str
    label: Words
    help: Words
    type: FieldType = FieldType.TEXT
    required: bool = False
    default: str | int | bool | None = None
    secret: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""  # the whole value must match


class Exempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a rule does not apply."""

    exempt: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One carrier."""

    kind: str
    name: Words
    about: Words
    address: AddressKind
    max_age_s: int  # how long a delivery is worth trying
    owner: str  # who answers for it
    docs: tuple[str, ...]  # the provider's own pages, and where a credential is got
    abilities: frozenset[Ability] = frozenset()
    limits: Limits = Limits()
    fields: tuple[Field, ...] = ()
    rules: dict[str, str | Exempt]

    @property
    def secret_fields(self) -> frozenset[str]:
        """Names of the fields that are stored encrypted and never shown."""
        return frozenset(field.name for field in self.fields if field.secret)


_decoder = msgspec.toml


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        InvalidInput: an unknown key, a wrong type, a rule that is missing or neither done nor exempt.
    """
    try:
        manifest = _decoder.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}") from error
    if manifest.kind != path.parent.name:
        raise InvalidInput(f"{path}: kind must be the folder's name", "kind")
    if set(manifest.rules) != set(RULES):
        raise InvalidInput(f"{path}: rules must name exactly {', '.join(RULES)}", "rules")
    if any(state != "done" for state in manifest.rules.values() if isinstance(state, str)):
        raise InvalidInput(f"{path}: a rule is done or exempt with a reason", "rules")
    return manifest


def defaults(manifest: Manifest) -> dict[str, Any]:
    """The fields that have one."""
    return {field.name: field.default for field in manifest.fields if field.default is not None}
