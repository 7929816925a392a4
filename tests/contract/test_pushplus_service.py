"""PushPlus over a real store: what its calls leave in the rows, on both engines."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.engines import settings_for
from tests.fakes.clock import MovedClock
from tests.service import ENGINES, Service, context_over

from onebell.core.bodies import KEEP_S as FILE_KEEP_S
from onebell.dialects.pushplus import directory
from onebell.dialects.pushplus.images import KEEP_S, TOKEN_S, Images
from onebell.dialects.pushplus.limits import BAD_TOKENS, PROFILES
from onebell.dialects.pushplus.manage import CALLS
from onebell.dialects.pushplus.openapi import KEY_LIFE_S, OVERLAP_S
from onebell.dialects.pushplus.routes import PushPlus
from onebell.directory_findings import BadDirectory
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import build_store
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed
from onebell.vault import ServerVault

UT = "a11ce000000000000000000000000001"
UTB = "b0b00000000000000000000000000001"
UTC = "ca501000000000000000000000000001"
FB = "f0000000000000000000000000000b0b"

TEXT = f"""
[space]
name = "main"
public_url = "http://onebell.example"

[[people]]
uid = "alice"
name = "Alice"

[[people]]
uid = "bob"

[[people]]
uid = "carol"

[[routes]]
person = "carol"
carriers = ["bot"]

[[carriers]]
code = "bot"
kind = "wecom_bot"
url = "http://127.0.0.1:9/cgi-bin/webhook/send?key=00000000-0000-4000-8000-000000000001"
allow_networks = ["127.0.0.0/8"]

[[pushplus.users]]
person = "alice"
token = "{UT}"
secret_key = "alice-secret"
callback_url = "http://127.0.0.1:9/account"

[[pushplus.users]]
person = "bob"
token = "{UTB}"

[[pushplus.users]]
person = "carol"
token = "{UTC}"
secret_key = "carol-secret"
callback_url = "http://127.0.0.1:9/account"

[[pushplus.topics]]
code = "ops"
owner = "alice"
members = ["alice", "bob"]

[[pushplus.friends]]
owner = "alice"
friend = "bob"
token = "{FB}"

[[pushplus.webhooks]]
owner = "alice"
code = "wecom"
carrier = "bot"
"""


STRICT = TEXT.replace("[[pushplus.users]]", '[pushplus]\nlimits = "strict"\n\n[[pushplus.users]]', 1)


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
def clock() -> MovedClock:
    """The clock of the whole node."""
    return MovedClock()


@pytest.fixture
async def service(
    database: Database, store_settings: Settings, vault: ServerVault, clock: MovedClock, announced: Any
) -> Service:
    """PushPlus over an empty store with the directory above."""
    changes = Changes(database, IdMint(clock, 0), clock, vault, announced)
    lookups = CachedLookups(database, vault, changes.mint, clock, lambda kind: Addressed.ACCOUNT)
    announced.listeners.append(lookups.hear)
    context = context_over(build_store(database, changes), store_settings, lookups)
    found = Service(context, PushPlus(context), (directory.Section, directory.wanted))
    await found.apply(TEXT)
    return found


async def send(service: Service, token: str = UT, **fields: Any) -> str:
    """The shortCode of a message that must be accepted."""
    said = await service.ask("POST", "/send", {"token": token, **fields}, {"Content-Type": "application/json"})
    assert said.code == 200, said.body.decode()
    return str(said.json["data"])


async def newest(service: Service) -> dict[str, Any]:
    """The newest message's row, unpacked."""
    row = (await service.rows(schema.message))[-1]
    return {**row, "parts": json.loads(row["parts"]), "extra": json.loads(row["extra"] or b"{}")}


