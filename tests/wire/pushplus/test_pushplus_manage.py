"""The open API's rows, byte by byte, and what they change for ``/send`` (sheet pushplus §2, A46, A48, A49)."""

import json

import pytest
from tests.wire.pushplus import scenario
from tests.wire.pushplus.support import FB, JSON, MT, UT, UTB, eventually, refusal, scripts_run

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = ("open_account.toml", "open_configs.toml")
SENT: tuple[dict[str, str], ...] = ({}, {"to": FB}, {"topic": "ops"})
GROUPS = [(file, name, steps) for file in FILES for name, steps in scenario.steps(file)]


@pytest.fixture(scope="module")
def known(sink) -> dict[str, str]:
    """What earlier steps were given."""
    return {"sink": sink.base}


@pytest.mark.parametrize(("file", "name", "steps"), GROUPS, ids=[f"{file}:{name}" for file, name, _ in GROUPS])
async def test_golden_rows(managed, known, file, name, steps):
    """Each row of the sheet's table answers exactly so."""
    await scripts_run(managed)
    await scenario.play(managed, UT, "alice-secret", steps, known)


async def test_wrong_methods_and_paths(managed):
    """Another method gets 405 with what is allowed, a path that nobody has 404; HEAD never runs a GET that changes."""
    headers = (("access-key", await managed.access_key()),)
    wrong = await managed.raw("GET", "/api/open/token/list", headers)
    head = await managed.raw("HEAD", "/api/open/setting/changeIsSend?isSend=0", headers)
    nobody = await managed.raw("GET", "/api/open/token/nope", headers)

    assert (wrong.status, json.loads(wrong.body)["code"]) == (405, 999)
    assert head.status == 405
    assert (nobody.status, json.loads(nobody.body)["msg"]) == (404, "接口不存在")


async def test_a_new_token_sends_and_a_deleted_one_does_not(managed, alice):
    """A message token works on /send at once, never for an access key, and not after it was deleted."""
    token = await alice.data("POST", "token/add", {"name": "short-lived"})
    code = await managed.accepted(token=token, content="c")
    key = await managed.raw(
        "POST", "/api/common/openApi/getAccessKey", JSON, json.dumps({"token": token, "secretKey": "alice-secret"})
    )
    (item,) = [one for one in (await alice.data("POST", "token/list", {}))["list"] if one["token"] == token]
    await alice.data("DELETE", f"token/deleteToken?id={item['id']}")
    refused = await managed.post(token=token, content="c")

    assert (await managed.entry("alice", code))["body"] == "c"
    assert json.loads(key.body)["code"] == 903
    assert refused.body.decode() == refusal("E2")


async def test_an_expired_token_sends_nothing(managed, alice):
    """A token whose end has passed is as unknown as a deleted one."""
    token = await alice.data("POST", "token/add", {"name": "past", "expireTime": "2020-01-01 00:00:00"})

    assert (await managed.post(token=token, content="c")).body.decode() == refusal("E2")


async def test_a49_the_send_switch(managed, alice):
    """A49: switched off, sending answers E5; switched on it works."""
    off = await alice("GET", "setting/changeIsSend?isSend=0")
    refused = await managed.post(content="c")
    on = await alice("GET", "setting/changeIsSend?isSend=1")

    assert off == on == {"code": 200, "msg": "执行成功", "data": None}
    assert refused.body.decode() == refusal("E5")
    assert await managed.accepted(content="c")


async def test_whoever_refuses_receives_nothing(managed, alice, bob):
    """recevieLimit=1: no entry from himself, friends or topics; alone he makes the message fail, others get theirs."""
    await bob.data("GET", "setting/changeRecevieLimit?recevieLimit=1")
    own = await managed.accepted(token=UTB, content="c")
    friend = await managed.accepted(content="c", to=FB)
    topic = await managed.accepted(content="c", topic="ops")
    failed = await managed.result(friend)
    got = [await managed.has("bob", code) for code in (own, friend, topic)]
    await bob.data("GET", "setting/changeRecevieLimit?recevieLimit=0")

    assert got == [False, False, False]
    assert await managed.has("alice", topic)
    assert (failed["status"], failed["errorMessage"]) == (3, "无用户接收消息")
    assert await managed.has("bob", await managed.accepted(content="c", topic="ops"))


