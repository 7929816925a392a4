"""Each node mints its ids with a number of its own."""

import asyncio

import pytest
import sqlalchemy as sa
from tests.fakes.clock import MovedClock

from onebell.clock import SystemClock
from onebell.ids import NODES
from onebell.store.engine import Database, open_database
from onebell.store.nodes import LEASE_MS, NodeLost, NoNodeFree, take_number
from onebell.store.schema import node


async def test_the_lowest_free_number_is_taken(database: Database) -> None:
    """Nodes get 0, 1, 2 …; one that is released goes to the next who asks."""
    clock = MovedClock()
    numbers = [await take_number(database, clock, f"n{n}") for n in range(3)]
    await numbers[1].release()

    assert [number.no for number in numbers] == [0, 1, 2]
    assert (await take_number(database, clock, "late")).no == 1


async def test_nodes_that_start_together_get_different_numbers(database: Database, store_settings: object) -> None:
    """Ten at once, over two connections pools on PostgreSQL: ten numbers."""
    other = await open_database(store_settings, SystemClock()) if database.kind == "postgresql" else database  # type: ignore[arg-type]
    clock = MovedClock()

    numbers = await asyncio.gather(*(take_number((database, other)[n % 2], clock, f"n{n}") for n in range(10)))

    assert sorted(number.no for number in numbers) == list(range(10))
    if other is not database:
        await other.close()


async def test_a_number_outlives_its_node_by_its_lease(database: Database) -> None:
    """A dead node's number is free when its lease has ended, not before; a renewed one is not."""
    clock = MovedClock()
    kept, dead = await take_number(database, clock, "kept"), await take_number(database, clock, "dead")
    clock.move(LEASE_MS / 1000 - 1)
    await kept.renew()
    early = await take_number(database, clock, "early")
    clock.move(2)

    late = await take_number(database, clock, "late")

    assert (early.no, late.no) == (2, dead.no)


async def test_a_lost_number_is_noticed(database: Database) -> None:
    """Who was silent for longer than his lease and was replaced hears so at his next renewal."""
    clock = MovedClock()
    silent = await take_number(database, clock, "silent")
    clock.move(LEASE_MS / 1000 + 1)
    await take_number(database, clock, "next")

    with pytest.raises(NodeLost):
        await silent.renew()


async def test_a_late_renewal_is_good_when_nobody_came(database: Database) -> None:
    """A store that was away for longer than the lease does not cost a node its number."""
    clock = MovedClock()
    number = await take_number(database, clock, "one")
    clock.move(10 * LEASE_MS / 1000)

    await number.renew()

    assert (await take_number(database, clock, "two")).no == 1


async def test_a_full_house_says_so(database: Database) -> None:
    """When all numbers are held there is an error, not a shared number."""
    clock = MovedClock()
    rows = [{"no": no, "name": "x", "lease_until": clock.now_ms() + 1} for no in range(NODES)]
    await database.write(lambda connection: connection.execute(sa.insert(node), rows))

    with pytest.raises(NoNodeFree):
        await take_number(database, clock, "late")
