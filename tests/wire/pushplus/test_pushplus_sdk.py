"""The official Python SDK, unmodified but for its base URL: sending, querying, managing (sheet pushplus §2)."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from perk_pushplus import PushPlusClient, PushPlusError, callback_parser
from perk_pushplus.enums import CallbackEvent, Channel, Template
from perk_pushplus.models import (
    BatchSendRequest,
    MessageTokenAddRequest,
    MessageTokenEditRequest,
    PreSaveRequest,
    PreTestRequest,
    SendRequest,
    TopicAddRequest,
    TopicListQuery,
    TopicUserListQuery,
    UserDefaultSaveRequest,
    WebhookSaveRequest,
)
from tests.wire.pushplus.support import UT, UTB, eventually, scripts_run

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def sdk(client) -> Iterator[PushPlusClient]:
    """The SDK as alice uses it."""
    made = PushPlusClient.builder().token(UT).secret_key("alice-secret").base_url(client.server.url).build()
    yield made
    made.http_requester.close()


async def asked(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a blocking call returns."""
    return await asyncio.to_thread(call, *arguments)


async def test_send_and_query(client, sdk):
    """A message, its result, its place in the list, its page, its end."""
    code = await asked(sdk.send_simple, "SDK 标题", "SDK 内容")
    await client.result(code)
    result = await asked(sdk.open_message.query_result, code)
    listed = await asked(sdk.open_message.list)

    assert (result.status, result.errorMessage) == (2, "")
    assert (listed.list[0].shortCode, listed.list[0].title, listed.pageNum) == (code, "SDK 标题", 1)
    assert sdk.open_message.detail_url(code) == f"{client.server.url}/shortMessage/{code}"
    assert "SDK 内容" in await client.page(code)
    await asked(sdk.open_message.delete, code)
    assert (await client.raw("GET", f"/shortMessage/{code}")).status == 404


async def test_every_parameter_of_a_request(client, sdk):
    """Template and channel as the SDK's enumerations, a script, a time."""
    await scripts_run(client)
    request = SendRequest(
        title="t", content="内容", template=Template.MARKDOWN, channel=Channel.EXTENSION, pre="appendMsg",
        timestamp=32_503_651_200_000, topic="ops",
    )  # fmt: skip
    code = await asked(sdk.send, request)
    entry = await client.entry("bob", code)

    assert (entry["body"], entry["format"]) == ("内容追加的内容", "markdown")


async def test_batch(client, sdk):
    """One result per channel, as the SDK's struct."""
    request = BatchSendRequest(title="t", content="c", channel="wechat,webhook", option=",nope")
    first, second = await asked(sdk.batch_send, request)

    assert (first.channel, first.code) == (Channel.WECHAT, 200)
    assert await client.has("alice", first.shortCode)
    assert (second.code, second.message, second.shortCode) == (999, "渠道编码不存在", None)


async def test_a_refusal_is_the_sdks_error(client):
    """It raises with our code and text."""
    stranger = PushPlusClient.builder().token("0" * 32).base_url(client.server.url).build()
    with pytest.raises(PushPlusError) as refused:
        await asked(stranger.send_simple, "t", "c")
    stranger.http_requester.close()

    assert (refused.value.code, "无效的用户令牌" in refused.value.message) == (903, True)


async def test_an_ended_access_key_is_renewed(client, sdk):
    """On code 401 it takes a new key and asks again, which nobody notices."""
    await asked(sdk.user.get_token)
    sdk.access_key_manager._cached_key = "0" * 32

    assert await asked(sdk.user.get_token) == UT
    assert re.fullmatch("[0-9a-f]{32}", sdk.access_key_manager._cached_key)


async def test_the_user(sdk):
    """His data, limits and counts."""
    info = await asked(sdk.user.my_info)
    counts = await asked(sdk.user.get_send_count)
    limit = await asked(sdk.user.get_limit_time)

    assert (info.token, info.nickName, info.email) == (UT, "Alice", "alice@example.test")
    assert counts.wechatSendCount >= 0
    assert limit.sendLimit == 1


async def test_message_tokens(client, sdk):
    """Added, listed, used, renamed, deleted."""
    token = await asked(sdk.message_token.add, MessageTokenAddRequest(name="sdk"))
    (item,) = [one for one in (await asked(sdk.message_token.list)).list if one.token == token]
    code = await client.accepted(token=token, content="c")
    await asked(sdk.message_token.edit, MessageTokenEditRequest(id=item.id, name="renamed"))
    options = await asked(sdk.message_token.select_list)

    assert await client.has("alice", code)
    assert (item.name, item.expireTime[:10]) == ("sdk", "2999-12-31")
    assert "renamed" in [option.name for option in options]
    assert await asked(sdk.message_token.delete, item.id) == "删除成功"
    assert item.id not in [one.id for one in (await asked(sdk.message_token.list)).list]


