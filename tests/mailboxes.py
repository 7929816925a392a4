"""Rows that readers' tests need: people's mailboxes, and messages written into them as the writer does."""

from collections.abc import Callable, Sequence
from itertools import count

import msgspec
import sqlalchemy as sa

from onebell.core.bell import Changed, Mark, NewEntries, Note, StoredMessage
from onebell.core.model import Content, Part
from onebell.store.engine import Database
from onebell.store.schema import entry, event, feed, mailbox, message

SPACE = 7
FEED = 500
NOW = 1_800_000_000_000


class DeskBell:
    """A bell without other nodes that can be told to lose everything."""

    def __init__(self) -> None:
        self.lost = False
        self._heard: dict[type, list[Callable]] = {}

    def ring(self, note: Note) -> None:
        if not self.lost:
            for heard in self._heard.get(type(note), ()):
                heard(note)

    def listen(self, kind: type, heard: Callable) -> None:
        self._heard.setdefault(kind, []).append(heard)


class Mailboxes:
    """Writes entries under the mailboxes' locks, and rings."""

    def __init__(self, database: Database, bell: DeskBell | None = None) -> None:
        self.database = database
        self.bell = bell or DeskBell()
        self._ids = count(1000)

    async def make(self, *mailboxes: int, space: int = SPACE) -> None:
        """Empty mailboxes, and the feed that messages go to."""

        def work(conn: sa.Connection) -> None:
            have = conn.execute(sa.select(feed.c.id).where(feed.c.space_id == space)).first()
            if have is None:
                conn.execute(
                    feed.insert(),
                    [
                        {
                            "space_id": space,
                            "id": FEED,
                            "kind": "topic",
                            "dialect": "native",
                            "code": "ops",
                            "name": "Ops",
                        }
                    ],
                )
            conn.execute(mailbox.insert(), [{"space_id": space, "id": box, "kind": "person"} for box in mailboxes])

        await self.database.write(work)

    async def send(
        self,
        mailboxes: Sequence[int],
        title: str = "t",
        *,
        content: Content | None = None,
        space: int = SPACE,
        watched: bool = False,
        expires_at: int = 0,
        feed_id: int = FEED,
    ) -> NewEntries:
        """One message into each of these mailboxes, stored; then the bell rings."""
        number = next(self._ids)
        parts = (Part(content=content or Content(title=title, body=f"body of {title}")),)
        stored = StoredMessage(
            id=number,
            space=space,
            dialect="native",
            public_id=f"m{number}",
            sender=1,
            sender_kind="bot",
            sender_name="ci",
            parent=0,
            severity=3,
            parts=parts,
            created_ms=NOW,
            expires_ms=0,
        )
        marks = await self.database.write(
            lambda conn: _store(conn, stored, mailboxes, watched=watched, expires_at=expires_at, feed_id=feed_id)
        )
        note = NewEntries(message=stored, marks=marks)
        self.bell.ring(note)
        return note

    def changed(self, *mailboxes: int, space: int = SPACE) -> None:
        self.bell.ring(Changed(space=space, mailboxes=mailboxes))

    async def last(self, box: int) -> int:
        return await self.database.read(
            lambda conn: conn.execute(sa.select(mailbox.c.last).where(mailbox.c.id == box)).scalar_one()
        )

    async def events(self) -> list[tuple[str, int]]:
        """Kind and person of every event."""
        rows = await self.database.read(
            lambda conn: conn.execute(sa.select(event.c.kind, event.c.person_id).order_by(event.c.id)).all()
        )
        return [tuple(row) for row in rows]


def _store(
    conn: sa.Connection,
    stored: StoredMessage,
    mailboxes: Sequence[int],
    *,
    watched: bool,
    expires_at: int,
    feed_id: int,
) -> tuple[Mark, ...]:
    conn.execute(
        message.insert(),
        [
            {
                "space_id": stored.space,
                "id": stored.id,
                "dialect": stored.dialect,
                "public_id": stored.public_id,
                "sender": stored.sender,
                "sender_kind": stored.sender_kind,
                "sender_name": stored.sender_name,
                "severity": stored.severity,
                "watched": int(watched),
                "parts": msgspec.json.encode(stored.parts),
                "created_at": stored.created_ms,
            }
        ],
    )
    marks = []
    for box in sorted(mailboxes):
        last = conn.execute(
            sa.update(mailbox)
            .where(mailbox.c.space_id == stored.space, mailbox.c.id == box)
            .values(last=mailbox.c.last + 1)
            .returning(mailbox.c.last)
        ).scalar_one()
        marks.append(Mark(box, feed_id, last, last))
    conn.execute(
        entry.insert(),
        [
            {
                "space_id": stored.space,
                "mailbox_id": mark.mailbox,
                "seq": mark.seq,
                "rev": mark.rev,
                "message_id": stored.id,
                "feed_id": feed_id,
                "created_at": stored.created_ms,
                "expires_at": expires_at,
            }
            for mark in marks
        ],
    )
    return tuple(marks)
