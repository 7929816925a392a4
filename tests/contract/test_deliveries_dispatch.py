"""The dispatcher over a real store on both engines, with carriers that do what the test says."""

import asyncio
import threading
from itertools import pairwise

import pytest
from tests.contract.dispatching import Node, dispatcher_of, node_of
from tests.fakes.carriers import FakeCarrier
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import SPACE

from onebell.core.bell import Due
from onebell.core.dispatch import LANES_PER_CLAIM, Dispatcher
from onebell.core.outcomes import Outcome, Permanent, Split, Temporary, Throttled, Unauthorized
from onebell.core.work import LEASE_S
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


@pytest.fixture
async def node(store: Store, database: Database) -> Node:
    return await node_of(store, database)


async def test_what_is_due_is_sent_and_closed(node: Node) -> None:
    """A due delivery goes to its carrier once, with the message's own facts, and is closed; packers are woken."""
    (delivery,) = await node.queue("a@x")

    await node.send_all()

    (batch,) = node.carrier.batches
    assert (batch.rendered.title, batch.dialect, batch.addresses[0].delivery) == ("t", "test", delivery)
    assert await node.states() == {delivery: "sent"}
    assert Due(space=0, queue="events") in node.bell.rung


async def test_a_batch_holds_one_part_for_many_addresses(node: Node) -> None:
    """Deliveries of one message go out together up to the manifest's limit; messages are never mixed."""
    node.carriers.batch = 3
    await node.queue("a", "b", "c", "d")
    await node.queue("a2")

    await node.send_all()

    calls = sorted([address.value for address in batch.addresses] for batch in node.carrier.batches)
    assert calls == [["a", "b", "c"], ["a2"], ["d"]]


async def test_a_temporary_failure_is_tried_again_after_its_pause(node: Node) -> None:
    """The first retry comes after 5 s and no earlier, as a second attempt."""
    (delivery,) = await node.queue("a")
    node.carrier.script("a", Temporary(why="503"))
    await node.send_all()
    node.rows.clock.move(4.9)
    await node.send_all()
    assert len(node.carrier.batches) == 1

    node.rows.clock.move(0.1)
    await node.send_all()

    assert await node.states() == {delivery: "sent"}
    assert [row.outcome for row in await node.rows.all(schema.attempt)] == ["temporary", "sent"]
    assert node.carrier.batches[1].addresses[0].attempt == 2


async def test_ten_minutes_of_errors_lose_nothing(node: Node) -> None:
    """A carrier that fails for ten minutes delivers in the end, with at most twelve tries and growing pauses."""
    (delivery,) = await node.queue("a")
    node.carrier.script("a", *[Temporary(why="500")] * 6)

    began = node.rows.clock.now_ms()
    for _ in range(200):
        await node.send_all()
        node.rows.clock.move(10)

    started = [(row.started_at - began) / 1000 for row in await node.rows.all(schema.attempt)]
    pauses = [after - before for before, after in pairwise(started)]
    assert await node.states() == {delivery: "sent"}
    assert len(started) <= 12
    assert pauses == sorted(pauses)
    assert started[-1] >= 600


async def test_tries_end_with_the_carriers_max_age(node: Node) -> None:
    """When the next try would come after the manifest's max_age the delivery has failed, with the last reason."""
    node.carriers.age_s = 12
    (delivery,) = await node.queue("a")
    node.carrier.script("a", Temporary(why="one"), Temporary(why="two"))
    await node.send_all()
    node.rows.clock.move(5)

    await node.send_all()

    row = await node.rows.one(schema.delivery, id=delivery)
    assert (row.state, row.why) == ("failed", "two")


async def test_an_account_may_give_up_earlier(node: Node) -> None:
    """The account's own max_age_s comes before the manifest's: what is old news is not tried for a day."""
    account = await node.rows.account("hasty", max_age_s=2)
    node.carriers.by_code["hasty"] = node.carrier
    (delivery,) = await node.queue("a", account=account)
    node.carrier.script("a", Temporary(why="500"))

    await node.send_all()

    row = await node.rows.one(schema.delivery, id=delivery)
    assert (row.state, row.why) == ("failed", "500")


async def test_a_provider_that_asks_for_time_gets_it(node: Node) -> None:
    """A minimum in the provider's answer is kept even where the back-off is shorter."""
    await node.queue("a")
    node.carrier.script("a", Temporary(why="503", not_before_s=90))
    await node.send_all()
    node.rows.clock.move(89.9)
    await node.send_all()

    assert len(node.carrier.batches) == 1


