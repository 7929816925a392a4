"""What an API's caller wants to keep, before it has an id."""

from typing import Any

import msgspec


class RecordDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration object of a dialect."""

    key: str  # unique in its kind for its owner
    data: dict[str, Any] = {}
    secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"RecordDraft({self.key!r})"


class AccountDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier account that is its maker's alone."""

    code: str
    kind: str
    name: str
    fields: dict[str, Any]
    secret: frozenset[str]  # names of the fields that are kept encrypted

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"AccountDraft({self.code!r}, {self.kind})"
