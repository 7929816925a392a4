"""Receipts: what providers say later about messages they took."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.events import EventKind
from onebell.core.work import LEASE_MS, EventDraft, PollJob, ReceiptFact, TakenDelivery, words
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.outcomes import bury
from onebell.store.queueing import ZERO, execute_many, keys_in
from onebell.store.schema import delivery, event, message, receipt, target


class Receipts:
    """Verbs on receipts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim_polls(self, now_ms: int, limit: int) -> tuple[PollJob, ...]:
        """Deliveries whose provider is to be asked now; nobody else asks before the lease ends."""
        return await self._db.write(lambda connection: _claim(connection, now_ms, limit))

    async def next_poll(self) -> int | None:
        """When the earliest poll is due, in ms."""
        earliest = sa.select(sa.func.min(delivery.c.poll_at)).where(delivery.c.poll_at > ZERO)
        return await self._db.read(lambda connection: connection.scalar(earliest))

    async def poll_again(self, jobs: Sequence[tuple[PollJob, int]]) -> None:
        """Ask again then (ms); 0 = never."""
        await self._db.write(lambda connection: _poll_again(connection, jobs))

    async def apply(self, facts: Sequence[ReceiptFact], now_ms: int, mint: IdMint) -> bool:
        """Store what providers said, with its events; states never go backwards. Whether events wait to be packed."""
        return await self._db.write(lambda connection: _apply(connection, facts, now_ms, mint))

    async def taken(self, space: int, message_id: int, after: int, limit: int) -> tuple[TakenDelivery, ...]:
        """Deliveries of a message that a provider has taken and nobody has taken back yet, in order of their ids."""
        return await self._db.read(lambda connection: _taken(connection, space, message_id, after, limit))

    async def tell(self, drafts: Sequence[EventDraft], mint: IdMint) -> None:
        """Write events that belong to no other change."""
        await self._db.write(lambda connection: write_events(connection, drafts, mint))


