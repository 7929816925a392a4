"""Events become callbacks on both engines: each exactly once, in order, gathered as the schedule says."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.fakes.node import OpenVault, context_of
from tests.rows import SPACE, Rows

from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.core.model import CallbackTarget
from onebell.core.packing import Packing, Sealed, in_order
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


class OnePacker:
    """One callback per call of ``pack``, which names the kinds it covers."""

    def __init__(self, schedule: CallbackSchedule) -> None:
        self.callbacks = schedule
        self.packed: list[list[Event]] = []
        self.poison = ""

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        self.packed.append(list(events))
        if any(event.kind.value == self.poison for event in events):
            raise ValueError("cannot pack this")
        wanted = [event for event in events if event.kind is not EventKind.RESOLVED]
        if not wanted:
            return []
        return [
            CallbackRequest(
                kind="test",
                space=wanted[0].space,
                url="https://receiver.example/hook",
                verified=True,
                headers={"Content-Type": "application/json", "Authorization": "Basic secret"},
                body=" ".join(event.kind.value for event in wanted).encode(),
                order_key="k",
                message=wanted[0].message,
                events=tuple(event.id for event in wanted),
                timeout_s=7,
                context={"reply_to": "room"},
            )
        ]

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """Nothing is read."""


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


async def happen(rows: Rows, message: int, *kinds: str, dialect: str = "test", **values: Any) -> list[int]:
    made = []
    for kind in kinds:
        made.append(rows.mint.mint())
        row = {"space_id": SPACE, "id": made[-1], "dialect": dialect, "message_id": message, "kind": kind}
        row |= {"packed": 0, "data": b"{}", "created_at": rows.clock.now_ms(), **values}
        await rows.put(schema.event, [row])
    return made


def packing(store: Store, rows: Rows, packer: OnePacker) -> Packing:
    return Packing(context_of(store, rows), {"test": packer})


def at_once() -> OnePacker:
    return OnePacker(CallbackSchedule(pauses_s=(5,), timeout_s=1))


async def test_a_packer_gets_all_it_needs(store: Store, rows: Rows) -> None:
    """An event comes with what its message says of callbacks, and with its delivery's account and address."""
    account = await rows.account("post", "mail")
    wanted = CallbackTarget(url="https://receiver.example", params={"n": 1})
    message = await rows.message(extra=b'{"sendno":"7"}', callback=wanted)
    delivery = await rows.delivery(message, account, await rows.target(account, "a@home"), person_id=5)
    (event,) = await happen(rows, message, "sent", delivery_id=delivery, person_id=5, data=b'{"code":3}')
    packer = at_once()

    await packing(store, rows, packer).turn()

    assert packer.packed == [
        [
            Event(
                id=event,
                space=SPACE,
                dialect="test",
                message=message,
                public_id=f"public-{message}",
                delivery=delivery,
                person=5,
                kind=EventKind.SENT,
                data={"code": 3},
                at=rows.clock.now_ms(),
                extra={"sendno": "7"},
                callback_url="https://receiver.example",
                callback_params={"n": 1},
                account_kind="mail",
                account_code="post",
                target="a@home",
            )
        ]
    ]


async def test_events_are_packed_once_and_the_request_is_sealed(store: Store, rows: Rows) -> None:
    """The callback row and the mark on its events are one transaction; headers with secrets are never in clear."""
    events = await happen(rows, await rows.message(), "sent", "finished")
    packer = at_once()
    runner = packing(store, rows, packer)

    assert (await runner.turn())[0] == 1
    assert (await runner.turn())[0] == 0

    row = await rows.one(schema.callback)
    assert (row.state, row.due_at, row.order_key, row.verified) == ("due", rows.clock.now_ms(), "k", 1)
    assert row.timeout_s == 7
    assert row.request.startswith(b"sealed:")
    sealed = msgspec.json.decode(OpenVault().unseal(row.request), type=Sealed)
    assert (sealed.body, sealed.events) == (b"sent finished", tuple(events))
    assert {event.packed for event in await rows.all(schema.event)} == {1}
    assert len(packer.packed) == 1


