"""Easemob accounts of a directory file: they begin with the name and password of their person."""

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.directory import Account
from onebell.core.wanted import WantedAccount
from onebell.store import accounts as verbs
from onebell.store.accounts import NewAccount
from onebell.store.applying.desk import FROM_FILE, Desk, PlannedPerson
from onebell.store.changes import Origin


def plan(desk: Desk, wanted: Sequence[WantedAccount]) -> None:
    """Compare the accounts and remove what an earlier file made and this one does not name."""
    named: set[tuple[str, str]] = set()
    for want in wanted:
        named.add((want.app, want.name.lower()))
        person = desk.people[want.person.lower()]
        stored = verbs.by_name(desk.connection, desk.space, want.app, want.name)
        if stored is None:
            _make(desk, want, person)
        else:
            _compare(desk, want, person, stored)
    for stored in verbs.of_origin(desk.connection, desk.space, FROM_FILE):
        if (stored.app, stored.name) not in named:
            _remove(desk, stored)


def _thing(app: str, name: str) -> str:
    return f"account {app} {name.lower()}"


def _remove(desk: Desk, stored: Account) -> None:
    def work(connection: sa.Connection) -> None:
        verbs.remove(connection, desk.space, stored.app, stored.name)

    desk.remove(_thing(stored.app, stored.name), work)


def _make(desk: Desk, want: WantedAccount, person: PlannedPerson) -> None:
    new = NewAccount(
        app=want.app,
        name=want.name,
        person=person.id,
        uuid=str(uuid.uuid4()),
        password_hash=person.new_hash,
        nickname=person.name,
        origin=Origin.FILE.value,
    )
    desk.make(_thing(want.app, want.name), lambda connection: verbs.insert(connection, desk.space, [new], desk.now_ms))


def _compare(desk: Desk, want: WantedAccount, person: PlannedPerson, stored: Account) -> None:
    columns: dict[str, Any] = {}
    if stored.person != person.id:
        columns["person_id"] = person.id
    # An account that still has its person's password follows him; one with a password of its own keeps that.
    if stored.password_hash == person.old_hash != person.new_hash:
        columns["password_hash"] = person.new_hash
    if not columns:
        desk.same(_thing(want.app, want.name))
        return
    what = ["person" if name == "person_id" else "password" for name in columns]

    def work(connection: sa.Connection) -> None:
        verbs.update(connection, desk.space, stored.app, stored.name, desk.now_ms, **columns)

    desk.change(_thing(want.app, want.name), what, Origin.FILE.value, work)
