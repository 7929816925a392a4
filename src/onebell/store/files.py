"""Bytes that do not belong into a row: on disk beside SQLite, in rows of 256 KiB in PostgreSQL, or in a bucket
(DESIGN §4).

A file is whole and synced before its row can be found; whatever a crash leaves half-written is in no answer.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from onebell.clock import Clock
from onebell.core.context import StoredFile
from onebell.core.objects import Objects
from onebell.errors import InvalidInput, NotFound, StoreUnavailable
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store.engine import Database
from onebell.store.packed import pack, unpack_object
from onebell.store.s3 import ObjectBytes
from onebell.store.schema import file as table
from onebell.store.schema import file_chunk as chunk_table
from onebell.vault import sync_directory

T = TypeVar("T")
CHUNK = 256 * 1024
"""Bytes in one row, and in one piece of a read."""
DISK = "disk"
DATABASE = "database"
_WRITING = "writing"
"""State of a file whose chunks are still coming: nobody finds it."""


class Bytes(Protocol):
    """Where the bytes of files are."""

    name: str

    async def write(self, row: StoredFile, pieces: AsyncIterator[bytes]) -> None:
        """Keep the pieces durably; what is half-written when ``pieces`` raises is taken away."""
        ...

    def read(self, row: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``."""
        ...

    async def remove(self, row: StoredFile) -> None:
        """Forget them."""
        ...


# ---------------------------------------------------------------- rows


def _insert(connection: sa.Connection, row: StoredFile, store: str) -> None:
    values = msgspec.structs.asdict(row)
    for column, field in (("space_id", "space"), ("owner_id", "owner"), ("message_id", "message")):
        values[column] = values.pop(field)
    values["data"] = pack(row.data)
    connection.execute(sa.insert(table).values(**values, store=store))


