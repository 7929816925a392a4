"""What became of a message at the other side of a conversation: marks on its writer's own entry."""

from collections.abc import Sequence

from onebell.core.bell import Changed
from onebell.core.context import Context
from onebell.core.mailbox import Change


async def delivered(context: Context, change: Change, feed: int, messages: Sequence[int]) -> None:
    """A device of the other side has these; ``change`` is in the writer's mailbox.

    Raises:
        StoreUnavailable
    """
    _ring(context, change, await context.store.conversations.delivered(change, feed, messages))


async def seen(context: Context, change: Change, feed: int, messages: Sequence[int]) -> None:
    """The other side has read these; as :func:`delivered`."""
    _ring(context, change, await context.store.conversations.seen(change, feed, messages))


async def seen_all(context: Context, change: Change, feed: int) -> None:
    """The other side has read everything of the conversation; as :func:`delivered`."""
    while count := await context.store.conversations.seen_all(change, feed):
        _ring(context, change, count)


def _ring(context: Context, change: Change, count: int) -> None:
    if count:
        context.bell.ring(Changed(space=change.space, mailboxes=(change.mailbox,)))
