"""SQLite plans by the shape of a large store: nothing reads a whole space to find a few rows."""

import sqlite3
from pathlib import Path

import pytest

from onebell.store.sqlite import SqliteDriver
from onebell.store.statistics import seed_statistics

QUERIES = {
    "deliveries of a message": ("SELECT * FROM delivery WHERE space_id=? AND message_id=?", "delivery_of_message"),
    "deliveries of messages": (
        "SELECT * FROM delivery WHERE space_id=? AND message_id IN (?,?)",
        "delivery_of_message",
    ),
    "a message's delivery to an address": (
        "SELECT 1 FROM delivery WHERE space_id=? AND target_id=? AND message_id=?",
        "delivery_of_target",
    ),
    "what is due on an account": (
        "SELECT * FROM delivery WHERE state='due' AND account_id=? AND space_id=? AND due_at<=? ORDER BY due_at",
        "delivery_due",
    ),
    "what expires first on an account": (
        "SELECT expires_at FROM delivery WHERE state='due' AND account_id=? AND expires_at>0 AND lease_until<=?"
        " ORDER BY expires_at LIMIT 1",
        "delivery_expiring",
    ),
    "what has expired on an account": (
        "SELECT * FROM delivery WHERE state='due' AND account_id=? AND space_id=? AND expires_at>0 AND expires_at<=?"
        " ORDER BY expires_at, id LIMIT 9",
        "delivery_expiring",
    ),
    "entries of a message": ("SELECT * FROM entry WHERE space_id=? AND message_id=?", "entry_of_message"),
    "changes of a mailbox": (
        "SELECT * FROM entry WHERE space_id=? AND mailbox_id=? AND rev<>seq AND rev>? ORDER BY rev LIMIT 9",
        "entry_changed",
    ),
    "events of a message": ("SELECT * FROM event WHERE space_id=? AND message_id=? ORDER BY id", "event_of_message"),
    "events to pack": ("SELECT * FROM event WHERE packed=0 AND dialect=? ORDER BY id LIMIT 9", "event_to_pack"),
    "the first callback of a key": (
        "SELECT id FROM callback WHERE space_id=? AND order_key=? AND state='due' ORDER BY id LIMIT 1",
        "callback_order",
    ),
    "who holds a tag": (
        "SELECT person_id FROM tag WHERE space_id=? AND tag=? AND scope=? AND person_id>? ORDER BY person_id LIMIT 9",
        "tag_holders",
    ),
    "feeds of a party": ("SELECT * FROM member WHERE space_id=? AND party_id=?", "member_of"),
    "timers of a message": ("SELECT * FROM plan WHERE space_id=? AND message_id=?", "plan_of_message"),
    "files of a message": ("UPDATE file SET message_id=0 WHERE space_id=? AND message_id IN (?,?)", "file_of_message"),
    "files that are over": (
        "SELECT id FROM file WHERE message_id=0 AND expires_at>0 AND expires_at<? ORDER BY expires_at LIMIT 9",
        "file_over",
    ),
    "expired keys": ("SELECT * FROM idempotency WHERE expires_at<? ORDER BY expires_at", "idempotency_by_expiry"),
}


@pytest.fixture
def raw(tmp_path: Path) -> sqlite3.Connection:
    """A new store's file, as a connection that comes later sees it."""
    driver = SqliteDriver(tmp_path / "onebell.db")
    driver.prepare()
    connection = sqlite3.connect(driver.path, isolation_level=None)
    yield connection
    connection.close()


def plan(raw: sqlite3.Connection, query: str) -> str:
    values = tuple(range(query.count("?")))
    return "; ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}", values))


@pytest.mark.parametrize("what", QUERIES)
def test_a_query_takes_its_index(raw: sqlite3.Connection, what: str) -> None:
    """A new store with no rows plans as a large one will have to."""
    query, index = QUERIES[what]

    assert f"INDEX {index}" in plan(raw, query)


def test_the_newest_messages_are_not_sorted(raw: sqlite3.Connection) -> None:
    """A page of the list goes down the key, whatever the dialect."""
    shown = plan(raw, "SELECT * FROM message WHERE space_id=? AND dialect=? ORDER BY id DESC LIMIT 9")

    assert "TEMP B-TREE" not in shown


def test_a_store_of_before_is_told_once(raw: sqlite3.Connection) -> None:
    """A file with other statistics gets ours at its next start; one that has them is not written to."""
    raw.execute("DELETE FROM sqlite_stat1")
    raw.execute("INSERT INTO sqlite_stat1 VALUES ('delivery', 'delivery_due', '1 1 1 1')")

    seed_statistics(raw)
    written = raw.total_changes
    seed_statistics(raw)

    assert raw.total_changes == written
    assert raw.execute("SELECT stat FROM sqlite_stat1 WHERE idx = 'delivery_due'").fetchone() != ("1 1 1 1",)
