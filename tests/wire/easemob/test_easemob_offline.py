"""What waits for who is away, online-only messages, limits: over real HTTP (sheet easemob §1.3, §3.3, §5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.msync_client import Client, connected, signal, texts
from tests.wire.easemob.desk import Desk

from onebell.dialects.easemob.app import UPLINK_PER_SECOND, App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncDL, CommSyncUL, MessageBody, Meta, MSync, Status
from onebell.store import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP_SETTINGS = {"open": "calls_per_second = 2000", "closed": "messages_per_minute = 0"}
REACHED = (403, "message_send_error", "message send reach limit")


@asynccontextmanager
async def signed_in(desk: Desk, name: str) -> AsyncIterator[Client]:
    """A client of the protocol, signed in with a token of its own."""
    token = await desk.user_token(name)
    async with connected(desk.server.session, desk.server.url, name) as client:
        client.app = App(org="onebell", app="demo", client_id="c")
        answer = await client.provision(token)
        assert answer.status.error_code == 0
        yield client


async def is_away(desk: Desk, name: str) -> None:
    """Wait until nobody takes a client whose socket has closed for there any more: its row goes a moment later."""
    async with asyncio.timeout(20):
        while (await desk.ok("GET", f"/users/{name}/status"))["data"] != {name: "offline"}:
            await asyncio.sleep(0.05)


async def count(desk: Desk, name: str) -> int:
    """``offline_msg_count``."""
    body = await desk.ok("GET", f"/users/{name}/offline_msg_count")
    assert set(body) == {"action", "uri", "entities", "data", "timestamp", "duration", "count"}
    return int(body["data"][name])


async def test_case_50_offline_messages(desk: Desk) -> None:
    """Three wait and are undelivered until a client has acknowledged them; an unknown id has nothing pending."""
    await desk.register("away")
    ids = [await desk.sent("away") for _ in range(3)]
    assert await count(desk, "away") == 3
    path = "/users/away/offline_msg_status"
    assert (await desk.ok("GET", f"{path}/{ids[0]}"))["data"] == {ids[0]: "undelivered"}
    for number in ("123", "x", str(2**63), str(10**40)):
        assert (await desk.ok("GET", f"{path}/{number}"))["data"] == {number: "delivered"}
    async with signed_in(desk, "away") as client:
        assert texts(await client.drain("u1")) == ["hi"] * 3
    assert await count(desk, "away") == 0
    assert (await desk.ok("GET", f"{path}/{ids[0]}"))["data"] == {ids[0]: "delivered"}
    assert (await desk.call("GET", "/users/nobody/offline_msg_count")).status == 404
    assert (await desk.call("GET", f"/users/nobody/offline_msg_status/{ids[0]}")).status == 404


async def test_one_name_of_two_conversations(desk: Desk) -> None:
    """What was sent for a name before a person of the directory became its user is pulled with what he sent since.

    Together they are more than may be on their way at once.
    """
    await desk.register("reader")
    sent = [f"{when} {number}" for when in ("before", "since") for number in range(30)]
    for text in sent:
        if text == "since 0":
            await desk.register("outsider")
        await desk.sent("reader", **{"from": "outsider"}, body={"msg": text})
    async with signed_in(desk, "reader") as client:
        assert await client.unread() == {"outsider": len(sent)}
        assert texts(await client.drain("outsider")) == sent
        await desk.sent("reader", **{"from": "outsider"}, body={"msg": "live"})
        assert texts(await client.news()) == ["live"]
        assert await client.unread() == {}


async def test_acks_wait_for_their_turn(desk: Desk) -> None:
    """Over the rate of one user a message is refused; an ack is taken when the second is over."""
    await desk.register("hasty")
    number = await desk.sent("hasty")
    async with signed_in(desk, "hasty") as client:
        await client.drain("u1")
        with desk.clock.still():
            limits, space = desk.context.limits, await desk.space()
            await limits.take(space, "easemob:onebell/demo:uplink:hasty", UPLINK_PER_SECOND, 1, UPLINK_PER_SECOND)
            refused = await client.text("u1", "too fast")
            ack = Meta(id=5, to=codec.user(client.app, "u1"), ns=Meta.CHAT)
            ack.payload = signal(MessageBody.DELIVER_ACK, "hasty", "u1", int(number)).SerializeToString()
            await client.say(MSync.SYNC, CommSyncUL(meta=ack))
        taken = await client.hear_a(CommSyncDL)

    assert (refused.status.error_code, refused.status.reason) == (Status.PERMISSION_DENIED, "traffic limit")
    assert (taken.meta_id, taken.status.error_code) == (5, 0)


async def test_case_51_the_newest_five_hundred_wait(desk: Desk) -> None:
    """One more than may wait: the oldest is not handed out any more. The accounts share one limit of messages."""
    await desk.register("full")
    first = await desk.sent("full")
    for _ in range(10):
        said = await asyncio.gather(*(desk.send(["full"]) for _ in range(50)))
        assert {one.status for one in said} == {200}
        desk.clock.move(2)
    assert await count(desk, "full") == 500
    async with signed_in(desk, "full") as client:
        metas = await client.drain("u1")
    assert len(metas) == 500
    assert int(first) not in {meta.id for meta in metas}


async def test_nothing_waits_longer_than_a_week(desk: Desk) -> None:
    """Seven days later it is history."""
    await desk.register("late")
    await desk.sent("late")
    desk.clock.move(7 * 86_400 + 1)
    desk.tokens.clear()
    assert await count(desk, "late") == 0


async def test_case_9_online_only(desk: Desk) -> None:
    """With nobody there it leaves nothing; an open client gets it."""
    await desk.register("there")
    assert (await desk.send(["there"], routetype="ROUTE_ONLINE", sync_device=True)).status == 200
    assert await count(desk, "there") == 0
    assert await desk.entries("there") == []
    async with signed_in(desk, "there") as client:
        number = await desk.sent("there", routetype="ROUTE_ONLINE")
        (meta,) = await client.news()
        assert meta.id == int(number)
    await is_away(desk, "there")
    async with signed_in(desk, "u1") as sender:
        # To nobody, and yet sent: the sender's copy has the number that the caller was told.
        number = await desk.sent("there", routetype="ROUTE_ONLINE", sync_device=True)
        (meta,) = await sender.news()
        assert meta.id == int(number)
    await desk.sent("there", routetype="ROUTE_ALL")
    assert await count(desk, "there") == 1


async def test_case_41_a_hundred_calls_a_second(desk: Desk) -> None:
    """Of 130 calls in one second 30 are refused; whatever was accepted is stored."""
    await desk.register("burst")
    desk.clock.move(2)
    with desk.clock.still():
        said = await asyncio.gather(*(desk.send(["burst"]) for _ in range(130)))
    accepted = [one for one in said if one.status == 200]
    assert {one.refusal for one in said if one.status != 200} == {
        (429, "reach_limit", "This request has reached api limit")
    }
    assert len(accepted) == len(await desk.entries("burst")) == 100
    desk.clock.move(2)


async def test_case_42_six_thousand_messages_a_minute(desk: Desk) -> None:
    """Ten calls to 600 fill the minute; the next one is refused whole, and taken when the minute is over."""
    desk.clock.move(61)
    names = [f"m{number:03}" for number in range(600)]
    for _ in range(10):
        said = await desk.send(names)
        assert said.status == 200
        assert len(set(said.json["data"].values())) == 600
    before = len(await desk.rows(schema.message))
    assert (await desk.send(["m000"])).refusal == REACHED
    assert (await desk.send(names)).refusal == REACHED
    assert len(await desk.rows(schema.message)) == before
    desk.clock.move(61)
    assert (await desk.send(names)).status == 200


async def test_limits_of_tokens_and_lists(desk: Desk) -> None:
    """Each has its own rate, and no rate is another's."""
    desk.clock.move(2)
    grant = {"grant_type": "nothing"}
    with desk.clock.still():
        said = await asyncio.gather(*(desk.grant(grant) for _ in range(320)))
    assert [one.status for one in said].count(429) == 20
    assert (await desk.call("GET", "/users/u1")).status == 200
    desk.clock.move(2)
