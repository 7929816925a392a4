"""The bare reference: an ASGI app that only decodes the JSON and group-commits one row. Run as a program."""

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import uvicorn

BATCH = 256
LATENCY_S = float(sys.argv[3]) / 1000 if len(sys.argv) > 3 else 0.0
decode = msgspec.json.Decoder().decode
Job = tuple[bytes, asyncio.Future[None]]


def open_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    return connection


class GroupCommit:
    """One thread; whatever waits when it is free becomes one transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    async def store(self, body: bytes) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((body, future))
        await future

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO message (body) VALUES (?)", [(body,) for body, _ in batch])
            if LATENCY_S:
                threading.Event().wait(LATENCY_S)
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_finish, [future for _, future in batch])


def _finish(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


class Reference:
    """POST anything: decode, store, answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: GroupCommit | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._store is None:
            self._store = GroupCommit(self._path)
        body = (await receive())["body"]
        decode(body)
        await self._store.store(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"ok":true}'})


def main() -> None:
    """``python -m bench.reference PORT FILE [LATENCY_MS]``."""
    sys.setswitchinterval(0.0005)
    uvicorn.run(
        Reference(Path(sys.argv[2])),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