async def test_the_extension_switch(managed, alice):
    """extension=1: what goes to wechat carries the mark that the browser extension looks for."""
    await alice.data("GET", "setting/extension?forward=1")
    marked = await managed.accepted(content="c")
    await alice.data("GET", "setting/extension?forward=0")
    plain = await managed.accepted(content="c")
    store = managed.server.application.context.store

    assert (await store.pushplus.message(marked)).parts[0].content.extension
    assert not (await store.pushplus.message(plain)).parts[0].content.extension


async def test_a_default_per_token(managed, alice, sink):
    """A token's default is used when a request names no channel, at once; another token's is not."""
    token = await alice.data("POST", "token/add", {"name": "to-the-bot"})
    (item,) = [one for one in (await alice.data("POST", "token/list", {}))["list"] if one["token"] == token]
    default = {"channel": "webhook", "option": "hook", "pre": "", "tokenId": item["id"]}
    await alice.data("POST", "setting/addUserDefault", default)
    await managed.accepted(token=token, content="by the default")
    await managed.accepted(token=MT, content="not by the default")

    assert await eventually(lambda: sink.about("by the default", "/hook"))
    assert await sink.about("not by the default", "/hook") == []


async def test_a48_the_message_list(managed, alice):
    """A48: page 1 of 20, newest first, six keys a row; 0, null and absent count as the defaults."""
    codes = [await managed.accepted(content="c", title=f"第{no}条", **more) for no, more in enumerate(SENT)]
    plain = await alice.data("POST", "message/list", {})
    zeros = await alice.data("POST", "message/list", {"current": 0, "pageSize": 0, "params": {}})
    nulls = await alice.data("POST", "message/list", {"current": None, "pageSize": None, "params": None})

    assert (plain["pageNum"], plain["pageSize"]) == (1, 20)
    assert [one["shortCode"] for one in plain["list"][:3]] == list(reversed(codes))
    assert plain["list"][0] == {
        "topicName": "Ops",
        "messageType": 2,
        "title": "第2条",
        "shortCode": codes[2],
        "channel": "wechat",
        "updateTime": plain["list"][0]["updateTime"],
    }
    assert [one["messageType"] for one in plain["list"][1:3]] == [1, 1]
    assert plain == zeros == nulls


async def test_the_message_list_narrowed(managed, alice):
    """Channel, kind and "read" narrow the list; a title that looks like a channel deceives nobody."""
    title = '"channel":"sms","topic":'
    await managed.accepted(content="c", topic="ops")
    code = await managed.accepted(content="c", title=title, channel="extension")
    by_channel = await alice.data("POST", "message/list", {"params": {"channel": "extension"}})
    topics = await alice.data("POST", "message/list", {"params": {"messageType": "2"}})
    texted = await alice.data("POST", "message/list", {"params": {"channel": "sms"}})
    unread = await alice.data("POST", "message/list", {"params": {"isRead": 0, "channel": "extension"}})
    read = await alice.data("POST", "message/list", {"params": {"isRead": 1, "channel": "extension"}})

    assert code in [one["shortCode"] for one in by_channel["list"]]
    assert {one["channel"] for one in by_channel["list"]} == {"extension"}
    assert {one["messageType"] for one in topics["list"]} == {2}
    assert texted["total"] == 0
    assert (code in [one["shortCode"] for one in unread["list"]], read["total"]) == (True, 0)


async def test_nobody_lists_anothers_messages(managed, bob):
    """The list is of what its caller has sent, not of what he got."""
    code = await managed.accepted(content="c", to=FB)
    listed = await bob.data("POST", "message/list", {"pageSize": 50})

    assert code not in [one["shortCode"] for one in listed["list"]]


