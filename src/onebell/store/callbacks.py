"""Callbacks: events that wait to be packed, requests that wait to be sent, and what receivers said."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.events import Event, EventKind
from onebell.core.model import CallbackTarget
from onebell.core.work import LEASE_MS, CallbackDraft, CallbackJob, CallbackResult, EventDraft, words
from onebell.errors import Conflict, NotFound
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.packed import pack, unpack_object
from onebell.store.queueing import DUE, ZERO, execute_many, inserter, keys_in
from onebell.store.schema import callback, carrier_account, delivery, event, message, setting, target

SECRETS = "callbacks.secrets"
"""Setting of a space: its signing secrets, sealed."""

_target = msgspec.json.Decoder(CallbackTarget | None).decode
_NOBODY = CallbackTarget()


class Callbacks:
    """Verbs on callbacks."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def waiting(self, dialect: str, limit: int) -> tuple[Event, ...]:
        """The oldest events of a dialect that are not packed yet, with what a packer needs of their messages."""
        return await self._db.read(lambda connection: _waiting(connection, dialect, limit))

    async def store(
        self, events: Sequence[tuple[int, int]], drafts: Sequence[CallbackDraft], now_ms: int, mint: IdMint
    ) -> None:
        """Store callbacks and mark the events (space, id) they were made of, and those nobody wanted, as packed.

        Raises:
            Conflict: another node has packed one of them; nothing was stored.
        """
        await self._db.write(lambda connection: _store(connection, events, drafts, now_ms, mint))

    async def announce(self, draft: EventDraft, mint: IdMint) -> None:
        """Store an event of no message."""
        await self._db.write(lambda connection: write_events(connection, [draft], mint))

    async def claim_due(self, now_ms: int, node: int, limit: int) -> tuple[CallbackJob, ...]:
        """Take callbacks that are due; of those with one order key only the first. The lease is committed before."""
        return await self._db.write(lambda connection: _claim(connection, now_ms, node, limit))

    async def close(self, results: Sequence[CallbackResult], now_ms: int) -> None:
        """Store what became of tries."""
        await self._db.write(lambda connection: _close(connection, results, now_ms))

    async def give_back(self, jobs: Sequence[CallbackJob], due_at: int) -> None:
        """Return jobs whose request never went out."""
        await self._db.write(lambda connection: _give_back(connection, jobs, due_at))

    async def next_due(self) -> int | None:
        """When the earliest open callback is due, in ms."""
        earliest = sa.select(sa.func.min(callback.c.due_at)).where(callback.c.state == DUE)
        return await self._db.read(lambda connection: connection.scalar(earliest))

    async def replay(self, space: int, callback_id: int, now_ms: int) -> None:
        """Send a closed or parked callback again, with its schedule from the start and the same webhook-id.

        Raises:
            NotFound: there is none, or it is still open.
        """
        if not await self._db.write(lambda connection: _replay(connection, space, callback_id, now_ms)):
            raise NotFound("no closed callback with this id")

    async def cancel(self, space: int, callback_id: int, now_ms: int) -> None:
        """Give an open callback up.

        Raises:
            NotFound: there is none, or it is closed.
        """
        statement = (
            sa.update(callback)
            .where(callback.c.space_id == space, callback.c.id == callback_id, callback.c.state == DUE)
            .values(state="cancelled", closed_at=now_ms)
        )
        if await self._db.write(lambda connection: connection.execute(statement).rowcount) == 0:
            raise NotFound("no open callback with this id")

    async def secrets(self, space: int) -> bytes | None:
        """The space's sealed signing secrets; ``None`` before the first."""
        wanted = sa.select(setting.c.value).where(setting.c.space_id == space, setting.c.key == SECRETS)
        return await self._db.read(lambda connection: connection.scalar(wanted))

    async def keep_secrets(self, space: int, sealed: bytes) -> None:
        """Store the first signing secrets; those of a node that was quicker stay."""
        row = {"space_id": space, "key": SECRETS, "value": sealed}
        await self._db.write(
            lambda c: c.execute(inserter(c.dialect.name, setting).values(row).on_conflict_do_nothing())
        )


def _waiting(connection: sa.Connection, dialect: str, limit: int) -> tuple[Event, ...]:
    rows = connection.execute(
        sa.select(
            event,
            message.c.public_id,
            message.c.sender,
            message.c.extra,
            message.c.callback,
            carrier_account.c.kind.label("account_kind"),
            carrier_account.c.code.label("account_code"),
            target.c.value.label("target"),
        )
        .outerjoin(message, _same(event.c.message_id, message))
        .outerjoin(delivery, _same(event.c.delivery_id, delivery))
        .outerjoin(
            carrier_account,
            sa.and_(carrier_account.c.space_id == event.c.space_id, carrier_account.c.id == delivery.c.account_id),
        )
        .outerjoin(target, sa.and_(target.c.space_id == event.c.space_id, target.c.id == delivery.c.target_id))
        .where(event.c.packed == ZERO, event.c.dialect == dialect)
        .order_by(event.c.id)
        .limit(limit)
    )
    return tuple(_event(row) for row in rows)


def _same(which: sa.Column[int], table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.space_id == event.c.space_id, table.c.id == which)


def _event(row: Any) -> Event:
    wanted = (_target(row.callback) if row.callback else None) or _NOBODY
    return Event(
        id=row.id,
        space=row.space_id,
        dialect=row.dialect,
        message=row.message_id,
        public_id=row.public_id or "",
        delivery=row.delivery_id,
        person=row.person_id,
        kind=EventKind(row.kind),
        data=unpack_object(row.data),
        at=row.created_at,
        extra=unpack_object(row.extra),
        callback_url=wanted.url,
        callback_params=wanted.params,
        account_kind=row.account_kind or "",
        account_code=row.account_code or "",
        target=row.target or "",
        sender=row.sender or 0,
    )


