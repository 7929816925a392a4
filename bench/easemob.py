"""One Easemob call to 600 receivers beside the driver's ``executemany`` of the same rows, and tokens by password."""

import json
import sqlite3
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

from bench.goals import least, most
from bench.load import Shot, fire, scratch
from bench.nodes import apply, node

RECEIVERS = [f"reader{number:03}" for number in range(600)]
CALLS = 20
RUNS = 3
ORG_APP = "/acme/demo"
GRANT = {"grant_type": "client_credentials", "client_id": "bench", "client_secret": "bench-secret"}
BY_PASSWORD = {"grant_type": "password", "username": "reader000", "password": "reader-password"}
SPACE = """
[space]
name = "main"
[[easemob.apps]]
org = "acme"
app = "demo"
client_id = "bench"
client_secret = "bench-secret"
calls_per_second = 0
messages_per_minute = 0
users = [{users}]
"""
TABLES = ("message", "entry", "public_id")
Rows = dict[str, list[tuple[Any, ...]]]


def measure(environment: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows: what, deliveries/s or tokens/s, ms a call, × the driver's time, goals."""
    data, bare = scratch(), scratch()
    text = SPACE.format(users=", ".join(f'"{name}"' for name in RECEIVERS))
    text += "".join(f'[[people]]\nuid = "{name}"\n' for name in RECEIVERS[1:])
    text += f'[[people]]\nuid = "{RECEIVERS[0]}"\npassword = "reader-password"\n'
    for place in (data, bare):
        (place / "bench.toml").write_text(text)
        apply(place, environment, place / "bench.toml")
    ours: list[float] = []
    drivers: list[float] = []
    with node(data, environment) as server:
        token = _ask(server.url, "/token", GRANT, "")["access_token"]
        for _ in range(RUNS):  # interleaved, so that what else the machine does hits both alike
            ours.append(_calls(server.url, token))
            drivers.append(_driver(bare, _rows(data)))
        shot = Shot(f"{ORG_APP}/token", json.dumps(BY_PASSWORD), '"access_token"')
        tokens = median(fire(server.url, shot, 32, 3).per_second for _ in range(RUNS))
    call_s, driver_s = median(ours), median(drivers)
    per_second = len(RECEIVERS) / call_s
    return [
        ("driver executemany of its rows", f"{len(RECEIVERS) / driver_s:,.0f}", f"{driver_s * 1000:.1f}", "1.0", ""),
        (
            f"messages/users to {len(RECEIVERS)}",
            f"{per_second:,.0f}",
            f"{call_s * 1000:.1f}",
            f"{call_s / driver_s:.1f}",
            most("× the driver's time", 2.5).judge(call_s / driver_s),
        ),
        ("token by a known password", f"{tokens:,.0f}", "", "", least("tokens/s", 300).judge(tokens)),
    ]


def _ask(url: str, path: str, body: dict[str, Any], token: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"{url}{ORG_APP}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _calls(url: str, token: str) -> float:
    """Seconds a call, one after the other."""
    message = {"from": "admin", "to": RECEIVERS, "type": "txt", "body": {"msg": "备份完成"}}
    _ask(url, "/messages/users", message, token)
    began = time.perf_counter()
    for _ in range(CALLS):
        assert len(_ask(url, "/messages/users", message, token)["data"]) == len(RECEIVERS)
    return (time.perf_counter() - began) / CALLS


def _rows(data: Path) -> Rows:
    """What one call has written."""
    file = sqlite3.connect(f"file:{data / 'onebell.db'}?mode=ro", uri=True)
    (message,) = file.execute("SELECT max(id) FROM message").fetchone()
    keys = {"message": "id", "entry": "message_id", "public_id": "message_id"}
    found = {
        name: file.execute(f"SELECT * FROM {name} WHERE {keys[name]} = ?", (message,)).fetchall() for name in TABLES
    }
    file.close()
    return found


def _driver(place: Path, rows: Rows) -> float:
    """Seconds for the same rows and a durable commit, by the driver alone."""
    file = sqlite3.connect(place / "onebell.db", isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    (message,), entries, numbers = rows["message"], rows["entry"], rows["public_id"]
    boxes = file.execute("SELECT space_id, id FROM mailbox ORDER BY id LIMIT ?", (len(entries),)).fetchall()
    (last,) = file.execute("SELECT coalesce(max(seq), 0) FROM entry").fetchone()
    places = {name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(some[0]))})" for name, some in rows.items()}
    began = time.perf_counter()
    for call in range(1, CALLS + 1):
        new, seq = int(time.time() * 1000) * 1_000_000 + call, last + call
        file.execute("BEGIN IMMEDIATE")
        file.executemany(
            "UPDATE mailbox SET last = last + 1, last_public = ? WHERE space_id = ? AND id = ?",
            [(new, *box) for box in boxes],
        )
        file.execute(places["message"], (message[0], new, *message[2:]))
        file.executemany(
            places["entry"],
            [(space, box, seq, seq, new, *row[5:]) for (space, box), row in zip(boxes, entries, strict=True)],
        )
        file.executemany(
            places["public_id"],
            [(row[0], f"{new}{number:04}", row[2], new) for number, row in enumerate(numbers)],
        )
        file.execute("COMMIT")
    seconds = (time.perf_counter() - began) / CALLS
    file.close()
    return seconds


HEAD = ("what", "a second", "ms a call", "× driver", "goal")
