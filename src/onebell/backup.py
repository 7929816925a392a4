"""Backup and restore of a node on SQLite: one archive with the database, the server key and the files."""

import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from onebell.errors import InvalidInput

DATABASE = "onebell.db"
SERVER_KEY = "server.key"
FILES = "files"


def backup(data: Path, archive: Path) -> str:
    """Copy a data directory while it is written to; the database by SQLite's own consistent copy.

    Returns a line that says what was written. The archive holds secrets: it is readable by its owner only.
    """
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
    return f"wrote {archive} ({archive.stat().st_size} bytes)"


def restore(archive: Path, data: Path) -> str:
    """Unpack a backup into a data directory that holds no database yet.

    Raises:
        InvalidInput: there is one already, or the copy in the archive is damaged.
    """
    if (data / DATABASE).exists():
        raise InvalidInput(f"{data / DATABASE} exists; restore into an empty directory")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(data, filter="data")
    except tarfile.TarError as error:
        raise InvalidInput(f"{archive} is no backup, or a damaged one: {error}") from error
    verdict = _verdict(data / DATABASE)
    if verdict != "ok":
        (data / DATABASE).unlink(missing_ok=True)  # nothing may start on it
        raise InvalidInput(f"the database in {archive} is damaged: {verdict}")
    return f"restored {archive} into {data}"


def _verdict(database: Path) -> str:
    """``ok``, or what SQLite finds wrong."""
    if not database.exists():
        return "there is none"
    try:
        with closing(sqlite3.connect(database)) as connection:
            return str(connection.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