def _find(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> StoredFile | None:
    statement = sa.select(table).where(condition, table.c.store != _WRITING).order_by(table.c.id)
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    return StoredFile(
        id=row["id"],
        space=row["space_id"],
        name=row["name"],
        type=row["type"],
        size=row["size"],
        sha256=row["sha256"],
        owner=row["owner_id"],
        secret=row["secret"],
        public_id=row["public_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        message=row["message_id"],
        data=unpack_object(row["data"]),
    )


def _here(row: StoredFile) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.space_id == row.space, table.c.id == row.id)


def _store_of(connection: sa.Connection, row: StoredFile) -> str:
    return str(connection.execute(sa.select(table.c.store).where(_here(row))).scalar() or "")


def _delete(connection: sa.Connection, row: StoredFile) -> None:
    connection.execute(sa.delete(table).where(_here(row)))


# ---------------------------------------------------------------- the two places


class DiskBytes:
    """``DATA/files/aa/…``: written under another name, synced, renamed, the directory synced."""

    name = DISK

    def __init__(self, root: Path) -> None:
        self._root = root

    def sweep(self) -> None:
        """Take away what a crash left half-written; nobody else may be writing here."""
        for draft in self._root.glob("*/*.part"):
            draft.unlink(missing_ok=True)

    async def write(self, row: StoredFile, pieces: AsyncIterator[bytes]) -> None:
        path = self._path(row)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            out = await _blocking(lambda: _create(draft))
            try:
                async for piece in pieces:
                    await _blocking(lambda piece=piece: _write_all(out, piece))  # type: ignore[misc]
                await _blocking(lambda: os.fsync(out))
            finally:
                os.close(out)
            await _blocking(lambda: _rename(draft, path))
        finally:
            await _blocking(lambda: draft.unlink(missing_ok=True))

    async def read(self, row: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        path = self._path(row)
        descriptor = await _blocking(lambda: os.open(path, os.O_RDONLY))
        try:
            while start < end:
                piece = await _blocking(lambda at=start: os.pread(descriptor, min(CHUNK, end - at), at))  # type: ignore[misc]
                if not piece:
                    raise StoreUnavailable(f"file {row.id} is shorter than its row says")
                yield piece
                start += len(piece)
        finally:
            os.close(descriptor)

    async def remove(self, row: StoredFile) -> None:
        await _blocking(lambda: self._path(row).unlink(missing_ok=True))

    def _path(self, row: StoredFile) -> Path:
        number = f"{row.space:x}-{row.id:x}"
        # The last two digits are the fastest to change: directories fill evenly.
        return self._root / number[-2:] / number


class RowBytes:
    """Rows of 256 KiB."""

    name = DATABASE

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, row: StoredFile, pieces: AsyncIterator[bytes]) -> None:
        # Chunks belong to a row, so it comes first; in this state nobody finds it.
        await self._database.write(lambda connection: _insert(connection, row, _WRITING))
        try:
            number = 0
            async for piece in _regular(pieces):
                chunk = {"space_id": row.space, "file_id": row.id, "no": number, "bytes": piece}
                await self._database.write(lambda connection, chunk=chunk: _insert_chunk(connection, chunk))  # type: ignore[misc]
                number += 1
        except BaseException:
            await asyncio.shield(self._database.write(lambda connection: _delete(connection, row)))
            raise

    async def read(self, row: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        for number in range(start // CHUNK, -(-end // CHUNK)):
            first = number * CHUNK
            statement = sa.select(
                sa.func.substr(
                    chunk_table.c.bytes, max(start - first, 0) + 1, min(end - first, CHUNK) - max(start - first, 0)
                )
            ).where(chunk_table.c.space_id == row.space, chunk_table.c.file_id == row.id, chunk_table.c.no == number)
            piece = await self._database.read(lambda connection, one=statement: connection.execute(one).scalar())  # type: ignore[misc]
            if not piece:
                raise StoreUnavailable(f"file {row.id} is shorter than its row says")
            yield bytes(piece)

    async def remove(self, row: StoredFile) -> None:
        """The chunks go with the row."""


def _insert_chunk(connection: sa.Connection, chunk: dict[str, object]) -> None:
    connection.execute(sa.insert(chunk_table), [chunk])


# ---------------------------------------------------------------- files


class StoredFiles:
    """``core.context.Files``: new files go to one place, old ones are read from wherever they are."""

    def __init__(self, database: Database, mint: IdMint, clock: Clock, place: Bytes, *others: Bytes) -> None:
        self._database = database
        self._mint = mint
        self._clock = clock
        self._place = place
        self._places = {one.name: one for one in (place, *others)}

    async def put(
        self,
        space: int,
        name: str,
        media_type: str,
        body: bytes | AsyncIterator[bytes],
        *,
        owner: int = 0,
        secret: str = "",
        public_id: str = "",
        keep_s: int = 0,
        limit: int = 0,
        ended: Callable[[StoredFile], StoredFile] | None = None,
    ) -> StoredFile:
        now_ms = self._clock.now_ms()
        row = StoredFile(
            id=self._mint.mint(),
            space=space,
            name=name,
            type=media_type,
            size=0,
            sha256="",
            owner=owner,
            secret=secret,
            public_id=public_id,
            created_at=now_ms,
            expires_at=now_ms + keep_s * 1000 if keep_s else 0,
        )
        measured = _Measured(body, limit)
        await self._place.write(row, measured.pieces())
        row = msgspec.structs.replace(row, size=measured.size, sha256=measured.sha256)
        row = row if ended is None else ended(row)
        try:
            await self._database.write(lambda connection: _finish(connection, row, self._place.name))
        except BaseException:
            await asyncio.shield(self._discard(row))
            raise
        return row

    async def publish(
        self, file: StoredFile, *, public_id: str, secret: str, expires_at: int, data: dict[str, Any]
    ) -> StoredFile:
        values = {"public_id": public_id, "secret": secret, "expires_at": expires_at, "data": pack(data)}
        named = sa.update(table).where(_here(file), table.c.public_id == "").values(values)

        def work(connection: sa.Connection) -> StoredFile:
            connection.execute(named)
            found = _find(connection, _here(file))
            if found is None:
                raise NotFound(f"file {file.id}")
            return found

        return await self._database.write(work)

    async def find(self, space: int, file: int) -> StoredFile | None:
        return await self._database.read(
            lambda connection: _find(connection, sa.and_(table.c.space_id == space, table.c.id == file))
        )

    async def find_public(self, public_id: str) -> StoredFile | None:
        if not public_id:
            return None
        return await self._database.read(lambda connection: _find(connection, table.c.public_id == public_id))

    async def read(self, file: StoredFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Raises: StoreUnavailable: the bytes are not there."""
        stop = file.size if end is None else min(end, file.size)
        if start >= stop:
            return
        place = self._places.get(await self._database.read(lambda connection: _store_of(connection, file)))
        if place is None:
            raise StoreUnavailable(f"file {file.id} is nowhere")
        async for piece in place.read(file, start, stop):
            yield piece

    async def remove(self, file: StoredFile) -> None:
        """Forget a file: first its bytes, so that the row still names those that are out of reach for now."""
        place = self._places.get(await self._database.read(lambda connection: _store_of(connection, file)))
        if place is not None:
            await place.remove(file)
        await self._database.write(lambda connection: _delete(connection, file))

    async def _discard(self, row: StoredFile) -> None:
        await self._place.remove(row)
        await self._database.write(lambda connection: _delete(connection, row))


def _finish(connection: sa.Connection, row: StoredFile, store: str) -> None:
    """Let the file be found."""
    values = {"size": row.size, "sha256": row.sha256, "secret": row.secret, "data": pack(row.data), "store": store}
    if not connection.execute(sa.update(table).where(_here(row)).values(values)).rowcount:
        _insert(connection, row, store)


def open_files(
    settings: Settings, database: Database, mint: IdMint, clock: Clock, objects: Objects | None = None
) -> StoredFiles:
    """The files of a node: in a bucket where one is set, else on disk beside SQLite, in the database where nodes
    share it. What another setting has stored is still read from where it is."""
    disk, rows = DiskBytes(Path(settings.data) / "files"), RowBytes(database)
    if database.kind == "sqlite":
        disk.sweep()
    if settings.s3_bucket and objects is not None:
        return StoredFiles(database, mint, clock, ObjectBytes(settings, clock, objects), rows, disk)
    if database.kind != "sqlite":
        return StoredFiles(database, mint, clock, rows, disk)
    return StoredFiles(database, mint, clock, disk, rows)


# ---------------------------------------------------------------- pieces


class _Measured:
    """A body in pieces, counted and hashed on its way."""

    def __init__(self, body: bytes | AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has passed."""
        return self._hash.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises: InvalidInput: more than the limit has passed."""
        if isinstance(self._body, bytes):
            yield self._passed(self._body)
            return
        async for piece in self._body:
            yield self._passed(piece)

    def _passed(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self._limit and self.size > self._limit:
            raise InvalidInput(f"the file is longer than {self._limit} bytes", "file")
        self._hash.update(piece)
        return piece


async def _regular(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of ``CHUNK``, the last one shorter."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)


# ---------------------------------------------------------------- blocking calls


async def _blocking(call: Callable[[], T]) -> T:
    """Run a system call that may wait for the disk; a full or broken one is the store's fault."""
    try:
        return await asyncio.to_thread(call)
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


def _create(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _rename(draft: Path, path: Path) -> None:
    draft.rename(path)
    sync_directory(path.parent)
    sync_directory(path.parent.parent)  # the directory itself may be new
