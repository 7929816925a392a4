"""UMS from a request to the rows it leaves, on both engines. Numbers in names are the sheet's acceptance cases."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tests.engines import settings_for
from tests.fakes.clock import MovedClock
from tests.service import ENGINES, Service, basic, context_over

from onebell.dialects.ums.directory import Section, wanted
from onebell.dialects.ums.routes import Ums
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

K = "7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1"
K2 = "aaaa00000000000000000002:bbbb00000000000000000002"
KEY = K.split(":", maxsplit=1)[0]
APP = {"platform": "all", "notification": {"alert": "hi"}}
MAIL = {"subject": "s", "text": "t"}
DIRECTORY = f"""
[space]
name = "main"
timezone = "UTC"
language = "en"
public_url = "http://127.0.0.1:8080"

[[people]]
uid = "user1"
email = "u1@x.cn"

[[people]]
uid = "user2"
email = "u2@x.cn"
tags = ["vip"]

[[people]]
uid = "user3"
tags = ["sz", "ops"]

[[tags]]
person = "user1"
tag = "vip"
scope = "{KEY}"

[[addresses]]
person = "user2"
carrier = "site-mail"
value = "k2@x.cn"
scope = "{KEY}"

[[carriers]]
code = "site-mail"
kind = "smtp"
host = "127.0.0.1"
port = 2525
security = "none"
from = "onebell <onebell@example.test>"

[[carriers]]  # a kind that is not built: the file names it, the store has no account
code = "corp-wecom"
kind = "fax"

[ums]
access_key = "3f9a1b82cde476f5a8b913d2"
access_secret = "8e2d47a5fcb301d69c74e8f1"

[[ums.channel_groups]]
channel_key = "{KEY}"
master_secret = "{K.split(":")[1]}"
callback_urls = ["http://127.0.0.1:9099/ums"]
carriers = [
  {{ type = "email", carrier = "site-mail" }},
  {{ type = "app", channel_code = "app123", carrier = "inbox" }},
  {{ type = "wechatwk", carrier = "corp-wecom" }},
]
GROUP

[[ums.channel_groups]]
channel_key = "{K2.split(":", maxsplit=1)[0]}"
master_secret = "{K2.split(":")[1]}"
carriers = [{{ type = "email", carrier = "site-mail" }}, {{ type = "app", carrier = "inbox" }}]

[[ums.segments]]
id = "1000"
any_tags = ["ops"]

[[ums.lists]]
id = 1234
kind = "black"
people = ["USER2"]

[[ums.lists]]
id = 1234
kind = "white"
people = ["user3"]

[[ums.strategies]]
id = 1001
channel_key = "{KEY}"
steps = [{{ carriers = ["app"] }}]

