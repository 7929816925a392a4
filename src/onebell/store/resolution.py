"""Events of one page of an expansion: whom it found on the carriers that the message names, and whom it missed."""

from typing import Any

import sqlalchemy as sa

from onebell.core.events import EventKind
from onebell.core.work import ExpansionPlan, PartPlan
from onebell.ids import IdMint
from onebell.store.schema import event, person
from onebell.store.spread import Ids, People, addressed

_Rows = sa.Select[Any]


def write_resolution(connection: sa.Connection, plan: ExpansionPlan, people: People, mint: IdMint) -> None:
    """One event per person and carrier, however many parts go over it."""
    accounts = tuple({account for part in plan.parts for account in part.accounts})
    told: list[tuple[EventKind, _Rows]] = []
    if plan.names_inbox:
        told.append((EventKind.RESOLVED, _in_inbox(people.ids)))
    if accounts:
        every = addressed(plan, PartPlan(part=0, accounts=accounts), people.ids).subquery("every")
        told += [(EventKind.RESOLVED, _found(every)), (EventKind.UNRESOLVED, _missed(every, plan.job.space))]
    for kind, rows in told:
        connection.execute(_events(connection, plan, kind, rows, people.now_ms, mint.block()), people.place)


def _in_inbox(people: Ids) -> _Rows:
    page = people.subquery("page")
    return sa.select(page.c.id.label("person"), sa.literal('{"carrier":"inbox"}', sa.Text).label("data"))


def _found(every: sa.Subquery) -> _Rows:
    data = sa.literal('{"carrier":"', sa.Text) + every.c.code + '"}'
    return sa.select(every.c.person, data.label("data")).where(sa.func.coalesce(every.c.value, "") != "")


def _missed(every: sa.Subquery, space: int) -> _Rows:
    # Neither a uid nor a carrier's code can hold what JSON would have to escape (ids.UID).
    data = (
        sa.literal('{"uid":"', sa.Text)
        + sa.func.coalesce(person.c.uid, "")
        + '","carrier":"'
        + every.c.code
        + '","code":0,"message":"no address on '
        + every.c.code
        + '"}'
    )
    who = sa.and_(person.c.space_id == space, person.c.id == every.c.person)
    return (
        sa.select(every.c.person, data.label("data"))
        .select_from(every.outerjoin(person, who))
        .where(sa.func.coalesce(every.c.value, "") == "")
    )


def _events(
    connection: sa.Connection, plan: ExpansionPlan, kind: EventKind, rows: _Rows, now_ms: int, first: int
) -> sa.Insert:
    told = rows.subquery("told")
    is_postgres = connection.dialect.name == "postgresql"
    big = sa.BigInteger
    values: dict[str, sa.ColumnElement[Any]] = {
        "space_id": sa.literal(plan.job.space, big),
        "id": sa.literal(first - 1, big) + sa.func.row_number().over(order_by=(told.c.person, told.c.data)),
        "dialect": sa.literal(plan.job.stored.dialect),
        "message_id": sa.literal(plan.job.message, big),
        "person_id": told.c.person,
        "kind": sa.literal(kind.value),
        "data": sa.func.convert_to(told.c.data, "UTF8") if is_postgres else sa.cast(told.c.data, sa.LargeBinary),
        "packed": sa.literal(0),
        "created_at": sa.literal(now_ms, big),
    }
    selected = sa.select(*values.values()).select_from(told)
    return sa.insert(event).from_select(list(values), selected)