async def test_a_throttled_account_sends_nothing_before_its_time(node: Node) -> None:
    """After "too fast" no request goes out before the instant; then all go, none of them as a second try."""
    await node.queue("a", "b")
    node.carrier.script("a", Throttled(why="429", wait_s=60))
    node.carrier.script("b", Throttled(why="429", wait_s=60))
    await node.send_all()
    calls = len(node.carrier.batches)
    await node.queue("c")
    node.rows.clock.move(59.9)
    await node.send_all()
    assert len(node.carrier.batches) == calls

    node.rows.clock.move(0.1)
    await node.send_all()

    assert sorted(node.carrier.received[calls:]) == ["a", "b", "c"]
    assert {row.attempts for row in await node.rows.all(schema.delivery)} == {1}


async def test_a_throttled_address_keeps_its_own_order(node: Node) -> None:
    """What comes later for a throttled address neither overtakes nor is sent early; other addresses go on."""
    first = await node.rows.message()
    second = await node.rows.message()
    await node.queue("slow", message=first)
    await node.queue("slow", message=second)
    await node.queue("free")
    node.carrier.script("slow", Throttled(why="429", wait_s=30, scope="target"))
    await node.send_all()
    assert sorted(node.carrier.received) == ["free", "slow"]

    node.rows.clock.move(30)
    await node.send_all()

    order = [batch.message for batch in node.carrier.batches if batch.addresses[0].value == "slow"]
    assert order == [f"public-{first}", f"public-{first}", f"public-{second}"]


async def test_one_address_gets_one_call_at_a_time(node: Node) -> None:
    """Two messages for one address go out one after the other, in order."""
    gate = asyncio.Event()
    await node.queue("a", message=await node.rows.message())
    await node.queue("a", message=await node.rows.message())
    node.carrier.script("a", gate)
    await node.dispatcher.turn()
    await node.carrier.called(1)
    assert len(node.carrier.batches) == 1

    gate.set()
    await node.dispatcher.idle()

    assert node.carrier.received == ["a", "a"]


async def test_a_dead_address_is_not_tried_again(node: Node) -> None:
    """After a permanent refusal of the address the next message to it fails without a call, and says why."""
    await node.queue("gone")
    node.carrier.script("gone", Permanent(why="410 Unregistered", drop_target=True, code=410))
    await node.send_all()
    (later,) = await node.queue("gone")

    await node.send_all()

    assert len(node.carrier.batches) == 1
    row = await node.rows.one(schema.delivery, id=later)
    assert (row.state, row.why) == ("failed", "this address is dead: 410 Unregistered")


async def test_a_refused_credential_stops_the_account_and_nothing_is_lost(node: Node) -> None:
    """The account stops at once, its deliveries wait, and go when the operator resumes it."""
    node.carriers.batch = 2  # one call, so that the end of one try cannot stop the other's
    first = await node.queue("a", "b")
    node.carrier.script("a", Unauthorized(why="401 token expired"))
    node.carrier.script("b", Unauthorized(why="401 token expired"))
    await node.send_all()
    calls = len(node.carrier.batches)
    later = await node.queue("c")
    await node.send_all()
    assert len(node.carrier.batches) == calls

    await node.dispatcher.resume(SPACE, node.account)
    await node.send_all()

    assert await node.states() == dict.fromkeys(first + later, "sent")


async def test_a_split_batch_finds_the_one_at_fault(node: Node) -> None:
    """A batch refused as a whole is halved until the bad address stands alone; the others are delivered once."""
    node.carriers.batch = 8
    ids = await node.queue("a", "b", "c", "d", "bad")
    node.carrier.send = _splitting(node.carrier)  # type: ignore[method-assign]

    await node.send_all()

    states = await node.states()
    assert [states[delivery] for delivery in ids] == ["sent"] * 4 + ["failed"]
    good = [batch for batch in node.carrier.batches if all(address.value != "bad" for address in batch.addresses)]
    assert sorted(address.value for batch in good for address in batch.addresses) == ["a", "b", "c", "d"]


def _splitting(carrier: FakeCarrier):
    plain = carrier.send

    async def send(batch):
        outcomes = await plain(batch)
        spoiled = any(address.value == "bad" for address in batch.addresses)
        return [Split(why="one of them is wrong") for _ in outcomes] if spoiled else outcomes

    return send


