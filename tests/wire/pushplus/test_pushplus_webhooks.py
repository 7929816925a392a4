"""Webhooks that a user makes himself over the open API: working accounts, his alone, kept from inside addresses."""

import pytest
from tests.wire.pushplus.conftest import managed_text
from tests.wire.pushplus.support import UTB, Client, eventually, refusal

from onebell import directory
from onebell.app import SECTIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN_HOOKS = (
    (1, "/own1/cgi-bin/webhook/send?key=k", "/own1/"),
    (2, "/own2/robot/send?access_token=t", "/own2/"),
    (3, "/own3/open-apis/bot/v2/hook/h", "/own3/"),
    (4, "/own4/SCT0123456789.send", "/own4/SCT0123456789.send"),
    (50, "/own50/device-key", "/own50/push"),
    (7, "/own7/flow", "/own7/"),
    (8, "/trigger/own8/with/key/KEY", "/trigger/own8/"),
    (9, "/own9/v1/accept?apikey=k", "/own9/"),
    (10, "/own10/message?token=Atoken", "/own10/message"),
    (11, "/own11/api/send/message/?appToken=AT_x&uid=UID_1", "/own11/api/send/message/"),
    (12, "/own12/any?c={content}", "/own12/any?c="),
)


@pytest.mark.parametrize(("number", "url", "arrives"), OWN_HOOKS, ids=str)
async def test_an_own_webhook_delivers(managed, alice, sink, number, url, arrives):
    """A config made by the API is a working account of its type's carrier at once, for /send and as a default."""
    fields = {"webhookCode": f"own{number}", "webhookName": "n", "webhookType": number, "webhookUrl": sink.base + url}
    await alice.data("POST", "webhook/add", fields)
    await managed.accepted(title="标题", content="消息内容", channel="webhook", webhook=f"own{number}")

    (request,) = await eventually(lambda: sink.about("", arrives))
    assert request.target.startswith(arrives)


async def test_a_custom_webhook_is_filled_in(managed, alice, sink):
    """Type 12: method, headers and body as configured; after an edit what is sent next goes to the new address."""
    fields = {"webhookCode": "my-diy", "webhookName": "n", "webhookType": 12, "webhookUrl": f"{sink.base}/diy-one"}
    template = {"httpMethod": "POST", "headers": '{"test":"test"}', "body": "这是消息内容：{content}"}
    which = await alice.data("POST", "webhook/add", fields | template)
    await managed.accepted(content="你好", channel="webhook", webhook="my-diy")
    (first,) = await eventually(lambda: sink.about("这是消息内容：你好", "/diy-one"))
    edited = fields | template | {"id": which, "webhookUrl": f"{sink.base}/diy-two", "webhookCode": "my-diy-2"}
    await alice.data("POST", "webhook/edit", edited)
    await managed.accepted(content="又来", channel="webhook", webhook="my-diy-2")
    await eventually(lambda: sink.about("这是消息内容：又来", "/diy-two"))
    gone = await managed.post(content="c", channel="webhook", webhook="my-diy")

    assert first.headers["test"] == "test"
    assert gone.body.decode() == refusal("E10b")


async def test_a_corrected_webhook_works_again(managed, alice, sink):
    """What a provider refuses is the message's end, in its words (§5.1); with another address the next one goes out."""
    refused = {
        50: ("/gone/old-device", "400 failed to get device token"),  # the address is dead
        1: ("/banned/cgi-bin/webhook/send?key=k", "93000 invalid webhook url"),  # the account is refused
    }
    for number, (url, why) in refused.items():
        code = f"mended{number}"
        fields = {"webhookCode": code, "webhookName": "n", "webhookType": number, "webhookUrl": sink.base + url}
        which = await alice.data("POST", "webhook/add", fields)
        failed = [await managed.accepted(content="c", channel="webhook", webhook=code) for _ in range(2)]
        results = [await managed.result(one) for one in failed]
        await alice.data("POST", "webhook/edit", fields | {"id": which, "webhookUrl": sink.base + f"/mended{url}"})
        again = await managed.accepted(content="c", channel="webhook", webhook=code)

        assert [one["status"] for one in results] == [3, 3]
        assert all(why in one["errorMessage"] for one in results), results
        assert (await managed.result(again))["status"] == 2


async def test_a_deleted_webhook_is_gone(managed, alice, sink):
    """Its code is unknown at once, and its account is not left behind."""
    fields = {"webhookCode": "brief", "webhookName": "n", "webhookType": 7, "webhookUrl": f"{sink.base}/brief"}
    which = await alice.data("POST", "webhook/add", fields)
    before = await _foreign_codes(managed)
    await alice.data("GET", f"webhook/delete?webhookId={which}")
    refused = await managed.post(content="c", channel="webhook", webhook="brief")

    assert refused.body.decode() == refusal("E10b")
    assert len(before) - len(await _foreign_codes(managed)) == 1


