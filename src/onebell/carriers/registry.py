"""Which carriers there are: every folder here that has a ``manifest.toml``. Adding a folder adds a carrier."""

import importlib
from functools import cache
from pathlib import Path

from onebell.carriers.base import Carrier
from onebell.carriers.fields import checked_fields
from onebell.carriers.manifest import Manifest, read_manifest
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.errors import NotFound

_HERE = Path(__file__).parent


@cache
def _manifests() -> dict[str, Manifest]:
    found = (read_manifest(path) for path in sorted(_HERE.glob("*/manifest.toml")))
    return {manifest.kind: manifest for manifest in found}


def kinds() -> tuple[str, ...]:
    """All kinds, by name."""
    return tuple(_manifests())


def manifest(kind: str) -> Manifest:
    """A carrier's manifest.

    Raises:
        NotFound: no carrier of this kind is built in.
    """
    try:
        return _manifests()[kind]
    except KeyError:
        raise NotFound(f"no carrier of kind {kind}") from None


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """An account's carrier, not yet open.

    Raises:
        NotFound: no carrier of this kind is built in.
        InvalidInput: the account's fields do not fit the manifest.
    """
    checked_fields(manifest(account.kind), account.fields)
    module = importlib.import_module(f"onebell.carriers.{account.kind}.carrier")
    carrier: Carrier = module.build(account, tools)
    return carrier
