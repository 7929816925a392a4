"""A dispatcher over a real store, its carriers and its rows, as the tests of deliveries use it."""

import asyncio
from dataclasses import dataclass

from tests.fakes.carriers import FakeCarrier, FakeCarriers
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import Rows

from onebell.core.dispatch import Dispatcher
from onebell.core.verdict import Judge
from onebell.core.work import LEASE_S
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


async def send_all(dispatcher: Dispatcher) -> None:
    """Claim and send until nothing is due."""
    for _ in range(20):
        await dispatcher.turn()
        if not dispatcher.has_calls:
            return
        await dispatcher.idle()


@dataclass
class Node:
    """A dispatcher, its carriers and its rows."""

    rows: Rows
    carriers: FakeCarriers
    dispatcher: Dispatcher
    bell: HeardBell
    account: int
    carrier: FakeCarrier

    async def send_all(self) -> None:
        await send_all(self.dispatcher)

    async def queue(self, *addresses: str, message: int = 0, account: int = 0) -> list[int]:
        """A message with a delivery to each of these addresses."""
        message = message or await self.rows.message(watched=1)
        return [
            await self.rows.delivery(message, account or self.account, await self.target(address, account))
            for address in addresses
        ]

    async def target(self, address: str, account: int = 0) -> int:
        found = await self.rows.all(schema.target, value=address, account_id=account or self.account)
        return found[0].id if found else await self.rows.target(account or self.account, address)

    async def until_sent(self, *deliveries: int) -> None:
        """Wait until these are sent; less long than a lease, after which what hangs would be ended."""
        async with asyncio.timeout(LEASE_S - 5):
            while {(await self.states())[delivery] for delivery in deliveries} != {"sent"}:
                await asyncio.sleep(0.01)

    async def states(self) -> dict[int, str]:
        return {row.id: row.state for row in await self.rows.all(schema.delivery)}


def dispatcher_of(
    store: Store, rows: Rows, carriers: FakeCarriers, bell: HeardBell, workers: int = 16, **more: float
) -> Dispatcher:
    context = context_of(store, rows, bell, workers=workers)
    return Dispatcher(context, carriers, plain_render, Judge(jitter=lambda: 0.5), **more)


async def node_of(store: Store, database: Database) -> Node:
    """A node with one account."""
    rows, bell, carrier = Rows(database), HeardBell(), FakeCarrier()
    await rows.space()
    account = await rows.account("main")
    carriers = FakeCarriers(by_code={"main": carrier})
    return Node(rows, carriers, dispatcher_of(store, rows, carriers, bell), bell, account, carrier)
