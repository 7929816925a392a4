"""Callbacks are sent on both engines: signed, in order, by the dialect's schedule, then parked."""

import asyncio
import base64
import hashlib
import hmac
import re
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tests.fakes.node import HeardBell, OpenVault, context_of
from tests.rows import SPACE, Rows

from onebell.core.bell import Due
from onebell.core.callbacks import Callbacks, NoAnswer, NotAllowed
from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule, Event
from onebell.core.packing import Sealed
from onebell.core.work import LEASE_S
from onebell.errors import NotFound
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database

Step = int | Exception | CallbackAnswer | asyncio.Event


@dataclass
class Receiver:
    """The way out: answers as told, then 200."""

    steps: deque[Step] = field(default_factory=deque)
    by_body: dict[bytes, Step] = field(default_factory=dict)
    got: list[tuple[CallbackRequest, dict[str, str], tuple[str, ...], float]] = field(default_factory=list)

    def will(self, *steps: Step) -> None:
        self.steps.extend(steps)

    async def called(self, times: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.got) < times:
                await asyncio.sleep(0.002)

    async def post(
        self, request: CallbackRequest, headers: Mapping[str, str], allow: Sequence[str], timeout_s: float
    ) -> CallbackAnswer:
        self.got.append((request, dict(headers), tuple(allow), timeout_s))
        step = self.by_body.pop(request.body, None) or (self.steps.popleft() if self.steps else 200)
        if isinstance(step, asyncio.Event):
            await step.wait()
            step = 200
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, CallbackAnswer) else CallbackAnswer(status=step, headers={}, body=b"said")


@dataclass
class Dialect:
    """Packs nothing; remembers the answers it was shown."""

    callbacks: CallbackSchedule
    answers: list[tuple[CallbackRequest, bytes]] = field(default_factory=list)
    fails: bool = False

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        return []

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        self.answers.append((callback, answer.body))
        if self.fails:
            raise ValueError("cannot read this")

    async def on_failure(self, space: int, context: Mapping[str, Any]) -> None:
        if self.fails:
            raise ValueError("cannot hear of this")


@dataclass
class Node:
    rows: Rows
    receiver: Receiver
    dialect: Dialect
    callbacks: Callbacks
    bell: HeardBell

    async def queue(self, body: bytes = b"{}", **values: Any) -> int:
        """A stored callback."""
        new = self.rows.mint.mint()
        sealed = msgspec.json.encode(Sealed({"Content-Type": "application/json"}, body, (1, 2)))
        row = {
            "space_id": SPACE,
            "id": new,
            "dialect": "test",
            "kind": "test",
            "order_key": "k",
            "url": "https://receiver.example/hook",
            "verified": 1,
            "request": OpenVault().seal(sealed.decode()),
            "context": b'{"room":"r1"}',
            "due_at": self.rows.clock.now_ms(),
            **values,
        }
        await self.rows.put(schema.callback, [row])
        return new

    async def send(self) -> None:
        """Send until nothing is due."""
        while True:
            before = len(self.receiver.got)
            await self.callbacks.send_turn()
            await self.callbacks.idle()
            if len(self.receiver.got) == before:
                return

    async def state(self, callback: int) -> str:
        return str((await self.rows.one(schema.callback, id=callback)).state)

    async def until_done(self, callback: int) -> None:
        """Wait until it was taken, at most 20 s."""
        async with asyncio.timeout(20):
            while await self.state(callback) != "done":
                await asyncio.sleep(0.01)

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request, _, _, _ in self.receiver.got]


STANDARD = CallbackSchedule(pauses_s=(5, 300), timeout_s=15)


@pytest.fixture
async def node(store: Store, database: Database) -> Node:
    return await node_of(store, Rows(database), STANDARD)


async def node_of(store: Store, rows: Rows, schedule: CallbackSchedule, **settings: float) -> Node:
    if not await rows.db.read(lambda c: c.execute(schema.space.select()).first()):
        await rows.space()
    receiver, dialect, bell = Receiver(), Dialect(schedule), HeardBell()
    callbacks = Callbacks(context_of(store, rows, bell, **settings), {"test": dialect}, receiver)
    return Node(rows, receiver, dialect, callbacks, bell)


