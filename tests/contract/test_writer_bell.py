"""The bell: everybody here at once, the other nodes through NATS, and nobody is harmed when there is none."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.engines import free_port
from tests.fakes.nats_process import NatsProcess, nats_process

from onebell.core.bell import Changed, ConfigChanged, Due, Mark, NewEntries, StoredMessage
from onebell.core.model import Content, Part
from onebell.store import nats_bell
from onebell.store.bell import LocalBell, build_bell
from onebell.store.nats_bell import PAYLOAD, NatsBell


def entries_note(body: str = "b") -> NewEntries:
    stored = StoredMessage(
        id=1,
        space=7,
        dialect="pushgo",
        public_id="p",
        sender=1,
        sender_kind="bot",
        sender_name="bot",
        parent=0,
        severity=3,
        parts=(Part(content=Content(body=body, data={"k": [1, {"x": None}]}), native={"webhook": {"a": 1}}),),
        created_ms=5,
        expires_ms=0,
    )
    return NewEntries(message=stored, marks=(Mark(11, 1, 1, 1), Mark(12, 1, 3, 3, 99, 1, 1)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    """A NATS server, started."""
    with nats_process(tmp_path) as running:
        yield running


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task does."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def test_listeners_hear_their_kind_only() -> None:
    """A note goes to all who listen for its kind, in the call that rings it."""
    bell = LocalBell()
    heard: list[object] = []
    bell.listen(Due, heard.append)
    bell.listen(Due, lambda note: heard.append(note.queue))

    bell.ring(Due(space=1, queue="deliveries"))
    bell.ring(Changed(space=1, mailboxes=()))

    assert heard == [Due(space=1, queue="deliveries"), "deliveries"]


def test_a_broken_listener_harms_nobody() -> None:
    """Ringing never raises, and the other listeners hear it."""
    bell = LocalBell()
    heard: list[Due] = []
    bell.listen(Due, lambda note: 1 / 0)  # type: ignore[arg-type, return-value]
    bell.listen(Due, heard.append)

    bell.ring(Due(space=1, queue="plans"))

    assert len(heard) == 1


def test_a_server_that_runs_alone_loads_no_client() -> None:
    """Without a NATS address the bell is this process's own, and the client library is not even imported."""
    script = "import sys; from onebell.store.bell import build_bell; build_bell(''); print('nats' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
    assert isinstance(build_bell("nats://127.0.0.1:4222"), NatsBell)


@pytest.mark.nats
async def test_other_nodes_hear_every_kind_once(server: NatsProcess) -> None:
    """A note arrives whole on the other node, and is heard once where it was rung."""
    bells = [NatsBell(server.url), NatsBell(server.url)]
    heard: list[list[object]] = [[], []]
    for bell, here in zip(bells, heard, strict=True):
        await bell.open()
        for kind in (Due, ConfigChanged, NewEntries, Changed):
            bell.listen(kind, here.append)  # type: ignore[type-var]
    await until(lambda: all(bell.is_connected for bell in bells))
    notes = [
        Due(space=1, queue="deliveries"),
        ConfigChanged(space=1, version=9),
        entries_note(),
        Changed(space=7, mailboxes=(1, 2)),
    ]

    for note in notes:
        bells[0].ring(note)
    bells[1].ring(Due(space=2, queue="back"))
    await until(lambda: len(heard[1]) == 5 and len(heard[0]) == 5)

    assert sorted(heard[1], key=str) == sorted([*notes, Due(space=2, queue="back")], key=str)
    assert heard[0][:4] == notes
    for bell in bells:
        await bell.close()


@pytest.mark.nats
async def test_a_note_that_is_too_large_becomes_a_hint(server: NatsProcess) -> None:
    """A message beyond the broker's limit is not carried: the other nodes are told to look."""
    bells = [NatsBell(server.url), NatsBell(server.url)]
    hints: list[Changed] = []
    bells[1].listen(Changed, hints.append)
    for bell in bells:
        await bell.open()
    await until(lambda: all(bell.is_connected for bell in bells))

    bells[0].ring(entries_note("x" * PAYLOAD))
    await until(lambda: bool(hints))

    assert hints == [Changed(space=7, mailboxes=(11, 12))]
    for bell in bells:
        await bell.close()


@pytest.mark.nats
async def test_a_bell_outlives_its_server(server: NatsProcess) -> None:
    """With the server gone it still rings here; when the server is back, so are the other nodes."""
    bells = [NatsBell(server.url), NatsBell(server.url)]
    heard: list[Due] = []
    bells[1].listen(Due, heard.append)
    for bell in bells:
        await bell.open()
    await until(lambda: all(bell.is_connected for bell in bells))

    server.stop()
    await until(lambda: not any(bell.is_connected for bell in bells))
    bells[0].ring(Due(space=1, queue="lost"))
    bells[1].ring(Due(space=1, queue="here"))
    server.start()
    await until(lambda: all(bell.is_connected for bell in bells))
    bells[0].ring(Due(space=1, queue="again"))
    await until(lambda: len(heard) >= 2)

    assert [note.queue for note in heard] == ["here", "again"]
    for bell in bells:
        await bell.close()


@pytest.mark.nats
async def test_a_server_may_start_later(tmp_path: Path, server: NatsProcess) -> None:
    """A node that starts before NATS rings for itself and connects when it can."""
    server.stop()
    bell = NatsBell(server.url)
    heard: list[Due] = []
    bell.listen(Due, heard.append)
    await bell.open()
    bell.ring(Due(space=1, queue="early"))

    server.start()
    await until(lambda: bell.is_connected)

    assert [note.queue for note in heard] == ["early"]
    assert await bell.reaches_others()
    await bell.close()


async def test_connected_is_who_hears_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a break a bell is connected when the server has read what it listens to, and not before."""
    monkeypatch.setattr(nats_bell, "RECONNECT_S", 0.01)
    connections: list[asyncio.StreamWriter] = []
    may_read, has_subscribed = asyncio.Event(), asyncio.Event()
    may_read.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.write(b'INFO {"max_payload":1048576}\r\n')
        while line := await reader.readline():
            if line.startswith(b"SUB"):
                has_subscribed.set()
            elif line.startswith(b"PING"):
                if has_subscribed.is_set():
                    await may_read.wait()
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bell = NatsBell(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await bell.open()
    await until(lambda: bell.is_connected)
    may_read.clear()
    has_subscribed.clear()
    connections[0].close()
    await has_subscribed.wait()

    assert not bell.is_connected
    may_read.set()
    await until(lambda: bell.is_connected)
    await bell.close()
    server.close()
    await asyncio.gather(*(one.wait_closed() for one in connections))


async def test_an_address_where_nobody_listens_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries for ever: the log says at the first failure that there is no connection, and not again."""
    monkeypatch.setattr(nats_bell, "MOMENT_S", 0)
    monkeypatch.setattr(nats_bell, "RECONNECT_S", 0.01)
    bell = NatsBell(f"nats://127.0.0.1:{free_port()}")
    with capture_logs() as logs:
        await bell.open()
        await until(lambda: len(logs) > 2)

    assert not await bell.reaches_others()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["bell_unreachable"]
    await bell.close()


async def test_a_flood_without_a_server_stays_bounded() -> None:
    """With nobody to take them, notes beyond the limit are dropped, and every one is still heard here."""
    bell = NatsBell(f"nats://127.0.0.1:{free_port()}")
    heard: list[Due] = []
    bell.listen(Due, heard.append)
    await bell.open()

    for number in range(20_000):
        bell.ring(Due(space=number, queue="x"))

    assert len(heard) == 20_000
    await bell.close()
