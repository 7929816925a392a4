"""A data directory whose disk can be filled and freed."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

SIZE = 12 << 20
"""Bytes: the demo space, and some thousand messages."""


class Disk(Protocol):
    """Fills up and is freed again while a server writes to it."""

    kind: str
    data: Path

    def fill(self, pid: int) -> None: ...
    def free(self, pid: int) -> None: ...


class SmallDisk:
    """A small file system of its own."""

    kind = "tmpfs"

    def __init__(self, place: Path) -> None:
        self.data = place / "data"
        self._filler = place / "filler"

    def fill(self, pid: int) -> None:
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)

    def free(self, pid: int) -> None:
        self._filler.unlink()


class FileLimit:
    """Where nothing may be mounted: the process may not let files grow (EFBIG instead of ENOSPC)."""

    kind = "RLIMIT_FSIZE"

    def __init__(self, place: Path) -> None:
        self.data = place / "data"

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def full_disk(place: Path) -> Iterator[Disk]:
    """The best kind that this machine allows."""
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=False)
    if mounted.returncode != 0:
        yield FileLimit(place)
        return
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def file_limit(place: Path) -> Iterator[Disk]:
    """The kind that works everywhere."""
    place.mkdir()
    yield FileLimit(place)