async def test_a_callback_goes_out_signed(node: Node, store: Store) -> None:
    """The dialect's headers and body are untouched; three headers of Standard Webhooks 1.0.0 are added."""
    callback = await node.queue(b'{"event":"x"}')

    await node.send()

    (request, headers, allow, timeout_s) = node.receiver.got[0]
    assert (request.body, headers["Content-Type"], allow, timeout_s) == (b'{"event":"x"}', "application/json", (), 15)
    at_s = node.rows.clock.now_ms() // 1000
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (f"cb_{callback}", str(at_s))
    sealed = await store.callbacks.secrets(SPACE)
    assert sealed is not None
    (secret,) = msgspec.json.decode(OpenVault().unseal(sealed))
    signed = f"cb_{callback}.{at_s}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert await node.state(callback) == "done"


async def test_retries_follow_the_schedule_and_keep_the_id(node: Node) -> None:
    """Each pause is the sheet's; the id stays, the timestamp is the try's; after the last try it is parked, visible."""
    callback = await node.queue()
    node.receiver.will(500, NoAnswer("connection refused"), 503)
    await node.send()
    for pause_s in (5, 300):
        node.rows.clock.move(pause_s - 0.001)
        await node.send()
        node.rows.clock.move(0.001)
        await node.send()

    assert [headers["webhook-id"] for _, headers, _, _ in node.receiver.got] == [f"cb_{callback}"] * 3
    assert len({headers["webhook-timestamp"] for _, headers, _, _ in node.receiver.got}) == 3
    row = await node.rows.one(schema.callback)
    assert (row.state, row.attempts, row.last_status, row.last_reply) == ("parked", 3, 503, "said")


async def test_a_parked_callback_can_be_replayed(node: Node) -> None:
    """Replay gives it its schedule from the start; one that is still open, or somebody else's, is refused."""
    callback = await node.queue(state="parked", attempts=3, closed_at=1)
    with pytest.raises(NotFound):
        await node.callbacks.replay(SPACE + 1, callback)

    await node.callbacks.replay(SPACE, callback)
    with pytest.raises(NotFound):
        await node.callbacks.replay(SPACE, callback)
    await node.send()

    assert await node.state(callback) == "done"
    assert Due(space=SPACE, queue="callbacks") in node.bell.rung


async def test_redirects_are_failures(node: Node) -> None:
    """A 3xx is never followed and never a success."""
    callback = await node.queue()
    node.receiver.will(302)

    await node.send()

    assert await node.state(callback) == "due"


async def test_a_receiver_that_is_gone_is_left_alone(node: Node) -> None:
    """410 parks a callback of our own schedule at once."""
    callback = await node.queue()
    node.receiver.will(410)

    await node.send()

    assert (await node.state(callback), len(node.receiver.got)) == ("parked", 1)


async def test_the_sheet_decides_what_succeeds(store: Store, rows_only_200: Node) -> None:
    """Where the sheet names the statuses, another 2xx and 410 are failures like any other."""
    node = rows_only_200
    node.receiver.will(204, 410, 200)
    callback = await node.queue()

    await node.send()
    node.rows.clock.move(50)
    await node.send()
    node.rows.clock.move(50)
    await node.send()

    assert (await node.state(callback), len(node.receiver.got)) == ("done", 3)


@pytest.fixture
async def rows_only_200(store: Store, database: Database) -> Node:
    return await node_of(store, Rows(database), CallbackSchedule(pauses_s=(50, 50, 50), timeout_s=10, success=(200,)))


async def test_any_answer_may_end_it(store: Store, database: Database) -> None:
    """Where only silence is retried, a 500 ends the matter and is not read as a success."""
    schedule = CallbackSchedule(pauses_s=(5, 30), timeout_s=10, any_answer_ends=True)
    node = await node_of(store, Rows(database), schedule)
    callback = await node.queue()
    node.receiver.will(NoAnswer("time over"), 500)

    await node.send()
    node.rows.clock.move(5)
    await node.send()

    assert (await node.state(callback), len(node.receiver.got)) == ("done", 2)
    assert node.dialect.answers == []


