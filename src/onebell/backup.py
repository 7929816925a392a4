"""Backup and restore of a node on SQLite: one archive with the database, the server key and the files."""

import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path

from onebell.errors import InvalidInput

DATABASE = "onebell.db"
SERVER_KEY = "server.key"
FILES = "files"


def backup(data: Path, archive: Path) -> str:
    """Copy a data directory while it is written to; the database by SQLite's own consistent copy.

    Returns a line that says what was written. The archive holds secrets: it is readable by its owner only.

    Raises:
        InvalidInput: it cannot be written there.
    """
    try:
        _write(data, archive)
    except (OSError, sqlite3.Error) as error:
        raise InvalidInput(f"{archive} cannot be written: {getattr(error, 'strerror', None) or error}") from error
    return f"wrote {archive} ({archive.stat().st_size} bytes)"


def _write(data: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        copy = Path(scratch) / DATABASE
        source = sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True)
        source.execute("VACUUM INTO ?", (str(copy),))
        source.close()
        archive.touch(mode=0o600)
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(copy, DATABASE)
            for name in (SERVER_KEY, FILES):
                if (data / name).exists():
                    tar.add(data / name, name)


def restore(archive: Path, data: Path) -> str:
    """Unpack a backup into a data directory that holds nothing of a backup yet; a damaged one leaves nothing there.

    Raises:
        InvalidInput: there is something already, or the archive is damaged.
    """
    for name in (DATABASE, SERVER_KEY, FILES):
        if (data / name).exists():
            raise InvalidInput(f"{data / name} exists; restore into an empty directory")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=data) as scratch:
        found = Path(scratch)
        _unpack(archive, found)
        # The database last: nothing starts on half of a backup.
        for name in (FILES, SERVER_KEY, DATABASE):
            if (found / name).exists():
                (found / name).rename(data / name)
    return f"restored {archive} into {data}"


def _unpack(archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(into, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InvalidInput(f"{archive} is no backup, or a damaged one: {error}") from error
    verdict = _verdict(into / DATABASE)
    if verdict != "ok":
        raise InvalidInput(f"the database in {archive} is damaged: {verdict}")


def _verdict(database: Path) -> str:
    """``ok``, or what SQLite finds wrong."""
    if not database.exists():
        return "there is none"
    try:
        with closing(sqlite3.connect(database)) as connection:
            return str(connection.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
