"""Feeds and who belongs to them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Feed, Membership
from onebell.core.model import FeedKind
from onebell.errors import Conflict, NotFound
from onebell.store import blocks, credentials, room
from onebell.store.changes import Changes, Origin
from onebell.store.packed import pack, unpack_object
from onebell.store.schema import feed, member
from onebell.store.upserts import insert_missing, pages

MEMBERS_AT_ONCE = 1_000
"""A feed with more members is expanded in the database (DESIGN §10)."""


class NewFeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed starts with."""

    id: int
    kind: str
    dialect: str
    code: str
    name: str = ""
    owner: int = 0
    settings: dict[str, Any] = {}
    origin: str = Origin.API.value


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """One party in one feed."""

    feed: int
    party: int
    role: str
    remark: str
    origin: str
    joined_at: int


# ---------------------------------------------------------------- reading


def by_ids(connection: sa.Connection, space: int, ids: Sequence[int]) -> list[Feed]:
    """These feeds, as far as they exist."""
    return [found for page in pages(ids) for found in _where(connection, space, feed.c.id.in_(page))]


def by_id(connection: sa.Connection, space: int, which: int) -> Feed | None:
    """One feed."""
    found = by_ids(connection, space, [which])
    return found[0] if found else None


def by_code(connection: sa.Connection, space: int, dialect: str, kind: str, code: str, owner: int = 0) -> Feed | None:
    """The feed of this code; codes are unique in (dialect, kind, owner)."""
    condition = sa.and_(feed.c.dialect == dialect, feed.c.kind == kind, feed.c.code == code, feed.c.owner_id == owner)
    found = _where(connection, space, condition)
    return found[0] if found else None


def of_kind(connection: sa.Connection, space: int, dialect: str, kind: str, owner: int | None = None) -> list[Feed]:
    """All feeds of a kind, of everybody or of one owner, oldest first."""
    condition = sa.and_(feed.c.dialect == dialect, feed.c.kind == kind)
    if owner is not None:
        condition &= feed.c.owner_id == owner
    return _where(connection, space, condition)


def of_origin(connection: sa.Connection, space: int, origins: Sequence[str]) -> list[Feed]:
    """All feeds that these origins made."""
    return _where(connection, space, feed.c.origin.in_(origins))


def origin_of(connection: sa.Connection, space: int, which: int) -> str:
    """Who made a feed."""
    statement = sa.select(feed.c.origin).where(feed.c.space_id == space, feed.c.id == which)
    return str(connection.execute(statement).scalar_one())


def of_party(connection: sa.Connection, space: int, party: int, kind: str = "") -> list[Feed]:
    """The feeds that a party belongs to."""
    mine = sa.select(member.c.feed_id).where(member.c.space_id == space, member.c.party_id == party)
    condition: sa.ColumnElement[bool] = feed.c.id.in_(mine)
    if kind:
        condition &= feed.c.kind == kind
    return _where(connection, space, condition)


def membership(connection: sa.Connection, space: int, which: int) -> Membership:
    """How many belong to a feed, and who when that is at most ``MEMBERS_AT_ONCE``."""
    here = sa.and_(member.c.space_id == space, member.c.feed_id == which)
    # One more than a page tells small feeds from large ones without counting a million.
    ids = connection.execute(
        sa.select(member.c.party_id).where(here).order_by(member.c.party_id).limit(MEMBERS_AT_ONCE + 1)
    ).scalars()
    found = tuple(ids)
    if len(found) <= MEMBERS_AT_ONCE:
        return Membership(feed=which, count=len(found), ids=found)
    count = connection.execute(sa.select(sa.func.count()).select_from(member).where(here)).scalar_one()
    return Membership(feed=which, count=count, ids=None)


