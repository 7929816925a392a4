"""Credentials of a directory file.

An issued value is recognised by itself, so that it may get another name or owner; a named one, or the one between two
people, may get another value.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.directory import Credential
from onebell.core.wanted import WantedCredential
from onebell.errors import Conflict
from onebell.store import credentials as verbs
from onebell.store.applying.desk import FROM_FILE, Desk, after
from onebell.store.changes import Origin
from onebell.store.credentials import NewCredential
from onebell.store.packed import pack


def plan(desk: Desk, wanted: Sequence[WantedCredential]) -> None:
    """Compare the credentials and revoke what an earlier file made and this one does not name."""
    matches = _match(desk, wanted)
    origins = verbs.origins(desk.connection, desk.space, [one.id for one in matches if one is not None])
    for want, stored in zip(wanted, matches, strict=True):
        if stored is None:
            _make(desk, want)
        else:
            _compare(desk, want, stored, origins[stored.id])
    kept = {one.id for one in matches if one is not None}
    for stored in verbs.of_origin(desk.connection, desk.vault, desk.space, FROM_FILE):
        if stored.id not in kept:
            _remove(desk, stored)


def _match(desk: Desk, wanted: Sequence[WantedCredential]) -> list[Credential | None]:
    """The stored credential of each wanted one: by value, else by name among those that no value claims."""
    by_value = [_by_value(desk, one) for one in wanted]
    claimed = {one.id for one in by_value if one is not None}
    matches: list[Credential | None] = []
    for want, found in zip(wanted, by_value, strict=True):
        match = found or _by_name(desk, want, claimed) or _by_holder(desk, want, claimed)
        if match is not None:
            claimed.add(match.id)
        matches.append(match)
    return matches


def _by_value(desk: Desk, want: WantedCredential) -> Credential | None:
    """Raises: Conflict: another space has issued the value."""
    if not want.value:
        return None
    place = verbs.found_by(desk.connection, desk.vault.digest(want.dialect, want.kind, want.value))
    if place is None:
        return None
    if place[0] != desk.space:
        raise Conflict(f"{_thing(want)}: another space has issued the same value")
    return verbs.by_id(desk.connection, desk.vault, *place)


def _by_name(desk: Desk, want: WantedCredential, claimed: Iterable[int]) -> Credential | None:
    if not want.name:
        return None
    some = verbs.all_named(desk.connection, desk.vault, desk.space, want.dialect, want.kind, want.name)
    owner = _owner(desk, want)
    return next((one for one in some if one.id not in claimed and one.owner == owner), None)


def _by_holder(desk: Desk, want: WantedCredential, claimed: Iterable[int]) -> Credential | None:
    if not want.holder:
        return None
    some = verbs.of_holder(desk.connection, desk.vault, desk.space, want.dialect, want.kind, desk.person(want.holder))
    owner = _owner(desk, want)
    return next((one for one in some if one.id not in claimed and one.owner == owner), None)


def _owner(desk: Desk, want: WantedCredential) -> int:
    if want.feed is None:
        return desk.person(want.owner)
    kind, owner, code = want.feed
    return desk.feeds[want.dialect, kind, desk.person(owner), code]


def _thing(want: WantedCredential) -> str:
    label = want.name or want.owner or (want.feed[2] if want.feed else "")
    return f"credential {want.dialect} {want.kind} {label}".rstrip()


def _remove(desk: Desk, stored: Credential) -> None:
    thing = f"credential {stored.dialect} {stored.kind} {stored.name}".rstrip()
    desk.remove(thing, lambda connection: verbs.remove(connection, desk.space, [stored.id]))


def _settings_key(desk: Desk, want: WantedCredential) -> str:
    # One owner may have several nameless tokens: the owner tells them apart no better than the value may be written.
    return f"{_thing(want)} {desk.vault.digest(want.dialect, want.kind, want.value).hex()[:16]}"


def _make(desk: Desk, want: WantedCredential) -> None:
    new = NewCredential(
        id=desk.mint.mint(),
        dialect=want.dialect,
        kind=want.kind,
        name=want.name,
        owner=_owner(desk, want),
        holder=desk.person(want.holder),
        value=want.value,
        password_hash=desk.passwords.credentials.get((want.dialect, want.kind, want.name), ""),
        settings=desk.merged(_settings_key(desk, want), "settings", {}, want.settings),
        origin=Origin.FILE.value,
    )
    desk.make(_thing(want), lambda connection: verbs.insert(connection, desk.vault, desk.space, new, desk.now_ms))


def _compare(desk: Desk, want: WantedCredential, stored: Credential, origin: str) -> None:
    hashed = desk.passwords.credentials.get((want.dialect, want.kind, want.name), stored.password_hash)
    settings = desk.merged(_settings_key(desk, want), "settings", stored.settings, want.settings)
    owner, holder = _owner(desk, want), desk.person(want.holder)
    columns: dict[str, Any] = {}
    if want.name != stored.name:
        columns["name"] = want.name
    if owner != stored.owner:
        columns["owner_id"] = owner
    if holder != stored.holder:
        columns["holder_id"] = holder
    if hashed != stored.password_hash:
        columns["password_hash"] = hashed
    if settings != stored.settings:
        columns["settings"] = pack(settings)
    renewed = bool(want.value) and want.value != stored.value
    what = [_WORDS.get(name, name) for name in columns] + (["value"] if renewed else [])
    if not what:
        desk.same(_thing(want))
        return

    def work(connection: sa.Connection) -> None:
        if renewed:
            verbs.replace_value(connection, desk.vault, desk.space, stored, want.value)
        verbs.update(connection, desk.space, stored.id, **columns, origin=after(origin))

    desk.change(_thing(want), what, origin, work)


_WORDS = {"owner_id": "owner", "holder_id": "holder", "password_hash": "password"}
