"""A reader presses a button of a message."""

from sqlalchemy.engine import Connection

from onebell.core.events import EventKind
from onebell.core.mailbox import Change
from onebell.core.work import EventDraft
from onebell.errors import Conflict, NotFound
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.events import write_events
from onebell.store.inbox_changes import entry_of, lock, move
from onebell.store.interactions import answer_of, write_answer


def press(conn: Connection, change: Change, seq: int, answer: tuple[str, str], mint: IdMint) -> int:
    """Keep the answer that a button of an entry gives, a key and its value; the entry's new rev, 0 when it was given.

    The first answer stands: its sender may have acted upon it.

    Raises:
        NotFound: the mailbox has no such entry, or it is one's own.
        Conflict: another answer was given, or the message was recalled.
    """
    lock(conn, change)
    row = entry_of(conn, change, seq)
    if row.direction:
        raise NotFound("entry")
    if row.recalled_at:
        raise Conflict("the message was recalled")
    key, value = answer
    given = answer_of(conn, change.space, row.message_id, change.mailbox, key)
    if given == value:
        return 0
    if given is not None:
        raise Conflict("this was answered before")
    write_answer(conn, change.space, row.message_id, change.mailbox, answer, change.now)
    pressed = EventDraft(
        space=change.space,
        dialect=row.dialect,
        message=row.message_id,
        kind=EventKind.PRESSED.value,
        at=change.now,
        person=change.mailbox,
        data={"key": key, "value": value},
        watched=bool(row.watched),
    )
    write_events(conn, [pressed], mint)
    return move(conn, change, seq)


class Pressing:
    """Pressing, in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def press(self, change: Change, seq: int, answer: tuple[str, str], mint: IdMint) -> int:
        """See :func:`press`."""
        return await self._db.write(lambda conn: press(conn, change, seq, answer, mint))