async def test_a_message_to_oneself(service):
    """One entry for the owner, the sender is he; nothing is open, so it is finished."""
    code = await send(service, title="标题", content="消息内容")
    row = await newest(service)

    assert await service.readers() == {"alice"}
    assert (row["public_id"], row["state"], row["sender_name"]) == (code, "finished", "Alice")
    assert row["sender"] == await service.person("alice")
    assert row["parts"][0]["content"] == {"title": "标题", "body": "消息内容", "format": "html"}
    assert row["extra"] == {"owner": row["sender"], "title": "标题", "channel": "wechat", "template": "html"}


async def test_a_topic_and_a_friend(service):
    """Members get a topic's message, a friend his own; both are told apart for page and lists."""
    await send(service, content="c", topic="ops")
    assert await service.readers() == {"alice", "bob"}
    assert "topic" in (await newest(service))["extra"]

    await send(service, content="c", to=FB)
    assert await service.readers() == {"bob"}
    assert (await newest(service))["extra"]["friend"] is True


async def test_a_robot_gets_its_native_payload(service):
    """One delivery to the account itself; the payload is the service's own request."""
    code = await send(service, title="标题", content="<b>消息</b>", channel="webhook", webhook="wecom")
    row = await newest(service)

    assert await service.readers() == set()
    assert await service.addresses() == [""]
    (article,) = row["parts"][0]["native"]["wecom_bot"]["news"]["articles"]
    assert article == {
        "title": "标题",
        "description": "消息",
        "url": f"http://onebell.example/shortMessage/{code}",
        "picurl": "http://onebell.example/assets/logo.png",
    }


async def test_templated_content_keeps_its_raw_text(service):
    """The row holds what is shown; the content as it was sent stays beside it."""
    content = "{'name':'名称','n':1.50}"
    await send(service, content=content, template="json")
    row = await newest(service)

    assert row["parts"][0]["content"]["body"] == "name： 名称<br/>n： 1.50"
    assert row["extra"]["content"] == content


@pytest.mark.parametrize("template", ["html", "txt", "markdown", "json"])
async def test_long_content_stays_out_of_the_row(service, template):
    """Bytes beyond 16 KiB are files; the row keeps the beginning and a reference."""
    content = '{"a":"' + "长" * 20_000 + '"}'
    code = await send(service, content=content, template=template)
    stored = (await service.rows(schema.message))[-1]
    page = (await service.ask("GET", f"/shortMessage/{code}")).body.decode()

    files = await service.rows(schema.file)
    assert len(stored["parts"]) < 20_000
    assert len(stored["extra"] or b"") < 1_000
    # They stay as long as the message that names them; a day when it is refused after all.
    assert {(file["message_id"], file["expires_at"] - file["created_at"]) for file in files} == {
        (stored["id"], FILE_KEEP_S * 1000)
    }
    assert page.count("长") >= 20_000


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\ufffe", "😀", "a\0b"])
async def test_odd_characters_everywhere(service, odd):
    """Both engines take whatever a caller can write, or the service refuses it in its own words."""
    body = json.dumps({"token": UT, "content": f"c{odd}", "title": f"t{odd}", "icon": odd, "to": f"{odd},{FB}"})
    said = await service.ask("POST", "/send", body.encode(), {"Content-Type": "application/json"})
    assert said.code == 200, said.body.decode()
    page = await service.ask("GET", f"/shortMessage/{said.json['data']}")
    assert page.status == 200

    for field in ("token", "topic", "webhook", "option", "pre", "channel", "timestamp"):
        given = {"token": UT, "content": "c", "channel": "webhook", field: odd}
        said = await service.ask("POST", "/send", json.dumps(given).encode(), {"Content-Type": "application/json"})
        assert said.status == 200
        assert said.code in (200, 903, 999), (field, said.body.decode())


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\ufffe", "😀", "a\0b", "{0}", "'"])
async def test_odd_characters_in_topics_and_remarks(service, odd):
    """Both engines take them in what is kept, and no number is found in them."""
    headers = {"access-key": await access_key(service)}

    async def code(method: str, path: str, body: object = None) -> int:
        return (await service.ask(method, f"/api/open/{path}", body, headers)).code

    texts = dict.fromkeys(("topicCode", "topicName", "contact", "introduction", "icon", "receiptMessage"), f"t{odd}")
    assert await code("POST", "topic/add", texts) == 200
    listed = (await service.ask("POST", "/api/open/topic/list", {}, headers)).json["data"]["list"]
    ops = next(one["topicId"] for one in listed if one["topicCode"] == "ops")
    members = await service.ask("POST", "/api/open/topicUser/subscriberList", {"params": {"topicId": ops}}, headers)
    which = members.json["data"]["list"][0]["id"]
    assert await code("POST", "topicUser/editRemark", {"id": which, "remark": odd}) == 200
    (friend,) = (await service.ask("POST", "/api/open/friend/list", {}, headers)).json["data"]["list"]
    assert await code("POST", "friend/editRemark", {"id": friend["id"], "remark": odd}) == 200
    for path in ("topic/editTopic", "topicUser/editRemark", "friend/editRemark"):
        assert await code("POST", path, {"topic": odd, "id": odd}) == 999
    assert await code("POST", "topicUser/subscriberList", {"params": {"topicId": odd}}) == 999


