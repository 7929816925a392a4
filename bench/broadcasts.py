"""A broadcast to very many people: how fast, how soon the first see it, and what other senders notice."""

import json
import sqlite3
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg

from bench.goals import least, most
from bench.load import MESSAGE_BODY, Shot, fire, scratch
from bench.nodes import Node, node
from bench.people import crowd

KEY = b64encode(b"7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1").decode()
BODY = {"msg_app": [{"platform": "all", "notification": {"alert": "to everyone"}}]}
LIMIT_S = 120.0
RUNS = {100_000: 3}


class Broadcast(NamedTuple):
    """What one run saw."""

    people_per_second: float
    first_page_ms: float
    p99_before_ms: float
    p99_meanwhile_ms: float
    more_mib: float


class Watch:
    """Counts entries from outside."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        url = environment.get("ONEBELL_DATABASE_URL")
        self._postgres = psycopg.connect(url, autocommit=True) if url else None
        self._sqlite = None if url else sqlite3.connect(f"file:{data / 'onebell.db'}?mode=ro", uri=True)

    def one(self, statement: str) -> int:
        """The one number that a query gives."""
        connection = self._postgres or self._sqlite
        assert connection is not None
        found = connection.execute(statement).fetchone()
        return int(found[0] or 0) if found else 0

    def close(self) -> None:
        """Disconnect."""
        for connection in (self._postgres, self._sqlite):
            if connection is not None:
                connection.close()


def broadcast(server: Node) -> None:
    """Ask for it; the answer does not wait for the expansion."""
    request = urllib.request.Request(
        f"{server.url}/v1/broadcast",
        json.dumps(BODY).encode(),
        {"Authorization": f"Basic {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["code"] == 0


def measure(
    fresh: Callable[[], dict[str, str]], per_second: float, counts: tuple[int, ...] = (100_000, 1_000_000)
) -> list[tuple[str, ...]]:
    """Rows: people, people/s, first page after ms, others' p99 before and meanwhile, MiB over idle, goals."""
    return [_row(count, [_one(count, fresh()) for _ in range(RUNS.get(count, 1))], per_second) for count in counts]


def _one(count: int, environment: dict[str, str]) -> Broadcast:
    data = scratch()
    crowd(data, count, environment)
    with node(data, environment) as server:
        before = fire(server.url, SENT, 4, 2)
        idle = server.memory_mib()
        watch = Watch(data, environment)
        began = time.monotonic()
        broadcast(server)
        first = _wait(watch, "SELECT max(count) FROM expansion", 1) - began
        took = _wait(watch, "SELECT min(done) FROM expansion", 1) - began
        watch.close()
        broadcast(server)  # once more, with others sending: what they notice, while it gives way to them
        meanwhile = fire(server.url, SENT, 4, 2)
        more = server.peak_mib() - idle
    return Broadcast(count / took, first * 1000, before.p99_ms, meanwhile.p99_ms, more)


def _row(count: int, runs: list[Broadcast], per_second: float) -> tuple[str, ...]:
    rate, first, before, meanwhile, more = (median(run[place] for run in runs) for place in range(5))
    goals = (
        least("people/s", per_second).judge(rate),
        most("first page ms", 1000).judge(first),
        most("others' p99, × before,", 2).judge(meanwhile / before),
        most("MiB", 64).judge(more),
    )
    return (
        f"{count:,}",
        str(len(runs)),
        f"{rate:,.0f}",
        f"{first:.0f}",
        f"{before:.1f}",
        f"{meanwhile:.1f}",
        f"{more:.0f}",
        "; ".join(goals),
    )


def _wait(watch: Watch, statement: str, number: int) -> float:
    ends = time.monotonic() + LIMIT_S
    while watch.one(statement) < number:
        if time.monotonic() > ends:
            raise TimeoutError(statement)
        time.sleep(0.005)
    return time.monotonic()


SENT = Shot("/message", MESSAGE_BODY, '"accepted":true')
HEAD = (
    "people",
    "runs",
    "people/s",
    "first page ms",
    "others' p99 before ms",
    "others' p99 meanwhile ms",
    "MiB over idle",
    "goal",
)
