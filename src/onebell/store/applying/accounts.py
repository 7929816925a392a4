"""Easemob accounts of a directory file: they begin with the name and password of their person."""

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.accounts import NewAccount
from onebell.core.directory import Account
from onebell.core.wanted import WantedAccount
from onebell.store import accounts as verbs
from onebell.store import app_users, easemob_names, easemob_tokens
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
        app_users.detach(connection, desk.space, stored)
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

    def work(connection: sa.Connection) -> None:
        verbs.insert(connection, desk.space, [new], desk.now_ms)
        # What was sent to the name before anybody had it is his (sheet easemob D9).
        easemob_names.give(connection, desk.space, new.app, new.name.lower(), person.id, desk.mint.mint, desk.now_ms)

    desk.make(_thing(want.app, want.name), work)


def _compare(desk: Desk, want: WantedAccount, person: PlannedPerson, stored: Account) -> None:
    columns: dict[str, Any] = {}
    if stored.person != person.id:
        columns["person_id"] = person.id
    # An account that still has its person's password follows him; one with a password of its own keeps that.
    if stored.password_hash == person.old_hash != person.new_hash:
        columns |= {"password_hash": person.new_hash, "tokens_from": desk.now_ms}
    if not columns:
        desk.same(_thing(want.app, want.name))
        return
    words = {"person_id": "person", "password_hash": "password"}
    what = [words[name] for name in columns if name in words]

    def work(connection: sa.Connection) -> None:
        verbs.update(connection, desk.space, stored.app, stored.name, desk.now_ms, **columns)
        easemob_tokens.end_all(connection, desk.space, stored.app, stored.name)

    desk.change(_thing(want.app, want.name), what, Origin.FILE.value, work)
