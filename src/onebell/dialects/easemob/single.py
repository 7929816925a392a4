"""What one receiver has of a message: one that went to several has an id for each of them, and each is one's own."""

from onebell.core.bell import Changed, Due
from onebell.core.context import Context
from onebell.core.conversations import Numbered
from onebell.core.recall import recall
from onebell.errors import NotFound


async def take_back(context: Context, space: int, found: Numbered, number: int) -> bool:
    """Recall what the id's receiver has; False when that was done before.

    Raises:
        StoreUnavailable
    """
    if found.receivers == 1:
        try:
            return await recall(context, space, found.message)
        except NotFound:  # its retention has ended at this very moment
            return False
    boxes = await context.store.easemob.recall_numbered(space, found.message, found.mailbox, number)
    if boxes:
        context.bell.ring(Changed(space=space, mailboxes=boxes))
        context.bell.ring(Due(space=space, queue="events"))
    return bool(boxes)


async def take_back_by(context: Context, space: int, number: int) -> bool:
    """The same by the id alone; False also when nobody has it any more."""
    place = await context.store.easemob.numbered(str(number))
    return place is not None and await take_back(context, space, place[1], number)


async def message_of(context: Context, space: int, number: int) -> int:
    """The message that only the id's receiver has, made his own if it was not; 0 = it is gone.

    Raises:
        StoreUnavailable
    """
    store = context.store.easemob
    place = await store.numbered(str(number))
    if place is not None and place[1].receivers > 1:
        await store.separate(space, place[1].message, number)
        place = await store.numbered(str(number))
    return 0 if place is None else place[1].message
