"""What all parts of an apply work on: the state as it is, the lines so far, and what is still to be written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.ids import IdMint
from onebell.store.changes import Origin
from onebell.vault import ServerVault

FROM_FILE = (Origin.FILE.value, Origin.EDITED.value)
"""Origins of what an earlier apply made, and this one therefore may remove."""
OVERRULED = (Origin.CONSOLE.value, Origin.EDITED.value)
"""Origins of what somebody made or changed by hand: overruling it is worth a mark of its own."""


class Passwords(msgspec.Struct, frozen=True):
    """Hashes that the file's passwords shall have: the stored one where it already fits."""

    people: Mapping[str, str] = {}  # by lower-case uid
    credentials: Mapping[tuple[str, str, str], str] = {}  # by (dialect, kind, name)


class PlannedPerson(msgspec.Struct, frozen=True):
    """A person as he will be when everything is written."""

    id: int
    name: str
    old_hash: str
    new_hash: str


class Desk:
    """One comparison of a file with a space. Reads now; writes only when :meth:`perform` is called."""

    def __init__(
        self,
        connection: sa.Connection,
        space: int,
        vault: ServerVault,
        mint: IdMint,
        now_ms: int,
        passwords: Passwords,
        named_before: Mapping[str, Sequence[str]],
    ) -> None:
        self.connection = connection
        self.space = space
        self.vault = vault
        self.mint = mint
        self.now_ms = now_ms
        self.passwords = passwords
        self.named_before = named_before
        self.named: dict[str, list[str]] = {}
        """Optional keys that the file names, by object: what it names no longer goes back to its default."""
        self.people: dict[str, PlannedPerson] = {}
        """By lower-case uid: everybody whom the file names, and whom it refers to."""
        self.feeds: dict[tuple[str, str, int, str], int] = {}
        """Feeds of the file by (dialect, kind, owner, code)."""
        self.lines: list[str] = []
        self._work: list[Callable[[sa.Connection], None]] = []

    def same(self, thing: str) -> None:
        """The object is as the file wants it."""
        self.lines.append(f"= {thing}")

    def make(self, thing: str, work: Callable[[sa.Connection], None]) -> None:
        """The object is missing."""
        self.lines.append(f"+ {thing}")
        self._work.append(work)

    def change(self, thing: str, what: Sequence[str], origin: str, work: Callable[[sa.Connection], None]) -> None:
        """The object differs in ``what``."""
        mark = "!" if origin in OVERRULED else "~"
        self.lines.append(f"{mark} {thing}: {', '.join(what)}")
        self._work.append(work)

    def remove(self, thing: str, work: Callable[[sa.Connection], None]) -> None:
        """An earlier apply made the object and the file names it no longer."""
        self.lines.append(f"- {thing}")
        self._work.append(work)

    def merged(self, thing: str, group: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """``stored`` with what the file names, and without what only an earlier file named.

        Keys that came from elsewhere (a person's own settings, what a dialect keeps) stay.
        """
        # As it will be read back: JSON knows no tuples.
        wanted = msgspec.json.decode(msgspec.json.encode(wanted))
        self.named.setdefault(thing, []).extend(f"{group}.{key}" for key in wanted)
        before = set(self.named_before.get(thing, ()))
        kept = {key: value for key, value in stored.items() if f"{group}.{key}" not in before}
        return {**kept, **wanted}

    def person(self, uid: str) -> int:
        """The id of a person the file names or refers to; 0 for nobody."""
        return self.people[uid.lower()].id if uid else 0

    def perform(self) -> None:
        """Write what differs."""
        for work in self._work:
            work(self.connection)


def after(origin: str) -> str:
    """Whose an object is once a file has written it: still its maker's."""
    return Origin.FILE.value if origin == Origin.EDITED.value else origin


def differing(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, in order."""
    return [key for key in sorted(stored.keys() | wanted.keys()) if stored.get(key) != wanted.get(key)]