def _store(
    connection: sa.Connection,
    events: Sequence[tuple[int, int]],
    drafts: Sequence[CallbackDraft],
    now_ms: int,
    mint: IdMint,
) -> None:
    marked = connection.execute(
        sa.update(event).where(keys_in(event, sorted(events)), event.c.packed == ZERO).values(packed=1)
    )
    if marked.rowcount != len(events):
        raise Conflict("another node has packed these events")
    _stay_ahead(connection, drafts, mint)
    rows = [
        {
            "space_id": draft.space,
            "id": mint.mint(),
            "dialect": draft.dialect,
            "kind": draft.kind,
            "order_key": draft.order_key,
            "message_id": draft.message,
            "url": draft.url,
            "verified": 1 if draft.verified else 0,
            "request": draft.request,
            "timeout_s": draft.timeout_s,
            "context": pack(draft.context),
            "state": "parked" if draft.parked else "due",
            "last_reply": words(draft.parked),
            "closed_at": now_ms if draft.parked else 0,
            "due_at": now_ms,
            "created_at": now_ms,
        }
        for draft in drafts
    ]
    execute_many(connection, sa.insert(callback), rows)


def _stay_ahead(connection: sa.Connection, drafts: Sequence[CallbackDraft], mint: IdMint) -> None:
    """Order is by id: ours must be above what a node with a faster clock has queued under the same keys."""
    keys = sorted({(draft.space, draft.order_key) for draft in drafts if draft.order_key})
    if not keys:
        return
    for space, order_key in keys:
        same = (callback.c.space_id == space, callback.c.order_key == order_key, callback.c.state == DUE)
        last = connection.scalar(
            sa.select(callback.c.id).where(*same).order_by(callback.c.order_key.desc(), callback.c.id.desc()).limit(1)
        )
        if last is not None:
            mint.witness(last)


def _claim(connection: sa.Connection, now_ms: int, node: int, limit: int) -> tuple[CallbackJob, ...]:
    earlier = callback.alias("earlier")
    first = (
        sa.select(earlier.c.id)
        .where(
            earlier.c.space_id == callback.c.space_id,
            earlier.c.order_key == callback.c.order_key,
            earlier.c.state == DUE,
        )
        .order_by(earlier.c.order_key, earlier.c.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(callback)
        .where(
            callback.c.state == DUE,
            callback.c.due_at <= now_ms,
            sa.or_(callback.c.order_key == "", callback.c.id == first),
        )
        .order_by(callback.c.due_at, callback.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=callback)
    ).all()
    # Whoever is waited for longer than the schedule says is not asked again meanwhile.
    lease_until = sa.literal(now_ms + LEASE_MS, sa.BigInteger) + 1000 * callback.c.timeout_s
    if rows:
        # Written before the call: a crash then costs one lease, never a hot loop.
        connection.execute(
            sa.update(callback)
            .where(keys_in(callback, [(row.space_id, row.id) for row in rows]))
            .values(attempts=callback.c.attempts + 1, lease_until=lease_until, due_at=lease_until, node=node)
        )
    return tuple(_job(row) for row in rows)


def _job(row: Any) -> CallbackJob:
    return CallbackJob(
        space=row.space_id,
        id=row.id,
        dialect=row.dialect,
        kind=row.kind,
        order_key=row.order_key,
        message=row.message_id,
        url=row.url,
        verified=bool(row.verified),
        request=row.request or b"",
        timeout_s=row.timeout_s,
        context=unpack_object(row.context),
        attempt=row.attempts + 1,
        was_due_at=row.due_at,
    )


def _held() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        callback.c.space_id == sa.bindparam("s"),
        callback.c.id == sa.bindparam("c"),
        callback.c.state == "due",
        callback.c.attempts == sa.bindparam("tried"),
    )


def _close(connection: sa.Connection, results: Sequence[CallbackResult], now_ms: int) -> None:
    execute_many(
        connection,
        sa.update(callback)
        .where(*_held())
        .values(
            state=sa.bindparam("new_state"),
            due_at=sa.bindparam("due"),
            last_status=sa.bindparam("status"),
            last_reply=sa.bindparam("reply"),
            closed_at=sa.bindparam("closed"),
            lease_until=0,
        ),
        [
            {
                "s": result.job.space,
                "c": result.job.id,
                "tried": result.job.attempt,
                "new_state": result.state,
                "due": result.due_at or result.job.was_due_at,
                "status": result.status,
                "reply": words(result.reply),
                "closed": 0 if result.state == "due" else now_ms,
            }
            for result in results
        ],
    )


def _give_back(connection: sa.Connection, jobs: Sequence[CallbackJob], due_at: int) -> None:
    execute_many(
        connection,
        sa.update(callback).where(*_held()).values(attempts=callback.c.attempts - 1, due_at=due_at, lease_until=0),
        [{"s": job.space, "c": job.id, "tried": job.attempt} for job in jobs],
    )


def _replay(connection: sa.Connection, space: int, callback_id: int, now_ms: int) -> bool:
    changed = connection.execute(
        sa.update(callback)
        .where(callback.c.space_id == space, callback.c.id == callback_id, callback.c.state != "due")
        .values(state="due", due_at=now_ms, attempts=0, lease_until=0, closed_at=0)
    )
    return changed.rowcount == 1
