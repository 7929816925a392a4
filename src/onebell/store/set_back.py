"""After a clock was set back: what the old time had put off is due by the new one (RELIABILITY R12)."""

from typing import Any

import sqlalchemy as sa

from onebell.core.work import LEASE_MS
from onebell.store.engine import Database
from onebell.store.queueing import DUE, ZERO
from onebell.store.schema import callback, carrier_pause, delivery, expansion, message


class SetBack:
    """One verb."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def bring_back(self, node: int, now_ms: int, step_ms: int) -> None:
        """Bring back by ``step_ms`` what this node put off by its old clock: tries, leases and pauses.

        What is meant for an instant stays there (a scheduled message, quiet hours), and so does what other nodes hold.
        """
        await self._db.write(lambda connection: _bring_back(connection, node, now_ms, step_ms))


def _bring_back(connection: sa.Connection, node: int, now_ms: int, step_ms: int) -> None:
    for queue in (delivery, callback):
        ahead = (queue.c.state == DUE, queue.c.due_at > now_ms)
        connection.execute(
            sa.update(queue)
            .where(*ahead, queue.c.attempts > ZERO, queue.c.node == node)
            .values(due_at=_earlier(queue.c.due_at, now_ms, step_ms), lease_until=queue.c.lease_until - step_ms)
        )
        # Due already, by the clock that accepted it.
        connection.execute(
            sa.update(queue)
            .where(*ahead, queue.c.attempts == ZERO, queue.c.due_at <= now_ms + step_ms)
            .values(due_at=now_ms)
        )
    meant_for_later = (
        sa.select(1)
        .where(
            message.c.space_id == expansion.c.space_id,
            message.c.id == expansion.c.message_id,
            message.c.due_at > now_ms,
        )
        .exists()
    )
    connection.execute(
        sa.update(expansion)
        .where(expansion.c.done == ZERO, expansion.c.node == node, expansion.c.lease_until > now_ms + LEASE_MS)
        .where(~meant_for_later)
        .values(lease_until=now_ms)
    )
    if connection.dialect.name == "sqlite":  # nobody else's clock has made them
        connection.execute(
            sa.update(carrier_pause)
            .where(carrier_pause.c.until > now_ms)
            .values(until=_earlier(carrier_pause.c.until, now_ms, step_ms))
        )


def _earlier(column: sa.Column[int], now_ms: int, step_ms: int) -> sa.ColumnElement[Any]:
    return sa.case((column > now_ms + step_ms, column - step_ms), else_=now_ms)
