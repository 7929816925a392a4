"""Storing what became of jobs: one transaction for the delivery, its attempt, its events and the message's end."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.events import EventKind
from onebell.core.work import TAKE_BACK, Closed, EventDraft, PlanDraft, Result, words
from onebell.ids import IdMint
from onebell.store.events import write_events
from onebell.store.messages import finish
from onebell.store.plans import write_plans
from onebell.store.queueing import execute_many, inserter, keys_in
from onebell.store.schema import (
    attempt,
    audit,
    carrier_account,
    carrier_pause,
    delivery,
    message,
    receipt,
    space,
    target,
)

_EVENTS = {"sent": EventKind.SENT, "failed": EventKind.FAILED, "expired": EventKind.EXPIRED}


def write_results(connection: sa.Connection, results: Sequence[Result], now_ms: int, mint: IdMint) -> Closed:
    """Store results; those of jobs that were taken over meanwhile only end their attempt."""
    now = _as_they_are(connection, results)
    held = [result for result in results if _counts(result, now.get((result.job.space, result.job.id)))]
    _take_back_late(connection, results, now, now_ms, mint)
    _end_attempts(connection, results, now_ms)
    _uncount(connection, held)
    _write_deliveries(connection, held, now_ms)
    _write_receipts(connection, held, now_ms)
    _bury_targets(connection, results, now_ms)
    _pause(connection, results)
    _stop_accounts(connection, results, now_ms, mint)
    closing = [result for result in held if result.state in _EVENTS]
    drafts = _events(connection, closing, now_ms)
    write_events(connection, drafts, mint)
    finished = finish(connection, ((result.job.space, result.job.message) for result in closing), now_ms, mint)
    return Closed(finished=finished, watched=any(draft.watched for draft in drafts))


def _as_they_are(connection: sa.Connection, results: Sequence[Result]) -> dict[tuple[int, int], Any]:
    keys = sorted((result.job.space, result.job.id) for result in results)
    rows = connection.execute(
        sa.select(delivery.c.space_id, delivery.c.id, delivery.c.state, delivery.c.attempts)
        .where(keys_in(delivery, keys))
        .order_by(delivery.c.space_id, delivery.c.id)
        .with_for_update()
    )
    return {(row.space_id, row.id): row for row in rows}


def _counts(result: Result, row: Any) -> bool:
    """A late result counts when it ends the matter: who took the delivery over need not send it once more."""
    if row is None or row.state != "due":
        return False
    return bool(row.attempts == result.job.attempt or result.state == "sent")


def _take_back_late(
    connection: sa.Connection, results: Sequence[Result], rows: dict[tuple[int, int], Any], now_ms: int, mint: IdMint
) -> None:
    """What a provider took while its message was recalled is asked back as well: it came after those that were."""
    late = [
        result
        for result in results
        if result.provider_ref and (row := rows.get((result.job.space, result.job.id))) and row.state == "cancelled"
    ]
    if not late:
        return
    messages = sorted({(result.job.space, result.job.message) for result in late})
    recalled = connection.execute(
        sa.select(message.c.space_id, message.c.id).where(keys_in(message, messages), message.c.state == "recalled")
    )
    gone = {(row.space_id, row.id) for row in recalled}
    taken = [result for result in late if (result.job.space, result.job.message) in gone]
    execute_many(
        connection,
        sa.update(delivery)
        .where(delivery.c.space_id == sa.bindparam("s"), delivery.c.id == sa.bindparam("d"))
        .values(state="sent", provider_ref=sa.bindparam("r")),
        [{"s": one.job.space, "d": one.job.id, "r": words(one.provider_ref)} for one in taken],
    )
    # Its entries are marked: that was the first step.
    timers = [
        PlanDraft(space=space, kind=TAKE_BACK, message=one, next_at=now_ms, step=1) for space, one in sorted(gone)
    ]
    write_plans(connection, timers, mint)


def _end_attempts(connection: sa.Connection, results: Sequence[Result], now_ms: int) -> None:
    execute_many(
        connection,
        sa.update(attempt)
        .where(
            attempt.c.space_id == sa.bindparam("s"),
            attempt.c.delivery_id == sa.bindparam("d"),
            attempt.c.no == sa.bindparam("n"),
        )
        .values(ended_at=now_ms, outcome=sa.bindparam("o"), why=sa.bindparam("w"), provider_ref=sa.bindparam("r")),
        [
            {
                "s": result.job.space,
                "d": result.job.id,
                "n": result.job.attempt,
                "o": result.outcome,
                "w": words(result.why),
                "r": words(result.provider_ref),
            }
            for result in results
        ],
    )


def _uncount(connection: sa.Connection, held: Sequence[Result]) -> None:
    """To be told "too fast" is no try: it must not lengthen the back-off. The pause and the reason remain."""
    jobs = [result.job for result in held if result.outcome == "throttled"]
    execute_many(
        connection,
        sa.delete(attempt).where(
            attempt.c.space_id == sa.bindparam("s"),
            attempt.c.delivery_id == sa.bindparam("d"),
            attempt.c.no == sa.bindparam("n"),
        ),
        [{"s": job.space, "d": job.id, "n": job.attempt} for job in jobs],
    )


def _write_deliveries(connection: sa.Connection, held: Sequence[Result], now_ms: int) -> None:
    execute_many(
        connection,
        sa.update(delivery)
        .where(delivery.c.space_id == sa.bindparam("s"), delivery.c.id == sa.bindparam("d"))
        .values(
            state=sa.bindparam("new_state"),
            why=sa.bindparam("w"),
            code=sa.bindparam("c"),
            provider_ref=sa.bindparam("r"),
            due_at=sa.bindparam("due"),
            expires_at=sa.bindparam("end"),
            poll_at=sa.bindparam("poll"),
            closed_at=sa.bindparam("closed"),
            attempts=delivery.c.attempts - sa.bindparam("uncounted"),
            lease_until=0,
        ),
        [
            {
                "s": result.job.space,
                "d": result.job.id,
                "new_state": result.state,
                "w": words(result.why),
                "c": result.code,
                "r": words(result.provider_ref),
                "due": result.due_at or result.job.was_due_at,
                "end": result.expires_at or result.job.expires_at,
                "poll": result.poll_at,
                "uncounted": 1 if result.outcome == "throttled" else 0,
                "closed": 0 if result.state == "due" else now_ms,
            }
            for result in held
        ],
    )


def _write_receipts(connection: sa.Connection, held: Sequence[Result], now_ms: int) -> None:
    rows = [
        {
            "space_id": result.job.space,
            "account_id": result.job.account,
            "provider_ref": words(result.provider_ref),
            "delivery_id": result.job.id,
            "state": "pending",
            "at": now_ms,
        }
        for result in held
        if result.expects_receipt and result.provider_ref
    ]
    if rows:
        connection.execute(inserter(connection.dialect.name, receipt).on_conflict_do_nothing(), rows)


def bury(connection: sa.Connection, dead: Sequence[tuple[int, int, str]], now_ms: int) -> None:
    """Mark targets (space, target, why) as dead: no message goes there any more."""
    execute_many(
        connection,
        sa.update(target)
        .where(target.c.space_id == sa.bindparam("s"), target.c.id == sa.bindparam("t"), target.c.dead_at == 0)
        .values(dead_at=now_ms, dead_why=sa.bindparam("w")),
        [{"s": space_id, "t": target_id, "w": words(why)} for space_id, target_id, why in sorted(dead)],
    )


def _bury_targets(connection: sa.Connection, results: Sequence[Result], now_ms: int) -> None:
    dead = [(result.job.space, result.job.target, result.why) for result in results if result.target_is_dead]
    bury(connection, dead, now_ms)


def _pause(connection: sa.Connection, results: Sequence[Result]) -> None:
    asked = sorted((result.pause for result in results if result.pause is not None), key=lambda pause: pause.until)
    pauses = {(pause.space, pause.account, pause.target): pause for pause in asked}  # the last to end
    statement = inserter(connection.dialect.name, carrier_pause)
    # A shorter pause that comes later never cuts a longer one.
    statement = statement.on_conflict_do_update(
        index_elements=["space_id", "account_id", "target_id"],
        set_={"until": statement.excluded.until, "why": statement.excluded.why},
        where=carrier_pause.c.until < statement.excluded.until,
    )
    for key in sorted(pauses):
        row = msgspec.structs.asdict(pauses[key])
        connection.execute(
            statement.values(
                space_id=row["space"],
                account_id=row["account"],
                target_id=row["target"],
                until=row["until"],
                why=words(row["why"]),
            )
        )


def _stop_accounts(connection: sa.Connection, results: Sequence[Result], now_ms: int, mint: IdMint) -> None:
    stopped = {(result.job.space, result.job.account): result.why for result in results if result.stops_account}
    for (space_id, account), why in sorted(stopped.items()):
        changed = connection.execute(
            sa.update(carrier_account)
            .where(
                carrier_account.c.space_id == space_id,
                carrier_account.c.id == account,
                carrier_account.c.stopped_why == "",
            )
            .values(stopped_why=words(why) or "refused", updated_at=now_ms)
        )
        if changed.rowcount == 0:
            continue
        connection.execute(
            sa.update(space).where(space.c.id == space_id).values(config_version=space.c.config_version + 1)
        )
        connection.execute(
            sa.insert(audit).values(
                space_id=space_id,
                id=mint.mint(),
                who="system",
                what="carrier_stopped",
                object=f"carrier/{account}",
                detail=msgspec.json.encode({"why": words(why)}),
                created_at=now_ms,
            )
        )


def _events(connection: sa.Connection, closing: Sequence[Result], now_ms: int) -> list[EventDraft]:
    if not closing:
        return []
    keys = {(result.job.space, result.job.message) for result in closing}
    rows = connection.execute(
        sa.select(message.c.space_id, message.c.id, message.c.dialect, message.c.watched).where(
            keys_in(message, sorted(keys))
        )
    )
    facts = {(row.space_id, row.id): row for row in rows}
    return [
        _event(result, facts[(result.job.space, result.job.message)], now_ms)
        for result in closing
        if (result.job.space, result.job.message) in facts
    ]


def _event(result: Result, facts: Any, now_ms: int) -> EventDraft:
    kind = _EVENTS[result.state]
    data: dict[str, Any] = {} if kind is EventKind.SENT else {"code": result.code, "message": words(result.why)}
    return EventDraft(
        space=result.job.space,
        dialect=facts.dialect,
        message=result.job.message,
        delivery=result.job.id,
        person=result.job.person,
        kind=kind.value,
        at=now_ms,
        data=data,
        watched=bool(facts.watched),
    )
