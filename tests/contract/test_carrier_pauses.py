"""What robots say with HTTP 200, and the core obeys: too fast, and never again (RELIABILITY R9, R10)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contract.dispatching import send_all
from tests.fakes.carrier_account import account, tools
from tests.fakes.carriers import FakeCarriers
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import HttpService, Script, answer, http_service
from tests.fakes.node import HeardBell, context_of, plain_render
from tests.rows import SPACE, Rows

from onebell.carriers import registry
from onebell.carriers.outbound import Outbound
from onebell.core.dispatch import Dispatcher
from onebell.core.model import Content, Part
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


@dataclass
class Bench:
    """A dispatcher with one account of one kind, whose service is a fake."""

    store: Store
    rows: Rows
    service: HttpService
    outbound: Outbound

    async def start(self, kind: str, script: Script, **fields: str) -> None:
        self.service.script = script
        made = account(kind, **{name: value.replace("{at}", self.service.base) for name, value in fields.items()})
        carrier = registry.build(made, tools(self.outbound, self.rows.clock))
        self.account = await self.rows.account("main", kind)
        self.target = await self.rows.target(self.account, "main")
        context = context_of(self.store, self.rows, HeardBell(), workers=4)
        self.dispatcher = Dispatcher(context, FakeCarriers(by_code={"main": carrier}), plain_render)

    async def queue(self, body: str) -> int:
        message = await self.rows.message(parts=(Part(content=Content(title="t", body=body)),))
        return await self.rows.delivery(message, self.account, self.target)

    async def send_all(self) -> None:
        await send_all(self.dispatcher)

    async def states(self, *deliveries: int) -> list[str]:
        return [(await self.rows.one(schema.delivery, id=one)).state for one in deliveries]


@pytest.fixture
async def bench(store: Store, database: Database) -> AsyncIterator[Bench]:
    rows = Rows(database)
    await rows.space()
    outbound = Outbound(resolver=FakeResolver())
    async with http_service() as service:
        yield Bench(store, rows, service, outbound)
        await outbound.close()


FAST = "send too fast, exceed 20 times per minute"
TOO_FAST = [
    ("dingtalk_bot", {"errcode": 130101, "errmsg": FAST}, {"errcode": 0, "errmsg": "ok"}, 600),
    ("feishu_bot", {"code": 11232, "data": {}, "msg": "frequency limited psm"}, {"code": 0, "msg": "success"}, 60),
]


@pytest.mark.parametrize(("kind", "refusal", "success", "wait_s"), TOO_FAST)
async def test_too_fast_stops_the_account_until_its_time(
    bench: Bench, kind: str, refusal: dict[str, Any], success: dict[str, Any], wait_s: float
) -> None:
    """R9: HTTP 200 with a body of too much: not one request before the time, then everything, in its order."""
    await bench.start(kind, answer(200, refusal), url="{at}/hook")
    deliveries = [await bench.queue("first")]
    await bench.send_all()
    deliveries.append(await bench.queue("second"))

    bench.rows.clock.move(wait_s - 0.1)
    await bench.send_all()
    assert len(bench.service.received) == 1

    bench.service.script = answer(200, success)
    bench.rows.clock.move(0.2)
    await bench.send_all()
    assert await bench.states(*deliveries) == ["sent", "sent"]
    assert ["first" in got.body.decode() for got in bench.service.received] == [True, True, False]


async def test_another_key_ends_a_pause(bench: Bench) -> None:
    """A day's quota was the old key's: with another one what waits goes out at once."""
    over = {"code": 40001, "message": "[AUTH]超过当天的发送次数限制"}
    await bench.start("serverchan", answer(200, over), base_url="{at}", sendkey="SCTold")
    waiting = await bench.queue("first")
    await bench.send_all()
    assert await bench.states(waiting) == ["due"]

    bench.service.script = answer(200, {"code": 0, "message": ""})
    await bench.store.carrier_accounts.set_fields(SPACE, bench.account, {"sendkey": "SCTnew"}, {"sendkey"})
    await bench.send_all()
    assert await bench.states(waiting) == ["sent"]


async def test_a_device_that_is_gone_gets_nothing_more_until_its_account_is_changed(bench: Bench) -> None:
    """R10: not one request after the refusal, whose words the timeline has; another key makes a new beginning."""
    gone = {"code": 400, "message": "failed to get device token: failed to get [key-of-a-phone] device token"}
    await bench.start("bark", answer(400, gone), base_url="{at}", device_key="key-of-a-phone")
    first = await bench.queue("first")
    await bench.send_all()
    second = await bench.queue("second")
    await bench.send_all()

    assert len(bench.service.received) == 1
    assert await bench.states(first, second) == ["failed", "failed"]
    why = (await bench.rows.one(schema.delivery, id=second)).why
    assert why == "this address is dead: 400 failed to get device token: failed to get […] device token"

    bench.service.script = answer(200, {"code": 200, "message": "success"})
    await bench.store.carrier_accounts.set_fields(SPACE, bench.account, {"device_key": "another"}, {"device_key"})
    third = await bench.queue("third")
    await bench.send_all()
    assert await bench.states(third) == ["sent"]


async def test_a_robot_that_refuses_stops_its_account(bench: Bench) -> None:
    """A keyword that is missing is for the operator to set: what waits keeps its place."""
    refusal = {"errcode": 310000, "errmsg": "keywords not in content"}
    await bench.start("dingtalk_bot", answer(200, refusal), url="{at}/hook")
    deliveries = [await bench.queue("first"), await bench.queue("second")]
    await bench.send_all()
    bench.rows.clock.move(3600)
    await bench.send_all()

    assert len(bench.service.received) <= 2  # both may have been under way
    assert await bench.states(*deliveries) == ["due", "due"]
    assert (await bench.rows.one(schema.carrier_account)).stopped_why == "310000 keywords not in content"
