"""Secrets that a provider repeats to us stay out of what is stored, shown and logged (RELIABILITY S8).

Bark answers "failed to get [KEY] device token from database"; a proxy may print the address that it could not reach.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from onebell.carriers import registry
from onebell.core.directory import CarrierAccount

HIDDEN = "…"
SHORTEST_PIECE = 8
"""Of an address; shorter ones are words of its path, not keys."""
_WORDS = ("why", "detail", "text")

Told = TypeVar("Told", bound=msgspec.Struct)


def without_secrets(account: CarrierAccount, told: Told) -> Told:
    """An outcome, or what a provider said, without the account's secrets in its words."""
    names = registry.manifest(account.kind).secret_fields
    secrets = [piece for name in names for piece in _pieces(account.fields.get(name))]
    fields = msgspec.structs.asdict(told)
    words = {name: _hidden(fields[name], secrets) for name in _WORDS if name in fields}
    return msgspec.structs.replace(told, **words)


def _pieces(secret: object) -> Iterator[str]:
    """A secret, and what of an address opens the door."""
    if not isinstance(secret, str) or not secret:
        return
    yield secret
    if "://" in secret:
        address = urlsplit(secret)
        keys = [*address.path.split("/"), *(value for _, value in parse_qsl(address.query))]
        yield from (key for key in keys if len(key) >= SHORTEST_PIECE)


def _hidden(words: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, HIDDEN)
    return words
