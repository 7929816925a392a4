"""``executemany`` of the rows of one accept by the driver alone: what the store's own work is measured against."""

import sqlite3
import time
from statistics import median

from bench.load import scratch

ROWS = 20_000
BATCH = 64


def measure() -> list[tuple[str, ...]]:
    """Rows: messages/s of bare message and entry rows in group commits of ``BATCH``."""
    rates = [_run() for _ in range(3)]
    return [(f"driver executemany, message + entry, {BATCH} a commit", f"{median(rates):,.0f}")]


def _run() -> float:
    file = sqlite3.connect(scratch() / "rows.db", isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    file.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB, created INTEGER)")
    file.execute("CREATE TABLE entry (mailbox INTEGER, seq INTEGER, message INTEGER, PRIMARY KEY (mailbox, seq))")
    body = b"x" * 600
    began = time.perf_counter()
    for start in range(0, ROWS, BATCH):
        numbers = range(start, start + BATCH)
        file.execute("BEGIN IMMEDIATE")
        file.executemany("INSERT INTO message VALUES (?, ?, ?)", [(number, body, start) for number in numbers])
        file.executemany("INSERT INTO entry VALUES (?, ?, ?)", [(1, number, number) for number in numbers])
        file.execute("COMMIT")
    rate = ROWS / (time.perf_counter() - began)
    file.close()
    return rate


HEAD = ("what", "messages/s")
