"""Accounts of an Easemob app, made and removed together with what belongs to them (DESIGN §1, sheet easemob §3.2)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from onebell.core.accounts import ChangeSettings, NewAccount, Owner, Refusal, Registered
from onebell.core.directory import Account, Person
from onebell.core.model import FeedKind, PartyKind
from onebell.errors import Conflict, NotFound
from onebell.ids import IdMint
from onebell.store import accounts, easemob_names, easemob_tokens, parties, people, relations
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack
from onebell.store.people import NewPerson
from onebell.store.schema import (
    account,
    address,
    attribute,
    carrier_account,
    credential,
    device,
    feed,
    member,
    person,
    record,
    route,
    tag,
)

T = TypeVar("T")


def register(
    connection: sa.Connection, space: int, new: Sequence[NewAccount], owner: Owner, mint: IdMint, now_ms: int
) -> Registered:
    """Make accounts of one app with different lower-case names; what was sent to a name before is its owner's."""
    app, names = new[0].app, [one.name for one in new]
    there = accounts.by_names(connection, space, app, names)
    owners = {found.uid.lower(): found for found in people.by_uids(connection, space, names)}
    complete: list[NewAccount] = []
    refused: dict[str, Refusal] = {}
    for one in new:
        found = owners.get(one.name)
        if one.name in there or (found is not None and owner is Owner.NEW):
            refused[one.name] = Refusal.TAKEN
        elif found is None and owner is Owner.KNOWN:
            refused[one.name] = Refusal.NOBODY
        else:
            mine = _person_for(connection, space, one, found, mint, now_ms)
            complete.append(msgspec.structs.replace(one, person=mine))
    accounts.insert(connection, space, complete, now_ms)
    made = accounts.by_names(connection, space, app, [one.name for one in complete])
    return Registered(tuple(made[one.name] for one in complete), refused)


def _person_for(
    connection: sa.Connection, space: int, new: NewAccount, found: Person | None, mint: IdMint, now_ms: int
) -> int:
    if found is not None:
        easemob_names.give(connection, space, new.app, new.name, found.id, mint.mint, now_ms)
        return found.id
    key = easemob_names.key_of(new.app, new.name)
    claimed = parties.known(connection, space, PartyKind.NAME, [key]).get(key)
    fresh = NewPerson(id=claimed or mint.mint(), uid=new.name, name=new.nickname)
    if claimed is None:
        people.insert(connection, space, [fresh], now_ms)
    else:
        people.claim(connection, space, fresh, now_ms)
    return fresh.id


def remove(connection: sa.Connection, space: int, app: str, name: str) -> Account | None:
    """Remove an account with its tokens, contacts and blocks; its person too when the API made him for nothing else.

    Returns:
        The account as it was; None when there is none.
    """
    found = accounts.by_name(connection, space, app, name)
    if found is None:
        return None
    detach(connection, space, found)
    accounts.remove(connection, space, app, name)
    if _is_made_for_this(connection, space, found.person):
        people.remove(connection, space, found.person)
    return found


def detach(connection: sa.Connection, space: int, gone: Account) -> None:
    """End what an account has in its app."""
    easemob_tokens.end_all(connection, space, gone.app, gone.name)
    relations.remove_all(connection, space, gone.app, gone.name)


def _is_made_for_this(connection: sa.Connection, space: int, who: int) -> bool:
    """Whether the API made a person and nothing else points to him (DESIGN §1)."""
    one = sa.select(person.c.id).where(
        person.c.space_id == space,
        person.c.id == who,
        person.c.origin == Origin.API.value,
        person.c.role == "reader",
        person.c.password_hash == "",
    )
    if connection.execute(one).first() is None:
        return False
    return not any(connection.execute(pointer.limit(1)).first() for pointer in _pointers(space, who))


def _pointers(space: int, who: int) -> Sequence[sa.Select[Any]]:
    hung = [
        (account, account.c.person_id),
        (address, address.c.person_id),
        (tag, tag.c.person_id),
        (attribute, attribute.c.person_id),
        (route, route.c.person_id),
        (record, record.c.owner_id),
        (feed, feed.c.owner_id),
        (carrier_account, carrier_account.c.owner_id),
    ]
    belonging = (
        sa.select(member.c.party_id)
        .join(feed, sa.and_(feed.c.space_id == member.c.space_id, feed.c.id == member.c.feed_id))
        .where(member.c.space_id == space, member.c.party_id == who, feed.c.kind != FeedKind.DIRECT.value)
    )
    of_others = sa.select(device.c.id).where(
        device.c.space_id == space, device.c.mailbox_id == who, device.c.dialect != easemob_tokens.DIALECT
    )
    own_tokens = sa.and_(credential.c.dialect == easemob_tokens.DIALECT, credential.c.kind == easemob_tokens.TOKEN)
    shown = sa.select(credential.c.id).where(credential.c.space_id == space, credential.c.owner_id == who, ~own_tokens)
    simple = [sa.select(column).where(table.c.space_id == space, column == who) for table, column in hung]
    return [*simple, belonging, of_others, shown]


