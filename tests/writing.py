"""Builders for the writer's tests: a node on a store, and submissions that are decided already."""

import itertools
from collections.abc import Callable

import sqlalchemy as sa

from onebell.clock import Clock, SystemClock
from onebell.core.bell import Note, StoredMessage
from onebell.core.model import Content, GuardUse, IdempotencyKey, Part
from onebell.ids import IdMint
from onebell.store.engine import Database
from onebell.store.prepared import Box, Prepared
from onebell.store.schema import entry, mailbox, message, public_id
from onebell.store.writer import BatchWriter

SPACE = 7
PART = Part(content=Content(title="t", body="b"))

_numbers = itertools.count(1)


class HeardBell:
    """A bell that remembers what was rung."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def ring(self, note: Note) -> None:
        self.notes.append(note)


class Node:
    """A writer and its mint, as one server has them."""

    def __init__(self, database: Database, number: int = 0, clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or SystemClock()
        self.mint = IdMint(self.clock, number)
        self.bell = HeardBell()
        self.writer = BatchWriter(database, self.clock, self.mint, self.bell)

    def item(self, *mailboxes: int, public: str | None = None, **changes: object) -> Prepared:
        """A submission to these mailboxes."""
        stored = StoredMessage(
            id=self.mint.mint(),
            space=SPACE,
            dialect="pushgo",
            public_id=f"p{next(_numbers)}" if public is None else public,
            sender=1,
            sender_kind="bot",
            sender_name="bot",
            parent=0,
            severity=3,
            parts=(PART,),
            created_ms=self.clock.now_ms(),
            expires_ms=0,
        )
        fields: dict[str, object] = {
            "stored": stored,
            "feed": 1,
            "state": "finished",
            "severity": 3,
            "priority": 3,
            "credential": 0,
            "keep": "stored",
            "watched": False,
            "parts": b"[]",
            "extra": b"{}",
            "callback": b"",
            "due_at": 0,
            "boxes": [Box(box, 1) for box in mailboxes],
        }
        return Prepared(**{**fields, **changes})  # type: ignore[arg-type]


def key(name: str, fingerprint: str = "", keep_s: int = 3600) -> IdempotencyKey:
    """An idempotency key."""
    return IdempotencyKey(scope="s", key=name, keep_s=keep_s, fingerprint=fingerprint)


def use(name: str, limit: int, amount: int = 1) -> tuple[GuardUse, ...]:
    """One guard."""
    return (GuardUse(key=name, limit=limit, amount=amount),)


def make_mailboxes(*ids: int) -> Callable[[sa.Connection], None]:
    """Work that makes mailboxes of people."""
    rows = [{"space_id": SPACE, "id": number, "kind": "person"} for number in ids]

    def work(connection: sa.Connection) -> None:
        connection.execute(mailbox.insert(), rows)

    return work


def entries(connection: sa.Connection) -> list[tuple[int, int, int, int]]:
    """(mailbox, seq, message, public id) of all entries."""
    columns = (entry.c.mailbox_id, entry.c.seq, entry.c.message_id, entry.c.public_id)
    return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*columns[:2]))]


def count(table: sa.Table) -> Callable[[sa.Connection], int]:
    """Work that counts rows."""
    return lambda connection: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


TABLES = (message, entry, public_id)