def _claim(connection: sa.Connection, now_ms: int, limit: int) -> tuple[PollJob, ...]:
    rows = connection.execute(
        sa.select(
            delivery.c.space_id,
            delivery.c.id,
            delivery.c.account_id,
            delivery.c.provider_ref,
            delivery.c.closed_at,
        )
        .where(delivery.c.poll_at > ZERO, delivery.c.poll_at <= now_ms)
        .order_by(delivery.c.poll_at, delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection.execute(
            sa.update(delivery)
            .where(keys_in(delivery, [(row.space_id, row.id) for row in rows]))
            .values(poll_at=now_ms + LEASE_MS)
        )
    return tuple(
        PollJob(
            space=row.space_id,
            id=row.id,
            account=row.account_id,
            provider_ref=row.provider_ref,
            sent_at=row.closed_at,
        )
        for row in rows
    )


def _poll_again(connection: sa.Connection, jobs: Sequence[tuple[PollJob, int]]) -> None:
    # A receipt that came meanwhile has ended the polling.
    waits = (delivery.c.space_id == sa.bindparam("s"), delivery.c.id == sa.bindparam("d"), delivery.c.poll_at > ZERO)
    execute_many(
        connection,
        sa.update(delivery).where(*waits).values(poll_at=sa.bindparam("at")),
        [{"s": job.space, "d": job.id, "at": at} for job, at in jobs],
    )


def _apply(connection: sa.Connection, facts: Sequence[ReceiptFact], now_ms: int, mint: IdMint) -> bool:
    rows = _receivers(connection, facts)
    drafts: list[EventDraft] = []
    for fact in facts:
        for row in rows.get((fact.space, fact.account, fact.provider_ref), ()):
            if fact.address in {"", row.value}:
                drafts += _one(connection, fact, row, now_ms)
    write_events(connection, drafts, mint)
    return any(draft.watched for draft in drafts)


def _receivers(connection: sa.Connection, facts: Sequence[ReceiptFact]) -> dict[tuple[int, int, str], list[Any]]:
    refs: dict[tuple[int, int], set[str]] = {}
    for fact in facts:
        refs.setdefault((fact.space, fact.account), set()).add(fact.provider_ref)
    told = [
        sa.and_(receipt.c.space_id == space, receipt.c.account_id == account, receipt.c.provider_ref.in_(sorted(own)))
        for (space, account), own in sorted(refs.items())
    ]
    rows = connection.execute(
        sa.select(
            delivery.c.space_id,
            delivery.c.id,
            delivery.c.account_id,
            delivery.c.message_id,
            delivery.c.target_id,
            delivery.c.person_id,
            delivery.c.state,
            receipt.c.provider_ref,
            receipt.c.state.label("said"),
            target.c.value,
            message.c.dialect,
            message.c.watched,
        )
        .join(receipt, sa.and_(receipt.c.space_id == delivery.c.space_id, receipt.c.delivery_id == delivery.c.id))
        .join(target, sa.and_(target.c.space_id == delivery.c.space_id, target.c.id == delivery.c.target_id))
        .join(message, sa.and_(message.c.space_id == delivery.c.space_id, message.c.id == delivery.c.message_id))
        .where(sa.or_(*told))
        .order_by(delivery.c.space_id, delivery.c.id)
        .with_for_update(of=delivery)
    )
    found: dict[tuple[int, int, str], list[Any]] = {}
    for row in rows:
        found.setdefault((row.space_id, row.account_id, row.provider_ref), []).append(row)
    return found


def _one(connection: sa.Connection, fact: ReceiptFact, row: Any, now_ms: int) -> list[EventDraft]:
    if fact.target_is_dead:
        bury(connection, [(row.space_id, row.target_id, fact.why)], now_ms)
    kinds = _news(fact.state, row.state, row.said)
    if not kinds:
        return []
    values: dict[str, Any] = {"poll_at": 0}
    if EventKind.DELIVERED in kinds:
        values["state"] = "delivered"
    elif EventKind.UNDELIVERED in kinds:
        values |= {"state": "undelivered", "why": words(fact.why), "code": fact.code}
    of_delivery = (delivery.c.space_id == row.space_id, delivery.c.id == row.id)
    connection.execute(sa.update(delivery).where(*of_delivery).values(**values))
    own = (receipt.c.space_id == row.space_id, receipt.c.account_id == row.account_id)
    one = (receipt.c.provider_ref == row.provider_ref, receipt.c.delivery_id == row.id)
    connection.execute(sa.update(receipt).where(*own, *one).values(state=fact.state, at=now_ms))
    return [_event(fact, row, kind, now_ms) for kind in kinds]


def _news(said: str, state: str, said_before: str) -> tuple[EventKind, ...]:
    """What a receipt makes true that was not before."""
    is_open = state in {"sent", "undelivered"}
    if said == "clicked" and said_before != "clicked" and state in {"sent", "undelivered", "delivered"}:
        # Who opened it has got it, whatever the provider forgot to say.
        return (EventKind.DELIVERED, EventKind.CLICKED) if is_open else (EventKind.CLICKED,)
    if said == "delivered" and is_open:
        return (EventKind.DELIVERED,)
    if said == "undelivered" and state == "sent":
        return (EventKind.UNDELIVERED,)
    return ()


def _event(fact: ReceiptFact, row: Any, kind: EventKind, now_ms: int) -> EventDraft:
    data = {"code": fact.code, "message": words(fact.why)} if kind is EventKind.UNDELIVERED else {}
    return EventDraft(
        space=row.space_id,
        dialect=row.dialect,
        message=row.message_id,
        delivery=row.id,
        person=row.person_id,
        kind=kind.value,
        at=now_ms,
        data=data,
        watched=bool(row.watched),
    )


def _taken(connection: sa.Connection, space: int, message_id: int, after: int, limit: int) -> tuple[TakenDelivery, ...]:
    told = sa.select(1).where(
        event.c.space_id == space,
        event.c.message_id == message_id,
        event.c.delivery_id == delivery.c.id,
        event.c.kind.in_((EventKind.RECALLED.value, EventKind.NOT_RECALLED.value)),
    )
    rows = connection.execute(
        sa.select(delivery.c.id, delivery.c.account_id, delivery.c.person_id, delivery.c.provider_ref)
        .where(
            delivery.c.space_id == space,
            delivery.c.message_id == message_id,
            delivery.c.state.in_(("sent", "delivered")),
            delivery.c.provider_ref != "",
            delivery.c.id > after,
            ~told.exists(),
        )
        .order_by(delivery.c.id)
        .limit(limit)
    )
    return tuple(
        TakenDelivery(
            space=space, id=row.id, account=row.account_id, person=row.person_id, provider_ref=row.provider_ref
        )
        for row in rows
    )
