"""Changing what was sent, over REST (sheet easemob §1.8)."""

import json
from typing import Any

import pytest
from tests.msync_client import body_of
from tests.wire.easemob.desk import Desk, Said
from tests.wire.easemob.test_easemob_offline import signed_in

from onebell.dialects.easemob.msync.msync_pb2 import MessageBody

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENVELOPE = {
    "action", "application", "path", "uri", "timestamp", "duration", "organization", "applicationName", "data",
}  # fmt: skip
GONE = (404, "message_rewrite_error", "The message is unavailable or has expired.")


async def rewritten(desk: Desk, number: str, text: str = "new", **more: Any) -> Said:
    """A text message reads anew."""
    asked = {"user": "u1", "new_msg": {"type": "txt", "msg": text}, **more}
    return await desk.call("PUT", f"/messages/rewrite/{number}", asked)


async def read_by(desk: Desk, uid: str, number: str) -> dict[str, Any]:
    """What somebody's inbox shows of a message."""
    (shown,) = [one for one in await desk.server.inbox((uid, f"{uid}-password")) if one.get("entry_id") == number]
    return shown


async def test_a_text_reads_anew_for_both_and_their_clients_hear_of_it(desk: Desk) -> None:
    """What is new of ``ext`` is added to what there is; the receiver's and the sender's devices get one event each."""
    number = await desk.sent("u2", ext={"old": 1, "both": 1}, sync_device=True)
    async with signed_in(desk, "u2") as client, signed_in(desk, "u1") as sender:
        (got,) = [one for one in await client.drain("u1") if str(one.id) == number]
        await sender.drain("u2")
        said = await rewritten(desk, number, new_ext={"both": 2, "new": 3})
        (event,) = await client.news()
        (copy,) = await sender.news()
    assert (said.status, said.json["data"], said.json["action"]) == (200, "success", "put")
    assert set(said.json) == ENVELOPE
    assert said.json["path"] == f"/messages/rewrite/{number}"
    assert body_of(got).contents[0].text == "hi"
    for one in (event, copy):
        body = body_of(one)
        assert (body.type, str(body.edit_message_id), body.contents[0].text) == (MessageBody.EDIT, number, "new")
        assert (body.sender.name, body.to.name, body.edit_scope) == ("u1", "u2", MessageBody.BODY_AND_EXT)
        assert {pair.key: pair.varint_value for pair in body.ext} == {"old": 1, "both": 2, "new": 3}
        told = json.loads(body.meta)["edit_msg"]
        assert (told["count"], told["operator"], told["sender"], told["chat_type"]) == (1, "u1", "u1", "chat:user")
    assert [(await read_by(desk, uid, number))["body"] for uid in ("u1", "u2")] == ["new", "new"]
    assert (await read_by(desk, "u2", number))["edited_at"] is not None


async def test_one_of_several_receivers_reads_anew(desk: Desk) -> None:
    """Each has an id of his own, so it changes for him only; the others' ids still work, and each has ten edits."""
    ids = (await desk.send(["u2", "u3"])).json["data"]
    for number in range(10):
        assert (await rewritten(desk, ids["u3"], f"v{number}")).status == 200
    assert (await rewritten(desk, ids["u3"])).refusal == (
        403, "message_rewrite_error", "The message has reached its edit limit and cannot be modified further.",
    )  # fmt: skip
    assert (await read_by(desk, "u2", ids["u2"]))["body"] == "hi"
    assert (await read_by(desk, "u3", ids["u3"]))["body"] == "v9"
    async with signed_in(desk, "u3") as client:
        events = await client.drain("u1")
    assert {body_of(one).to.name for one in events} == {"u3"}
    assert (await rewritten(desk, ids["u2"], "other")).status == 200
    assert (await read_by(desk, "u2", ids["u2"]))["body"] == "other"
    recall = {"msg_id": ids["u3"], "to": "u3", "chat_type": "chat", "from": "u1", "force": False}
    await desk.ok("POST", "/messages/msg_recall", recall)
    assert (await rewritten(desk, ids["u3"])).refusal == GONE
    assert (await read_by(desk, "u2", ids["u2"]))["recalled_at"] is None


async def test_a_custom_message_and_a_new_ext_in_the_old_ones_place(desk: Desk) -> None:
    """Event and values are replaced; without a user the app's own name stands for who did it."""
    number = await desk.sent("u2", type="custom", body={"customEvent": "a", "customExts": {"k": "1"}}, ext={"x": 1})
    new = {"type": "custom", "customEvent": "b", "customExts": {"n": "2"}}
    asked = {"new_msg": new, "new_ext": {"y": 1}, "is_combine_ext": False}
    await desk.ok("PUT", f"/messages/rewrite/{number}", asked)
    async with signed_in(desk, "u2") as client:
        metas = await client.drain("u1")
    event = body_of(metas[-1])
    assert (event.contents[0].custom_event, event.contents[0].custom_exts[0].key) == ("b", "n")
    assert [pair.key for pair in event.ext] == ["y"]
    assert json.loads(event.meta)["edit_msg"]["operator"] == "easemob_rest_app_admin"


async def test_ext_does_not_grow_without_end(desk: Desk) -> None:
    """What each edit adds counts with what is there: no message becomes longer than any that can be sent."""
    number = await desk.sent("u2")
    assert (await rewritten(desk, number, new_ext={"a": "x" * 2900})).status == 200
    assert (await rewritten(desk, number, new_ext={"b": "x" * 2900})).json["error_code"] == 14007
    assert (await rewritten(desk, number, new_ext={"b": "x" * 2900}, is_combine_ext=False)).status == 200


async def test_rewrites_that_are_refused(desk: Desk) -> None:
    """Each in the documented words; the message stays as it is."""
    number = await desk.sent("u2")
    picture = await desk.sent("u2", type="img", body={"filename": "a", "url": "https://x.test/a", "size": {"width": 1, "height": 1}})  # fmt: skip  # noqa: E501
    command = await desk.sent("u2", type="cmd", body={"action": "go"})
    unsupported = "The message is of a type that is currently not supported for modification."
    assert (await rewritten(desk, picture)).refusal == (400, "message_rewrite_error", unsupported)
    said = await desk.call("PUT", f"/messages/rewrite/{number}", {"new_msg": {"type": "custom", "customEvent": "a"}})
    assert (said.refusal[2], said.json["exception"]) == (unsupported, "UnsupportedMessageTypeException")
    for wrong in ("x", "1.5", "9" * 20):
        assert (await rewritten(desk, wrong)).json["exception"] == "InvalidMessageIdException"
    assert [(await rewritten(desk, gone)).refusal for gone in ("1", command)] == [GONE, GONE]
    assert (await rewritten(desk, number, "")).refusal[:2] == (400, "message_send_error")
    assert (await rewritten(desk, number, "x" * 3100)).json["error_code"] == 14007
    for body in ({}, {"new_msg": "x"}, {"new_msg": {}, "user": 1}, {"new_msg": {"type": "txt"}, "new_ext": []}):
        said = await desk.call("PUT", f"/messages/rewrite/{number}", body)
        assert said.refusal[:2] == (400, "invalid_request_body"), body
    asked = {"new_msg": {"type": "txt", "msg": "x"}}
    said = await desk.call("PUT", f"/messages/rewrite/{number}", asked, app="open")
    assert said.refusal == (401, "message_rewrite_error", "You are not authorized to edit this message.")
    said = await desk.call("PUT", f"/messages/rewrite/{number}", asked, token=await desk.user_token("u1"))
    assert said.status == 401
    assert (await read_by(desk, "u2", number))["body"] == "hi"