class Accounts:
    """What Easemob's user API does with accounts."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def create(self, space: int, new: NewAccount) -> Account:
        """Make an account. Raises ``Conflict``: the name is taken in this app, or there is no such person."""

        def work(connection: sa.Connection) -> Account:
            accounts.insert(connection, space, [new], self._changes.clock.now_ms())
            made = accounts.by_name(connection, space, new.app, new.name)
            assert made is not None, "inserted in this transaction"
            return made

        return await self._changes.write(space, work)

    async def register(self, space: int, new: Sequence[NewAccount], owner: Owner) -> Registered:
        """Make accounts of one app with different lower-case names, at least one; each is made or says why not."""
        changes = self._changes

        def work(connection: sa.Connection) -> Registered:
            return register(connection, space, new, owner, changes.mint, changes.clock.now_ms())

        return await self._again_on_conflict(space, work)

    async def open(self, space: int, new: NewAccount, owner: Owner) -> Account:
        """The account of this name; when it is missing it is made.

        Raises:
            NotFound: it is missing and may not be made.
        """
        changes = self._changes

        def work(connection: sa.Connection) -> Account:
            found = accounts.by_name(connection, space, new.app, new.name)
            if found is None:
                made = register(connection, space, [new], owner, changes.mint, changes.clock.now_ms()).made
                # Somebody may have made it between the two looks.
                found = made[0] if made else accounts.by_name(connection, space, new.app, new.name)
            if found is None:
                raise NotFound(f"account {new.name}")
            return found

        return await self._again_on_conflict(space, work)

    async def _again_on_conflict(self, space: int, work: Callable[[sa.Connection], T]) -> T:
        try:
            return await self._changes.write(space, work)
        except Conflict:  # somebody made one of them at the same moment: now it is found
            return await self._changes.write(space, work)

    async def find(self, space: int, app: str, names: Sequence[str]) -> dict[str, Account]:
        """Accounts by lower-case name, as far as they exist."""
        return await self._changes.database.read(lambda connection: accounts.by_names(connection, space, app, names))

    async def of_person(self, space: int, person: int) -> list[Account]:
        """All accounts of a person, in every app."""
        return await self._changes.database.read(lambda connection: accounts.of_person(connection, space, person))

    async def page(self, space: int, app: str, after: tuple[int, str] = (0, ""), limit: int = 100) -> list[Account]:
        """Accounts of an app, oldest first, behind the one that was made then and has this name."""
        return await self._changes.database.read(
            lambda connection: accounts.of_app(connection, space, app, after, limit)
        )

    async def set_password_hash(self, space: int, app: str, name: str, password_hash: str) -> Account:
        """Another password; every token of the user ends. Raises ``NotFound``."""
        return await self._shut(space, app, name, password_hash=password_hash)

    async def set_nickname(self, space: int, app: str, name: str, nickname: str) -> Account:
        """Another name shown. Raises ``NotFound``."""
        return await self._edit(space, app, name, nickname=nickname)

    async def activate(self, space: int, app: str, name: str) -> Account:
        """Let him in again. Raises ``NotFound``."""
        return await self._edit(space, app, name, active=1)

    async def deactivate(self, space: int, app: str, name: str) -> Account:
        """Keep the account, but let nobody in; every token of the user ends. Raises ``NotFound``."""
        return await self._shut(space, app, name, active=0)

    async def change_settings(self, space: int, app: str, name: str, change: ChangeSettings) -> Account:
        """Change an account's settings; ``change`` gets them as they are, while nobody else can change them.

        Raises:
            NotFound: and whatever ``change`` raises; nothing is changed.
        """

        def work(connection: sa.Connection) -> Account:
            kept = accounts.settings_to_change(connection, space, app, name)
            return self._edited(connection, space, app, name, {"settings": pack(change(kept))})

        return await self._changes.write(space, work)

    async def remove(self, space: int, app: str, name: str) -> Account | None:
        """See :func:`remove`."""
        return await self._changes.write(space, lambda connection: remove(connection, space, app, name))

    async def remove_oldest(self, space: int, app: str, after: tuple[int, str], limit: int) -> list[Account]:
        """Remove up to ``limit`` accounts, oldest first, behind the one that was made then and has this name."""

        def work(connection: sa.Connection) -> list[Account]:
            found = accounts.of_app(connection, space, app, after, limit)
            for one in found:
                remove(connection, space, app, one.name)
            return found

        return await self._changes.write(space, work)

    async def _edit(self, space: int, app: str, name: str, **columns: Any) -> Account:
        return await self._changes.write(space, lambda connection: self._edited(connection, space, app, name, columns))

    async def _shut(self, space: int, app: str, name: str, **columns: Any) -> Account:
        def work(connection: sa.Connection) -> Account:
            since = {"tokens_from": self._changes.clock.now_ms()}
            shut = self._edited(connection, space, app, name, {**columns, **since})
            easemob_tokens.end_all(connection, space, app, shut.name)
            return shut

        return await self._changes.write(space, work)

    def _edited(
        self, connection: sa.Connection, space: int, app: str, name: str, columns: Mapping[str, Any]
    ) -> Account:
        accounts.update(connection, space, app, name, self._changes.clock.now_ms(), **columns)
        edited = accounts.by_name(connection, space, app, name)
        assert edited is not None, "updated in this transaction"
        return edited
