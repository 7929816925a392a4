"""Recall on both engines: mailboxes, queues, large audiences, and providers that can take back."""

import asyncio

import msgspec
import pytest
from tests.fakes.carriers import FakeCarrier, FakeCarriers, RecallingCarrier
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import SPACE, Rows

from onebell.core.bell import Changed
from onebell.core.dispatch import Dispatcher
from onebell.core.model import PeopleQuery
from onebell.core.plans import Plans
from onebell.core.recall import TakeBack, hide, recall
from onebell.core.work import TAKE_BACK, Spread
from onebell.errors import NotFound, StoreUnavailable
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


@pytest.fixture
async def rows(database: Database) -> Rows:
    made = Rows(database)
    await made.space()
    return made


async def test_a_recall_reaches_all_that_is_stored(store: Store, rows: Rows) -> None:
    """Entries take a new place as recalled, open deliveries are cancelled, no further page is written."""
    (person,) = await rows.people(["a"])
    message = await rows.message(watched=1)
    account = await rows.account()
    await rows.delivery(message, account, await rows.target(account, "x"))
    await rows.put(schema.entry, [{"space_id": SPACE, "mailbox_id": person, "seq": 1, "rev": 1, "message_id": message}])
    spread = msgspec.json.encode(Spread(audience=PeopleQuery(feed=1)))
    await rows.put(schema.expansion, [{"space_id": SPACE, "message_id": message, "no": 0, "audience": spread}])
    bell = HeardBell()
    context = context_of(store, rows, bell)

    assert await recall(context, SPACE, message)
    assert not await recall(context, SPACE, message)

    assert (await rows.one(schema.entry)).recalled_at == rows.clock.now_ms()
    assert (await rows.one(schema.delivery)).state == "cancelled"
    assert (await rows.one(schema.expansion)).done == 1
    assert Changed(space=SPACE, mailboxes=(person,)) in bell.rung
    assert await store.expansions.claim(rows.clock.now_ms(), 1) is None


async def test_other_spaces_messages_are_not_there(store: Store, rows: Rows) -> None:
    """Nobody recalls another space's message."""
    message = await rows.message()

    with pytest.raises(NotFound):
        await recall(context_of(store, rows), SPACE + 1, message)


async def test_providers_that_can_take_it_back(store: Store, rows: Rows) -> None:
    """Each provider that took it is asked once, by a timer; what came of it is told per delivery."""
    carrier = RecallingCarrier(refused={"r2"})
    carriers = FakeCarriers(by_code={"can": carrier, "cannot": FakeCarrier()})
    message = await rows.message(watched=1)
    can, cannot = await rows.account("can"), await rows.account("cannot")
    first = await rows.delivery(message, can, 1, state="sent", provider_ref="r1")
    second = await rows.delivery(message, can, 2, state="delivered", provider_ref="r2")
    third = await rows.delivery(message, cannot, 3, state="sent", provider_ref="r3")
    await rows.delivery(message, can, 4, state="failed", provider_ref="r4")
    context = context_of(store, rows)
    plans = Plans(context, {TAKE_BACK: TakeBack(context, carriers)})

    await recall(context, SPACE, message)
    await plans.turn()
    await plans.turn()

    assert carrier.recalled == ["r1", "r2"]
    told = {row.delivery_id: (row.kind, row.data) for row in await rows.all(schema.event) if row.delivery_id}
    assert told == {
        first: ("recalled", b"{}"),
        second: ("not_recalled", b'{"code":0,"message":"too late"}'),
        third: ("not_recalled", b'{"code":0,"message":"the provider takes nothing back"}'),
    }


async def test_what_a_provider_took_meanwhile_is_taken_back(store: Store, rows: Rows) -> None:
    """A call that was under way when its message was recalled: what it brought there is asked back too."""
    message, account = await rows.message(), await rows.account("can")
    await rows.delivery(message, account, await rows.target(account, "x"))
    carrier, gate = RecallingCarrier(), asyncio.Event()
    carrier.script("x", gate)
    carriers = FakeCarriers(by_code={"can": carrier})
    context = context_of(store, rows)
    dispatcher = Dispatcher(context, carriers, plain_render)
    plans = Plans(context, {TAKE_BACK: TakeBack(context, carriers)})
    await dispatcher.turn()
    await carrier.called(1)

    await recall(context, SPACE, message)
    await plans.turn()
    gate.set()
    await dispatcher.idle()
    await plans.turn()

    delivery = await rows.one(schema.delivery)
    assert carrier.recalled == [f"ref-{delivery.id}"]
    assert (await rows.one(schema.message)).state == "recalled"


async def test_a_recall_that_was_cut_off_is_finished(store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node dies when the message is marked and its entries are not: the timer, set with the mark, does the rest."""
    (person,) = await rows.people(["a"])
    carrier = RecallingCarrier()
    message = await rows.message()
    account = await rows.account("can")
    await rows.delivery(message, account, 1, state="sent", provider_ref="r1")
    await rows.put(schema.entry, [{"space_id": SPACE, "mailbox_id": person, "seq": 1, "rev": 1, "message_id": message}])
    context = context_of(store, rows)

    async def cut_off(space: int, message: int, now: int) -> tuple[int, ...]:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as dying:
        dying.setattr(store.inbox_changes, "hide", cut_off)
        with pytest.raises(StoreUnavailable):
            await hide(context, SPACE, message)
    await Plans(context, {TAKE_BACK: TakeBack(context, FakeCarriers(by_code={"can": carrier}))}).turn()

    assert (await rows.one(schema.entry)).deleted_at == rows.clock.now_ms()
    assert carrier.recalled == ["r1"]


async def test_a_provider_that_is_down_is_asked_again(store: Store, rows: Rows) -> None:
    """A failure for now is repeated after half a minute, five times, then told; what succeeded is not repeated."""

    class Down(RecallingCarrier):
        async def recall(self, provider_ref: str):
            if provider_ref == "up":
                return await super().recall(provider_ref)
            self.recalled.append(provider_ref)
            raise ConnectionError

    carrier = Down()
    message = await rows.message(watched=1)
    account = await rows.account("can")
    await rows.delivery(message, account, 1, state="sent", provider_ref="down")
    await rows.delivery(message, account, 2, state="sent", provider_ref="up")
    context = context_of(store, rows)
    plans = Plans(context, {TAKE_BACK: TakeBack(context, FakeCarriers(by_code={"can": carrier}))})
    await recall(context, SPACE, message)

    for _ in range(8):
        await plans.turn()
        rows.clock.move(30)

    assert sorted(carrier.recalled) == ["down"] * 5 + ["up"]
    kinds = sorted(row.kind for row in await rows.all(schema.event) if row.delivery_id)
    assert kinds == ["not_recalled", "recalled"]