async def test_a_deleted_message_is_gone_for_everybody(managed, alice):
    """deleteMessage: no inbox shows it, its page and result are not found, and that cannot be undone."""
    code = await managed.accepted(content="secret", topic="ops")
    entry = await managed.entry("bob", code)
    deleted = await alice("DELETE", f"message/deleteMessage?shortCode={code}")
    page = await managed.raw("GET", f"/shortMessage/{code}")
    result = await alice("GET", f"message/sendMessageResult?shortCode={code}")
    again = await alice("DELETE", f"message/deleteMessage?shortCode={code}")
    removed = [one for one in await managed.changes("bob") if one["kind"] == "removed" and one["seq"] == entry["seq"]]
    listed = await alice.data("POST", "message/list", {})

    assert deleted == {"code": 200, "msg": "请求成功", "data": None}
    assert not await managed.has("alice", code)
    assert not await managed.has("bob", code)
    assert removed[0]["rev"] > entry["rev"]
    assert page.status == 404
    assert result == again == {"code": 999, "msg": "服务端验证错误", "data": "消息不存在"}
    assert code not in [one["shortCode"] for one in listed["list"]]


async def test_nobody_deletes_anothers_message(managed, bob):
    """Whoever received a message may not take it from the others."""
    code = await managed.accepted(content="c", to=FB)
    said = await bob("DELETE", f"message/deleteMessage?shortCode={code}")

    assert said == {"code": 805, "msg": "无权查看", "data": None}
    assert await managed.has("bob", code)


async def test_nobody_touches_anothers_objects(managed, alice, bob):
    """The numbers of another user's tokens and defaults answer 805 and change nothing."""
    await alice.data("POST", "token/add", {"name": "mine"})
    token = (await alice.data("POST", "token/list", {}))["list"][0]
    await alice.data("POST", "setting/addUserDefault", {"channel": "wechat", "tokenId": token["id"]})
    default = (await alice.data("POST", "setting/listUserDefault", {}))["list"][0]
    asked = [
        await bob("POST", "token/edit", {"id": token["id"], "name": "his"}),
        await bob("DELETE", f"token/deleteToken?id={token['id']}"),
        await bob("POST", "setting/addUserDefault", {"channel": "wechat", "tokenId": token["id"]}),
        await bob("GET", f"setting/detailUserDefault?id={default['id']}"),
        await bob("POST", "setting/editUserDefault", {"id": default["id"], "channel": "sms", "tokenId": 0}),
        await bob("DELETE", f"setting/deleteUserDefault?id={default['id']}"),
    ]

    assert [said["code"] for said in asked] == [805] * len(asked)
    assert (await alice.data("POST", "token/list", {}))["list"][0] == token
    assert (await alice.data("POST", "setting/listUserDefault", {}))["list"][0] == default
    assert (await bob.data("POST", "token/list", {}))["total"] == 0


async def test_requests_are_counted_by_channel(managed, alice):
    """sendCount rises with every request that has a valid token, also with one that is refused."""
    before = await alice.data("GET", "user/sendCount")
    await managed.accepted(content="c")
    await managed.post(content="c", topic="nope")
    await managed.accepted(content="c", channel="webhook", webhook="hook")
    after = await alice.data("GET", "user/sendCount")

    assert after["wechatSendCount"] - before["wechatSendCount"] == 2
    assert after["webhookSendCount"] - before["webhookSendCount"] == 1
    assert after["mailSendCount"] == before["mailSendCount"]


async def test_changes_are_in_the_operators_log(managed, alice):
    """Who changed what is noted, without the token."""
    token = await alice.data("POST", "token/add", {"name": "noted"})
    context = managed.server.application.context
    (space,) = await context.lookups.spaces()
    newest = (await context.store.audit.page(space.id))[0]

    assert (newest.who, newest.what, newest.object) == ("alice", "created", "pushplus token noted")
    assert token not in repr(newest)
