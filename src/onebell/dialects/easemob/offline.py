"""What waits for somebody who is away (sheet easemob §3.3, §5; easemob-msync §6)."""

from onebell.core.context import Context
from onebell.core.conversations import Reader
from onebell.dialects.easemob.app import DIALECT, App
from onebell.dialects.easemob.digits import whole

KEPT = 500
"""Messages of single chats that wait for one user; the newest replace the oldest."""
ABSENCE_MS = 180_000
"""Who comes back sooner was not away: a lost connection is noticed after 90 s, and who is there is noted every 60."""
KEPT_MS = 7 * 86_400_000


def reader_of(context: Context, space: int, app: App, person: int, device: int = 0, away_since: int = 0) -> Reader:
    """A user of an app as somebody who reads his mailbox now; without a device he is all of them.

    A device that was there a moment ago is not away: nothing of what came meanwhile is too much for it.
    """
    now = context.clock.now_ms()
    was_away = now - away_since > ABSENCE_MS
    return Reader(
        space=space,
        mailbox=person,
        device=device,
        dialect=DIALECT,
        realm=app.key,
        kept=KEPT,
        counted_until=now if was_away else now - ABSENCE_MS,
        since=now - KEPT_MS,
    )


async def offline_count(context: Context, space: int, app: App, person: int) -> int:
    """How many messages none of his devices has acknowledged."""
    reader = reader_of(context, space, app, person)
    return await context.store.queues.undelivered(reader, context.clock.now_ms())


async def is_delivered(context: Context, space: int, person: int, msg_id: str) -> bool:
    """Whether one of his devices has acknowledged a message; of an unknown one nothing is pending (sheet §3.3)."""
    if (number := whole(msg_id)) is None:
        return True
    found = await context.store.queues.find(space, person, DIALECT, number)
    return found is None or found.taken_at > 0
