"""Taking a message back: out of every mailbox, and out of the queues where it still waits."""

from onebell.core.bell import Changed, Due
from onebell.core.context import Context


async def recall(context: Context, space: int, message: int) -> bool:
    """Recall a message; False when it was recalled before (what a crash left undone is finished then).

    What providers have taken already stays with them.

    Raises:
        NotFound: the space has no such message.
    """
    store, now = context.store, context.clock.now_ms()
    is_new = await store.inbox_changes.recall_message(space, message, now, context.mint)
    while boxes := await store.inbox_changes.recall(space, message, now):
        context.bell.ring(Changed(space=space, mailboxes=boxes))
    context.bell.ring(Due(space=space, queue="events"))
    return is_new
