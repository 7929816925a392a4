"""Members of a feed as its owner sees them, and feeds as their members do: pages, newest first."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Feed
from onebell.errors import NotFound
from onebell.store import blocks, feeds
from onebell.store.changes import Changes
from onebell.store.feeds import MemberRow
from onebell.store.schema import feed, member


class FeedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A feed in a list."""

    feed: Feed
    members: int
    joined_at: int = 0  # by whoever asks; 0 in a list of his own feeds


def _counted(connection: sa.Connection, space: int, found: Sequence[tuple[Feed, int]]) -> list[FeedRow]:
    rows = connection.execute(
        sa.select(member.c.feed_id, sa.func.count().label("members"))
        .where(member.c.space_id == space, member.c.feed_id.in_([one.id for one, _ in found]))
        .group_by(member.c.feed_id)
    )
    counts = {row.feed_id: int(row.members) for row in rows}
    return [FeedRow(feed=one, members=counts.get(one.id, 0), joined_at=joined_at) for one, joined_at in found]


def count(connection: sa.Connection, space: int, which: int) -> int:
    """How many belong to a feed."""
    here = sa.and_(member.c.space_id == space, member.c.feed_id == which)
    return connection.scalar(sa.select(sa.func.count()).select_from(member).where(here)) or 0


def find(connection: sa.Connection, space: int, which: int, party: int) -> MemberRow | None:
    """One member of a feed."""
    row = (
        connection.execute(
            sa.select(member).where(member.c.space_id == space, member.c.feed_id == which, member.c.party_id == party)
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else feeds.member_row(row)


class Members:
    """Pages of members and of feeds, and what an owner does with one member."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def owned(
        self, space: int, dialect: str, kind: str, owner: int, offset: int, limit: int
    ) -> tuple[Sequence[FeedRow], int]:
        """Feeds of an owner, newest first, and how many he has."""
        own = sa.and_(
            feed.c.space_id == space, feed.c.dialect == dialect, feed.c.kind == kind, feed.c.owner_id == owner
        )

        def work(connection: sa.Connection) -> tuple[list[FeedRow], int]:
            total = connection.scalar(sa.select(sa.func.count()).select_from(feed).where(own)) or 0
            ids = connection.scalars(
                sa.select(feed.c.id).where(own).order_by(feed.c.id.desc()).offset(offset).limit(limit)
            ).all()
            known = {one.id: one for one in feeds.by_ids(connection, space, ids)}
            return _counted(connection, space, [(known[which], 0) for which in ids]), total

        return await self._changes.database.read(work)

    async def joined(
        self, space: int, dialect: str, kind: str, party: int, offset: int, limit: int
    ) -> tuple[Sequence[FeedRow], int]:
        """Feeds that a party belongs to, the one he joined last first, and how many those are."""
        his = sa.and_(
            member.c.space_id == space,
            member.c.party_id == party,
            feed.c.space_id == space,
            feed.c.id == member.c.feed_id,
            feed.c.dialect == dialect,
            feed.c.kind == kind,
        )

        def work(connection: sa.Connection) -> tuple[list[FeedRow], int]:
            total = connection.scalar(sa.select(sa.func.count()).select_from(member, feed).where(his)) or 0
            rows = connection.execute(
                sa.select(member.c.feed_id, member.c.joined_at)
                .where(his)
                .order_by(member.c.joined_at.desc(), member.c.feed_id.desc())
                .offset(offset)
                .limit(limit)
            ).all()
            known = {one.id: one for one in feeds.by_ids(connection, space, [row.feed_id for row in rows])}
            return _counted(connection, space, [(known[row.feed_id], row.joined_at) for row in rows]), total

        return await self._changes.database.read(work)

    async def page(self, space: int, which: int, offset: int, limit: int) -> tuple[Sequence[MemberRow], int]:
        """Members of a feed, newest first, and how many there are."""
        here = sa.and_(member.c.space_id == space, member.c.feed_id == which)

        def work(connection: sa.Connection) -> tuple[list[MemberRow], int]:
            rows = connection.execute(
                sa.select(member)
                .where(here)
                .order_by(member.c.joined_at.desc(), member.c.party_id.desc())
                .offset(offset)
                .limit(limit)
            ).mappings()
            return [feeds.member_row(row) for row in rows], count(connection, space, which)

        return await self._changes.database.read(work)

    async def one(self, space: int, which: int, party: int) -> MemberRow | None:
        """One member."""
        return await self._changes.database.read(lambda connection: find(connection, space, which, party))

    async def remark(self, space: int, which: int, party: int, text: str) -> None:
        """What the owner notes about a member. Raises ``NotFound``."""
        statement = sa.update(member).where(
            member.c.space_id == space, member.c.feed_id == which, member.c.party_id == party
        )

        def work(connection: sa.Connection) -> None:
            if not connection.execute(statement.values(remark=text)).rowcount:
                raise NotFound(f"member {party} of feed {which}")

        await self._changes.write(space, work)

    async def block(self, space: int, dialect: str, which: int, party: int) -> None:
        """Take a member out and do not let him back in."""
        number, now_ms = self._changes.mint.mint(), self._changes.clock.now_ms()

        def work(connection: sa.Connection) -> None:
            feeds.remove_members(connection, space, which, [party])
            blocks.add(connection, space, dialect, which, party, number, now_ms)

        await self._changes.write(space, work)