[[ums.strategies]]
id = 1003
channel_key = "{KEY}"
enabled = false
steps = [{{ carriers = ["app"] }}]
"""


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
async def ums(store: Store, store_settings: Settings, lookups: CachedLookups) -> Service:
    """UMS over a store with the directory above; requests come from K."""
    context = context_over(store, store_settings, lookups)
    service = Service(context, Ums(context), (Section, wanted), headers=basic(K))
    await service.apply(DIRECTORY.replace("GROUP", ""))
    return service


async def sent(ums: Service, path: str = "/v1/sent", headers: dict[str, str] | None = None, **body: Any) -> int:
    """The code of a call."""
    return (await ums.ask("POST", path, body, headers)).code


# ---------------------------------------------------------------- who gets it


async def test_userids_find_people_without_case(ums: Service) -> None:
    """User1 finds user1, once; a userid that nobody has is a callback record and no error (§1.1, §1.3)."""
    assert await sent(ums, aud_userid=["User1", "USER1", "user3", "nobody"], msg_app=[APP]) == 0
    assert {"user1", "user3"} == await ums.readers()
    (lost,) = await ums.events("unresolved")
    assert (lost["person"], lost["uid"], lost["carrier"], lost["code"]) == (0, "nobody", "app", 2)


async def test_nobody_at_all_is_stored_too(ums: Service) -> None:
    """An audience that comes to nobody is accepted: what happened to it stands in the callbacks."""
    assert await sent(ums, aud_userid=["nobody"], msg_app=[APP], msg_email=[MAIL]) == 0
    assert set() == await ums.readers()
    assert [one["carrier"] for one in await ums.events("unresolved")] == ["app", "email"]


async def test_mail_leaves_no_entry_in_the_inbox(ums: Service) -> None:
    """``msg_`` decides which carriers are used: a mail is no app message."""
    assert await sent(ums, aud_userid=["user1"], msg_email=[MAIL]) == 0
    assert set() == await ums.readers()
    assert await ums.addresses() == ["u1@x.cn"]


async def test_case_35_address_of_the_key_before_the_general_one(ums: Service) -> None:
    """Mail goes to the value bound to the ChannelKey, else to the one bound to ``all``."""
    assert await sent(ums, aud_userid=["user1", "user2"], msg_email=[MAIL]) == 0
    assert await ums.addresses() == ["k2@x.cn", "u1@x.cn"]
    assert await sent(ums, headers=basic(K2), aud_userid=["user1", "user2"], msg_email=[MAIL]) == 0
    assert await ums.addresses() == ["u1@x.cn", "u2@x.cn"]


async def test_case_33_a_record_per_user_and_carrier(ums: Service) -> None:
    """Found on a carrier or not: one record each, though two elements go over the same carrier."""
    assert await sent(ums, aud_userid=["user1", "user3"], msg_app=[APP, APP], msg_email=[MAIL, MAIL]) == 0
    one, three = await ums.person("user1"), await ums.person("user3")
    found = {(event["person"], event["carrier"]) for event in await ums.events("resolved")}
    assert {(one, "inbox"), (three, "inbox"), (one, "site-mail")} == found
    assert len(await ums.events("resolved")) == 3
    assert [(three, "user3", "site-mail", 0)] == [
        (event["person"], event["uid"], event["carrier"], event["code"]) for event in await ums.events("unresolved")
    ]


async def test_each_element_is_its_own_delivery(ums: Service) -> None:
    """Several elements of one array are sent one by one to each target (§1.4)."""
    assert await sent(ums, aud_userid=["user1"], msg_email=[MAIL, {"subject": "2", "text": "2"}]) == 0
    assert await ums.addresses() == ["u1@x.cn", "u1@x.cn"]


async def test_case_23_black_list(ums: Service) -> None:
    """Listed people are taken out, whatever the case of their uid in the list."""
    assert await sent(ums, aud_userid=["user1", "user2"], msg_app=[APP], option={"black_id": 1234}) == 0
    assert {"user1"} == await ums.readers()
    assert [one["code"] for one in await ums.events("unresolved")] == [3]


async def test_white_list(ums: Service) -> None:
    """The audience is cut down to the listed people."""
    assert await sent(ums, aud_userid=["user1", "user3"], msg_app=[APP], option={"white_id": 1234}) == 0
    assert {"user3"} == await ums.readers()
    assert [one["code"] for one in await ums.events("unresolved")] == [4]


async def audience(ums: Service) -> dict[str, Any]:
    """The query that the newest message is expanded by."""
    rows = await ums.rows(schema.expansion)
    newest = max(row["message_id"] for row in await ums.rows(schema.expansion))
    (found,) = [row for row in rows if row["message_id"] == newest]
    query: dict[str, Any] = json.loads(found["audience"])["audience"]
    return query


async def test_case_31_32_per_tag_switch(ums: Service) -> None:
    """One user tagged under K hides all global holders from K, tag by tag; K2 sees the global ones."""
    assert await sent(ums, aud_tag=["vip", "sz"], msg_app=[APP]) == 0
    assert (await audience(ums))["any_tags"] == [["vip", KEY], ["sz", "all"]]
    assert await sent(ums, headers=basic(K2), aud_tag=["vip"], msg_app=[APP]) == 0
    assert (await audience(ums))["any_tags"] == [["vip", "all"]]


async def test_kinds_of_targets_are_an_intersection(ums: Service) -> None:
    """Tags, a segment and userids in one message: all must hold (§1.3.6); lists come on top."""
    body = {"aud_tag": ["vip"], "aud_segment": ["1000"], "aud_userid": ["user1"], "msg_app": [APP]}
    assert await sent(ums, **body, option={"black_id": 1234}) == 0
    query = await audience(ums)
    assert (query["any_tags"], query["more_tags"], query["uids"]) == ([["vip", KEY]], [[["ops", "all"]]], ["user1"])
    assert [await ums.person("user2")] == query["exclude"]
    assert await sent(ums, **body, option={"white_id": 1234}) == 0
    assert [await ums.person("user3")] == (await audience(ums))["include"]


async def test_case_36_broadcast(ums: Service) -> None:
    """Everybody; targets in the body are ignored."""
    assert await sent(ums, "/v1/broadcast", aud_userid="nonsense", msg_email=[MAIL]) == 0
    assert {"type", "feed"} == set(await audience(ums))


async def test_custom_ids_skip_the_user_system(ums: Service) -> None:
    """Raw addresses go out as they are, once; people of the same address are not asked."""
    values = ["a@x.cn", "u1@x.cn", "a@x.cn"]
    assert await sent(ums, aud_email=[{"data": values}], msg_email=[MAIL], rule_id=9999) == 0
    assert await ums.addresses() == ["a@x.cn", "u1@x.cn"]
    assert {0} == {row["person_id"] for row in await ums.rows(schema.delivery)}
    assert await ums.events("resolved") == []


async def test_custom_ids_of_the_app_are_uids(ums: Service) -> None:
    """Where the inbox is the app channel a registration id is a uid; others are refused by the channel (type 3)."""
    body = {"aud_app": [{"data": ["user1", "r9"]}], "aud_email": [{"data": ["a@x.cn"]}]}
    assert await sent(ums, **body, msg_app=[APP], msg_email=[MAIL]) == 0
    assert {"user1"} == await ums.readers()
    assert await ums.addresses() == ["a@x.cn"]
    (failed,) = await ums.events("failed")
    assert (failed["target"], failed["carrier"]) == ("r9", "app")


async def test_carrier_that_is_not_there(ums: Service) -> None:
    """A carrier that cannot send takes no message: one that is not built is left out of the group by ``apply``, one
    that was switched off since is refused too."""
    message = {"msgtype": "text", "text": {"content": "x"}}
    assert await sent(ums, aud_userid=["user1"], msg_wechatwk=[message]) == 4004
    account = await ums.context.lookups.carrier(ums.space, "site-mail")
    assert account is not None
    await ums.context.store.carrier_accounts.disable(ums.space, account.id)
    assert await sent(ums, aud_userid=["user1"], msg_email=[MAIL]) == 1015010


# ---------------------------------------------------------------- what is stored


async def test_message_row(ums: Service) -> None:
    """The msgid is the public id; what is echoed in callbacks is kept, also what PostgreSQL's text refuses."""
    said = await ums.ask(
        "POST",
        "/v1/sent",
        {
            "aud_userid": ["user1"],
            "msg_app": [{**APP, "audience": "all", "callback": {"x": 1}}],
            "rule_id": 1001,
            "option": {"sendno": "a\0", "owner": "admin\0", "priority": 1},
            "callback": {"url": "http://127.0.0.1:9099/ums", "params": {"name": "joe\0"}},
        },
    )
    (row,) = await ums.rows(schema.message)
    parts = row["parts"].decode()

    assert (said.json["msgid"], "a\0") == (row["public_id"], said.json["sendno"])
    assert (row["watched"], row["severity"]) == (1, 3)
    assert '"jpush":{"platform":"all","notification":{"alert":"hi"}}' in parts
    assert b'"url":"http://127.0.0.1:9099/ums"' in row["extra"]
    assert b"joe\\u0000" in row["callback"]