async def test_a_watched_message_has_its_event(service):
    """Alice has an address in her settings, bob has none: only hers waits to be packed."""
    await send(service, content="c")
    assert await service.events("finished") == [{"person": 0, "ok": True, "message": ""}]

    await send(service, token=UTB, content="c")
    assert await service.events("finished") == []

    await send(service, token=UTB, content="c", callbackUrl="https://example.com/x")
    assert len(await service.events("finished")) == 1

    await send(service, content="c", callbackUrl="not a url")
    assert await service.events("finished") == []


async def test_refusals_store_nothing(service):
    """Whatever is refused leaves no message."""
    for given in ({}, {"content": "c", "topic": "no"}, {"content": "c", "timestamp": 1}, {"content": "c", "pre": "no"}):
        said = await service.ask("POST", "/send", {"token": UT, **given}, {"Content-Type": "application/json"})
        assert said.code == 999

    assert await service.rows(schema.message) == []


async def test_results_follow_the_deliveries(service):
    """0 and 1 while something is open, 2 when somebody has it, 3 when nobody has."""
    mine = await send(service, content="c")
    pending = await send(service, content="c", channel="webhook", webhook="wecom")
    nobody = await send(service, content="c", to="unknown")
    headers = {"access-key": await access_key(service)}

    async def result(code: str) -> tuple[int, str]:
        said = await service.ask("GET", f"/api/open/message/sendMessageResult?shortCode={code}", None, headers)
        return said.json["data"]["status"], said.json["data"]["errorMessage"]

    assert await result(mine) == (2, "")
    assert await result(pending) == (1, "")
    assert await result(nobody) == (3, "无用户接收消息")


async def test_an_inbox_suffices(service):
    """What carol has bound beside her inbox is still to come: it is sent all the same, and told of once."""
    code = await send(service, token=UTC, content="c")
    headers = {"access-key": await access_key(service, UTC, "carol-secret")}
    said = await service.ask("GET", f"/api/open/message/sendMessageResult?shortCode={code}", None, headers)
    (message,) = await service.rows(schema.message)

    assert (message["state"], message["watched"], len(await service.rows(schema.delivery))) == ("accepted", 0, 1)
    assert await service.events("finished") == [{"person": 0, "ok": True, "message": ""}]
    assert (said.json["data"]["status"], said.json["data"]["errorMessage"]) == (2, "")


async def access_key(service: Service, token: str = UT, secret: str = "alice-secret") -> str:
    """A new access key of a user, alice unless said."""
    body = {"token": token, "secretKey": secret}
    said = await service.ask("POST", "/api/common/openApi/getAccessKey", body)
    assert said.code == 200
    return str(said.json["data"]["accessKey"])