async def test_poison_blocks_nobody(node: Node) -> None:
    """Carrier code that raises costs its own message five tries; then it is parked with a trace; others go."""
    (poison,) = await node.queue("poison")
    good = await node.queue("a", "b")
    node.carrier.script("poison", *[ValueError("bad unicode")] * 9)

    for _ in range(8):
        await node.send_all()
        node.rows.clock.move(4_000)

    states = await node.states()
    assert [states[delivery] for delivery in good] == ["sent", "sent"]
    row = await node.rows.one(schema.delivery, id=poison)
    assert (row.state, row.attempts) == ("failed", 5)
    assert row.why.startswith("defect in carrier fake: ValueError (trace ")


async def test_a_carrier_that_counts_wrongly_is_a_defect(node: Node) -> None:
    """Fewer outcomes than addresses are nobody's success."""
    node.carriers.batch = 2
    ids = await node.queue("a", "b")

    async def forgetful(batch) -> list[Outcome]:
        return []

    node.carrier.send = forgetful  # type: ignore[method-assign]
    await node.send_all()

    assert await node.states() == dict.fromkeys(ids, "due")
    assert {row.outcome for row in await node.rows.all(schema.attempt)} == {"defect"}


async def test_the_accounts_own_rate_is_kept(node: Node) -> None:
    """Calls beyond the manifest's limit per minute wait, and are no failed tries."""
    node.carriers.per_minute = 2
    await node.queue("a", "b", "c")

    await node.send_all()

    assert len(node.carrier.batches) == 2
    assert sorted(row.attempts for row in await node.rows.all(schema.delivery)) == [0, 1, 1]


async def test_a_removed_account_fails_its_deliveries(node: Node) -> None:
    """Deliveries of an account that exists no more fail and say so."""
    other = await node.rows.account("other")
    (delivery,) = await node.queue("x", account=other)
    await node.rows.db.write(
        lambda c: c.execute(schema.carrier_account.delete().where(schema.carrier_account.c.id == other))
    )

    await node.send_all()

    row = await node.rows.one(schema.delivery, id=delivery)
    assert (row.state, row.why) == ("failed", "the carrier account was removed")


async def test_a_call_without_an_answer_ends_at_the_deadline(node: Node, store: Store) -> None:
    """A carrier that never answers costs its deadline and a try; the good one beside it is done at once."""
    never, hanging = asyncio.Event(), FakeCarrier()
    node.carriers.by_code["hang"] = hanging
    account = await node.rows.account("hang")
    stuck = await node.queue(*[f"h{number}" for number in range(20)], account=account)
    for number in range(20):
        hanging.script(f"h{number}", never)
    good = await node.queue("a", "b", "c")
    dispatcher = dispatcher_of(store, node.rows, node.carriers, node.bell, deadline_s=0.5)

    running = asyncio.create_task(dispatcher.run())
    await node.until_sent(*good)
    early = await node.states()
    await dispatcher.idle()
    await dispatcher.stop()
    await running

    assert {early[delivery] for delivery in stuck} == {"due"}
    whys = {row.why for row in await node.rows.all(schema.delivery, account_id=account) if row.why}
    assert whys == {"no answer within 0.5 s"}


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.all)])
async def test_hanging_targets_leave_their_places(node: Node, store: Store, count: int) -> None:
    """More hanging calls than an account has places do not keep its good addresses waiting for the deadline (R8)."""
    hanging = [f"h{number}" for number in range(count)]
    await node.queue(*hanging)
    for address in hanging:
        node.carrier.script(address, asyncio.Event())
    good = await node.queue(*[f"g{number}" for number in range(count)])
    dispatcher = dispatcher_of(store, node.rows, node.carriers, node.bell, Settings().workers, deadline_s=LEASE_S - 3)

    running = asyncio.create_task(dispatcher.run())
    await node.until_sent(*good)
    await dispatcher.stop()
    await running

    assert len(node.carrier.batches) == 2 * count


async def test_a_graceful_stop_loses_and_repeats_nothing(node: Node) -> None:
    """Drain lets calls end, gives back what waits for them, claims no more."""
    gate = asyncio.Event()
    first, second = await node.queue("a", message=await node.rows.message()), await node.queue("a")
    node.carrier.script("a", gate)
    await node.dispatcher.turn()
    await node.carrier.called(1)

    draining = asyncio.create_task(node.dispatcher.drain(60))
    await asyncio.sleep(0.05)
    gate.set()
    await draining

    states = await node.states()
    assert (states[first[0]], states[second[0]]) == ("sent", "due")
    row = await node.rows.one(schema.delivery, id=second[0])
    assert (row.attempts, row.lease_until) == (0, 0)