def members_of(
    connection: sa.Connection, space: int, feeds: Sequence[int], origin: Origin | None = None
) -> list[MemberRow]:
    """The members of these feeds, all or those of one origin."""
    found = []
    for page in pages(feeds):
        statement = sa.select(member).where(member.c.space_id == space, member.c.feed_id.in_(page))
        if origin is not None:
            statement = statement.where(member.c.origin == origin.value)
        for row in connection.execute(statement.order_by(member.c.feed_id, member.c.party_id)).mappings():
            found.append(member_row(row))
    return found


def member_row(row: sa.RowMapping) -> MemberRow:
    """A row of ``member``."""
    return MemberRow(
        feed=row["feed_id"],
        party=row["party_id"],
        role=row["role"],
        remark=row["remark"],
        origin=row["origin"],
        joined_at=row["joined_at"],
    )


def _where(connection: sa.Connection, space: int, condition: sa.ColumnElement[bool]) -> list[Feed]:
    statement = sa.select(feed).where(feed.c.space_id == space, condition).order_by(feed.c.id)
    return [_feed(row) for row in connection.execute(statement).mappings()]


def _feed(row: sa.RowMapping) -> Feed:
    return Feed(
        id=row["id"],
        space=row["space_id"],
        kind=FeedKind(row["kind"]),
        dialect=row["dialect"],
        code=row["code"],
        name=row["name"],
        owner=row["owner_id"],
        settings=unpack_object(row["settings"]),
        created_at=row["created_at"],
    )


# ---------------------------------------------------------------- writing


def insert(connection: sa.Connection, space: int, new: Sequence[NewFeed], now_ms: int) -> None:
    """Make feeds."""
    if not new:
        return
    rows = [
        {
            "space_id": space,
            "id": one.id,
            "kind": one.kind,
            "dialect": one.dialect,
            "code": one.code,
            "name": one.name,
            "owner_id": one.owner,
            "settings": pack(one.settings),
            "origin": one.origin,
            "created_at": now_ms,
        }
        for one in new
    ]
    connection.execute(sa.insert(feed), rows)


def update(connection: sa.Connection, space: int, which: int, **columns: Any) -> None:
    """Write columns of a feed. Raises ``NotFound``."""
    statement = sa.update(feed).where(feed.c.space_id == space, feed.c.id == which).values(**columns)
    if not connection.execute(statement).rowcount:
        raise NotFound(f"feed {which}")


def remove(connection: sa.Connection, space: int, which: int) -> None:
    """Remove a feed with its members, credentials and black list; its messages stay."""
    credentials.remove_of_owner(connection, space, which)
    blocks.remove_of(connection, space, which)
    connection.execute(sa.delete(feed).where(feed.c.space_id == space, feed.c.id == which))


def remove_of_owner(connection: sa.Connection, space: int, owner: int) -> None:
    """Remove all feeds of a party."""
    statement = sa.select(feed.c.id).where(feed.c.space_id == space, feed.c.owner_id == owner)
    for which in connection.execute(statement).scalars().all():
        remove(connection, space, which)


def add_members(
    connection: sa.Connection,
    space: int,
    new: Sequence[tuple[int, int]],
    now_ms: int,
    origin: Origin = Origin.API,
    role: str = "member",
) -> None:
    """Add (feed, party); who is in already stays as he is."""
    rows = [
        {
            "space_id": space,
            "feed_id": which,
            "party_id": party,
            "role": role,
            "origin": origin.value,
            "joined_at": now_ms,
        }
        for which, party in sorted(new)
    ]
    insert_missing(connection, member, rows)


def remove_members(connection: sa.Connection, space: int, which: int, parties: Sequence[int]) -> int:
    """Take parties out of a feed; how many were in."""
    gone = 0
    for page in pages(parties):
        statement = sa.delete(member).where(
            member.c.space_id == space, member.c.feed_id == which, member.c.party_id.in_(page)
        )
        gone += connection.execute(statement).rowcount
    return gone


