"""Stored files for tests that need no store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from onebell.core.context import StoredFile
from onebell.errors import StoreUnavailable


@dataclass
class Shelf:
    """Stored files by id; says which were looked for, and breaks when told to."""

    bodies: dict[int, bytes] = field(default_factory=dict)
    looked_for: list[int] = field(default_factory=list)
    is_broken: bool = False

    async def find(self, space: int, file: int) -> StoredFile | None:
        self.looked_for.append(file)
        if self.is_broken:
            raise StoreUnavailable("no disk")
        if file not in self.bodies:
            return None
        return StoredFile(
            id=file, space=space, name="f", type="", size=len(self.bodies[file]), sha256="", owner=0, secret="",
            public_id="", created_at=0, expires_at=0,
        )  # fmt: skip

    async def read(self, file: StoredFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        body = self.bodies[file.id][start:end]
        yield body[:5]
        yield body[5:]