async def test_priority_orders_the_queue_only(ums: Service) -> None:
    """High priority is a place in the queue, not a severity that breaks quiet hours (§1.5)."""
    for priority in (1, 2, 3):
        await sent(ums, aud_userid=["user1"], msg_email=[MAIL], option={"priority": priority})
    assert [row["priority"] for row in await ums.rows(schema.delivery)] == [4, 3, 2]
    assert {3} == {row["severity"] for row in await ums.rows(schema.message)}


async def test_unverified_callback_is_ignored(ums: Service) -> None:
    """The call still succeeds; the default address is used (§1.5)."""
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP], callback={"url": "http://evil/"}) == 0
    (row,) = await ums.rows(schema.message)
    assert b"evil" not in row["extra"]


async def test_ids_differ(ums: Service) -> None:
    """A thousand calls have a thousand ids: there is no idempotency key in UMS, a repeat is a second message."""
    body = {"aud_userid": ["user1"], "msg_app": [APP]}
    ids = {(await ums.ask("POST", "/v1/sent", body)).json["msgid"] for _ in range(50)}
    assert len(ids) == 50


@pytest.mark.parametrize(
    "body",
    [
        {"aud_userid": ["user-1"], "msg_app": [APP]},
        {"aud_userid": ["user1"], "msg_app": [APP], "option": {"black_id": 7}},
        {"aud_userid": ["user1"], "msg_app": [APP], "rule_id": 7},
        {
            "aud_userid": ["user1"],
            "msg_app": [APP],
            "msg_dingtalk_cc": [{"msg": {"msgtype": "text", "text": {"content": "x"}}}],
        },
        {"aud_userid": ["user1"]},
    ],
)
async def test_refusal_stores_nothing(ums: Service, body: dict[str, Any]) -> None:
    """Nothing is half stored."""
    assert (await ums.ask("POST", "/v1/sent", body)).status == 400
    for table in (schema.message, schema.entry, schema.delivery, schema.expansion, schema.public_id, schema.guard):
        assert await ums.rows(table) == []