class Feeds:
    """What the APIs do with feeds and their members."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def create(
        self,
        space: int,
        dialect: str,
        kind: FeedKind,
        code: str,
        *,
        name: str = "",
        owner: int = 0,
        settings: Mapping[str, Any] | None = None,
        members: Sequence[int] = (),
        most: int = 0,
    ) -> Feed:
        """Make a feed with its first members.

        Raises:
            Conflict: the owner has one of this code.
            TooMany: he has ``most`` of this kind (0 = no limit).
        """
        new = NewFeed(
            id=self._changes.mint.mint(),
            kind=kind.value,
            dialect=dialect,
            code=code,
            name=name,
            owner=owner,
            settings=dict(settings or {}),
        )

        alike = (feed.c.dialect == dialect, feed.c.kind == kind.value)

        def work(connection: sa.Connection) -> Feed:
            room.check(connection, feed, space, owner, most, *alike)
            if by_code(connection, space, dialect, kind.value, code, owner) is not None:
                raise Conflict(f"{kind.value} {code} exists")
            now_ms = self._changes.clock.now_ms()
            insert(connection, space, [new], now_ms)
            add_members(connection, space, [(new.id, party) for party in members], now_ms)
            return by_ids(connection, space, [new.id])[0]

        return await self._changes.write(space, work)

    async def rename(self, space: int, which: int, name: str) -> None:
        """Show another name. Raises ``NotFound``."""
        await self._edit(space, which, name=name)

    async def edit(self, space: int, which: int, code: str, name: str, settings: Mapping[str, Any]) -> None:
        """Another code, name and settings. Raises ``NotFound``, ``Conflict`` when the owner has one of this code."""
        columns: dict[str, Any] = {"code": code, "name": name, "settings": pack(dict(settings))}

        def work(connection: sa.Connection) -> None:
            before = by_id(connection, space, which)
            if before is not None and before.code != code:
                # No file knows it by this code: an apply that took it for gone would take its members with it.
                update(connection, space, which, origin=Origin.API.value)
            update(connection, space, which, **columns)
            _mark_edited(connection, space, which)

        await self._changes.write(space, work)

    async def set_settings(self, space: int, which: int, settings: Mapping[str, Any]) -> None:
        """Replace a feed's settings. Raises ``NotFound``."""
        await self._edit(space, which, settings=pack(dict(settings)))

    async def remove(self, space: int, which: int) -> None:
        """Remove a feed with its members and credentials; its messages stay."""
        await self._changes.write(space, lambda connection: remove(connection, space, which))

    async def join(self, space: int, which: int, parties: Sequence[int], role: str = "member") -> None:
        """Add members. Raises ``Conflict`` when the feed does not exist."""
        new = [(which, party) for party in parties]
        now_ms = self._changes.clock.now_ms()
        await self._changes.write(
            space, lambda connection: add_members(connection, space, new, now_ms, Origin.API, role)
        )

    async def leave(self, space: int, which: int, parties: Sequence[int]) -> int:
        """Take members out; how many were in."""
        return await self._changes.write(space, lambda connection: remove_members(connection, space, which, parties))

    async def members(self, space: int, which: int) -> list[MemberRow]:
        """Everybody in a feed."""
        return await self._changes.database.read(lambda connection: members_of(connection, space, [which]))

    async def of_party(self, space: int, party: int, kind: str = "") -> list[Feed]:
        """The feeds that a party belongs to."""
        return await self._changes.database.read(lambda connection: of_party(connection, space, party, kind))

    async def _edit(self, space: int, which: int, **columns: Any) -> None:
        def work(connection: sa.Connection) -> None:
            update(connection, space, which, **columns)
            _mark_edited(connection, space, which)

        await self._changes.write(space, work)


def _mark_edited(connection: sa.Connection, space: int, which: int) -> None:
    connection.execute(
        sa.update(feed)
        .where(feed.c.space_id == space, feed.c.id == which, feed.c.origin == Origin.FILE.value)
        .values(origin=Origin.EDITED.value)
    )
