"""Taking back and importing over real HTTP (sheet easemob §1.5, §1.6). Numbers in names are acceptance cases."""

import asyncio
from typing import Any

import pytest
from tests.msync_client import body_of, connected, signal
from tests.wire.easemob.desk import Desk
from tests.wire.easemob.test_easemob_offline import count, signed_in

from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody
from onebell.store import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP_SETTINGS = {"open": "recall_window_s = 0", "closed": "recall_window_s = 604800"}
GONE = (403, "message_recall_error", "not_found msg")
LATE = (403, "message_recall_error", "exceed recall time limit")
FULL = {"action", "application", "path", "uri", "timestamp", "duration", "organization", "applicationName"}


def recalled(number: str, to: str = "u2", **more: Any) -> dict[str, Any]:
    """A recall's body."""
    body = {"msg_id": number, "to": to, "chat_type": "chat", "from": "u1", "force": False, **more}
    return {key: value for key, value in body.items() if value is not ...}


async def test_case_56_recall(desk: Desk) -> None:
    """Within two minutes once; the message is out of the offline store, and inboxes show it as taken back."""
    number = await desk.sent("u2")
    before = await count(desk, "u2")
    body = await desk.ok("POST", "/messages/msg_recall", recalled(number))
    assert set(body) == FULL | {"data"}
    assert body["path"] == "/messages/msg_recall"
    assert body["data"] == {"recalled": "yes", "chattype": "chat", "from": "u1", "to": "u2", "msg_id": number}
    assert await count(desk, "u2") == before - 1
    (shown,) = [one for one in await desk.server.inbox(("u2", "u2-password")) if one.get("entry_id") == number]
    assert (shown["recalled_at"] is not None, shown["body"]) == (True, "")
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number))).refusal == GONE
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number, force=True))).refusal == GONE


async def test_case_56_too_late(desk: Desk) -> None:
    """After the window it stays, unless it is forced."""
    number = await desk.sent("u2")
    desk.clock.move(121)
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number))).refusal == LATE
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number, force=...))).refusal == LATE
    await desk.ok("POST", "/messages/msg_recall", recalled(number, force=True))


async def test_clients_hear_of_it(desk: Desk) -> None:
    """The receiver's client gets a recall instead of the message, also when it was away; so does the sender's."""
    await desk.register("r1", "r2")
    number = await desk.sent("r2", **{"from": "r1"})
    await desk.ok("POST", "/messages/msg_recall", recalled(number, "r2", recallMessageExtensionInfo="why"))
    for me, peer in (("r2", "r1"), ("r1", "r2")):
        async with signed_in(desk, me) as client:
            (meta,) = await client.drain(peer)
        body = body_of(meta)
        assert (body.type, body.ack_message_id) == (MessageBody.RECALL, int(number))
        assert [(one.key, one.string_value) for one in meta.ext] == [("recallMessageExtensionInfo", "why")]


async def test_only_the_receivers_clients_hear(desk: Desk) -> None:
    """``sync_device`` false: the sender's do not."""
    await desk.register("q1", "q2")
    number = await desk.sent("q2", **{"from": "q1"}, sync_device=True)
    await desk.ok("POST", "/messages/msg_recall", recalled(number, "q2", sync_device=False))
    async with signed_in(desk, "q1") as client:
        assert await client.drain("q2") == []
    async with signed_in(desk, "q2") as client:
        assert len(await client.drain("q1")) == 1


async def test_one_of_many_receivers(desk: Desk) -> None:
    """An id is one receiver's: the others keep theirs, the sender his other copies, and callbacks name nobody else."""
    await desk.register("s0", "s1", "s2")
    said = await desk.send(["s1", "s2"], **{"from": "s0"}, sync_device=True)
    first, second = said.json["data"]["s1"], said.json["data"]["s2"]
    await desk.ok("POST", "/messages/msg_recall", recalled(first, "s1"))
    assert (await count(desk, "s1"), await count(desk, "s2")) == (0, 1)
    message = (await desk.entries("s1"))[0]["message_id"]
    left = {row["public_id"] for row in await desk.entries("s0") if row["shown"] == 0 and not row["recalled_at"]}
    assert left == {int(second)}
    (event,) = [
        row for row in await desk.rows(schema.event) if row["message_id"] == message and row["kind"] == "recalled"
    ]
    assert event["person_id"] == await desk.person("s1")
    assert (await desk.call("POST", "/messages/msg_recall", recalled(first, "s1"))).refusal == GONE
    await desk.ok("POST", "/messages/msg_recall", recalled(second, "s2"))
    assert await count(desk, "s2") == 0


