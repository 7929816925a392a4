"""Entries of one page of an expansion: a place in each mailbox and what stands there, without a row through Python."""

from typing import Any

import sqlalchemy as sa

from onebell.core.work import ExpansionJob, ExpansionPlan
from onebell.store.batch import ONLINE_MS
from onebell.store.counters import NAME_KEPT_MS
from onebell.store.page import AFTER, LAST, LIMIT, NOW
from onebell.store.queueing import ZERO
from onebell.store.schema import entry, mailbox

_EXPIRES_AT = sa.case((mailbox.c.expires_at > ZERO, NOW + NAME_KEPT_MS), else_=ZERO)
Values = dict[str, Any]


class SqliteEntries:
    """One after the other: nobody else writes meanwhile, so both see the same page and the same counters."""

    def __init__(self, plan: ExpansionPlan, page: sa.Subquery) -> None:
        job = plan.job
        boxes = mailbox.join(page, sa.and_(mailbox.c.space_id == job.space, mailbox.c.id == page.c.id))
        columns = _columns(job, mailbox.c.id, mailbox.c.last + 1)
        selected = sa.select(*columns.values()).select_from(boxes)
        if not job.is_alone:
            selected = selected.where(_has_none(job))
        self._insert = sa.insert(entry).from_select(list(columns), selected)
        self._move = _moved_all(job, page) if job.is_alone else _moved_written(job)

    def write(self, connection: sa.Connection, values: Values) -> None:
        """Write a page's entries."""
        connection.execute(self._insert, values)
        connection.execute(self._move, values)


class PostgresEntries:
    """In one statement: what was counted is what is written, whoever joins or leaves the audience meanwhile."""

    def __init__(self, plan: ExpansionPlan, page: sa.Subquery) -> None:
        job = plan.job
        # In the writer's order, so that two transactions never wait for each other. The bounds say nothing new; they
        # keep PostgreSQL from reading every mailbox for a page of them.
        locked = (
            sa.select(mailbox.c.id)
            .select_from(mailbox.join(page, sa.and_(mailbox.c.space_id == job.space, mailbox.c.id == page.c.id)))
            .where(mailbox.c.id > AFTER, mailbox.c.id <= LAST)
            .order_by(mailbox.c.id)
            .with_for_update(of=mailbox)
            .cte("locked")
        )
        mine = (mailbox.c.space_id == job.space, mailbox.c.id == locked.c.id)
        moved = (
            sa.update(mailbox)
            .where(*mine if job.is_alone else (*mine, _has_none(job)))
            .values(last=mailbox.c.last + 1, expires_at=_EXPIRES_AT)
            .returning(mailbox.c.id, mailbox.c.last)
            .cte("moved")
        )
        columns = _columns(job, moved.c.id, moved.c.last)
        self._insert = sa.insert(entry).from_select(list(columns), sa.select(*columns.values()))

    def write(self, connection: sa.Connection, values: Values) -> None:
        """Write a page's entries."""
        # The page ends at its last one, also when others have come before him since he was found: he must not fall out.
        connection.execute(self._insert, {**values, LIMIT.key: 2 * values[LIMIT.key]})


def _columns(
    job: ExpansionJob, who: sa.ColumnElement[int], place: sa.ColumnElement[int]
) -> dict[str, sa.ColumnElement[Any]]:
    mentions = job.spread.mentions
    return {
        "space_id": sa.literal(job.space, sa.BigInteger),
        "mailbox_id": who,
        "seq": place,
        "rev": place,
        "message_id": sa.literal(job.message, sa.BigInteger),
        "feed_id": sa.literal(job.spread.audience.feed, sa.BigInteger),
        "direction": ZERO,
        "mentioned": sa.case((who.in_(mentions), 1), else_=0) if mentions else ZERO,
        "severity": sa.literal(job.stored.severity),
        "created_at": NOW,
        "expires_at": NOW + ONLINE_MS if job.keep == "while_online" else ZERO,
    }


def _has_none(job: ExpansionJob) -> sa.ColumnElement[bool]:
    """The mailbox has no entry of the message by another audience."""
    has_one = sa.select(1).where(
        entry.c.space_id == job.space, entry.c.message_id == job.message, entry.c.mailbox_id == mailbox.c.id
    )
    # A scalar, not an anti-join: PostgreSQL would join a fresh message's entries without an index, for want of
    # statistics (seen: 1,300 people/s).
    return has_one.limit(1).scalar_subquery().is_(None)


def _moved_all(job: ExpansionJob, page: sa.Subquery) -> sa.Update:
    """Everybody of the page has got an entry."""
    return (
        sa.update(mailbox)
        .where(mailbox.c.space_id == job.space, mailbox.c.id.in_(sa.select(page.c.id)))
        .values(last=mailbox.c.last + 1, expires_at=_EXPIRES_AT)
    )


def _moved_written(job: ExpansionJob) -> sa.Update:
    return (
        sa.update(mailbox)
        .where(
            mailbox.c.space_id == job.space,
            mailbox.c.id == entry.c.mailbox_id,
            # Only what this page wrote stands one place beyond its mailbox's counter.
            entry.c.seq == mailbox.c.last + 1,
            entry.c.space_id == job.space,
            entry.c.message_id == job.message,
            entry.c.mailbox_id > AFTER,
            entry.c.mailbox_id <= LAST,
        )
        .values(last=entry.c.seq, expires_at=_EXPIRES_AT)
    )
