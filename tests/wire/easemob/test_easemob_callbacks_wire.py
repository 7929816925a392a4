"""Easemob's post-send callbacks from the call to the receiver, over real HTTP (sheet easemob §4.2)."""

import asyncio
import hashlib
from typing import Any

import pytest
import sqlalchemy as sa
from tests.fakes.http_service import HttpService, answer, http_service
from tests.msync_client import body_of, connected, signal, token_of
from tests.running import ALICE, RunningServer
from tests.wire.easemob.test_easemob_wire import bearer
from tests.wire.easemob.test_msync_sending import online

from onebell import demo, directory
from onebell.app import SECTIONS
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody, Meta
from onebell.store import schema


async def told_at(server: RunningServer, url: str, events: str = '["chat", "chat_offline"]') -> None:
    """Let the demo's rule call back here."""
    text = demo.directory().replace("http://127.0.0.1:9099/easemob", url)
    text = text.replace('["chat", "chat_offline", "read_ack", "recall"]', events)
    await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)


async def send_text(server: RunningServer, **more: str) -> str:
    """A text from bob to alice; its id."""
    message = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": "rr"}, "ext": {"k": 1}, **more}
    headers = await bearer(server)
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=message, headers=headers) as got:
        return str((await got.json())["data"]["alice"])


async def heard(receiver: HttpService, count: int) -> None:
    """Wait until so many requests have come."""
    async with asyncio.timeout(20):
        while len(receiver.received) < count:
            await asyncio.sleep(0.05)


async def rests(server: RunningServer) -> list[dict[str, Any]]:
    """The callbacks, once none of them is due any more."""
    read = server.application.context.store.db.read
    async with asyncio.timeout(20):
        while True:
            rows = await read(lambda connection: list(connection.execute(sa.select(schema.callback)).mappings()))
            if rows and all(row["state"] != "due" for row in rows):
                return [dict(row) for row in rows]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("route", ["ROUTE_ALL", "ROUTE_ONLINE"])
async def test_case_57_one_signed_request_per_event(server: RunningServer, route: str) -> None:
    """``chat`` and, for a receiver who is offline, ``chat_offline``; each verifies with the rule's secret. Both also
    of a message that is not kept for him: it was accepted, and has an id."""
    async with http_service(answer(200)) as receiver:
        await told_at(server, f"{receiver.base}/easemob")
        number = await send_text(server, routetype=route)
        await heard(receiver, 2)

    bodies = [one.json for one in receiver.received]
    assert {body["eventType"] for body in bodies} == {"chat", "chat_offline"}
    for body in bodies:
        signed = f"{body['callId']}easemob-callback-secret{body['timestamp']}"
        assert body["security"] == hashlib.md5(signed.encode()).hexdigest()
        assert (body["msg_id"], body["callId"]) == (number, f"acme#demo_{number}")
        assert (body["from"], body["to"], body["payload"]["bodies"]) == ("bob", "alice", [{"msg": "rr", "type": "txt"}])


@pytest.mark.parametrize("last", [200, 500])
async def test_case_58_once_more_at_once(server: RunningServer, last: int) -> None:
    """Not 200: exactly one more attempt, at once, with the same bytes; then it is delivered or parked."""
    async with http_service() as receiver:
        receiver.answers(answer(500), answer(last))
        await told_at(server, f"{receiver.base}/easemob", events='["chat"]')
        await send_text(server)
        await heard(receiver, 2)
        callbacks = await rests(server)

    assert [row["state"] for row in callbacks] == ["done" if last == 200 else "parked"]
    assert len(receiver.received) == 2
    assert len({one.body for one in receiver.received}) == 1


async def test_signing_in_and_out_is_told(server: RunningServer) -> None:
    """A client's sign-in, its sign-out, and that another sign-in of the same device put it out (sheet easemob §4.3)."""
    async with http_service(answer(200)) as receiver:
        await told_at(server, f"{receiver.base}/easemob", events='["login", "logout", "replaced"]')
        token = await token_of(server.session, server.url, "alice")
        async with connected(server.session, server.url, "alice") as first:
            await first.provision(token, "webim_web_1")
            async with connected(server.session, server.url, "alice") as second:
                await second.provision(token, "webim_web_1")
                await heard(receiver, 3)
        await heard(receiver, 4)

    bodies = [one.json for one in receiver.received]
    assert sorted((body["reason"], body["status"]) for body in bodies) == [
        ("login", "online"), ("login", "online"), ("logout", "offline"), ("replaced", "offline"),
    ]  # fmt: skip
    assert {body["user"] for body in bodies} == {"acme#demo_alice@easemob.com/webim_web_1"}
    assert {(body["os"], body["ip"]) for body in bodies} == {("webim", "127.0.0.1")}


