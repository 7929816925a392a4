"""``onebell apply``: bring a space to what a directory file says (DESIGN §6)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.carriers import registry
from onebell.carriers.fields import checked_fields
from onebell.carriers.manifest import Manifest
from onebell.core.wanted import Problem
from onebell.directory_file import Document, Kind, Sections, environment_names, read
from onebell.directory_findings import BadDirectory, Finding
from onebell.errors import InvalidInput, NotFound
from onebell.store import carrier_accounts, people, spaces
from onebell.store.applying import comparison
from onebell.store.applying.desk import FROM_FILE
from onebell.store.base import Store
from onebell.store.changes import Changes

__all__ = ["BadDirectory", "Finding", "Report", "Sections", "apply", "environment_names"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did, or would do."""

    lines: tuple[str, ...]  # one per object: + made, ~ changed, - removed, = as it was, ! overruled by hand-made edits
    warnings: tuple[str, ...]  # what the file names and this build leaves out
    changed: bool
    space: int


class _BuiltKind:
    """What the file must know of a kind of carrier, by its manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @property
    def secret(self) -> frozenset[str]:
        return self._manifest.secret_fields

    def check(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return checked_fields(self._manifest, fields)
        except InvalidInput as error:
            raise Problem(error.field or "", str(error)) from error


def _kind(name: str) -> Kind | None:
    try:
        return _BuiltKind(registry.manifest(name))
    except NotFound:
        return None


async def apply(
    store: Store,
    sections: Sections,
    text: str,
    *,
    dry_run: bool,
    base: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Report:
    """Make a space what the file ``text`` says; with ``dry_run`` only tell what that would change.

    Relative ``file:`` secrets begin at ``base``; ``env:`` secrets come from ``environment``.

    Raises:
        BadDirectory: every finding with line, place and reason; nothing was changed.
        Conflict: another space has issued a value of the file, or has a thing of which there can be only one.
        StoreUnavailable: nothing was changed.
    """
    found = os.environ if environment is None else environment
    document = read(text, sections, _kind, found, base or Path())
    await _check_references(store.changes, document)
    target = comparison.Target(space=document.space, wanted=document.wanted, referred=tuple(document.people))
    work = comparison.compare if dry_run else comparison.bring_to
    done = await work(store.changes, target)
    return Report(
        lines=done.lines,
        warnings=tuple(str(warning) for warning in document.warnings),
        changed=done.changed,
        space=done.space,
    )


async def _check_references(changes: Changes, document: Document) -> None:
    """Whom the file refers to and does not name must be there, made by others than an earlier file."""

    def look(connection: sa.Connection) -> tuple[set[str], set[str]]:
        space = spaces.named(connection, document.space.name)
        if space is None:
            return set(), set()
        some = people.by_uids(connection, space.id, list(document.people))
        codes = carrier_accounts.origins(connection, space.id)
        return (
            {one.uid.lower() for one in some if one.origin not in FROM_FILE},
            {code for code, origin in codes.items() if origin not in FROM_FILE},
        )

    uids, codes = await changes.database.read(look)
    for uid, where in document.people.items():
        if uid not in uids:
            document.findings.problem(where, f"nobody has the uid {uid}")
    for code, where in document.carriers.items():
        if code not in codes:
            document.findings.problem(where, f"there is no carrier {code}")
    document.findings.stop_if_any()