# ---------------------------------------------------------------- the channel group


@pytest.mark.parametrize(
    ("setting", "code", "status"),
    [
        ("enabled = false", 1015005, 400),
        ("expires = 2026-01-01T00:00:00", 1015025, 400),
        ("expires = 2099-01-01T00:00:00", 0, 200),
        ('sensitive_words = ["bad", "hi"]', 1015034, 400),
        ('sensitive_words = ["bad"]', 0, 200),
        ('do_not_disturb = { from = "00:00", to = "23:59" }', 1015038, 400),
        ('do_not_disturb = { from = "03:00", to = "03:00" }', 0, 200),
        ("black_lists = false", 1015074, 400),
    ],
)
async def test_case_5_group_settings(ums: Service, setting: str, code: int, status: int) -> None:
    """Closed, expired, filtered, at night, without lists: each its own code."""
    await ums.apply(DIRECTORY.replace("GROUP", setting))
    moved = MovedClock(1_798_700_000_000)  # 2026-12-31 14:53 in Shanghai
    ums.dialect = Ums(dataclasses.replace(ums.context, clock=moved))
    said = await ums.ask("POST", "/v1/sent", {"aud_userid": ["user1"], "msg_app": [APP], "option": {"black_id": 1234}})
    assert (code, status) == (said.code, said.status)


async def test_white_lists_may_be_off(ums: Service) -> None:
    """The feature's own code."""
    await ums.apply(DIRECTORY.replace("GROUP", "white_lists = false"))
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP], option={"white_id": 1234}) == 1015075


@pytest.mark.parametrize(("rule", "code"), [(1001, 0), (0, 0), (1003, 1015026), (9, 1015026)])
async def test_case_25_strategies(ums: Service, rule: int, code: int) -> None:
    """One step is sent at once; a disabled strategy and an unknown one are gone."""
    assert code == await sent(ums, aud_userid=["user1"], msg_app=[APP], rule_id=rule)


async def test_strategy_of_another_group(ums: Service) -> None:
    """A strategy belongs to one channel group."""
    assert await sent(ums, headers=basic(K2), aud_userid=["user1"], msg_app=[APP], rule_id=1001) == 1015026


async def test_rate_of_calls(ums: Service) -> None:
    """Over the limit: 429, its own code, and headers that say so; the window slides."""
    await ums.apply(DIRECTORY.replace("GROUP", "calls_per_minute = 2"))
    body = {"aud_userid": ["user1"], "msg_app": [APP]}
    said = [await ums.ask("POST", "/v1/sent", body) for _ in range(3)]
    assert [(one.status, one.headers["x-rate-limit-remaining"]) for one in said] == [(200, "1"), (200, "0"), (429, "0")]
    assert (
        said[2].code, said[2].headers["x-rate-limit-limit"], said[2].headers["x-rate-limit-reset"],
    ) == (1015030, "2", "60")  # fmt: skip
    assert len(await ums.rows(schema.message)) == 2


async def test_rate_may_be_off(ums: Service) -> None:
    """0 = off: no limit, and none announced."""
    await ums.apply(DIRECTORY.replace("GROUP", "calls_per_minute = 0"))
    said = await ums.ask("POST", "/v1/sent", {"aud_userid": ["user1"], "msg_app": [APP]})
    assert "x-rate-limit-limit" not in said.headers


async def test_case_36_broadcast_quota(ums: Service) -> None:
    """The quota of a day in Shanghai; charged on success only; the next day it is whole again."""
    await ums.apply(DIRECTORY.replace("GROUP", "broadcasts_per_day = 2"))
    moved = MovedClock(1_798_732_799_000)  # one second before midnight in Shanghai
    ums.dialect = Ums(dataclasses.replace(ums.context, clock=moved))
    assert await sent(ums, "/v1/broadcast") == 4004
    codes = [await sent(ums, "/v1/broadcast", msg_app=[APP]) for _ in range(3)]
    assert codes == [0, 0, 1015029]
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP]) == 0
    moved.move(1)
    assert await sent(ums, "/v1/broadcast", msg_app=[APP]) == 0


async def test_removed_group_is_unknown(ums: Service) -> None:
    """A group that the file no longer names has no credential."""
    text = DIRECTORY.replace("GROUP", "")
    await ums.apply(text[: text.index("[ums]")] + "[ums]\n")
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP]) == 4005
