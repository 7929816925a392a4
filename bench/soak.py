"""Steady work for hours: memory, open files and the write-ahead log must keep their size (RELIABILITY R22).

``python -m bench.soak HOURS [MESSAGES_A_SECOND]``: three services send, readers come and go; a line a minute, and at
the end by how much memory grew in an hour, the first hour (of a short run: the first half) left out.
"""

import asyncio
import json
import shutil
import sys
import time
import urllib.request
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import linear_regression

import uvloop

from bench.accepts import CONNECTIONS, SHOTS
from bench.load import fire, scratch
from bench.nodes import Node, apply, node
from bench.sockets import connect

RATE = 2_000
READERS = 20
WARM_S = 3_600
LINE_S = 60


@dataclass(frozen=True)
class Sample:
    """What the server holds at one moment."""

    at_s: float
    memory_mib: float
    files: int
    log_mib: float
    data_mib: float

    def line(self, messages: int) -> str:
        """For the eye."""
        return (
            f"{self.at_s / 60:5.0f} min {messages:12,} messages {self.memory_mib:6.1f} MiB {self.files:4} files "
            f"{self.log_mib:5.1f} MiB of log {self.data_mib:8.0f} MiB of data"
        )


def sample(server: Node, began: float) -> Sample:
    """Now."""
    size = {one.suffix or one.name: one.stat().st_size / 2**20 for one in server.data.glob("*.db*")}
    return Sample(
        time.monotonic() - began,
        server.memory_mib(),
        len(list(Path(f"/proc/{server.pid}/fd").iterdir())),
        size.get(".db-wal", 0.0),
        size.get(".db", 0.0),
    )


def sign_in(server: Node) -> str:
    """The token of whom all messages reach."""
    body = json.dumps({"space": "main", "uid": "alice", "password": "alice-password"}).encode()
    request = urllib.request.Request(f"{server.url}/api/v1/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["token"])


async def visit(server: Node, token: str) -> None:
    """Readers open their sockets, take what comes and go."""
    sockets = (connect(server.port, "/api/v1/inbox/ws", token, lambda _: None) for _ in range(READERS))
    opened = await asyncio.gather(*sockets)
    await asyncio.sleep(0.5)
    for one in opened:
        one.close()


def soak(server: Node, token: str, seconds: float, rate: int) -> list[Sample]:
    """Send in bursts of a second with rests between them, so that ``rate`` comes out."""
    began = time.monotonic()
    samples: list[Sample] = []
    messages = 0
    for shot in cycle(SHOTS.values()):
        sent_at = time.monotonic()
        count = int(fire(server.url, shot, CONNECTIONS, 1).per_second)
        messages += count
        uvloop.run(visit(server, token))
        time.sleep(max(0.0, sent_at + count / rate - time.monotonic()))
        now = time.monotonic() - began
        if now >= len(samples) * LINE_S:
            samples.append(sample(server, began))
            print(samples[-1].line(messages), flush=True)
        if now >= seconds and len(samples) > 1:
            return samples
    raise AssertionError("never ends by itself")


def main() -> None:
    """Run, and say what grew."""
    seconds = float(sys.argv[1]) * 3_600
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else RATE
    data = scratch()
    try:
        apply(data, {})
        with node(data) as server:
            samples = soak(server, sign_in(server), seconds, rate)
    finally:
        shutil.rmtree(data)
    settled = [one for one in samples if one.at_s >= min(WARM_S, seconds / 2)]
    per_s, start = linear_regression([one.at_s for one in settled], [one.memory_mib for one in settled])
    print(f"memory grows by {per_s * 3_600:.2f} MiB an hour, {per_s * 3_600 / start:.2%} of {start:.0f} MiB")


if __name__ == "__main__":
    main()
