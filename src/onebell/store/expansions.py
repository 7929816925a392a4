"""Expands large audiences page by page, each in one transaction and without a row passing through Python."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.model import Part, Severity
from onebell.core.work import LEASE_S, ExpansionJob, ExpansionPlan, Page, Spread
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.fanout import write_deliveries
from onebell.store.messages import finish
from onebell.store.queueing import ZERO
from onebell.store.resolution import write_resolution
from onebell.store.schema import entry, expansion, mailbox, message
from onebell.store.spread import Ids, next_people, passed

FEW = 256
"""Pages up to this size tell the bell whose mailboxes changed."""
ONLINE_MS = 60_000
"""How long an entry of a ``while_online`` message lives (DESIGN §5)."""
NAME_KEPT_MS = 7 * 86_400_000
"""How long the mailbox of an unclaimed name outlives its last entry (DESIGN §1)."""

_spread = msgspec.json.Decoder(Spread).decode
_parts = msgspec.json.Decoder(tuple[Part, ...]).decode


class Expansions:
    """Verbs on audiences that are still being expanded."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, now_ms: int, node: int) -> ExpansionJob | None:
        """Take one that is due and nobody holds."""
        return await self._db.write(lambda connection: _claim(connection, now_ms, node))

    async def next_due(self) -> int | None:
        """When the earliest open expansion is due or its lease ends, in ms; ``None`` when all are done."""
        earliest = sa.select(sa.func.min(expansion.c.lease_until)).where(expansion.c.done == ZERO)
        return await self._db.read(lambda connection: connection.scalar(earliest))

    async def expand_page(
        self, plan: ExpansionPlan, cursor: int, limit: int, now_ms: int, mint: IdMint, node: int
    ) -> Page:
        """Write the next page and move the cursor, in one transaction under a renewed lease."""
        run = _Run(plan, cursor, limit, now_ms, node, mint)
        return await self._db.write(run.page)

    async def give_back(self, job: ExpansionJob, node: int) -> None:
        """End the lease now, so that another node goes on at once."""
        held = (_is(job), expansion.c.done == ZERO, expansion.c.node == node)
        statement = sa.update(expansion).where(*held).values(lease_until=0)
        await self._db.write(lambda connection: connection.execute(statement))

    async def stop(self, space: int, message_id: int) -> None:
        """No further page of a message; waits for the one under way."""
        rest = (expansion.c.space_id == space, expansion.c.message_id == message_id, expansion.c.done == ZERO)
        statement = sa.update(expansion).where(*rest).values(done=1)
        await self._db.write(lambda connection: connection.execute(statement))


def _is(job: ExpansionJob) -> sa.ColumnElement[bool]:
    return sa.and_(expansion.c.space_id == job.space, expansion.c.message_id == job.message, expansion.c.no == job.no)


