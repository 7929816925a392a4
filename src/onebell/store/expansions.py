"""Expands large audiences page by page, each in one transaction and without a row passing through Python."""

import asyncio

import msgspec
import sqlalchemy as sa

from onebell.core.bell import Mark
from onebell.core.events import EventKind
from onebell.core.work import LEASE_MS, Closed, EventDraft, ExpansionClaim, ExpansionJob, ExpansionPlan, Page, Spread
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.expanding import PostgresEntries, SqliteEntries
from onebell.store.fanout import Fan
from onebell.store.live import LiveMarks
from onebell.store.messages import Key, finish, stored_message
from onebell.store.page import AFTER, LAST, NOW
from onebell.store.queueing import ZERO
from onebell.store.resolution import write_resolution
from onebell.store.schema import entry, expansion, message
from onebell.store.spread import People, next_people, passed, place

PAGE_S = {"sqlite": 0.008, "postgresql": 0.1}
"""By engine: all senders wait for SQLite's one writer; elsewhere a page holds its own mailboxes, and a commit alone may
take longer than that."""
_spread = msgspec.json.Decoder(Spread).decode


class Expansions:
    """Verbs on audiences that are still being expanded."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.page_s = PAGE_S[db.kind]
        """What one page may hold others up for."""
        self._pages: _Pages | None = None

    async def claim(self, now_ms: int, node: int) -> ExpansionClaim | None:
        """Take one that is due and nobody holds."""
        return await self._db.write(lambda connection: _claim(connection, now_ms, node))

    async def read(self, claim: ExpansionClaim) -> ExpansionJob:
        """What is to be expanded; apart from the claim, so that what nobody can read is held and counted too.

        Raises:
            msgspec.MsgspecError: no version of ours that is known here has written it.
        """
        return await self._db.read(lambda connection: _job(connection, claim))

    async def next_due(self) -> int | None:
        """When the earliest open expansion is due or its lease ends, in ms; ``None`` when all are done."""
        earliest = sa.select(sa.func.min(expansion.c.lease_until)).where(expansion.c.done == ZERO)
        return await self._db.read(lambda connection: connection.scalar(earliest))

    async def expand_page(
        self, plan: ExpansionPlan, cursor: int, limit: int, now_ms: int, mint: IdMint, node: int
    ) -> Page:
        """Write the next page and move the cursor, in one transaction under a renewed lease."""
        if self._pages is None or self._pages.plan is not plan:
            # Making them takes 10 ms and more: on a thread, senders go on meanwhile.
            self._pages = await asyncio.to_thread(_Pages, plan, self._db.kind)
        where = place(plan.job.spread.audience, cursor, limit, now_ms)
        people = People(ids=self._pages.people, place=where, now_ms=now_ms)
        return await self._db.write(_Run(self._pages, people, node, mint).page)

    async def give_back(self, job: ExpansionJob, node: int) -> None:
        """End the lease now, so that another node goes on at once."""
        held = (_is(job), expansion.c.done == ZERO, expansion.c.node == node)
        statement = sa.update(expansion).where(*held).values(lease_until=0)
        await self._db.write(lambda connection: connection.execute(statement))

    async def count_defect(self, claim: ExpansionClaim) -> None:
        """Our code failed on it once more; it is claimed again when its lease has ended."""
        statement = sa.update(expansion).where(_is(claim)).values(defects=expansion.c.defects + 1)
        await self._db.write(lambda connection: connection.execute(statement))

    async def park(self, claim: ExpansionClaim, why: str, now_ms: int, mint: IdMint) -> Closed:
        """Give up what is left of an audience: the message fails, and the timeline says why."""
        return await self._db.write(lambda connection: _park(connection, claim, why, now_ms, mint))

    async def stop(self, space: int, message_id: int) -> None:
        """No further page of a message; waits for the one under way."""
        rest = (expansion.c.space_id == space, expansion.c.message_id == message_id, expansion.c.done == ZERO)
        statement = sa.update(expansion).where(*rest).values(done=1)
        await self._db.write(lambda connection: connection.execute(statement))


def _is(job: ExpansionClaim | ExpansionJob) -> sa.ColumnElement[bool]:
    return _of(job.space, job.message, job.no)


def _of(space: int, message_id: int, no: int) -> sa.ColumnElement[bool]:
    return sa.and_(expansion.c.space_id == space, expansion.c.message_id == message_id, expansion.c.no == no)


_WITH_MESSAGE = expansion.join(
    message, sa.and_(message.c.space_id == expansion.c.space_id, message.c.id == expansion.c.message_id)
)


def _claim(connection: sa.Connection, now_ms: int, node: int) -> ExpansionClaim | None:
    row = connection.execute(
        sa.select(
            expansion.c.space_id,
            expansion.c.message_id,
            expansion.c.no,
            expansion.c.defects,
            message.c.dialect,
            message.c.watched,
        )
        .select_from(_WITH_MESSAGE)
        .where(
            expansion.c.done == ZERO,
            expansion.c.lease_until <= now_ms,
            message.c.state.in_(("accepted", "expanding")),
        )
        .order_by(expansion.c.lease_until, expansion.c.message_id, expansion.c.no)
        .limit(1)
        .with_for_update(skip_locked=True, of=expansion)
    ).first()
    if row is None:
        return None
    claim = ExpansionClaim(
        space=row.space_id,
        message=row.message_id,
        no=row.no,
        dialect=row.dialect,
        watched=bool(row.watched),
        defects=row.defects,
    )
    connection.execute(sa.update(expansion).where(_is(claim)).values(lease_until=now_ms + LEASE_MS, node=node))
    return claim


def _job(connection: sa.Connection, claim: ExpansionClaim) -> ExpansionJob:
    rows = connection.execute(sa.select(expansion, message).select_from(_WITH_MESSAGE).where(_is(claim)))
    found = rows.one()._mapping
    return ExpansionJob(
        stored=stored_message(found),
        no=found[expansion.c.no],
        spread=_spread(found[expansion.c.audience] or b"{}"),
        cursor=found[expansion.c.cursor],
        keep=found[message.c.keep],
        watched=bool(found[message.c.watched]),
        due_at=found[message.c.due_at],
        is_alone=found[expansion.c.cursor] == 0 and not connection.scalar(_others(claim)),
    )


def _others(claim: ExpansionClaim) -> sa.Select[bool]:
    """Whether the message reaches people by another audience too: an entry or a second expansion."""
    space, number = claim.space, claim.message
    entries = sa.select(1).where(entry.c.space_id == space, entry.c.message_id == number).exists()
    expansions = sa.select(1).where(
        expansion.c.space_id == space, expansion.c.message_id == number, expansion.c.no != claim.no
    )
    return sa.select(sa.or_(entries, expansions.exists()))


def _expanded(job: ExpansionClaim | ExpansionJob) -> sa.Update:
    """Everybody is reached; what is left are deliveries."""
    others = sa.select(1).where(
        expansion.c.space_id == job.space, expansion.c.message_id == job.message, expansion.c.done == ZERO
    )
    return (
        sa.update(message)
        .where(message.c.space_id == job.space, message.c.id == job.message, message.c.state == "expanding")
        .where(~others.exists())
        .values(state="accepted")
    )


def _park(connection: sa.Connection, claim: ExpansionClaim, why: str, now_ms: int, mint: IdMint) -> Closed:
    given_up = sa.update(expansion).where(_is(claim), expansion.c.done == ZERO).values(done=1, why=why)
    if connection.execute(given_up.values(defects=expansion.c.defects + 1)).rowcount != 1:
        return Closed()
    draft = EventDraft(
        space=claim.space,
        dialect=claim.dialect,
        message=claim.message,
        kind=EventKind.FAILED.value,
        at=now_ms,
        data={"code": 0, "message": why},
        watched=claim.watched,
    )
    write_events(connection, [draft], mint)
    return Closed(finished=_ended(connection, claim, now_ms, mint), watched=claim.watched)


def _ended(connection: sa.Connection, job: ExpansionClaim | ExpansionJob, now_ms: int, mint: IdMint) -> tuple[Key, ...]:
    """No page follows: the message is finished, or its deliveries are what is left."""
    finished = finish(connection, [(job.space, job.message)], now_ms, mint)
    if not finished:
        connection.execute(_expanded(job))
    return finished


class _Pages:
    """The statements of one expansion, made once: a page only fills in where it stands."""

    def __init__(self, plan: ExpansionPlan, kind: str) -> None:
        self.plan = plan
        self.job = job = plan.job
        self.people = next_people(job.space, job.spread.audience, job.keep)
        page = self.people.subquery("page")
        self.extent = sa.select(sa.func.count(), sa.func.max(page.c.id)).select_from(page)
        self.entries = PostgresEntries(plan, page) if kind == "postgresql" else SqliteEntries(plan, page)
        self.marks = LiveMarks(job.space, job.message, job.spread.audience.feed)
        self.fans = [Fan(kind, plan, part, self.people) for part in plan.parts]
        self.renew = self._renew()
        self.advance = (
            sa.update(expansion).where(_is(job)).values(cursor=LAST, count=expansion.c.count + sa.bindparam("p_count"))
        )

    def _renew(self) -> sa.Update:
        held = (expansion.c.node == sa.bindparam("p_node"), expansion.c.cursor == AFTER)
        lease = NOW + LEASE_MS
        return sa.update(expansion).where(_is(self.job), expansion.c.done == ZERO, *held).values(lease_until=lease)


class _Run:
    """One page."""

    def __init__(self, pages: _Pages, people: People, node: int, mint: IdMint) -> None:
        self._pages = pages
        self._plan = pages.plan
        self._people = people
        self._cursor: int = people.place[AFTER.key]
        self._node = node
        self._mint = mint

    def page(self, connection: sa.Connection) -> Page:
        """Write it."""
        # Locks the row: who recalls the message waits for this page, and no page follows that.
        at = {"p_node": self._node, AFTER.key: self._cursor, NOW.key: self._people.now_ms}
        if connection.execute(self._pages.renew, at).rowcount != 1:
            return Page(count=0, cursor=self._cursor, is_last=True, is_ours=False)
        count, last = connection.execute(self._pages.extent, self._people.place).one()
        if count == 0:
            return self._end(connection)
        marks = self._entries(connection, last) if self._plan.has_entries else ()
        wrote = [fan.write(connection, self._people, self._mint) for fan in self._pages.fans]
        if self._plan.job.watched:
            write_resolution(connection, self._plan, self._people, self._mint)
        connection.execute(self._pages.advance, {LAST.key: last, "p_count": count})
        return Page(
            count=count,
            cursor=last,
            is_last=False,
            marks=marks,
            has_deliveries=any(wrote),
            watched=self._plan.job.watched,
        )

    def _entries(self, connection: sa.Connection, last: int) -> tuple[Mark, ...]:
        values = {**self._people.place, LAST.key: last}
        self._pages.entries.write(connection, values)
        return self._pages.marks.read(connection, values)

    def _end(self, connection: sa.Connection) -> Page:
        job, now_ms = self._plan.job, self._people.now_ms
        onward = passed(job.spread.audience, self._cursor)
        if onward is not None:
            connection.execute(self._pages.advance, {LAST.key: onward, "p_count": 0})
            return Page(count=0, cursor=onward, is_last=False)
        connection.execute(sa.update(expansion).where(_is(job)).values(done=1))
        finished = _ended(connection, job, now_ms, self._mint)
        return Page(count=0, cursor=self._cursor, is_last=True, watched=bool(finished) and job.watched)
