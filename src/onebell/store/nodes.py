"""Which number a node mints its ids with: the lowest free one, held by a lease."""

import asyncio
import secrets

import sqlalchemy as sa
import structlog

from onebell.clock import Clock
from onebell.errors import OnebellError
from onebell.ids import NODES
from onebell.store.engine import Database
from onebell.store.hot import insert_into
from onebell.store.schema import node

log = structlog.get_logger()

LEASE_MS = 120_000
"""Long, because a number that changes hands while its first owner still mints would make ids twice."""
RENEW_S = 20.0


class NodeLost(OnebellError):
    """Another node has taken this one's number after a silence longer than the lease; stop and start again."""


class NoNodeFree(OnebellError):
    """All numbers are taken; stop a node, or wait until the lease of a dead one ends."""


class NodeNumber:
    """A number and its lease."""

    def __init__(self, database: Database, clock: Clock, no: int, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self.no = no

    async def renew(self) -> None:
        """Hold it for another lease.

        Raises:
            NodeLost: it is somebody else's now.
            StoreUnavailable: not renewed; there is time to try again.
        """
        if not await self._set_lease(self._clock.now_ms() + LEASE_MS):
            raise NodeLost(f"node number {self.no} was taken over")

    async def release(self) -> None:
        """Free it for the next one."""
        await self._set_lease(0)

    async def keep(self) -> None:
        """Renew it for as long as this node runs.

        Raises:
            NodeLost: it is somebody else's now.
        """
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.renew()
            except NodeLost:
                raise
            except Exception as error:
                # Whatever it is: an unrenewed number is somebody else's soon, and there is time to try again.
                log.warning("node_not_renewed", node=self.no, why=repr(error))

    async def _set_lease(self, until: int) -> bool:
        statement = sa.update(node).where(node.c.no == self.no, node.c.name == self._holder).values(lease_until=until)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount == 1)


async def take_number(database: Database, clock: Clock, name: str) -> NodeNumber:
    """Take the lowest number that nobody holds.

    Raises:
        NoNodeFree: there is none.
        StoreUnavailable: the store cannot be written now.
    """
    holder = f"{name}#{secrets.token_hex(8)}"
    no = await database.write(lambda connection: _take(connection, holder, clock.now_ms()))
    log.info("node_number_taken", node=no)
    return NodeNumber(database, clock, no, holder)


def _take(connection: sa.Connection, holder: str, now: int) -> int:
    while True:
        held = set(connection.execute(sa.select(node.c.no).where(node.c.lease_until > now)).scalars())
        free = next((no for no in range(NODES) if no not in held), None)
        if free is None:
            raise NoNodeFree(f"all {NODES} node numbers are held")
        insert = insert_into(connection.dialect, node).values(no=free, name=holder, lease_until=now + LEASE_MS)
        taken = connection.execute(
            insert.on_conflict_do_update(
                index_elements=["no"],
                set_={"name": holder, "lease_until": now + LEASE_MS},
                where=node.c.lease_until <= now,
            ).returning(node.c.no)
        ).scalar_one_or_none()
        if taken is not None:  # else another node was faster: look again
            return free