async def test_access_keys_end(service, clock):
    """A46: a replaced key lives five more minutes, a key two hours, and ended keys leave no rows behind."""
    first, second = await access_key(service), await access_key(service)

    async def code(key: str) -> int:
        return (await service.ask("GET", "/api/open/user/token", None, {"access-key": key})).code

    assert (await code(first), await code(second)) == (200, 200)

    clock.move(OVERLAP_S + 1)
    assert (await code(first), await code(second)) == (401, 200)

    clock.move(KEY_LIFE_S - OVERLAP_S)
    assert await code(second) == 401

    await access_key(service)
    keys = [row for row in await service.rows(schema.credential) if row["kind"] == "access"]
    assert len(keys) == 1


async def test_an_allow_list_of_addresses(service):
    """403 from anywhere else, for a new key and for one that was issued before the list; a wrong secret stays 401."""
    key = await access_key(service)

    async def codes(allowed: str) -> tuple[int, int]:
        await service.apply(TEXT.replace('secret_key = "alice-secret"', f'secret_key = "alice-secret"\n{allowed}'))
        asked = {"token": UT, "secretKey": "alice-secret"}
        got = await service.ask("POST", "/api/common/openApi/getAccessKey", asked)
        return got.code, (await service.ask("GET", "/api/open/user/token", None, {"access-key": key})).code

    assert await codes('allow_ips = ["203.0.113.7", "10.0.0.0/8"]') == (403, 403)
    assert await codes('allow_ips = ["127.0.0.0/8"]') == (200, 200)
    assert await codes("") == (200, 200)


async def test_a_list_that_names_no_network_is_refused(service):
    """The directory file says where the mistake is."""
    with pytest.raises(BadDirectory, match=r"pushplus\.users\[0\]\.allow_ips\[0\]"):
        await service.apply(TEXT.replace("callback_url", 'allow_ips = ["everywhere"]\ncallback_url'))


async def test_the_open_api_is_off_without_a_secret(service):
    """401 for a new key, and for one that was issued before it was switched off."""
    key = await access_key(service)
    await service.apply(TEXT.replace('secret_key = "alice-secret"', ""))
    asked = {"token": UT, "secretKey": ""}
    answers = [
        await service.ask("POST", "/api/common/openApi/getAccessKey", asked),
        await service.ask("GET", "/api/open/user/token", None, {"access-key": key}),
    ]

    assert [said.json for said in answers] == [{"code": 401, "msg": "请求未授权", "data": None}] * 2


async def test_guessing_a_secret_ends(service):
    """Wrong secrets count as bad tokens do: beyond the limit the address is shut out (E19)."""
    asked = {"token": UT, "secretKey": "guess"}
    said = [await service.ask("POST", "/api/common/openApi/getAccessKey", asked) for _ in range(BAD_TOKENS.limit + 1)]

    assert {one.code for one in said[:-1]} == {401}
    assert said[-1].json == {"code": 403, "msg": "IP被禁止访问", "data": None}


async def test_the_quota_of_a_day_shows(service, clock):
    """Under the strict profile a quota that is used up holds until the next midnight in Shanghai, and is counted."""
    await service.apply(STRICT)
    before = await ask(service, "GET", "user/userLimitTime")
    for _ in range(PROFILES["strict"].per_day["mail"] + 1):
        await service.ask("POST", "/send", {"token": UT, "channel": "mail"}, {"Content-Type": "application/json"})
    during = await ask(service, "GET", "user/userLimitTime")
    count = await ask(service, "GET", "user/sendCount")
    clock.move(86_400)
    after = await ask(service, "GET", "user/userLimitTime")
    later = await ask(service, "GET", "user/sendCount")
    info = await ask(service, "GET", "user/myInfo")

    assert before == after == {"sendLimit": 1, "userLimitTime": ""}
    assert during == {"sendLimit": 2, "userLimitTime": "2027-01-16 00:00:00"}
    assert (count["mailSendCount"], later["mailSendCount"]) == (PROFILES["strict"].per_day["mail"] + 1, 0)
    assert info["vipInfo"] == {"isVip": 0, "lastDay": ""}