async def test_recalled_at_once(desk: Desk) -> None:
    """Of several recalls of one message one succeeds, and its clients are told once."""
    await desk.register("once")
    number = await desk.sent("once")
    said = await asyncio.gather(
        *(desk.call("POST", "/messages/msg_recall", recalled(number, "once")) for _ in range(5))
    )
    assert sorted(one.status for one in said) == [200] + [403] * 4
    signals = [row for row in await desk.entries("once") if row["shown"] == 2]
    assert len(signals) == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"msg_id": ...}, (400, "message_recall_error", "param msg_id can't be empty")),
        ({"msg_id": ""}, (400, "message_recall_error", "param msg_id can't be empty")),
        ({"to": ...}, (400, "message_recall_error", "param to can't be empty")),
        ({"chat_type": ...}, (400, "message_recall_error", "param chat_type can't be empty")),
        ({"chat_type": "mail"}, (400, "message_recall_error", "param chat_type is illegal")),
        ({"chat_type": "groupchat"}, GONE),
        ({"to": "u3"}, (400, "message_recall_error", "can't find msg to")),
        ({"to": "nobody ever"}, (400, "message_recall_error", "can't find msg to")),
        ({"msg_id": "123"}, GONE),
        ({"msg_id": "x"}, GONE),
        ({"msg_id": "9" * 40}, GONE),
        ({"msg_id": "0", "force": True}, GONE),
        ({"force": "true"}, (400, "invalid_request_body", "Request body is invalid. Please check body is correct.")),
        ({"msg_id": 5}, (400, "invalid_request_body", "Request body is invalid. Please check body is correct.")),
    ],
)
async def test_recalls_that_are_refused(desk: Desk, change: dict[str, Any], refusal: tuple[int, str, str]) -> None:
    """Each in its own words; the message stays."""
    number = await desk.sent("u2")
    body = {key: value for key, value in {**recalled(number), **change}.items() if value is not ...}
    said = await desk.call("POST", "/messages/msg_recall", body)
    assert said.refusal == refusal
    assert (await desk.ok("GET", f"/users/u2/offline_msg_status/{number}"))["data"] == {number: "undelivered"}


async def test_commands_are_not_recalled(desk: Desk) -> None:
    """A command is never taken back (§1.3)."""
    number = await desk.sent("u2", type="cmd", body={"action": "a"})
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number, force=True))).refusal == GONE


async def test_forced_recall_of_what_is_not_here(desk: Desk) -> None:
    """Forced: clients are told of an id that this server does not know (any more)."""
    await desk.register("f1", "f2")
    body = recalled("1029457500870543736", "f2", force=True, **{"from": "f1"})
    assert (await desk.ok("POST", "/messages/msg_recall", body))["data"]["recalled"] == "yes"
    async with signed_in(desk, "f2") as client:
        (meta,) = await client.drain("f1")
    assert body_of(meta).ack_message_id == 1029457500870543736


async def test_apps_that_take_nothing_back(desk: Desk) -> None:
    """Recalling may be off; another app's message is nobody's here."""
    said = await desk.call("POST", "/messages/msg_recall", recalled("1"), app="open")
    assert said.refusal == (403, "forbidden_op", "message recall service is unopened")
    number = await desk.sent("u2")
    assert (await desk.call("POST", "/messages/msg_recall", recalled(number), app="closed")).refusal == GONE


async def test_clients_of_apps_that_take_nothing_back(desk: Desk) -> None:
    """The SDK is told that recalling is off (sheet easemob-msync §7)."""
    await desk.register("off", "peer", app="open")
    async with connected(desk.server.session, desk.server.url, "off") as client:
        client.app = App(org="onebell", app="open", client_id="")
        await client.provision(await desk.user_token("off", app="open"))
        sent = await client.text("peer", "stays")
        answer = await client.send("peer", signal(MessageBody.RECALL, "off", "peer", sent.server_id))
    assert (answer.status.error_code, answer.status.reason) == (1, "message recall disabled")


