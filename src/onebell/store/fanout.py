"""Deliveries of one page of an expansion: addresses, deliveries, the people behind them, quiet hours, events."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import QuietHours
from onebell.core.policy import after_quiet
from onebell.core.work import ExpansionPlan, PartPlan
from onebell.ids import BLOCK, IdMint
from onebell.store.queueing import execute_many, inserted, inserter
from onebell.store.schema import delivery, person, recipient, target
from onebell.store.spread import People, addressed

_quiet = msgspec.json.Decoder(QuietHours | None).decode


def write_deliveries(connection: sa.Connection, plan: ExpansionPlan, people: People, mint: IdMint) -> bool:
    """Write one page's deliveries; an address gets a message once, however many people stand behind it."""
    wrote = [_Fan(connection, plan, part, people, mint).write() for part in plan.parts]
    return any(wrote)


class _Fan:
    """One part of one page."""

    def __init__(
        self,
        connection: sa.Connection,
        plan: ExpansionPlan,
        part: PartPlan,
        people: People,
        mint: IdMint,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._job = plan.job
        self._part = part
        self._people = people
        self._now = people.now_ms
        self._mint = mint
        self._first = 0

    def write(self) -> bool:
        """Everything; whether there is a new delivery."""
        self._targets()
        count = self._deliveries()
        self._recipients()
        if count and not self._job.spread.quiet_through:
            self._quieten()
        return count > 0

    def _found(self) -> sa.Subquery:
        """(person, account, code, value) of those who have an address."""
        every = addressed(self._plan, self._part, self._people.ids).subquery("every")
        return sa.select(every).where(every.c.value.is_not(None), every.c.value != "").subquery("found")

    def _targets(self) -> None:
        found = self._found()
        new = sa.select(found.c.account, found.c.value).distinct().where(~self._is_known(found)).subquery("new")
        number = sa.func.row_number().over(order_by=(new.c.account, new.c.value))
        rows = sa.select(
            sa.literal(self._job.space, sa.BigInteger),
            sa.literal(self._mint.block() - 1, sa.BigInteger) + number,
            new.c.account,
            new.c.value,
        ).where(sa.true())
        statement = inserter(self._connection, target).from_select(["space_id", "id", "account_id", "value"], rows)
        inserted(self._connection, statement.on_conflict_do_nothing(), self._people.place)

    def _is_known(self, found: sa.Subquery) -> sa.ColumnElement[bool]:
        same = (target.c.account_id == found.c.account, target.c.value == found.c.value)
        return sa.select(1).where(target.c.space_id == self._job.space, *same).exists()

    def _deliveries(self) -> int:
        job, found = self._job, self._found()
        places = (
            sa.select(
                found.c.account,
                found.c.value,
                sa.func.min(found.c.person).label("person"),
                sa.func.count().label("people"),
            )
            .group_by(found.c.account, found.c.value)
            .subquery("places")
        )
        self._first = self._mint.block()
        number = sa.func.row_number().over(order_by=target.c.id)
        big = sa.BigInteger
        values: dict[str, sa.ColumnElement[Any]] = {
            "space_id": sa.literal(job.space, big),
            "id": sa.literal(self._first - 1, big) + number,
            "message_id": sa.literal(job.message, big),
            "part": sa.literal(self._part.part),
            "account_id": places.c.account,
            "target_id": target.c.id,
            "person_id": sa.case((places.c.people == 1, places.c.person), else_=0),
            "priority": sa.literal(job.spread.priority),
            "due_at": sa.literal(max(job.due_at, self._now), big),
            "expires_at": sa.literal(job.expires_at, big),
            "created_at": sa.literal(self._now, big),
        }
        at = sa.and_(
            target.c.space_id == job.space, target.c.account_id == places.c.account, target.c.value == places.c.value
        )
        rows = sa.select(*values.values()).select_from(places.join(target, at)).where(~self._is_sent_already())
        return inserted(self._connection, sa.insert(delivery).from_select(list(values), rows), self._people.place)

    def _is_sent_already(self) -> sa.ColumnElement[bool]:
        """An earlier page has met somebody with the same address."""
        other = delivery.alias("other")
        same = (other.c.message_id == self._job.message, other.c.part == self._part.part)
        return sa.select(1).where(other.c.space_id == self._job.space, other.c.target_id == target.c.id, *same).exists()

    def _recipients(self) -> None:
        """Everybody behind an address that several share, also when an earlier page met the first of them."""
        job, found = self._job, self._found()
        at = sa.and_(
            target.c.space_id == job.space, target.c.account_id == found.c.account, target.c.value == found.c.value
        )
        sent = sa.and_(
            delivery.c.space_id == job.space,
            delivery.c.target_id == target.c.id,
            delivery.c.message_id == job.message,
            delivery.c.part == self._part.part,
        )
        shared = (
            sa.select(delivery.c.space_id, delivery.c.id, found.c.person)
            .select_from(found.join(target, at).join(delivery, sent))
            .where(delivery.c.person_id != found.c.person)
        )
        columns = ["space_id", "delivery_id", "person_id"]
        insert = inserter(self._connection, recipient).from_select(columns, shared).on_conflict_do_nothing()
        if inserted(self._connection, insert, self._people.place) == 0:
            return
        alone = sa.select(delivery.c.space_id, delivery.c.id, delivery.c.person_id).select_from(
            found.join(target, at).join(delivery, sent)
        )
        alone = alone.where(delivery.c.person_id != 0, delivery.c.person_id != found.c.person)
        first = inserter(self._connection, recipient).from_select(columns, alone).on_conflict_do_nothing()
        if inserted(self._connection, first, self._people.place) > 0:
            ids = sa.select(alone.subquery().c.id)
            self._connection.execute(
                sa.update(delivery).where(delivery.c.space_id == job.space, delivery.c.id.in_(ids)).values(person_id=0),
                self._people.place,
            )

    def _own(self) -> tuple[sa.ColumnElement[bool], ...]:
        """The deliveries that this page made: their ids are one block."""
        return (
            delivery.c.space_id == self._job.space,
            delivery.c.id >= self._first,
            delivery.c.id < self._first + BLOCK,
        )

    def _quieten(self) -> None:
        """Move the deliveries of people who want quiet now to the end of it."""
        rows = self._connection.execute(
            sa.select(delivery.c.id, delivery.c.due_at, person.c.quiet_hours)
            .join(person, sa.and_(person.c.space_id == delivery.c.space_id, person.c.id == delivery.c.person_id))
            .where(*self._own(), person.c.quiet_hours.is_not(None))
        ).all()
        later: list[dict[str, int]] = []
        for row in rows:
            quiet = _quiet(row.quiet_hours)
            due = row.due_at if quiet is None else after_quiet(quiet, self._job.severity, row.due_at)
            if due > row.due_at:
                later.append({"d": row.id, "due": due})
        statement = (
            sa.update(delivery)
            .where(delivery.c.space_id == self._job.space, delivery.c.id == sa.bindparam("d"))
            .values(due_at=sa.bindparam("due"))
        )
        execute_many(self._connection, statement, later)
