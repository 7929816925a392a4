"""What only Easemob asks of the store: its tokens, the people behind many names, accounts that make their person."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Account
from onebell.core.model import PartyKind
from onebell.errors import Conflict, NotFound
from onebell.store import accounts, parties, people
from onebell.store.accounts import NewAccount
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack
from onebell.store.people import NewPerson
from onebell.store.schema import account, credential, credential_lookup
from onebell.store.upserts import pages

DIALECT = "easemob"
TOKEN = "token"
_PersonFor: TypeAlias = Callable[[sa.Connection, int, NewAccount], int]


class EasemobStore:
    """Verbs of the Easemob dialect."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def issue_token(self, space: int, value: str, *, app: str, user: str, person: int, expires_at: int) -> None:
        """Let a token be found; ``user`` empty = an app token, ``expires_at`` 0 = never.

        It is no change of the directory: caches stay, 300 tokens are issued a second.
        """
        changes = self._changes
        which, now_ms = changes.mint.mint(), changes.clock.now_ms()
        digest = changes.vault.digest(DIALECT, TOKEN, value)
        row = {
            "space_id": space,
            "id": which,
            "dialect": DIALECT,
            "kind": TOKEN,
            "name": user,
            "owner_id": person,
            "settings": pack({"app": app, "user": user}),
            "expires_at": expires_at,
            "origin": Origin.API.value,
            "created_at": now_ms,
        }
        lookup = {"digest": digest, "space_id": space, "credential_id": which}

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(credential), [row])
            connection.execute(sa.insert(credential_lookup), [lookup])

        await changes.database.write(work)

    async def people_of(self, space: int, app: str, names: Sequence[str]) -> dict[str, int]:
        """Person ids by lower-case account name, as far as the accounts exist."""

        def work(connection: sa.Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            for page in pages(names):
                statement = sa.select(account.c.name, account.c.person_id).where(
                    account.c.space_id == space, account.c.app == app, account.c.name.in_(page)
                )
                found.update((row.name, row.person_id) for row in connection.execute(statement))
            return found

        return await self._changes.database.read(work)

    async def open_account(self, space: int, app: str, name: str, uuid: str) -> Account:
        """The account of this name; when it is missing it is made, for the person of that uid.

        Raises:
            NotFound: there is no such person.
        """
        return await self._open(space, NewAccount(app=app, name=name, person=0, uuid=uuid), self._person_of)

    async def open_account_with_person(self, space: int, app: str, name: str, uuid: str) -> Account:
        """The account of this name; when it is missing it is made, and so is its person where nobody has that uid.

        What was sent to the name before anybody had it is then his (sheet easemob §8, D9).
        """
        return await self._open(space, NewAccount(app=app, name=name, person=0, uuid=uuid), self._person_or_new)

    async def _open(self, space: int, new: NewAccount, person_for: _PersonFor) -> Account:
        def work(connection: sa.Connection) -> Account:
            found = accounts.by_name(connection, space, new.app, new.name)
            if found is None:
                owner = person_for(connection, space, new)
                complete = msgspec.structs.replace(new, person=owner)
                accounts.insert(connection, space, [complete], self._changes.clock.now_ms())
                found = accounts.by_name(connection, space, new.app, new.name)
            assert found is not None, "inserted in this transaction"
            return found

        try:
            return await self._changes.write(space, work)
        except Conflict:  # somebody made it at the same moment: now it is found
            return await self._changes.write(space, work)

    def _person_of(self, connection: sa.Connection, space: int, new: NewAccount) -> int:
        found = people.by_uids(connection, space, [new.name])
        if not found:
            raise NotFound(f"person {new.name}")
        return found[0].id

    def _person_or_new(self, connection: sa.Connection, space: int, new: NewAccount) -> int:
        if found := people.by_uids(connection, space, [new.name]):
            return found[0].id
        key = f"{new.app}/{new.name}"
        claimed = parties.known(connection, space, PartyKind.NAME, [key]).get(key)
        fresh = NewPerson(id=claimed or self._changes.mint.mint(), uid=new.name, name=new.nickname)
        if claimed is None:
            people.insert(connection, space, [fresh], self._changes.clock.now_ms())
        else:
            people.claim(connection, space, fresh, self._changes.clock.now_ms())
        return fresh.id