def _claim(connection: sa.Connection, now_ms: int, node: int) -> ExpansionJob | None:
    row = connection.execute(
        sa.select(expansion, message)
        .join(
            message,
            sa.and_(message.c.space_id == expansion.c.space_id, message.c.id == expansion.c.message_id),
        )
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
    found = row._mapping
    job = ExpansionJob(
        space=found[expansion.c.space_id],
        message=found[expansion.c.message_id],
        no=found[expansion.c.no],
        spread=_spread(found[expansion.c.audience] or b"{}"),
        cursor=found[expansion.c.cursor],
        keep=found[message.c.keep],
        severity=Severity(found[message.c.severity]),
        watched=bool(found[message.c.watched]),
        dialect=found[message.c.dialect],
        parts=_parts(found[message.c.parts] or b"[]"),
        due_at=found[message.c.due_at],
        expires_at=found[message.c.expires_at],
    )
    lease_until = now_ms + round(LEASE_S * 1000)
    connection.execute(sa.update(expansion).where(_is(job)).values(lease_until=lease_until, node=node))
    return job


class _Run:
    """One page of one expansion."""

    def __init__(self, plan: ExpansionPlan, cursor: int, limit: int, now_ms: int, node: int, mint: IdMint) -> None:
        self._plan = plan
        self._job = plan.job
        self._cursor = cursor
        self._limit = limit
        self._now = now_ms
        self._node = node
        self._mint = mint

    def page(self, connection: sa.Connection) -> Page:
        """Write it."""
        if not self._renew(connection):
            return Page(count=0, cursor=self._cursor, is_last=True, is_ours=False)
        people = self._people(self._limit)
        count, last = self._extent(connection, people)
        if count == 0:
            return self._end(connection)
        upto = self._people(count)
        mailboxes = self._entries(connection, upto, last) if self._plan.has_entries else ()
        has_deliveries = write_deliveries(connection, self._plan, upto, self._now, self._mint)
        if self._job.watched:
            write_resolution(connection, self._plan, upto, self._now, self._mint)
        connection.execute(
            sa.update(expansion).where(_is(self._job)).values(cursor=last, count=expansion.c.count + count)
        )
        return Page(
            count=count,
            cursor=last,
            is_last=False,
            mailboxes=mailboxes,
            has_deliveries=has_deliveries,
            watched=self._job.watched,
        )

    def _renew(self, connection: sa.Connection) -> bool:
        """Locks the row: who recalls the message waits for this page, and no page follows that."""
        renewed = connection.execute(
            sa.update(expansion)
            .where(
                _is(self._job),
                expansion.c.done == ZERO,
                expansion.c.node == self._node,
                expansion.c.cursor == self._cursor,
            )
            .values(lease_until=self._now + round(LEASE_S * 1000))
        )
        return renewed.rowcount == 1

    def _people(self, limit: int) -> Ids:
        job = self._job
        return next_people(job.space, job.spread.audience, self._cursor, limit, job.keep, self._now)

    def _extent(self, connection: sa.Connection, people: Ids) -> tuple[int, int]:
        page = people.subquery("page")
        count, last = connection.execute(sa.select(sa.func.count(), sa.func.max(page.c.id)).select_from(page)).one()
        return int(count), int(last or 0)

    def _entries(self, connection: sa.Connection, people: Ids, last: int) -> tuple[int, ...]:
        page = people.subquery("page")
        boxes = mailbox.join(page, sa.and_(mailbox.c.space_id == self._job.space, mailbox.c.id == page.c.id))
        if connection.dialect.name == "postgresql":
            # In the writer's order, so that two transactions never wait for each other.
            locked = sa.select(mailbox.c.id).select_from(boxes).order_by(mailbox.c.id).with_for_update(of=mailbox)
            connection.execute(sa.select(sa.func.count()).select_from(locked.subquery()))
        connection.execute(self._new_entries(boxes))
        moved = connection.execute(self._move_counters(last))
        if moved.rowcount > FEW:
            return ()
        mine = sa.select(entry.c.mailbox_id).where(*self._own_entries(last))
        return tuple(connection.execute(mine).scalars())

    def _new_entries(self, boxes: sa.Join) -> sa.Insert:
        job = self._job
        has_one = sa.select(1).where(
            entry.c.space_id == job.space, entry.c.message_id == job.message, entry.c.mailbox_id == mailbox.c.id
        )
        place = mailbox.c.last + 1
        mentions = job.spread.mentions
        values: dict[str, sa.ColumnElement[Any]] = {
            "space_id": sa.literal(job.space, sa.BigInteger),
            "mailbox_id": mailbox.c.id,
            "seq": place,
            "rev": place,
            "message_id": sa.literal(job.message, sa.BigInteger),
            "feed_id": sa.literal(job.spread.audience.feed, sa.BigInteger),
            "direction": ZERO,
            "mentioned": sa.case((mailbox.c.id.in_(mentions), 1), else_=0) if mentions else ZERO,
            "severity": sa.literal(int(job.severity)),
            "created_at": sa.literal(self._now, sa.BigInteger),
            "expires_at": sa.literal(self._now + ONLINE_MS if job.keep == "while_online" else 0, sa.BigInteger),
        }
        selected = sa.select(*values.values()).select_from(boxes).where(~has_one.exists())
        return sa.insert(entry).from_select(list(values), selected)

    def _own_entries(self, last: int) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            entry.c.space_id == self._job.space,
            entry.c.message_id == self._job.message,
            entry.c.mailbox_id > self._cursor,
            entry.c.mailbox_id <= last,
        )

    def _move_counters(self, last: int) -> sa.Update:
        until = sa.literal(self._now + NAME_KEPT_MS, sa.BigInteger)
        return (
            sa.update(mailbox)
            .where(
                mailbox.c.space_id == self._job.space,
                mailbox.c.id == entry.c.mailbox_id,
                # Only what this page wrote stands one place beyond its mailbox's counter.
                entry.c.seq == mailbox.c.last + 1,
                *self._own_entries(last),
            )
            .values(last=entry.c.seq, expires_at=sa.case((mailbox.c.expires_at > 0, until), else_=0))
        )

    def _end(self, connection: sa.Connection) -> Page:
        onward = passed(self._job.spread.audience, self._cursor)
        if onward is not None:
            connection.execute(sa.update(expansion).where(_is(self._job)).values(cursor=onward))
            return Page(count=0, cursor=onward, is_last=False)
        connection.execute(sa.update(expansion).where(_is(self._job)).values(done=1))
        key = (self._job.space, self._job.message)
        finished = finish(connection, [key], self._now, self._mint)
        return Page(count=0, cursor=self._cursor, is_last=True, watched=bool(finished) and self._job.watched)
