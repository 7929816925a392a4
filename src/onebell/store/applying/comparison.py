"""Bring a space to what a directory file wants: compare, and write the difference in one transaction (DESIGN §6).

Nothing here touches messages. What an earlier apply made and the file no longer names is removed; what the APIs or
the console made stays.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Space
from onebell.core.wanted import (
    Wanted,
    WantedAccount,
    WantedCarrier,
    WantedCredential,
    WantedFeed,
    WantedPerson,
    WantedRecord,
    WantedSpace,
)
from onebell.store import audit, credentials, setting, spaces
from onebell.store import people as people_verbs
from onebell.store.applying import accounts as account_part
from onebell.store.applying import carriers as carrier_part
from onebell.store.applying import credentials as credential_part
from onebell.store.applying import feeds as feed_part
from onebell.store.applying import people as people_part
from onebell.store.applying import records as record_part
from onebell.store.applying.desk import Desk, Passwords, differing
from onebell.store.changes import Changes

W = TypeVar("W", bound=Wanted)
_NAMED = "directory.named"
"""The setting that remembers which optional keys the last file named."""
_UNKNOWN_HASH = "?"
"""Stands for the hash that a dry run does not make."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a file asks for, all of it."""

    space: WantedSpace
    wanted: Sequence[Wanted]
    referred: Collection[str] = ()  # uids of people that it only refers to; they exist already

    def of(self, kind: type[W]) -> list[W]:
        """The objects of one kind, in the file's order."""
        return [one for one in self.wanted if isinstance(one, kind)]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did, or would do."""

    space: int
    lines: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return any(not line.startswith("=") for line in self.lines)


async def compare(changes: Changes, target: Target) -> Done:
    """What :func:`bring_to` would do. Nothing is written and no password hashed."""
    space = await _space_id(changes, target.space)
    passwords = await _passwords(changes, space, target, hashing=False)
    return await changes.database.read(lambda connection: _plan(changes, connection, space, target, passwords)[1])


async def bring_to(changes: Changes, target: Target) -> Done:
    """Make the space what the file wants; one transaction, none when nothing differs.

    Raises:
        Conflict: another space has issued a value of the file, or has a thing of which there can be only one.
        StoreUnavailable: nothing was changed.
    """
    foreseen = await compare(changes, target)
    if not foreseen.changed:
        return foreseen
    space = foreseen.space
    passwords = await _passwords(changes, space, target, hashing=True)

    def work(connection: sa.Connection) -> Done:
        desk, done = _plan(changes, connection, space, target, passwords)
        desk.perform()
        setting.write(connection, space, _NAMED, {thing: keys for thing, keys in desk.named.items() if keys})
        what = {"lines": [line for line in done.lines if not line.startswith("=")]}
        audit.write(connection, space, changes.mint.mint(), desk.now_ms, "file", "applied", "directory", what)
        return done

    return await changes.write(space, work)


async def _space_id(changes: Changes, want: WantedSpace) -> int:
    found = await changes.database.read(lambda connection: spaces.named(connection, want.name))
    return changes.mint.mint() if found is None else found.id


def _plan(
    changes: Changes, connection: sa.Connection, space: int, target: Target, passwords: Passwords
) -> tuple[Desk, Done]:
    named_before = setting.read(connection, space, _NAMED)
    desk = Desk(connection, space, changes.vault, changes.mint, changes.clock.now_ms(), passwords, named_before)
    _plan_space(desk, target.space)
    people_part.plan(desk, target.of(WantedPerson), target.referred)
    carrier_part.plan(desk, target.of(WantedCarrier))
    feed_part.plan(desk, target.of(WantedFeed))
    credential_part.plan(desk, target.of(WantedCredential))
    record_part.plan(desk, target.of(WantedRecord))
    account_part.plan(desk, target.of(WantedAccount))
    # Owners go last: what somebody else took over from them in this apply has left them by then.
    feed_part.plan_removals(desk)
    carrier_part.plan_removals(desk, target.of(WantedCarrier))
    people_part.plan_removals(desk, target.of(WantedPerson))
    return desk, Done(space=space, lines=tuple(desk.lines))


def _plan_space(desk: Desk, want: WantedSpace) -> None:
    thing = f"space {want.name}"
    said = {key: value for key, value in msgspec.structs.asdict(want).items() if value is not None}
    stored = spaces.named(desk.connection, want.name)
    if stored is None:
        defaults = {"timezone": "UTC", "language": "en", "public_url": "", "allow_callbacks": ()}
        new = msgspec.convert({**defaults, **said, "id": desk.space, "config_version": 0}, Space)
        desk.make(thing, lambda connection: spaces.insert(connection, new, desk.now_ms))
        return
    wanted = msgspec.structs.replace(stored, **said)
    what = differing(msgspec.structs.asdict(stored), msgspec.structs.asdict(wanted))
    if what:
        desk.change(thing, what, "", lambda connection: spaces.update(connection, wanted))
    else:
        desk.same(thing)


# ---------------------------------------------------------------- passwords


async def _passwords(changes: Changes, space: int, target: Target, *, hashing: bool) -> Passwords:
    """The hash each password shall have: the stored one where it fits, so that nothing is hashed twice."""
    people = {one.uid.lower(): one.password for one in target.of(WantedPerson) if one.password}
    chosen = {(one.dialect, one.kind, one.name): one.password for one in target.of(WantedCredential) if one.password}

    def read(connection: sa.Connection) -> Passwords:
        found = people_verbs.by_uids(connection, space, list(people))
        named = {key: credentials.named(connection, changes.vault, space, *key) for key in chosen}
        return Passwords(
            {one.uid.lower(): one.password_hash for one in found},
            {key: one.password_hash for key, one in named.items() if one is not None},
        )

    stored = await changes.database.read(read)
    hashes = await asyncio.gather(
        *(_hash(changes, stored.people.get(key, ""), word, hashing) for key, word in people.items()),
        *(_hash(changes, stored.credentials.get(name, ""), word, hashing) for name, word in chosen.items()),
    )
    return Passwords(
        dict(zip(people, hashes[: len(people)], strict=True)), dict(zip(chosen, hashes[len(people) :], strict=True))
    )


async def _hash(changes: Changes, stored: str, password: str, hashing: bool) -> str:
    if stored and await changes.vault.check_password(stored, password):
        return stored
    return await changes.vault.hash_password(password) if hashing else _UNKNOWN_HASH
