"""Preprocess scripts over the wire: they change the content, and nothing they do loses a message (A37, sheet §4)."""

import asyncio
import json

import pytest
import pytest_asyncio
from tests.wire.pushplus.support import MT, UT, UTB, refusal, scripts_run

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _worker(client):
    await scripts_run(client)


async def test_a37_a_script_changes_the_content(client):
    """A37: the script's text is appended; an unknown code, also another owner's, is E14."""
    code = await client.accepted(content="消息内容正文", pre="appendMsg")

    assert (await client.entry("alice", code))["body"] == "消息内容正文追加的内容"
    assert (await client.post(content="c", pre="nope")).body.decode() == refusal("E14")
    assert (await client.post(token=UTB, content="c", pre="appendMsg")).body.decode() == refusal("E14")


async def test_a37_the_template_sees_what_the_script_made(client):
    """§4: raw content → script → template; so the page, the default title and the cards have it too."""
    code = await client.accepted(content="名称", pre="asJson", template="json")
    entry = await client.entry("alice", code)

    assert "name： 名称" in await client.page(code)
    assert (entry["title"], entry["text"]) == ("name： 名称", "name： 名称")


async def test_a37_a_webhook_gets_what_the_script_made(client, sink):
    """C of §5.1 is the content after the script."""
    code = await client.accepted(
        title="标题", content="正文", pre="appendMsg", channel="webhook", webhook="wecom", template="txt"
    )
    result = await client.result(code)
    *_, request = await sink.about("正文追加的内容")

    assert result["status"] == 2
    assert request.json["text"]["content"] == "标题\n\n正文追加的内容"


async def test_a37_every_channel_of_a_batch(client):
    """``/batchSend`` is a loop over ``/send``."""
    answer = await client.post("/batchSend", content="成批", channel="wechat,extension", pre="appendMsg")
    body = json.loads(answer.body)

    for item in body["data"]:
        assert (await client.entry("alice", item["shortCode"]))["body"] == "成批追加的内容"


@pytest.mark.parametrize("pre", ["broken", "endless", "blank"])
async def test_a_script_that_fails_loses_nothing(client, pre):
    """An error, a time-out, an empty result: the untouched content is delivered, the caller hears 200."""
    code = await client.accepted(content=f"告警 {pre}", pre=pre)

    assert (await client.entry("alice", code))["body"] == f"告警 {pre}"


async def test_a_result_beyond_the_senders_limit_is_a_failure(strict):
    """20,000 characters under the strict profile: what could not have been sent is not made by a script either."""
    await scripts_run(strict)
    code = await strict.accepted(content="长", pre="long")

    assert (await strict.entry("alice", code))["body"] == "长"


async def test_endless_scripts_delay_nobody_else(client):
    """While one sender's scripts loop, others' messages are accepted, and a dead worker costs no message."""
    await client.inbox("bob")  # he is signed in
    loops = [asyncio.create_task(client.accepted(content=f"圈 {no}", pre="endless")) for no in range(3)]
    code = await client.accepted(token=UTB, content="旁人")

    assert await client.has("bob", code)
    assert not all(loop.done() for loop in loops)
    for no, looped in enumerate(await asyncio.gather(*loops)):
        assert (await client.entry("alice", looped))["body"] == f"圈 {no}"


async def test_a_default_script_belongs_to_its_channel(strict):
    """§1.7: the token's default pre is used with its channel, an explicit one beats it, another token has none."""
    await scripts_run(strict)
    context = strict.server.application.context
    alice = await context.lookups.credential("pushplus", "user", UT)
    default = {"channel": "extension", "option": "", "pre": "appendMsg"}
    await context.store.records.create(alice.space, "pushplus", "default", "0", owner=alice.owner, data=default)
    sent = {
        "默认": {},
        "明确": {"pre": "asJson"},
        "渠道": {"channel": "wechat"},
        "消息": {"token": MT},
    }
    codes = [await strict.accepted(content=content, **fields) for content, fields in sent.items()]
    bodies = [(await strict.entry("alice", code))["body"] for code in codes]

    assert bodies == ["默认追加的内容", '{"name":"明确"}', "渠道", "消息"]