async def test_reading_and_recalling_are_told(server: RunningServer) -> None:
    """A message that is read in the inbox page and then recalled: an ack and a recall, each naming its id, and by the
    id under which its writer's client got it."""
    async with http_service(answer(200)) as receiver, online(server, "bob") as (bob,):
        await told_at(server, f"{receiver.base}/easemob", events='["read_ack", "recall"]')
        number = await send_text(server)
        (entry,) = [item for item in await server.inbox(ALICE) if item["kind"] == "entry"]
        mine = {"Authorization": f"Bearer {await server.sign_in(*ALICE)}"}
        async with server.session.post(f"{server.url}/api/v1/inbox/{entry['seq']}/read", headers=mine) as got:
            assert got.status < 300
        await heard(receiver, 1)
        headers = await bearer(server)
        recalled = {"msg_id": number, "to": "alice", "from": "bob", "chat_type": "chat", "force": True}
        url = f"{server.url}/acme/demo/messages/msg_recall"
        async with server.session.post(url, json=recalled, headers=headers) as got:
            assert got.status == 200
        await heard(receiver, 2)
        seen: list[Meta] = []
        while len(seen) < 2:
            seen += await bob.news()

    bodies = {one.json["chat_type"]: one.json for one in receiver.received}
    assert [body_of(one).type for one in seen] == [MessageBody.READ_ACK, MessageBody.RECALL]
    assert [str(one.id) for one in seen] == [bodies["read_ack"]["msg_id"], bodies["recall"]["msg_id"]]
    assert bodies["read_ack"]["callId"] == f"acme#demo_{seen[0].id}"
    assert bodies["read_ack"]["payload"]["ack_message_id"] == number
    assert (bodies["read_ack"]["from"], bodies["read_ack"]["to"]) == ("alice", "bob")
    assert (bodies["recall"]["recall_id"], bodies["recall"]["from"], bodies["recall"]["to"]) == (number, "bob", "alice")


async def test_what_clients_read_and_recall_is_told(server: RunningServer) -> None:
    """A client's ack and recall are messages: the callback's id is the one that their writer's client was answered."""
    async with http_service(answer(200)) as receiver, online(server, "alice", "bob") as (alice, bob):
        await told_at(server, f"{receiver.base}/easemob", events='["read_ack", "recall"]')
        sent = await bob.text("alice", "one")
        await alice.news()
        ack = await alice.send("bob", signal(MessageBody.READ_ACK, "alice", "bob", sent.server_id))
        await heard(receiver, 1)
        recall = await bob.send("alice", signal(MessageBody.RECALL, "bob", "alice", sent.server_id))
        await heard(receiver, 2)

    bodies = {one.json["chat_type"]: one.json for one in receiver.received}
    assert bodies["read_ack"]["msg_id"] == str(ack.server_id)
    assert bodies["recall"]["msg_id"] == str(recall.server_id)
    assert {body["payload"]["ack_message_id"] for body in bodies.values()} == {str(sent.server_id)}


async def test_what_nobody_hears_of_has_the_events_id(server: RunningServer) -> None:
    """What admin wrote has no writer's client; its ack has an id of its own all the same."""
    async with http_service(answer(200)) as receiver, online(server, "alice") as (alice,):
        await told_at(server, f"{receiver.base}/easemob", events='["read_ack"]')
        number = await send_text(server, **{"from": "admin"})
        await alice.news()
        await alice.send("admin", signal(MessageBody.READ_ACK, "alice", "admin", int(number)))
        await heard(receiver, 1)

    (body,) = [one.json for one in receiver.received]
    assert body["payload"]["ack_message_id"] == number
    assert int(body["msg_id"]) > 0
    assert body["msg_id"] != number
