"""Deliveries of one page of an expansion: addresses, deliveries, the people behind them, quiet hours, events."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import QuietHours
from onebell.core.model import Severity
from onebell.core.policy import after_quiet
from onebell.core.work import ExpansionPlan, PartPlan
from onebell.ids import BLOCK, IdMint
from onebell.store.queueing import execute_many, inserted, inserter
from onebell.store.schema import delivery, person, recipient, target
from onebell.store.spread import Ids, People, addressed

_quiet = msgspec.json.Decoder(QuietHours | None).decode


class Fan:
    """The statements of one part of one expansion, made once: making them took more time than running them."""

    def __init__(self, kind: str, plan: ExpansionPlan, part: PartPlan, people: Ids) -> None:
        """``kind`` is the engine's."""
        self._job = plan.job
        self._part = part
        every = addressed(plan, part, people).subquery("every")
        self._found = sa.select(every).where(every.c.value.is_not(None), every.c.value != "").subquery("found")
        self._any = sa.select(self._found.c.person).limit(1)
        self._targets = self._new_targets(kind)
        self._deliveries = self._new_deliveries()
        at = sa.and_(
            target.c.space_id == self._job.space,
            target.c.account_id == self._found.c.account,
            target.c.value == self._found.c.value,
        )
        self._sent_to = self._found.join(target, at).join(delivery, self._sent())
        self._shared = self._behind(kind, self._found.c.person, delivery.c.person_id != self._found.c.person)
        self._firsts = self._behind(kind, delivery.c.person_id, *self._is_other())
        self._unnamed = self._without_person()

    def write(self, connection: sa.Connection, people: People, mint: IdMint) -> bool:
        """One page's deliveries; an address gets a message once, however many people stand behind it.

        Returns:
            Whether there is a new delivery.
        """
        if connection.scalar(self._any, people.place) is None:
            return False
        first = mint.block()
        values = {
            **people.place,
            "p_target_before": mint.block() - 1,
            "p_delivery_before": first - 1,
            "p_due": max(self._job.due_at, people.now_ms),
            "p_created": people.now_ms,
        }
        inserted(connection, self._targets, values)
        count = inserted(connection, self._deliveries, values)
        # Everybody behind an address that several share, also when an earlier page met the first of them.
        if inserted(connection, self._shared, values) and inserted(connection, self._firsts, values):
            connection.execute(self._unnamed, values)
        if count and not self._job.spread.quiet_through:
            self._quieten(connection, first)
        return count > 0

    def _new_targets(self, kind: str) -> sa.Insert:
        found = self._found
        known = sa.select(1).where(
            target.c.space_id == self._job.space,
            target.c.account_id == found.c.account,
            target.c.value == found.c.value,
        )
        new = sa.select(found.c.account, found.c.value).distinct().where(~known.exists()).subquery("new")
        number = sa.func.row_number().over(order_by=(new.c.account, new.c.value))
        rows = sa.select(
            sa.literal(self._job.space, sa.BigInteger),
            sa.bindparam("p_target_before", type_=sa.BigInteger) + number,
            new.c.account,
            new.c.value,
        ).where(sa.true())
        insert = inserter(kind, target).from_select(["space_id", "id", "account_id", "value"], rows)
        return insert.on_conflict_do_nothing()

    def _new_deliveries(self) -> sa.Insert:
        job, found = self._job, self._found
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
        big = sa.BigInteger
        number = sa.func.row_number().over(order_by=target.c.id)
        values: dict[str, sa.ColumnElement[Any]] = {
            "space_id": sa.literal(job.space, big),
            "id": sa.bindparam("p_delivery_before", type_=big) + number,
            "message_id": sa.literal(job.message, big),
            "part": sa.literal(self._part.part),
            "account_id": places.c.account,
            "target_id": target.c.id,
            "person_id": sa.case((places.c.people == 1, places.c.person), else_=0),
            "priority": sa.literal(job.spread.priority),
            "due_at": sa.bindparam("p_due", type_=big),
            "expires_at": sa.literal(job.stored.expires_ms, big),
            "created_at": sa.bindparam("p_created", type_=big),
        }
        at = sa.and_(
            target.c.space_id == job.space, target.c.account_id == places.c.account, target.c.value == places.c.value
        )
        rows = sa.select(*values.values()).select_from(places.join(target, at)).where(~self._is_sent_already())
        return sa.insert(delivery).from_select(list(values), rows)

    def _is_sent_already(self) -> sa.ColumnElement[bool]:
        """An earlier page has met somebody with the same address."""
        other = delivery.alias("other")
        same = (other.c.message_id == self._job.message, other.c.part == self._part.part)
        return sa.select(1).where(other.c.space_id == self._job.space, other.c.target_id == target.c.id, *same).exists()

    def _sent(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            delivery.c.space_id == self._job.space,
            delivery.c.target_id == target.c.id,
            delivery.c.message_id == self._job.message,
            delivery.c.part == self._part.part,
        )

    def _is_other(self) -> tuple[sa.ColumnElement[bool], ...]:
        return delivery.c.person_id != 0, delivery.c.person_id != self._found.c.person

    def _behind(self, kind: str, who: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.Insert:
        """Rows of ``recipient`` for people behind a shared address."""
        rows = sa.select(delivery.c.space_id, delivery.c.id, who).select_from(self._sent_to).where(*where)
        insert = inserter(kind, recipient).from_select(["space_id", "delivery_id", "person_id"], rows)
        return insert.on_conflict_do_nothing()

    def _without_person(self) -> sa.Update:
        """A delivery to several is nobody's alone."""
        ids = sa.select(delivery.c.id).select_from(self._sent_to).where(*self._is_other())
        own = (delivery.c.space_id == self._job.space, delivery.c.id.in_(ids))
        return sa.update(delivery).where(*own).values(person_id=0)

    def _quieten(self, connection: sa.Connection, first: int) -> None:
        """Move the deliveries of people who want quiet now to the end of it; a page's ids are one block."""
        rows = connection.execute(
            sa.select(delivery.c.id, delivery.c.due_at, person.c.quiet_hours)
            .join(person, sa.and_(person.c.space_id == delivery.c.space_id, person.c.id == delivery.c.person_id))
            .where(delivery.c.space_id == self._job.space, delivery.c.id >= first, delivery.c.id < first + BLOCK)
            .where(person.c.quiet_hours.is_not(None))
        ).all()
        later: list[dict[str, int]] = []
        for row in rows:
            quiet = _quiet(row.quiet_hours)
            due = row.due_at if quiet is None else after_quiet(quiet, Severity(self._job.stored.severity), row.due_at)
            if due > row.due_at:
                later.append({"d": row.id, "due": due})
        statement = (
            sa.update(delivery)
            .where(delivery.c.space_id == self._job.space, delivery.c.id == sa.bindparam("d"))
            .values(due_at=sa.bindparam("due"))
        )
        execute_many(connection, statement, later)