async def test_older_form(desk: Desk) -> None:
    """Several in one call; what fails says so inside 200."""
    number = await desk.sent("u2")
    body = {"msgs": [recalled(number), recalled("77"), recalled(number)]}
    data = (await desk.ok("POST", "/messages/recall", body))["data"]
    assert data == {
        "msgs": [
            {"msg_id": number, "recalled": "yes"},
            {"msg_id": "77", "recalled": "not_found msg"},
            {"msg_id": number, "recalled": "not_found msg"},
        ]
    }
    for wrong in ({}, {"msgs": []}, {"msgs": "x"}, {"msgs": [1]}, {"msgs": [recalled("1")] * 101}):
        assert (await desk.call("POST", "/messages/recall", wrong)).refusal[:2] == (400, "invalid_request_body")


async def test_recall_removes_the_attachment(desk: Desk) -> None:
    """A file that only the recalled message names goes with it."""
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n'
    headers = {"Authorization": f"Bearer {await desk.app_token()}", "Content-Type": "multipart/form-data; boundary=b"}
    up = (await desk.raw("POST", "/onebell/demo/chatfiles", form, **headers)).json
    path = f"/onebell/demo/chatfiles/{up['entities'][0]['uuid']}"
    number = await desk.sent("u2", type="file", body={"filename": "a.txt", "url": desk.server.url + path})
    assert (await desk.raw("GET", path)).body == b"hello"
    await desk.ok("POST", "/messages/msg_recall", recalled(number))
    assert (await desk.raw("GET", path)).status == 404


# ---------------------------------------------------------------- importing


def imported(**fields: Any) -> dict[str, Any]:
    """An import's body."""
    body = {"from": "u1", "target": "u2", "type": "txt", "body": {"msg": "old"}, **fields}
    return {key: value for key, value in body.items() if value is not ...}


async def test_import_is_history(desk: Desk) -> None:
    """It happened then: in both inboxes as read, in no offline queue, pushed to nobody, without a callback."""
    await desk.register("i1")
    then = desk.clock.now_ms() - 86_400_000
    body = await desk.ok("POST", "/messages/users/import", imported(target="i1", msg_timestamp=then, ext={"k": 1}))
    assert set(body) == FULL | {"entities", "data"}
    assert (body["path"], body["entities"]) == ("/messages/users/import", [])
    (entry,) = await desk.entries("i1")
    assert str(entry["public_id"]) == body["data"]["msg_id"]
    assert entry["created_at"] == entry["read_at"] == entry["taken_at"] == then
    assert await count(desk, "i1") == 0
    async with signed_in(desk, "i1") as client:
        assert await client.unread() == {}
    assert not [row for row in await desk.rows(schema.delivery) if row["message_id"] == entry["message_id"]]
    (copy,) = [row for row in await desk.entries("u1") if row["message_id"] == entry["message_id"]]
    assert (copy["direction"], copy["public_id"], copy["read_at"]) == (1, entry["public_id"], then)


async def test_import_as_the_java_sdk_writes_it(desk: Desk) -> None:
    """``msg`` and ``text`` are other names; without a time it is now, and never later."""
    await desk.register("i2")
    body = imported(target="i2", type="text", body=..., msg={"msg": "old", "type": "txt"}, is_ack_read=True)
    await desk.ok("POST", "/messages/users/import", body)
    await desk.ok("POST", "/messages/users/import", imported(target="i2", msg_timestamp=1 << 50))
    first, second = await desk.entries("i2")
    assert first["created_at"] <= second["created_at"] <= desk.clock.now_ms()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"body": ...}, "illegal_argument", "message body not allow empty"),
        ({"body": {}}, "illegal_argument", "message body not allow empty"),
        ({"type": ...}, "illegal_argument", "type not allow empty"),
        ({"type": ""}, "illegal_argument", "type not allow empty"),
        ({"type": "gif"}, "illegal_argument", "type gif is illegal"),
        ({"from": ...}, "illegal_argument", "from not allow empty"),
        ({"target": ""}, "illegal_argument", "target not allow empty"),
        ({"msg_timestamp": 0}, "illegal_argument", "msg_timestamp is illegal"),
        ({"target": ["u2"]}, "invalid_request_body", "Request body is invalid. Please check body is correct."),
        ({"body": {"msg": ""}}, "message_send_error", "param body.msg can't be empty"),
        ({"body": {"msg": "x" * 3100}}, "message_send_error", "message is too large"),
    ],
)
async def test_imports_that_are_refused(desk: Desk, change: dict[str, Any], error: str, text: str) -> None:
    """Each in its own words; nothing is stored."""
    said = await desk.call("POST", "/messages/users/import", imported(**change))
    assert said.refusal == (400, error, text)
