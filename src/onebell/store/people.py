"""People, and the party and mailbox that each has under his own id."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Person, QuietHours
from onebell.core.model import PartyKind
from onebell.core.presence import REMOVED, SOCKETS
from onebell.errors import Conflict, InvalidInput, NotFound
from onebell.ids import UID
from onebell.store import blocks, carrier_accounts, credentials, feeds, records
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack
from onebell.store.schema import address, mailbox, member, party, person, session
from onebell.store.upserts import pages

ROLES = ("owner", "operator", "sender", "reader")
OWN_ADDRESSES = ("email", "phone")
"""Addresses that belong to no account: any account of that sort may use them."""
ALL = "all"
_quiet = msgspec.json.Decoder(QuietHours | None)


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """What a person starts with."""

    id: int
    uid: str
    name: str = ""
    role: str = "reader"
    password_hash: str = ""
    language: str = ""
    timezone: str = ""
    quiet_hours: QuietHours | None = None
    origin: str = Origin.API.value


def check_uid(uid: str) -> str:
    """``uid`` itself.

    Raises:
        InvalidInput: it breaks the rule of DESIGN §1.
    """
    if not UID.match(uid) or uid.endswith("\n"):
        raise InvalidInput("a uid has 1 to 64 of A-Z a-z 0-9 _ . @ ! # $ & * + = | ¥ ￥ -", "uid")
    return uid


def check_role(role: str) -> str:
    """``role`` itself. Raises ``InvalidInput`` for any other word."""
    if role not in ROLES:
        raise InvalidInput(f"a role is one of {', '.join(ROLES)}", "role")
    return role


# ---------------------------------------------------------------- reading


def by_ids(connection: sa.Connection, space: int, ids: Sequence[int]) -> list[Person]:
    """These people, as far as they exist."""
    return [found for page in pages(ids) for found in _where(connection, space, person.c.id.in_(page))]


def by_uids(connection: sa.Connection, space: int, uids: Sequence[str]) -> list[Person]:
    """These people, compared without case."""
    # What is no uid is nobody's, and some of it PostgreSQL would refuse to look for: its text takes no NUL.
    keys = [uid.lower() for uid in uids if UID.fullmatch(uid)]
    return [found for page in pages(keys) for found in _where(connection, space, person.c.uid_key.in_(page))]


def by_address(connection: sa.Connection, space: int, carrier: str, value: str) -> Person | None:
    """Who has this address of scope all; the oldest entry when several have it."""
    holder = connection.execute(
        sa.select(address.c.person_id)
        .where(
            address.c.space_id == space,
            address.c.carrier == carrier,
            address.c.value == value,
            address.c.scope == ALL,
        )
        .order_by(address.c.id)
        .limit(1)
    ).scalar()
    found = by_ids(connection, space, [holder]) if holder is not None else []
    return found[0] if found else None


def page_of(connection: sa.Connection, space: int, after: int, limit: int) -> list[Person]:
    """People in the order of their ids, after ``after``."""
    rows = connection.execute(
        sa.select(person.c.id).where(person.c.space_id == space, person.c.id > after).order_by(person.c.id).limit(limit)
    )
    return by_ids(connection, space, rows.scalars().all())


def of_origin(connection: sa.Connection, space: int, origins: Sequence[str]) -> list[Person]:
    """Everybody whom these origins made."""
    rows = connection.execute(sa.select(person.c.id).where(person.c.space_id == space, person.c.origin.in_(origins)))
    return by_ids(connection, space, rows.scalars().all())


def _where(connection: sa.Connection, space: int, condition: sa.ColumnElement[bool]) -> Iterator[Person]:
    statement = sa.select(person).where(person.c.space_id == space, condition).order_by(person.c.id)
    rows = connection.execute(statement).mappings().all()
    own = _own_addresses(connection, space, [row["id"] for row in rows])
    for row in rows:
        yield _person(row, own)


def _own_addresses(connection: sa.Connection, space: int, ids: Sequence[int]) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    rows = connection.execute(
        sa.select(address.c.person_id, address.c.carrier, address.c.value)
        .where(
            address.c.space_id == space,
            address.c.person_id.in_(ids),
            address.c.carrier.in_(OWN_ADDRESSES),
            address.c.scope == ALL,
        )
        .order_by(address.c.id)
    )
    for row in rows:
        found.setdefault((row.person_id, row.carrier), row.value)
    return found


def _person(row: sa.RowMapping, own: dict[tuple[int, str], str]) -> Person:
    return Person(
        id=row["id"],
        space=row["space_id"],
        uid=row["uid"],
        name=row["name"],
        role=row["role"],
        language=row["language"],
        timezone=row["timezone"],
        quiet_hours=_quiet.decode(row["quiet_hours"]) if row["quiet_hours"] else None,
        email=own.get((row["id"], "email"), ""),
        phone=own.get((row["id"], "phone"), ""),
        password_hash=row["password_hash"],
        origin=row["origin"],
        created_at=row["created_at"],
    )


# ---------------------------------------------------------------- writing


def insert(connection: sa.Connection, space: int, new: Sequence[NewPerson], now_ms: int) -> None:
    """Make people, each with a party and a mailbox of the same id."""
    if not new:
        return
    connection.execute(sa.insert(party), [_party_row(space, one) for one in new])
    connection.execute(sa.insert(person), [_person_row(space, one, now_ms) for one in new])
    connection.execute(
        sa.insert(mailbox), [{"space_id": space, "id": one.id, "kind": PartyKind.PERSON.value} for one in new]
    )


def claim(connection: sa.Connection, space: int, new: NewPerson, now_ms: int) -> None:
    """Turn the name ``new.id`` that nobody had into a person: what its mailbox holds is his at once."""
    here = sa.and_(party.c.space_id == space, party.c.id == new.id)
    connection.execute(sa.update(party).where(here).values(kind=PartyKind.PERSON.value, name=new.uid))
    connection.execute(sa.insert(person), [_person_row(space, new, now_ms)])
    owned = sa.and_(mailbox.c.space_id == space, mailbox.c.id == new.id)
    connection.execute(sa.update(mailbox).where(owned).values(kind=PartyKind.PERSON.value, expires_at=0))


def _party_row(space: int, new: NewPerson) -> dict[str, Any]:
    # By uid, not by the name shown: two people may be called Alice.
    return {"space_id": space, "id": new.id, "kind": PartyKind.PERSON.value, "name": new.uid}


def _person_row(space: int, new: NewPerson, now_ms: int) -> dict[str, Any]:
    return {
        "space_id": space,
        "id": new.id,
        "uid": new.uid,
        "uid_key": new.uid.lower(),
        "name": new.name or new.uid,
        "role": new.role,
        "password_hash": new.password_hash,
        "language": new.language,
        "timezone": new.timezone,
        "quiet_hours": pack(new.quiet_hours),
        "origin": new.origin,
        "created_at": now_ms,
        "updated_at": now_ms,
    }


def update(connection: sa.Connection, space: int, who: int, now_ms: int, **columns: Any) -> None:
    """Write columns of a person. Raises ``NotFound``."""
    statement = sa.update(person).where(person.c.space_id == space, person.c.id == who)
    if not connection.execute(statement.values(**columns, updated_at=now_ms)).rowcount:
        raise NotFound(f"person {who}")


def mark_edited(connection: sa.Connection, space: int, who: int) -> None:
    """Remember that somebody else changed what a file had made."""
    connection.execute(
        sa.update(person)
        .where(person.c.space_id == space, person.c.id == who, person.c.origin == Origin.FILE.value)
        .values(origin=Origin.EDITED.value)
    )


def remove(connection: sa.Connection, space: int, who: int) -> None:
    """Remove a person with his credentials, records, feeds, memberships, sign-ins and what he
    configured for himself; his messages stay."""
    credentials.remove_of_owner(connection, space, who)
    records.remove_of_owner(connection, space, who)
    carrier_accounts.remove_of_owner(connection, space, who)
    feeds.remove_of_owner(connection, space, who)
    blocks.remove_of(connection, space, who)
    connection.execute(sa.delete(member).where(member.c.space_id == space, member.c.party_id == who))
    _end_sessions(connection, space, who)
    connection.execute(sa.delete(person).where(person.c.space_id == space, person.c.id == who))
    connection.execute(sa.delete(party).where(party.c.space_id == space, party.c.id == who))


def _end_sessions(connection: sa.Connection, space: int, who: int) -> None:
    his = sa.and_(session.c.space_id == space, session.c.mailbox_id == who)
    # An open socket's row tells the node that holds it: without the row it would never hear.
    connection.execute(sa.update(session).where(his, session.c.kind.in_(SOCKETS)).values(kicked=REMOVED))
    connection.execute(sa.delete(session).where(his, session.c.kind.not_in(SOCKETS)))


class People:
    """What the native API, the console and the dialects do with people."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def create(
        self,
        space: int,
        uid: str,
        *,
        name: str = "",
        role: str = "reader",
        password_hash: str = "",
        origin: Origin = Origin.API,
    ) -> Person:
        """Make a person.

        Raises:
            InvalidInput: the uid or the role breaks its rule.
            Conflict: the uid is taken, compared without case.
        """
        new = NewPerson(
            id=self._changes.mint.mint(),
            uid=check_uid(uid),
            name=name,
            role=check_role(role),
            password_hash=password_hash,
            origin=origin.value,
        )

        def work(connection: sa.Connection) -> Person:
            if by_uids(connection, space, [uid]):
                raise Conflict(f"uid {uid} is taken")
            insert(connection, space, [new], self._changes.clock.now_ms())
            return by_ids(connection, space, [new.id])[0]

        return await self._changes.write(space, work)

    async def page(self, space: int, after: int = 0, limit: int = 100) -> list[Person]:
        """People in the order they were made, after the one with id ``after``."""
        return await self._changes.database.read(lambda connection: page_of(connection, space, after, limit))

    async def rename(self, space: int, who: int, name: str) -> None:
        """Show another name. Raises ``NotFound``."""
        await self._edit(space, who, name=name)

    async def set_role(self, space: int, who: int, role: str) -> None:
        """What he may do in the console. Raises ``NotFound``, ``InvalidInput``."""
        await self._edit(space, who, role=check_role(role))

    async def set_password_hash(self, space: int, who: int, password_hash: str) -> None:
        """Another password, hashed by the vault. Raises ``NotFound``."""
        await self._edit(space, who, password_hash=password_hash)

    async def set_quiet_hours(self, space: int, who: int, quiet: QuietHours | None) -> None:
        """When no carrier may ring. Raises ``NotFound``."""
        await self._edit(space, who, quiet_hours=pack(quiet))

    async def set_language(self, space: int, who: int, language: str, timezone: str) -> None:
        """In which language and zone he reads; empty = the space's. Raises ``NotFound``."""
        await self._edit(space, who, language=language, timezone=timezone)

    async def remove(self, space: int, who: int) -> None:
        """Remove a person and all that is his, but for messages."""
        await self._changes.write(space, lambda connection: remove(connection, space, who))

    async def _edit(self, space: int, who: int, **columns: Any) -> None:
        def work(connection: sa.Connection) -> None:
            update(connection, space, who, self._changes.clock.now_ms(), **columns)
            mark_edited(connection, space, who)

        await self._changes.write(space, work)