async def ask(service: Service, method: str, path: str, body: Any = None) -> Any:
    """The data of a call of alice."""
    headers = {"access-key": await access_key(service), "Content-Type": "application/json"}
    said = await service.ask(method, f"/api/open/{path}", body, headers)
    assert said.code == 200, said.body.decode()
    return said.json["data"]


async def test_an_upload_ticket_and_a_picture_end(service, clock):
    """A ticket lets in for ten minutes, for its own user; a picture is listed for 30 days, then its record goes too."""
    ticket = (await ask(service, "GET", "userImage/uploadToken"))["uploadToken"]
    images = Images(service.context)
    person = await images.bearer(ticket)
    assert person is not None
    assert person.uid == "alice"
    assert await images.bearer(ticket.replace(".", ".1", 1)) is None
    assert await images.bearer("") is None

    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "PNG")
    body = b"--b\r\nContent-Disposition: form-data; name=file; filename=p.png\r\n\r\n" + out.getvalue() + b"\r\n--b--"
    form = {"Content-Type": "multipart/form-data; boundary=b", "access-key": await access_key(service)}
    assert (await service.ask("POST", "/api/open/file/uploadImage", body, form)).code == 200
    assert (await ask(service, "POST", "userImage/list"))["total"] == 1

    clock.move(TOKEN_S)
    assert await images.bearer(ticket) is None
    clock.move(KEEP_S)
    assert (await ask(service, "POST", "userImage/list"))["total"] == 0
    form["access-key"] = await access_key(service)
    assert (await service.ask("POST", "/api/open/file/uploadImage", body, form)).code == 200
    assert len([row for row in await service.rows(schema.record) if row["kind"] == "image"]) == 1


ODD = ("\0", "\ud800", "\ufffe", "😀", "9" * 400, "-1", "1e400", ["a"], {"a": {}}, 9**17, True)
NAMES = (
    "current", "pageSize", "params", "id", "tokenId", "name", "expireTime", "channel", "option", "pre", "preId",
    "webhookId", "webhookCode", "webhookName", "webhookType", "webhookUrl", "preCode", "preName", "content",
    "contentType", "message", "mailId", "shortCode", "isSend", "defaultChannel", "defaultWebhook", "type",
)  # fmt: skip


async def test_odd_values_of_the_open_api(service):
    """Whatever a caller writes into whichever parameter, the answer is the service's own, on both engines."""
    headers = {"access-key": await access_key(service), "Content-Type": "application/json"}
    for odd in ODD:
        given = dict.fromkeys(NAMES, odd)
        narrowed = {"params": dict.fromkeys(("channel", "messageType", "isRead", "topicId"), odd)}
        for path, methods in CALLS.items():
            for method in methods:
                body = narrowed if path.endswith("/list") else given
                said = await service.ask(method, f"/api/open/{path}", body, headers)
                assert said.status == 200, (method, path, odd, said.body)
                assert said.code in (200, 999), (method, path, odd, said.body.decode())


async def test_a_deleted_message_has_no_page(service):
    """§1.6: 404 for one that is deleted."""
    code = await send(service, content="c")

    def recall(connection: Any) -> None:
        connection.execute(schema.message.update().values(state="recalled"))

    await service.context.store.db.write(recall)

    assert (await service.ask("GET", f"/shortMessage/{code}")).status == 404


async def test_no_secret_in_the_database(service):
    """Tokens and keys are found by digest and kept encrypted."""
    key = await access_key(service)
    rows = repr([await service.rows(table) for table in (schema.credential, schema.record, schema.credential_lookup)])

    for secret in (UT, FB, key, "alice-secret"):
        assert secret not in rows
