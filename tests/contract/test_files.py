"""Stored files, on both engines: on disk and in rows."""

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from onebell.clock import SystemClock
from onebell.core.context import StoredFile
from onebell.errors import InvalidInput, NotFound, StoreUnavailable
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.engine import Database
from onebell.store.files import CHUNK, DiskBytes, StoredFiles, open_files


@pytest.fixture
def files(database: Database, store_settings: Settings) -> StoredFiles:
    """The files of a node."""
    return open_files(store_settings, database, IdMint(SystemClock(), 0), SystemClock())


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read_all(files: StoredFiles, file, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in files.read(file, start, end)])


def on_disk(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.data, "files").rglob("*") if path.is_file()]


def leave_half(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "1-1.0000.part").write_bytes(b"half")


SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17]


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_put_comes_back(files: StoredFiles, space: int, size: int):
    """A body of any size comes back byte for byte, given whole or in pieces, with its size and hash."""
    body = os.urandom(size)
    for given in (body, in_pieces(body, 10_007)):
        file = await files.put(space, "a.bin", "application/octet-stream", given, owner=5, secret="s", keep_s=60)
        assert (file.size, file.sha256) == (size, hashlib.sha256(body).hexdigest())
        assert await read_all(files, file) == body
        assert await files.find(space, file.id) == file
        assert (file.owner, file.secret, file.expires_at - file.created_at) == (5, "s", 60_000)


async def test_ranges(files: StoredFiles, space: int):
    """Any range is read, also over borders of rows and past the end."""
    body = os.urandom(2 * CHUNK + 100)
    file = await files.put(space, "a", "", body)
    for start, end in [
        (0, 1),
        (5, 5),
        (CHUNK - 1, CHUNK + 1),
        (CHUNK, 2 * CHUNK),
        (10, 2 * CHUNK + 50),
        (2 * CHUNK, None),
        (2 * CHUNK + 99, 10 * CHUNK),
        (2 * CHUNK + 100, None),
        (9 * CHUNK, 10 * CHUNK),
    ]:
        assert await read_all(files, file, start, end) == body[start:end]


async def test_a_body_over_its_limit_leaves_nothing(
    files: StoredFiles, database: Database, store_settings: Settings, space: int
):
    """A body is refused as soon as it passes the limit, and no byte and no row stays."""
    with pytest.raises(InvalidInput):
        await files.put(space, "a", "", in_pieces(b"x" * (2 * CHUNK), 1000), limit=2 * CHUNK - 1)
    fits = await files.put(space, "a", "", in_pieces(b"x" * 100, 10), limit=100)
    assert fits.size == 100
    rows = await database.read(lambda connection: connection.execute(sa.select(schema.file.c.id)).scalars().all())
    chunks = await database.read(
        lambda connection: connection.execute(sa.select(schema.file_chunk.c.file_id).distinct()).scalars().all()
    )
    assert rows == [fits.id]
    assert set(chunks) <= {fits.id}
    assert len(on_disk(store_settings)) in (0, 1)


async def test_a_body_that_breaks_off_leaves_nothing(
    files: StoredFiles, database: Database, store_settings: Settings, space: int
):
    """When the sender goes away in the middle, no byte and no row stays."""

    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * (CHUNK + 5)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.put(space, "a", "", breaking())
    for table in (schema.file, schema.file_chunk):
        assert await database.read(lambda connection, table=table: connection.execute(sa.select(table)).all()) == []
    assert on_disk(store_settings) == []


async def test_an_unfinished_file_is_not_found(files: StoredFiles, space: int):
    """Until the last byte is stored nobody finds the file."""
    seen = []

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * CHUNK
            seen.append(await files.find_public("public"))

    await files.put(space, "a", "", slow(), public_id="public")
    assert seen == [None, None, None]
    assert await files.find_public("public") is not None


async def test_public_ids(files: StoredFiles, space: int):
    """A file is found by its public id; an empty one finds nothing."""
    file = await files.put(space, "a", "", b"x", public_id="p-1")
    await files.put(space, "b", "", b"y")
    assert await files.find_public("p-1") == file
    assert await files.find_public("p-2") is None
    assert await files.find_public("") is None


async def test_another_space_does_not_find_it(files: StoredFiles, space: int):
    """The id alone is not enough."""
    file = await files.put(space, "a", "", b"x")
    assert await files.find(space + 1, file.id) is None


