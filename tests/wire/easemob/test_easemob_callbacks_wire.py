"""Easemob's post-send callbacks from the call to the receiver, over real HTTP (sheet easemob §4.2)."""

import asyncio
import hashlib
from typing import Any

import pytest
import sqlalchemy as sa
from tests.fakes.http_service import HttpService, answer, http_service
from tests.running import RunningServer
from tests.wire.easemob.test_easemob_wire import bearer

from onebell import demo, directory
from onebell.app import SECTIONS
from onebell.store import schema


async def told_at(server: RunningServer, url: str, events: str = '["chat", "chat_offline"]') -> None:
    """Let the demo's rule call back here."""
    text = demo.directory().replace("http://127.0.0.1:9099/easemob", url)
    text = text.replace('["chat", "chat_offline", "read_ack", "recall"]', events)
    await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)


async def send_text(server: RunningServer) -> str:
    """A text from bob to alice; its id."""
    message = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": "rr"}, "ext": {"k": 1}}
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


async def test_case_57_one_signed_request_per_event(server: RunningServer) -> None:
    """``chat`` and, for a receiver who is offline, ``chat_offline``; each verifies with the rule's secret."""
    async with http_service(answer(200)) as receiver:
        await told_at(server, f"{receiver.base}/easemob")
        number = await send_text(server)
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
