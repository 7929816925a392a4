"""Changes of a space's directory: one transaction, the space's version raised in it, caches told after it."""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import sqlalchemy as sa

from onebell.clock import Clock
from onebell.core.bell import ConfigChanged
from onebell.errors import Conflict
from onebell.ids import IdMint
from onebell.store import spaces
from onebell.store.engine import Database, Work
from onebell.vault import ServerVault

T = TypeVar("T")


class Origin(Enum):
    """Who made an object; ``apply`` removes only what a file made (DESIGN §6)."""

    FILE = "file"
    API = "api"
    CONSOLE = "console"
    EDITED = "edited"
    """Made by a file, changed by somebody else since: the next ``apply`` overrules that and says so."""


class Changes:
    """What every verb that changes the directory goes through."""

    def __init__(
        self,
        database: Database,
        mint: IdMint,
        clock: Clock,
        vault: ServerVault,
        announce: Callable[[ConfigChanged], None],
    ) -> None:
        self.database = database
        self.mint = mint
        self.clock = clock
        self.vault = vault
        self._announce = announce

    async def write(self, space: int, work: Work[T]) -> T:
        """Run ``work``, raise the version, commit; then every cache hears of it.

        Raises:
            Conflict: something of the same name exists already.
            StoreUnavailable: nothing was stored.
        """

        def change(connection: sa.Connection) -> tuple[T, int]:
            # The version last: the space's row is the one that all changes of a space wait for.
            return work(connection), spaces.raise_version(connection, space)

        try:
            result, version = await self.database.write(change)
        except sa.exc.IntegrityError as error:
            raise Conflict("it exists already, or what it belongs to does not") from error
        self._announce(ConfigChanged(space=space, version=version))
        return result
