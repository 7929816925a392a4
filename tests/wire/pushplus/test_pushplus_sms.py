"""Channel sms: bound phones, the sheet's text, and points where they are kept (sheet pushplus §5)."""

import json

import pytest
import sqlalchemy as sa
from tests.wire.pushplus.conftest import UNWANTED
from tests.wire.pushplus.support import FB, UTC, eventually

from onebell.dialects.pushplus import points
from onebell.store import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, CAROL = "13800001111", "13800003333"
SHORT = '{"code":888,"msg":"积分不足，需要充值","data":null}'


async def test_the_senders_own_phone_gets_the_title(client, sink):
    """Title only, in the sheet's words, with a short link that opens the page."""
    code = await client.accepted(title="服务器宕机", content="很长的内容", channel="sms")
    (request,) = await eventually(lambda: sink.about(code, "/sms"))

    assert request.json == {
        "to": ALICE,
        "text": f"【pushplus】您收到标题为“服务器宕机”的提醒消息，详情：onebell.example/t/{code}",
    }
    page = await client.raw("GET", f"/t/{code}")
    assert page.status == 200
    assert "很长的内容" in page.body.decode()
    assert (await client.result(code))["status"] == 2
    assert not await client.has("alice", code)


async def test_a_title_with_quotes_stays_in_its_place(client, sink):
    """No title breaks the service's JSON."""
    code = await client.accepted(title='a"b\\c', content="c", channel="sms")
    (request,) = await eventually(lambda: sink.about(code, "/sms"))

    assert '标题为“a"b\\c”的' in request.json["text"]


async def test_friends_get_no_text_messages(client, sink):
    """The seed names the channels of ``to``, and §5 the receivers of sms: ``to`` is void, the sender gets it."""
    code = await client.accepted(title="给好友", content="c", channel="sms", to=FB)
    (request,) = await eventually(lambda: sink.about(code, "/sms"))

    assert request.json["to"] == ALICE
    assert "好友消息" not in await client.page(code)


async def test_nobody_with_a_phone(client):
    """§1.6: no bound phone is nobody who received it."""
    code = await client.accepted(content="c", channel="sms", topic="empty")
    result = await client.result(code)

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")


async def test_only_what_was_sent_costs(client, sink):
    """Seed, channel sms: 10 points for each message that was sent. What the service refused is given back, once."""
    await _spent_nothing(client)
    unwanted = {"token": UTC, "title": UNWANTED, "content": "c", "channel": "sms"}
    failed = await client.accepted(**unwanted, callbackUrl=f"{sink.base}/callback")
    (told,) = await eventually(lambda: sink.about(failed, "/callback"))
    silent = await client.accepted(**unwanted)
    await eventually(lambda: _has_points(client, 35))
    store = client.server.application.context.store
    found = await store.pushplus.message(silent)
    await store.pushplus.settle(found.space, found.id, points.spent(found.sender), 10)

    assert told.json["messageInfo"]["sendStatus"] == 3
    assert await _has_points(client, 35)


async def test_points_are_charged_for_each_phone(client, sink):
    """10 points each, only where points are kept; what they do not pay for is refused whole and charged nothing."""
    await _spent_nothing(client)
    bell = {"token": UTC, "title": "t", "content": "to the topic", "channel": "sms", "topic": "bell"}
    code = await client.accepted(**bell)  # alice and carol: bob has no phone; 15 of 35 points are left
    told = [request.json["to"] for request in await eventually(lambda: _both(sink, code))]
    assert sorted(told) == [ALICE, CAROL]

    refused = await client.post(**bell)
    await client.accepted(token=UTC, title="t", content="to myself", channel="sms")
    again = await client.post(token=UTC, title="t", content="to myself", channel="sms")

    assert [refused.body.decode(), again.body.decode()] == [SHORT, SHORT]
    await client.accepted(token=UTC, content="other channels cost nothing")
    assert await _has_points(client, 5)


async def _spent_nothing(client) -> None:
    """Carol has all her points, whichever test comes first."""
    context = client.server.application.context
    carol = await context.lookups.credential("pushplus", "user", UTC)
    hers = (schema.guard.c.space_id == carol.space, schema.guard.c.key == points.spent(carol.owner))
    await context.store.db.write(lambda connection: connection.execute(sa.delete(schema.guard).where(*hers)))


async def _has_points(client, left: int) -> bool:
    key = await client.access_key(UTC, "carol-secret")
    mine = await client.raw("GET", "/api/open/user/myInfo", (("access-key", key),))
    return json.loads(mine.body)["data"]["points"] == left


async def _both(sink, code):
    found = await sink.about(code, "/sms")
    return found if len(found) == 2 else None
