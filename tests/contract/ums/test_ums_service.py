"""UMS: a call from the request to the rows it leaves. Numbers in names are the sheet's acceptance cases."""

import json
from typing import Any

import pytest
from tests.contract.ums.support import APP, K2, KEY, MAIL, sent
from tests.service import Service, basic

from onebell.store import schema

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
