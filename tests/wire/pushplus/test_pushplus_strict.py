"""The strict profile: the service's own numbers for a verified user (sheet pushplus §6, A43)."""

import json

import pytest
from tests.native_server import Steps
from tests.wire.pushplus.conftest import directory_text, serving
from tests.wire.pushplus.support import OK, UT, User, refusal

from onebell.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a43_the_fourth_identical_content(strict):
    """A43: three identical contents an hour, the fourth is E18."""
    bodies = [(await strict.post(content="same")).body.decode() for _ in range(4)]

    assert [OK.fullmatch(body) is not None for body in bodies] == [True, True, True, False]
    assert bodies[3] == refusal("E18")


async def test_a43_the_sixth_send_in_a_minute(strict):
    """A43: five requests a minute, the sixth is E17; refused ones do not count, another user is free."""
    assert (await strict.post()).body.decode() == refusal("E6")
    bodies = [(await strict.post(content=f"c{no}")).body.decode() for no in range(6)]

    assert [OK.fullmatch(body) is not None for body in bodies] == [True] * 5 + [False]
    assert bodies[5] == refusal("E17")
    await strict.accepted(token="b0b00000000000000000000000000001", content="c")


async def test_a43_lengths(strict):
    """A43: 100 characters of title, 20,000 of content."""
    assert (await strict.post(content="c", title="t" * 101)).body.decode() == refusal("E7", 100)
    assert (await strict.post(content="c" * 20_001)).body.decode() == refusal("E8", 20_000)
    await strict.accepted(content="c" * 20_000, title="t" * 100)


async def test_a30_friends_beyond_the_tenth_are_dropped(strict):
    """A30: ten unknown tokens, then a known one: accepted, and nobody receives it."""
    tokens = ",".join([*(f"unknown{no}" for no in range(10)), "f0000000000000000000000000000b0b"])
    result = await strict.result(await strict.accepted(content="c", to=tokens))

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")


async def test_a_days_quota_sticks(strict):
    """E4: 200 requests over wechat a day, every refused one counted too; once over, it stays over for that channel."""
    for _ in range(200):
        await strict.post()

    assert (await strict.post(content="c")).body.decode() == refusal("E4")
    assert (await strict.post()).body.decode() == refusal("E4")
    assert (await strict.post(content="c", channel="nope")).body.decode() == refusal("E9")
    alice = User(strict, UT, "alice-secret")
    assert (await alice.data("GET", "user/sendCount"))["wechatSendCount"] == 202
    assert (await alice.data("GET", "user/userLimitTime"))["sendLimit"] == 2


async def test_a_batch_is_counted_by_channel(strict):
    """§1.4: N channels are N counted requests, also of a refused batch; what is over tells so in its element."""
    for _ in range(100):
        assert (await strict.post("/batchSend", channel="mail,mail")).body.decode() == refusal("E6")
    answer = await strict.post("/batchSend", content="c", channel="mail,extension")
    over, accepted = json.loads(answer.body)["data"]

    assert (over["code"], over["message"], over["shortCode"]) == (900, "请求次数过多,减少请求后2天恢复正常", None)
    assert accepted["code"] == 200


async def test_the_account_is_checked_in_its_order(strict):
    """E3 before E4 before E5: not verified, over the quota, switched off."""
    context = strict.server.application.context
    alice = await context.lookups.credential("pushplus", "user", UT)
    account = await context.lookups.record(alice.space, "pushplus", "account", "account", alice.owner)
    for _ in range(200):
        await strict.post(channel="mail")
    answers = []
    for data in ({"is_send": 0, "verified": False}, {"is_send": 0}):
        await context.store.records.set_data(alice.space, account.id, data)
        answers.append((await strict.post(content="c", channel="mail")).body.decode())

    assert answers == [refusal("E3"), refusal("E4")]
    assert (await strict.post(content="c", channel="app")).body.decode() == refusal("E5")


async def test_sending_switched_off(strict):
    """E5: the account's own switch, after the quota and before the content."""
    context = strict.server.application.context
    alice = await context.lookups.credential("pushplus", "user", UT)
    account = await context.lookups.record(alice.space, "pushplus", "account", "account", alice.owner)
    await context.store.records.set_data(alice.space, account.id, {"is_send": 0})

    assert (await strict.post()).body.decode() == refusal("E5")

    await context.store.records.set_data(alice.space, account.id, {"is_send": 1, "verified": False})

    assert (await strict.post()).body.decode() == refusal("E3")


async def test_a_default_channel(strict):
    """§1.7: without a channel the token's default applies; its option and pre only together with it."""
    context = strict.server.application.context
    alice = await context.lookups.credential("pushplus", "user", UT)
    default = {"channel": "webhook", "option": "nope", "pre": ""}
    await context.store.records.create(alice.space, "pushplus", "default", "0", owner=alice.owner, data=default)

    assert (await strict.post(content="c")).body.decode() == refusal("E10b")
    await strict.accepted(content="c", option="wecom")
    await strict.accepted(content="c", channel="wechat")
    # Its channel may be named as well: E10 asks for a code where there is no default either.
    assert (await strict.post(content="c", channel="WebHook")).body.decode() == refusal("E10b")
    batch = json.loads((await strict.post("/batchSend", content="c", channel="webhook")).body)
    assert batch["data"][0]["message"] == "渠道编码不存在"
    await strict.accepted(token="a11ce000000000000000000000000002", content="c")


async def test_an_address_with_too_many_bad_tokens_is_shut_out(strict):
    """E19: from then on a good token does not help either."""
    answers = [(await strict.post(token=f"bad{no}", content="c")).body.decode() for no in range(301)]

    assert set(answers[:300]) == {refusal("E2")}
    assert answers[300] == refusal("E19")
    assert (await strict.post(content="c")).body.decode() == refusal("E19")


async def test_history_ends_after_thirty_days(tmp_path, sink):
    """§6: an older message is on no list, and its page and result are those of one that never was."""
    clock, text = Steps(), directory_text(sink.base, limits="strict")
    async with serving(Settings(data=str(tmp_path)), text, clock) as client:
        alice = User(client, UT, "alice-secret")
        code = await client.accepted(content="c")
        clock.ahead_s = 30 * 86_400 - 60
        assert (await alice.data("POST", "message/list", {}))["total"] == 1
        assert "<p>c</p>" in await client.page(await client.accepted(content="<p>c</p>"))

        clock.ahead_s += 61
        listed = await alice.data("POST", "message/list", {})
        result = await alice("GET", f"message/sendMessageResult?shortCode={code}")
        page = await client.raw("GET", f"/shortMessage/{code}")

    assert (listed["total"], result["data"], page.status) == (1, "消息不存在", 404)


async def test_a_user_has_at_most_ten_webhooks(strict):
    """Those of the directory file count too; what is there already stays and works."""
    alice = User(strict, UT, "alice-secret")
    fields = {"webhookCode": "more", "webhookName": "n", "webhookType": 7, "webhookUrl": "https://example.com/x"}
    listed = await alice.data("POST", "webhook/list", {})
    said = await alice("POST", "webhook/add", fields)

    assert listed["total"] >= 10
    assert said == {"code": 999, "msg": "服务端验证错误", "data": "数量已达上限"}