async def test_deleting_an_operators_code_leaves_his_account(managed, alice):
    """A code of the directory file is the user's to drop, the carrier behind it is not."""
    await alice.data("POST", "webhook/list", {"pageSize": 50})
    listed = (await alice.data("POST", "webhook/list", {"pageSize": 50}))["list"]
    (refusing,) = [one for one in listed if one["webhookCode"] == "refusing"]
    await alice.data("GET", f"webhook/delete?webhookId={refusing['id']}")
    context = managed.server.application.context
    (space,) = await context.lookups.spaces()

    assert (await managed.post(content="c", channel="webhook", webhook="refusing")).body.decode() == refusal("E10b")
    assert await context.lookups.carrier(space.id, "refusing-bot") is not None


async def test_an_own_webhook_is_nobody_elses(managed, alice, bob, sink):
    """Another user neither sees, edits, deletes nor sends over it, not even by its account's code."""
    fields = {"webhookCode": "mine", "webhookName": "n", "webhookType": 7, "webhookUrl": f"{sink.base}/only-alice"}
    which = await alice.data("POST", "webhook/add", fields)
    asked = [
        await bob("GET", f"webhook/detail?webhookId={which}"),
        await bob("POST", "webhook/edit", fields | {"id": which}),
        await bob("GET", f"webhook/delete?webhookId={which}"),
    ]
    sent = await managed.post(token=UTB, content="c", channel="webhook", webhook="mine")
    (code,) = [one for one in await _foreign_codes(managed) if await _is_mine(managed, one, "mine")]
    natives = [
        await managed.native_send(uid, {"title": "t", "carriers": [code], "to": uid}) for uid in ("bob", "alice")
    ]

    assert [said["code"] for said in asked] == [805, 805, 805]
    assert (await bob.data("POST", "webhook/list", {}))["total"] == 0
    assert sent.body.decode() == refusal("E10b")
    assert natives == [422, 201]


async def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(managed, alice, sink):
    """A user's URL reaches public addresses and the space's origins only: the name is resolved when it is used."""
    inside = sink.base.replace("127.0.0.1", "localhost") + "/inside"
    fields = {"webhookCode": "inside", "webhookName": "n", "webhookType": 7, "webhookUrl": inside}
    await alice.data("POST", "webhook/add", fields)
    result = await managed.result(await managed.accepted(content="c", channel="webhook", webhook="inside"))

    assert result["status"] == 3
    assert "address refused" in result["errorMessage"]
    assert await sink.about("", "/inside") == []


async def test_a_corp_app_by_another_name(managed, alice, sink):
    """Type 6 sends over the cp config whose code is its address; ``to`` is void under channel webhook."""
    fields = {"webhookCode": "app-alias", "webhookName": "n", "webhookType": 6, "webhookUrl": "cp"}
    which = await alice.data("POST", "webhook/add", fields)
    await managed.accepted(title="应用别名", content="c", channel="webhook", webhook="app-alias", to="zhangsan")
    (request,) = await eventually(lambda: sink.about("应用别名", "/cgi-bin/message/send"))
    await alice.data("GET", f"webhook/delete?webhookId={which}")

    assert "zhangsan" not in request.body.decode()
    assert await managed.accepted(content="c", channel="cp", webhook="cp")


async def test_apply_leaves_what_the_api_made(managed, alice, sink):
    """The same file again changes nothing of a user's own tokens, webhooks, scripts, defaults and switches."""
    fields = {"webhookCode": "stays", "webhookName": "n", "webhookType": 7, "webhookUrl": f"{sink.base}/stays"}
    await alice.data("POST", "webhook/add", fields)
    await alice.data("POST", "pre/add", {"content": "1", "preName": "n", "preCode": "stays", "contentType": 1})
    await alice.data("GET", "setting/extension?forward=1")
    lists = ("webhook/list", "pre/list", "token/list", "setting/listUserDefault")
    before = [await alice.data("POST", path, {"pageSize": 50}) for path in lists]
    await directory.apply(managed.server.application.context.store, SECTIONS, managed_text(sink.base), dry_run=False)
    after = [await alice.data("POST", path, {"pageSize": 50}) for path in lists]
    settings = await alice.data("GET", "setting/getUserSettings")
    await alice.data("GET", "setting/extension?forward=0")

    assert {one["webhookCode"] for one in before[0]["list"]} <= {one["webhookCode"] for one in after[0]["list"]}
    assert before[1:] == after[1:]
    assert settings["extension"] == 1


async def test_a_user_who_is_removed_takes_his_accounts_along(managed, alice, bob, sink):
    """Nothing of what somebody configured for himself outlives him."""
    fields = {"webhookCode": "b", "webhookName": "n", "webhookType": 7, "webhookUrl": f"{sink.base}/bob"}
    await bob.data("POST", "webhook/add", fields)
    before = len(await _foreign_codes(managed))
    context = managed.server.application.context
    (space,) = await context.lookups.spaces()
    person = await context.lookups.person_by_uid(space.id, "bob")
    await context.store.people.remove(space.id, person.id)

    assert len(await _foreign_codes(managed)) == before - 1


async def _foreign_codes(managed: Client) -> list[str]:
    context = managed.server.application.context
    (space,) = await context.lookups.spaces()
    return [one.code for one in await context.store.carrier_accounts.every(space.id) if one.is_foreign]


async def _is_mine(managed: Client, code: str, key: str) -> bool:
    context = managed.server.application.context
    (space,) = await context.lookups.spaces()
    records = await context.lookups.records(space.id, "pushplus", "webhook")
    return any(one.key == key and one.data["carrier"] == code for one in records)