@pytest.mark.parametrize(
    ("asked", "waits_s"), [("120", 120), ("Fri, 15 Jan 2027 08:02:00 GMT", 120), ("soon", 5), ("999999999", 86_400)]
)
async def test_a_receiver_may_ask_for_time(node: Node, asked: str, waits_s: int) -> None:
    """Retry-After in seconds or as a date lengthens the pause, up to a day."""
    callback = await node.queue()
    node.receiver.will(CallbackAnswer(status=429, headers={"retry-after": asked}, body=b""))

    await node.send()

    row = await node.rows.one(schema.callback, id=callback)
    assert row.due_at == node.rows.clock.now_ms() + waits_s * 1000


async def test_one_key_goes_out_one_after_the_other(node: Node) -> None:
    """While the first of a key waits for its next try, the next of that key waits too; other keys go on."""
    first, second = await node.queue(b"1"), await node.queue(b"2")
    other = await node.queue(b"other", order_key="else")
    node.receiver.by_body[b"1"] = 500
    await node.send()
    assert sorted(node.bodies) == [b"1", b"other"]
    assert [await node.state(one) for one in (first, second, other)] == ["due", "due", "done"]

    node.rows.clock.move(5)
    await node.send()

    assert node.bodies[2:] == [b"1", b"2"]


async def test_a_parked_callback_lets_the_next_go(store: Store, database: Database) -> None:
    """Only what is still due holds its key up."""
    node = await node_of(store, Rows(database), CallbackSchedule(pauses_s=(), timeout_s=1))
    first, second = await node.queue(b"1"), await node.queue(b"2")
    node.receiver.will(500)

    await node.send()

    assert (await node.state(first), await node.state(second)) == ("parked", "done")


async def test_callbacks_without_a_key_do_not_wait_for_each_other(node: Node) -> None:
    """An empty order key orders nothing."""
    await node.queue(b"1", order_key="")
    await node.queue(b"2", order_key="")
    node.receiver.will(500)

    await node.send()

    assert sorted(node.bodies) == [b"1", b"2"]


async def test_the_dialect_reads_a_good_answer(node: Node) -> None:
    """After a success the dialect sees its request, its context and the answer; its defect costs nothing."""
    callback = await node.queue(b"{}")
    node.dialect.fails = True

    await node.send()

    ((request, body),) = node.dialect.answers
    assert (request.context, request.events, request.order_key, body) == ({"room": "r1"}, (1, 2), "k", b"said")
    assert await node.state(callback) == "done"


async def test_an_address_from_a_request_meets_the_strict_gate(node: Node) -> None:
    """Unverified addresses carry the space's list to the gate; what the gate refuses is parked at once."""
    callback = await node.queue(verified=0)
    node.receiver.will(NotAllowed("refused: address is private"))
    node.callbacks = Callbacks(_allowing(node), {"test": node.dialect}, node.receiver)

    await node.send()

    (request, _, allow, _) = node.receiver.got[0]
    assert (request.verified, allow) == (False, ("http://127.0.0.1:9099",))
    row = await node.rows.one(schema.callback, id=callback)
    assert (row.state, row.attempts, row.last_reply) == ("parked", 1, "refused: address is private")


def _allowing(node: Node) -> Any:
    context = node.callbacks.context
    context.lookups.allow_callbacks = ("http://127.0.0.1:9099",)
    return context


@pytest.mark.parametrize(("timeout_s", "waited_s"), [(0, STANDARD.timeout_s), (60, 60)])
async def test_a_dead_node_costs_one_lease(node: Node, store: Store, timeout_s: int, waited_s: float) -> None:
    """The lease is committed before the request: dropped in mid-call it is sent again when the lease has ended. That
    is as much later as its receiver is waited for longer than the schedule says."""
    callback = await node.queue(timeout_s=timeout_s)
    node.receiver.will(asyncio.Event())
    await node.callbacks.send_turn()
    await node.receiver.called(1)
    await node.callbacks.stop()
    assert [got[3] for got in node.receiver.got] == [waited_s]
    other = await node_of(store, node.rows, STANDARD)
    node.rows.clock.move(timeout_s)
    await other.send()
    assert other.receiver.got == []

    node.rows.clock.move(LEASE_S)
    await other.send()

    assert (await node.state(callback), len(other.receiver.got)) == ("done", 1)


