"""Records of a directory file: the dialects' own configuration objects."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.directory import Record
from onebell.core.wanted import WantedRecord
from onebell.errors import Conflict
from onebell.store import records as verbs
from onebell.store.applying.desk import FROM_FILE, Desk, after
from onebell.store.changes import Origin
from onebell.store.packed import pack
from onebell.store.records import NewRecord, seal_object


def plan(desk: Desk, wanted: Sequence[WantedRecord]) -> None:
    """Compare the records and remove what an earlier file made and this one does not name.

    Raises:
        Conflict: the file names one twice, or another space has one of which there can be only one.
    """
    kept: set[int] = set()
    for want in _each_once(wanted):
        owner = desk.person(want.owner)
        stored = verbs.by_key(desk.connection, desk.vault, desk.space, want.dialect, want.kind, want.key, owner)
        if stored is None:
            _make(desk, want)
        else:
            kept.add(stored.id)
            _compare(desk, want, stored)
    for stored in verbs.of_origin(desk.connection, desk.vault, desk.space, FROM_FILE):
        if stored.id not in kept:
            _remove(desk, stored)


def _each_once(wanted: Sequence[WantedRecord]) -> Sequence[WantedRecord]:
    seen: set[tuple[str, str, str, str]] = set()
    for want in wanted:
        name = (want.dialect, want.kind, want.owner.lower(), want.key)
        if name in seen:
            raise Conflict(f"{_thing(want)}: stands in the file twice")
        seen.add(name)
    return wanted


def _thing(want: WantedRecord) -> str:
    return " ".join(part for part in (want.kind, want.dialect, want.owner, want.key) if part)


def _remove(desk: Desk, stored: Record) -> None:
    desk.remove(
        f"{stored.kind} {stored.dialect} {stored.key}",
        lambda connection: verbs.remove(connection, desk.space, [stored.id]),
    )


def _make(desk: Desk, want: WantedRecord) -> None:
    """Raises: Conflict: another space has it, and only one may."""
    if want.is_one and verbs.is_elsewhere(desk.connection, desk.space, want.dialect, want.kind, want.key):
        raise Conflict(f"{_thing(want)}: another space has it")
    new = NewRecord(
        id=desk.mint.mint(),
        dialect=want.dialect,
        kind=want.kind,
        key=want.key,
        owner=desk.person(want.owner),
        data=desk.merged(_thing(want), "data", {}, want.data),
        secrets=desk.merged(_thing(want), "secrets", {}, want.secrets),
        origin=Origin.FILE.value,
    )
    desk.make(_thing(want), lambda connection: verbs.insert(connection, desk.vault, desk.space, new, desk.now_ms))


def _compare(desk: Desk, want: WantedRecord, stored: Record) -> None:
    data = desk.merged(_thing(want), "data", stored.data, want.data)
    secrets = desk.merged(_thing(want), "secrets", stored.secrets, want.secrets)
    columns: dict[str, Any] = {}
    if data != stored.data:
        columns["data"] = pack(data)
    if secrets != stored.secrets:
        columns["secrets"] = seal_object(desk.vault, secrets)
    if not columns:
        desk.same(_thing(want))
        return
    origin = verbs.origin_of(desk.connection, desk.space, stored.id)
    what = list(columns)

    def work(connection: sa.Connection) -> None:
        verbs.update(connection, desk.space, stored.id, desk.now_ms, **columns, origin=after(origin))

    desk.change(_thing(want), what, origin, work)