async def test_a_removed_file_is_gone(files: StoredFiles, database: Database, store_settings: Settings, space: int):
    """Row, chunks and bytes go together; reading it says that the store has it no more."""
    file = await files.put(space, "a", "", b"x" * (CHUNK + 1))
    await files.remove(file)
    assert await files.find(space, file.id) is None
    assert await database.read(lambda connection: connection.execute(sa.select(schema.file_chunk)).all()) == []
    assert on_disk(store_settings) == []
    with pytest.raises(StoreUnavailable):
        await read_all(files, file)
    await files.remove(file)


async def test_lost_bytes_are_an_error_not_a_short_answer(
    files: StoredFiles, database: Database, store_settings: Settings, space: int
):
    """A file whose bytes are missing raises instead of ending early."""
    file = await files.put(space, "a", "", b"x" * (CHUNK + 1))
    for path in on_disk(store_settings):
        os.truncate(path, 10)
    last = sa.delete(schema.file_chunk).where(schema.file_chunk.c.no == 1)
    await database.write(lambda connection: connection.execute(last).rowcount)
    with pytest.raises(StoreUnavailable):
        await read_all(files, file)


async def test_the_place_follows_the_engine(
    files: StoredFiles, database: Database, store_settings: Settings, space: int
):
    """SQLite keeps files on disk, readable by the owner only; PostgreSQL in rows that every node reads."""
    file = await files.put(space, "../../etc/passwd", "", b"x")
    paths = on_disk(store_settings)
    if database.kind == "sqlite":
        [path] = paths
        assert path.read_bytes() == b"x"
        assert path.parent.name == f"{file.id:x}"[-2:]
        assert path.stat().st_mode & 0o077 == 0
    else:
        assert paths == []
    assert file.name == "../../etc/passwd"


async def test_a_start_sweeps_what_a_crash_left(database: Database, store_settings: Settings, space: int):
    """Half-written drafts of an earlier process are taken away, whole files stay."""
    mint, clock = IdMint(SystemClock(), 0), SystemClock()
    files = open_files(store_settings, database, mint, clock)
    file = await files.put(space, "a", "", b"x")
    whole = on_disk(store_settings)
    leave_half(Path(store_settings.data, "files", "aa"))
    again = open_files(store_settings, database, mint, clock)
    if database.kind == "sqlite":
        assert on_disk(store_settings) == whole
    assert await read_all(again, file) == b"x"


async def test_bodies_pass_through_without_being_held(files: StoredFiles, space: int):
    """Storing and reading 24 MiB takes a few pieces of memory, not the body."""

    async def large() -> AsyncIterator[bytes]:
        for _ in range(96):
            yield bytes(CHUNK)

    tracemalloc.start()
    file = await files.put(space, "a", "", large())
    size = 0
    async for piece in files.read(file):
        size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == file.size == 96 * CHUNK
    assert peak < 8 * 1024 * 1024


async def test_a_file_is_synced_before_anything_can_name_it(
    tmp_path: Path, database: Database, space: int, monkeypatch: pytest.MonkeyPatch
):
    """All its bytes first, then its name, then that's directory: a power cut leaves the whole or nothing (R2)."""
    root, synced = tmp_path / "disk", []

    def fsync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        path, is_named = Path(f"/proc/self/fd/{descriptor}").readlink(), bool(list(root.glob("*/*[!t]")))
        synced.append((path.stat().st_size if path.is_file() else path.relative_to(root).parts, is_named))
        sync(descriptor)

    files = StoredFiles(database, IdMint(SystemClock(), 0), SystemClock(), DiskBytes(root))
    monkeypatch.setattr(os, "fsync", fsync)
    await files.put(space, "a.txt", "text/plain", in_pieces(b"body", 2))

    (path,) = root.glob("*/*")
    assert synced == [(4, False), ((path.parent.name,), True), ((), True)]


async def test_a_file_is_published_once(files: StoredFiles, space: int):
    """Of two who give it an id at once one wins, and both get that one's; a file that is gone is told."""
    file = await files.put(space, "a.txt", "text/plain", b"x", owner=5)
    assert await files.find_public("a") is None

    async def publish(name: str) -> StoredFile:
        return await files.publish(file, public_id=name, secret=f"s-{name}", expires_at=9, data={"by": name})

    one, other = await asyncio.gather(publish("a"), publish("b"))
    assert one == other == await publish("c") == await files.find(space, file.id)
    name = one.public_id
    assert (one.secret, one.expires_at, one.data, one.owner, one.size) == (f"s-{name}", 9, {"by": name}, 5, 1)
    assert await files.find_public(name) == one
    assert [await files.find_public(lost) for lost in {"a", "b", "c"} - {name}] == [None, None]
    await files.remove(file)
    with pytest.raises(NotFound):
        await publish("d")