async def test_events_that_nobody_wants_are_done_with(store: Store, rows: Rows) -> None:
    """What the packer leaves out is not asked about again."""
    await happen(rows, await rows.message(), "resolved")
    packer = at_once()
    runner = packing(store, rows, packer)

    await runner.turn()
    await runner.turn()

    assert len(packer.packed) == 1
    assert await rows.all(schema.callback) == []


async def test_other_dialects_events_wait_for_their_own_packer(store: Store, rows: Rows) -> None:
    """A packer sees its own dialect's events only."""
    await happen(rows, await rows.message(), "sent", dialect="other")
    packer = at_once()

    await packing(store, rows, packer).turn()

    assert packer.packed == []
    assert (await rows.one(schema.event)).packed == 0


async def test_events_wait_for_company(store: Store, rows: Rows) -> None:
    """Fewer than ``gather`` wait until the oldest has waited ``gather_s``; enough of them go at once."""
    packer = OnePacker(CallbackSchedule(pauses_s=(), timeout_s=1, gather=3, gather_s=10))
    runner = packing(store, rows, packer)
    message = await rows.message()
    await happen(rows, message, "sent", "sent")

    assert await runner.turn() == (0, 5.0)
    rows.clock.move(9)
    assert await runner.turn() == (0, 1.0)
    rows.clock.move(1)
    assert (await runner.turn())[0] == 1
    await happen(rows, message, "sent", "sent", "sent")
    assert (await runner.turn())[0] == 1


async def test_two_nodes_pack_an_event_once(store: Store, rows: Rows) -> None:
    """Of two nodes that read the same events one stores its callbacks, the other's are dropped."""
    await happen(rows, await rows.message(), "sent", "finished")
    packer = at_once()
    runners = [packing(store, rows, packer) for _ in range(3)]

    made = await asyncio.gather(*(runner.turn() for runner in runners))

    assert sum(count for count, _ in made) == 1
    assert len(await rows.all(schema.callback)) == 1


async def test_an_event_that_cannot_be_packed_stops_no_other(store: Store, rows: Rows) -> None:
    """A packer that raises costs its own event, not those beside it."""
    await happen(rows, await rows.message(), "sent", "clicked", "finished")
    packer = at_once()
    packer.poison = "clicked"

    made, _ = await packing(store, rows, packer).turn()

    assert made == 2
    assert {event.packed for event in await rows.all(schema.event)} == {1}


async def test_new_callbacks_stand_behind_those_of_a_faster_clock(store: Store, rows: Rows) -> None:
    """A node whose clock is behind still queues after what waits under the same order key."""
    fast = Rows(rows.db, node=9)
    fast.clock.jump(3_600)
    ahead = fast.mint.mint()
    row = {"space_id": SPACE, "id": ahead, "dialect": "test", "kind": "test", "order_key": "k", "url": "https://x"}
    await rows.put(schema.callback, [row])
    await happen(rows, await rows.message(), "sent")

    await packing(store, rows, at_once()).turn()

    assert [row.id > ahead for row in await rows.all(schema.callback)] == [False, True]


def test_states_of_one_delivery_never_go_backwards() -> None:
    """Where two nodes' clocks numbered a delivery's states the wrong way round, they are put right."""

    def event(number: int, kind: EventKind, delivery: int = 1) -> Event:
        return Event(
            id=number,
            space=SPACE,
            dialect="test",
            message=1,
            public_id="p",
            delivery=delivery,
            person=0,
            kind=kind,
            data={},
            at=0,
            extra={},
            callback_url="",
            callback_params={},
        )

    shuffled = [
        event(4, EventKind.SENT),
        event(1, EventKind.DELIVERED),
        event(2, EventKind.SENT, delivery=2),
        event(3, EventKind.CLICKED),
        event(5, EventKind.FINISHED, delivery=0),
    ]

    kinds = [(one.delivery, one.kind.value) for one in in_order(shuffled)]

    assert kinds == [(1, "sent"), (2, "sent"), (1, "delivered"), (1, "clicked"), (0, "finished")]