async def test_an_immediate_stop_costs_one_lease(node: Node, store: Store) -> None:
    """Calls dropped by a second signal are repeated by another node when the lease has ended, once."""
    (delivery,) = await node.queue("a")
    node.carrier.script("a", asyncio.Event())
    await node.dispatcher.turn()
    await node.carrier.called(1)
    await node.dispatcher.stop()
    other = dispatcher_of(store, node.rows, node.carriers, node.bell)
    await other.turn()
    await other.idle()
    assert len(node.carrier.batches) == 1

    node.rows.clock.move(LEASE_S)
    await other.turn()
    await other.idle()

    assert await node.states() == {delivery: "sent"}
    assert [batch.addresses[0].attempt for batch in node.carrier.batches] == [1, 2]


async def test_a_jumping_clock_does_not_send_twice(node: Node) -> None:
    """A day's jump ends every lease on paper; what this node is still sending is not sent again."""
    gate = asyncio.Event()
    await node.queue("a")
    node.carrier.script("a", gate)
    await node.dispatcher.turn()
    await node.carrier.called(1)

    node.rows.clock.jump(86_400)
    await node.dispatcher.turn()
    await asyncio.sleep(0.05)
    gate.set()
    await node.dispatcher.idle()

    assert len(node.carrier.batches) == 1


async def test_the_bell_wakes(node: Node) -> None:
    """A ring starts a delivery at once."""
    running = asyncio.create_task(node.dispatcher.run())
    await asyncio.sleep(0.05)
    (delivery,) = await node.queue("a")

    node.bell.ring(Due(space=SPACE, queue="deliveries"))
    await node.until_sent(delivery)
    await node.dispatcher.drain(1)
    await running


async def test_a_poll_finds_what_no_bell_told(node: Node, store: Store) -> None:
    """A lost wake-up costs one poll interval."""
    context = context_of(store, node.rows, HeardBell(), poll_s=0.05)
    dispatcher = Dispatcher(context, node.carriers, plain_render)
    running = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(0.05)
    (delivery,) = await node.queue("a")

    await node.until_sent(delivery)
    await dispatcher.drain(1)
    await running


async def test_what_waits_too_long_goes_back(node: Node) -> None:
    """A job that waits behind another until its lease no longer covers a call is given back, and is sent once."""
    gate = asyncio.Event()
    await node.queue("a", message=await node.rows.message())
    (second,) = await node.queue("a", message=await node.rows.message())
    node.carrier.script("a", gate)
    await node.dispatcher.turn()
    node.rows.clock.move(20)

    await node.dispatcher.turn()

    row = await node.rows.one(schema.delivery, id=second)
    assert (row.attempts, row.lease_until) in {(0, 0), (1, node.rows.clock.now_ms() + 45_000)}
    gate.set()
    await node.send_all()
    assert node.carrier.received == ["a", "a"]
    assert set((await node.states()).values()) == {"sent"}


async def test_accounts_whose_addresses_are_paused_starve_nobody(node: Node) -> None:
    """However many lanes have waited longest and may not send, the next one has its turn."""
    waiting = await node.rows.account("last")
    for number in range(LANES_PER_CLAIM):
        account = await node.rows.account(f"paused-{number}")
        await node.queue("a", account=account)
        pause = {"account_id": account, "target_id": await node.target("a", account), "until": 2**60, "why": "429"}
        await node.rows.put(schema.carrier_pause, [{"space_id": SPACE, **pause}])
    node.rows.clock.move(1)
    node.carriers.by_code["last"] = node.carrier
    (delivery,) = await node.queue("b", account=waiting)

    await node.send_all()

    assert (await node.states())[delivery] == "sent"


async def test_what_is_being_claimed_at_the_stop_is_given_back(node: Node) -> None:
    """A claim that commits while the drain begins leaves no lease that a restart would have to wait for."""
    may_write, (delivery,) = threading.Event(), await node.queue("a")
    blocked = asyncio.create_task(node.rows.db.write(lambda _: may_write.wait(10)))
    running = asyncio.create_task(node.dispatcher.run())
    await asyncio.sleep(0.05)  # its claim waits behind that write, where the engine has one writer

    draining = asyncio.create_task(node.dispatcher.drain(0))
    await asyncio.sleep(0.05)
    may_write.set()
    await asyncio.gather(blocked, draining, running)

    row = await node.rows.one(schema.delivery, id=delivery)
    assert row.state == "sent" or (row.attempts, row.lease_until) == (0, 0)