async def test_a_hanging_receiver_does_not_hold_up_others(node: Node) -> None:
    """One receiver gets a share of the requests; what is beyond it waits, and others go."""
    gate = asyncio.Event()
    for number in range(20):
        await node.queue(order_key=f"h{number}", url="https://hanging.example/x")
    node.receiver.will(*[gate] * 16)
    await node.callbacks.send_turn()
    await node.receiver.called(16)
    good = await node.queue(b"good", order_key="g")

    await node.callbacks.send_turn()
    await node.until_done(good)

    assert len(node.receiver.got) == 17
    gate.set()
    await node.callbacks.idle()


async def test_a_dialect_that_is_off_parks_its_callbacks(node: Node) -> None:
    """Nobody's callbacks are parked and not tried for ever."""
    callback = await node.queue(dialect="gone")

    await node.send()

    assert await node.state(callback) == "parked"


async def test_an_open_callback_can_be_given_up(node: Node, store: Store) -> None:
    """Cancel closes an open callback once."""
    callback = await node.queue(due_at=node.rows.clock.now_ms() + 1)

    await store.callbacks.cancel(SPACE, callback, node.rows.clock.now_ms())
    with pytest.raises(NotFound):
        await store.callbacks.cancel(SPACE, callback, node.rows.clock.now_ms())

    assert await node.state(callback) == "cancelled"


async def test_the_bell_wakes_both_halves(store: Store, database: Database) -> None:
    """The running task packs and sends when rung, and ends when told."""
    node = await node_of(store, Rows(database), STANDARD, poll_s=3600)
    running = asyncio.create_task(node.callbacks.run())
    await asyncio.sleep(0.05)
    callback = await node.queue()

    node.bell.ring(Due(space=SPACE, queue="events"))
    node.bell.ring(Due(space=SPACE, queue="callbacks"))
    await node.until_done(callback)
    await node.callbacks.stop(1)
    await running


async def test_a_callback_that_cannot_be_read_holds_up_nobody(node: Node) -> None:
    """It is parked with the reason, and the next of its key goes out."""
    broken = await node.queue(request=b"sealed:not json")
    await node.queue(b"second")

    await node.send()
    await node.send()

    assert await node.state(broken) == "parked"
    assert [request.body for request, *_ in node.receiver.got] == [b"second"]


async def test_a_callback_on_which_our_code_fails_is_parked(node: Node) -> None:
    """R15: each defect is one of its schedule's tries; then it lies there with reason and trace, and the next goes."""
    poisoned, later = await node.queue(b"poison"), await node.queue(b"second")

    for pause_s in (0, *STANDARD.pauses_s):
        assert await node.state(poisoned) == "due"
        node.rows.clock.move(pause_s)
        node.receiver.by_body[b"poison"] = ValueError("bug")
        await node.send()
    await node.send()

    row = await node.rows.one(schema.callback, id=poisoned)
    assert (row.state, row.attempts) == ("parked", 3)
    assert re.fullmatch(r"defect in sending the callback: ValueError \(trace [0-9a-f]{16}\)", row.last_reply)
    assert await node.state(later) == "done"


async def test_a_dialect_that_fails_at_a_failure_holds_up_nobody(node: Node) -> None:
    """What became of the try is stored all the same."""
    node.dialect.fails = True
    callback = await node.queue()
    node.receiver.will(500)

    await node.send()

    row = await node.rows.one(schema.callback, id=callback)
    assert (row.state, row.last_status, row.due_at) == ("due", 500, node.rows.clock.now_ms() + 5_000)


async def test_what_is_being_claimed_at_the_stop_is_given_back(node: Node) -> None:
    """A claim that commits while the stop begins leaves no lease that a restart would have to wait for."""
    may_write, callback = threading.Event(), await node.queue()
    blocked = [asyncio.create_task(node.rows.db.write(lambda _: may_write.wait(10))) for _ in range(6)]
    running = asyncio.create_task(node.callbacks.run())
    await asyncio.sleep(0.05)  # its claim waits behind those writes

    stopping = asyncio.create_task(node.callbacks.stop())
    await asyncio.sleep(0.05)
    may_write.set()
    await asyncio.gather(*blocked, stopping, running)

    row = await node.rows.one(schema.callback, id=callback)
    assert (row.state, row.attempts, row.lease_until) == ("due", 0, 0)