async def test_topics(client, sdk):
    """Added, shown, its QR code, its members, sent to, deleted."""
    made = TopicAddRequest(topicCode="sdkTopic", topicName="SDK", contact="a", introduction="b")
    topic = await asked(sdk.topic.add, made)
    detail = await asked(sdk.topic.detail, topic)
    listed = await asked(sdk.topic.list, TopicListQuery())
    code = await asked(sdk.topic.qr_code, topic)
    users = await asked(sdk.topic_user.subscriber_list, TopicUserListQuery.of(1, 20, topic))

    assert (detail.topicCode, detail.topicName, detail.contact) == ("sdkTopic", "SDK", "a")
    assert topic in [one.topicId for one in listed.list]
    assert (code.forever, code.qrCodeImgUrl.startswith("http")) == (0, True)
    assert users.list == []
    sent = await asked(sdk.send, SendRequest(content="c", topic="sdkTopic"))
    assert (await client.result(sent))["errorMessage"] == "无用户接收消息"
    assert await asked(sdk.topic.delete, topic) == "群组删除成功"
    with pytest.raises(PushPlusError):
        await asked(sdk.send, SendRequest(content="c", topic="sdkTopic"))


async def test_webhooks(client, sdk, sink):
    """Added, listed, shown, changed, and used under its code."""
    made = WebhookSaveRequest(
        webhookCode="sdkHook", webhookName="SDK", webhookType=7, webhookUrl=f"{sink.base}/sdk-one"
    )
    number = await asked(sdk.webhook.add, made)
    listed = await asked(sdk.webhook.list)
    made.id, made.webhookUrl = number, f"{sink.base}/sdk-two"
    changed = await asked(sdk.webhook.edit, made)
    detail = await asked(sdk.webhook.detail, number)
    code = await asked(sdk.send, SendRequest(title="t", content="c", channel=Channel.WEBHOOK, option="sdkHook"))
    (request,) = await eventually(lambda: sink.about(code, "/sdk-two"))

    assert number in [one.id for one in listed.list]
    assert changed == "修改成功"
    assert (detail.webhookCode, detail.webhookTypeName) == ("sdkHook", "腾讯轻联")
    assert request.json["shortCode"] == code


async def test_scripts(client, sdk):
    """A preprocess script: tried, added, used, shown, deleted."""
    await scripts_run(client)
    trial = PreTestRequest(content="content = content + 123", contentType=1, message="this is content")
    tried = await asked(sdk.pre.test, trial)
    wrong = PreTestRequest(content="content.nothing.here", contentType=1, message="m")
    with pytest.raises(PushPlusError) as failed:
        await asked(sdk.pre.test, wrong)
    made = PreSaveRequest(content=trial.content, preName="SDK", preCode="sdkPre", contentType=1)
    number = await asked(sdk.pre.add, made)
    code = await asked(sdk.send, SendRequest(content="a", pre="sdkPre"))
    detail = await asked(sdk.pre.detail, number)

    assert tried == "this is content123"
    assert "TypeError" in failed.value.message
    assert (await client.entry("alice", code))["body"] == "a123"
    assert (detail.preCode, detail.content) == ("sdkPre", trial.content)
    assert await asked(sdk.pre.delete, number) == "删除成功"


async def test_defaults_and_switches(client, sdk):
    """A default channel of the user token; sending switched off and on."""
    await asked(
        sdk.setting.add_user_default, UserDefaultSaveRequest(channel=Channel.EXTENSION, option="", pre="", tokenId=0)
    )
    (default,) = [one for one in (await asked(sdk.setting.list_user_default)).list if one.name == "用户token"]
    await asked(sdk.setting.delete_user_default, default.id)
    await asked(sdk.setting.change_is_send, 0)
    with pytest.raises(PushPlusError) as off:
        await asked(sdk.send_simple, "t", "c")
    await asked(sdk.setting.change_is_send, 1)

    assert default.channel == Channel.EXTENSION
    assert "发送消息功能已关闭" in off.value.message
    assert await asked(sdk.send_simple, "t", "c")


async def test_callbacks_are_what_its_parser_reads(client, sink):
    """The body of ``message_complate`` as the SDK's struct."""
    code = await client.accepted(token=UTB, content="c", callbackUrl=f"{sink.base}/sdk")
    (request,) = await eventually(lambda: sink.about(code, "/sdk"))
    heard = callback_parser.parse(request.body.decode())

    assert heard.event is CallbackEvent.MESSAGE_COMPLETE
    assert (heard.messageInfo.shortCode, heard.messageInfo.sendStatus) == (code, 2)
