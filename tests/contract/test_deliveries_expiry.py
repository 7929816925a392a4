"""Deliveries that end unsent because their time is over, on both engines: state, event and callback, in time."""

import asyncio
from typing import Literal

import pytest
from tests.contract.dispatching import Node, node_of

from onebell.core.bell import Due
from onebell.core.outcomes import Throttled, Unauthorized
from onebell.core.work import LEASE_S
from onebell.store import schema, unsent
from onebell.store.base import Store
from onebell.store.engine import Database


@pytest.fixture
async def node(store: Store, database: Database) -> Node:
    return await node_of(store, database)


async def test_what_waits_for_a_stopped_account_is_given_up_in_its_time(node: Node) -> None:
    """After the carrier's max_age it is expired and says what stopped the account; younger ones wait on."""
    (old,) = await node.queue("a")
    node.carrier.script("a", Unauthorized(why="401 token expired"))
    await node.send_all()
    node.rows.clock.move(node.carriers.age_s - 1)
    (young,) = await node.queue("b")
    await node.send_all()
    assert (await node.states())[old] == "due"

    node.rows.clock.move(1)
    await node.send_all()

    row = await node.rows.one(schema.delivery, id=old)
    assert (row.state, row.why) == ("expired", "401 token expired")
    assert (await node.states())[young] == "due"


@pytest.mark.parametrize("scope", ["account", "target"])
async def test_what_expires_while_its_account_is_paused_is_told_then(
    node: Node, scope: Literal["account", "target"]
) -> None:
    """A message with a time to live ends when that is over and not when the pause is; those without one wait on."""
    (first,) = await node.queue("a")
    node.carrier.script("a", Throttled(why="429", wait_s=600, scope=scope))
    await node.send_all()
    message = await node.rows.message(watched=1)
    address, until = await node.target("a"), node.rows.clock.now_ms() + 5_000
    short = await node.rows.delivery(message, node.account, address, expires_at=until)
    node.rows.clock.move(4.9)
    await node.send_all()
    assert (await node.states())[short] == "due"
    node.bell.rung.clear()

    node.rows.clock.move(0.1)
    await node.send_all()

    assert await node.states() == {first: "due", short: "expired"}
    assert (await node.rows.one(schema.delivery, id=short)).why == "expired before it could be delivered"
    assert (await node.rows.one(schema.message, id=message)).state == "finished"
    kinds = [row.kind for row in await node.rows.all(schema.event, message_id=message)]
    assert kinds == ["expired", "finished"]
    assert Due(space=0, queue="events") in node.bell.rung
    assert len(node.carrier.batches) == 1


async def test_what_expires_while_its_account_is_stopped_says_what_stopped_it(node: Node) -> None:
    """A time to live that is shorter than the carrier's max_age counts for a stopped account too."""
    await node.queue("a")
    node.carrier.script("a", Unauthorized(why="401 token expired"))
    await node.send_all()
    until = node.rows.clock.now_ms() + 5_000
    message = await node.rows.message(watched=1)
    short = await node.rows.delivery(message, node.account, await node.target("b"), expires_at=until)
    node.rows.clock.move(5)
    await node.send_all()

    row = await node.rows.one(schema.delivery, id=short)
    assert (row.state, row.why) == ("expired", "401 token expired")


async def test_many_that_expire_at_once_are_told_one_piece_after_the_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause outlives more of them than one piece holds: the next turn follows at once."""
    monkeypatch.setattr(unsent, "AT_ONCE", 2)
    await node.queue("a")
    node.carrier.script("a", Throttled(why="429", wait_s=600))
    await node.send_all()
    until = node.rows.clock.now_ms() + 1_000
    for number in range(3):
        address = await node.target(str(number))
        await node.rows.delivery(await node.rows.message(watched=1), node.account, address, expires_at=until)
    node.rows.clock.move(1)

    assert await node.dispatcher.turn() == 0
    assert await node.dispatcher.turn() == 0
    assert await node.dispatcher.turn() > 0
    assert sorted((await node.states()).values()) == ["due", "expired", "expired", "expired"]


async def test_what_is_under_way_does_not_expire(node: Node) -> None:
    """A call that began in time ends as it ends, also when the clock jumps past its lease meanwhile."""
    until = node.rows.clock.now_ms() + 5_000
    message = await node.rows.message(watched=1)
    delivery = await node.rows.delivery(message, node.account, await node.target("a"), expires_at=until)
    gate = asyncio.Event()
    node.carrier.script("a", gate)
    await node.dispatcher.turn()
    await node.carrier.called(1)
    node.rows.clock.move(LEASE_S + 1)
    await node.dispatcher.turn()
    assert await node.states() == {delivery: "due"}

    gate.set()
    await node.dispatcher.idle()
    assert await node.states() == {delivery: "sent"}
