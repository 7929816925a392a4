"""Looking back over real HTTP: pages, the list of conversations, and what stands beside them (sheet easemob §1.8)."""

import base64
import json
from typing import Any

import pytest
from tests.msync_client import body_of, texts
from tests.wire.easemob.desk import Desk
from tests.wire.easemob.test_easemob_offline import signed_in

from onebell.core.keeper import Keeper
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody, Meta

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def roam(desk: Desk, me: str, peer: str, **fields: Any) -> tuple[list[Meta], dict[str, Any]]:
    """A page as the Web SDK asks for it, with the user's own token."""
    body = {"queue": f"{peer}@easemob.com", "start": -1, "pull_number": 20, "is_positive": False, "msgType": "",
            "end": -1, "startTime": None, "endTime": None, "userId": None, **fields}  # fmt: skip
    said = await desk.ok("POST", f"/users/{me}/messageroaming", body, token=await desk.user_token(me))
    data = said["data"]
    return [Meta.FromString(base64.b64decode(one["msg"])) for one in data["msgs"]], data


async def test_both_directions(desk: Desk) -> None:
    """The newest first or the oldest first; each side sees the same messages, with their senders."""
    await desk.register("a1", "a2")
    for number in range(5):
        sender, receiver = ("a1", "a2") if number % 2 else ("a2", "a1")
        await desk.sent(receiver, **{"from": sender}, body={"msg": str(number)})
    mine, data = await roam(desk, "a1", "a2")
    assert texts(mine) == ["4", "3", "2", "1", "0"]
    assert (data["is_last"], data["next_key"]) == (True, "")
    assert [body_of(meta).sender.name for meta in mine] == ["a2", "a1", "a2", "a1", "a2"]
    his, _ = await roam(desk, "a2", "onebell#demo_A1", is_positive=True)
    assert texts(his) == ["0", "1", "2", "3", "4"]
    assert [meta.id for meta in his] == [meta.id for meta in reversed(mine)]


async def test_pages_follow_each_other(desk: Desk) -> None:
    """``next_key`` goes on where the page ended, in either direction, until ``is_last``."""
    await desk.register("p1", "p2")
    for number in range(7):
        await desk.sent("p2", **{"from": "p1"}, body={"msg": str(number)})
    for is_positive, order in ((False, "6543210"), (True, "0123456")):
        seen, start = "", "-1"
        for _ in range(5):
            metas, data = await roam(desk, "p2", "p1", pull_number=3, is_positive=is_positive, start=start)
            seen += "".join(texts(metas))
            start = data["next_key"]
            if data["is_last"]:
                break
        assert seen == order


async def test_what_is_not_looked_back_on(desk: Desk) -> None:
    """Recalled, online-only and command messages; what names him under ``roam_ignore_users``."""
    await desk.register("n1", "n2")
    kept = await desk.sent("n2", **{"from": "n1"})
    gone = await desk.sent("n2", **{"from": "n1"})
    await desk.ok("POST", "/messages/msg_recall", {"msg_id": gone, "to": "n2", "chat_type": "chat"})
    ignored = await desk.sent("n2", **{"from": "n1"}, roam_ignore_users=["n2"])
    await desk.sent("n2", **{"from": "n1"}, type="cmd", body={"action": "x"})
    await desk.connect("n2", "phone")
    await desk.sent("n2", **{"from": "n1"}, routetype="ROUTE_ONLINE")
    metas, _ = await roam(desk, "n2", "n1")
    assert [meta.id for meta in metas] == [int(kept)]
    metas, _ = await roam(desk, "n1", "n2")
    assert [meta.id for meta in metas] == [int(ignored), int(kept)]


async def test_filters_and_strangers(desk: Desk) -> None:
    """By time, type and sender; with nobody there is nothing; another's past is nobody's."""
    await desk.register("f1", "f2")
    await desk.sent("f2", **{"from": "f1"})
    place = await desk.sent("f2", **{"from": "f1"}, type="loc", body={"lat": 1, "lng": 2, "addr": "x"})
    now = desk.clock.now_ms()
    assert [meta.id for meta in (await roam(desk, "f2", "f1", msgType="loc,img"))[0]] == [int(place)]
    assert len((await roam(desk, "f2", "f1", userId="f1"))[0]) == 2
    assert (await roam(desk, "f2", "f1", userId="f2"))[0] == []
    assert (await roam(desk, "f2", "f1", startTime=now + 60_000))[0] == []
    assert (await roam(desk, "f2", "f1", endTime=now - 60_000))[0] == []
    assert len((await roam(desk, "f2", "f1", startTime=now - 60_000, endTime=now + 60_000))[0]) == 2
    # Instants beyond what a store holds, and before all: whoever asks so wants everything.
    assert len((await roam(desk, "f2", "f1", startTime=-5, endTime=10**30))[0]) == 2
    for peer in ("nobody", "a b", "f2", "admin"):
        assert (await roam(desk, "f2", peer))[0] == []
    path, mine = "/users/f1/messageroaming", await desk.user_token("f2")
    assert (await desk.call("POST", path, {"queue": "f2"}, token=mine)).status == 401
    for body in ({}, {"queue": 1}, {"queue": "f2", "pull_number": "x"}):
        assert (await desk.call("POST", path, body)).refusal[:2] == (400, "invalid_request_body")
    for body in ({"queue": "f2", "start": "x"}, {"queue": "f2", "start": 2**63}, {"queue": "f2", "pull_number": -1}):
        assert (await desk.call("POST", path, body)).refusal[:2] == (400, "illegal_argument")


async def channels(desk: Desk, me: str, limit: str = "20", cursor: str = "") -> dict[str, Any]:
    """The list of conversations as the Web SDK asks for it."""
    token = await desk.user_token(me)
    path = f"/sdk/user/{me}/user_channels/list?limit={limit}&cursor={cursor}&need_mark=1&needEmptySession=false"
    data: dict[str, Any] = (await desk.ok("GET", path, token=token))["data"]
    return data


async def test_list_of_conversations(desk: Desk) -> None:
    """Those in which a client has written, the newest first, with what is unread; REST alone makes none (§1.3)."""
    await desk.register("l1", "l2", "l3")
    await desk.sent("l1", **{"from": "l3"})
    assert await channels(desk, "l1") == {"cursor": "", "channel_infos": []}
    async with signed_in(desk, "l2") as client:
        for text in ("one", "two"):
            number = (await client.text("l1", text)).server_id
    async with signed_in(desk, "l3") as client:
        await client.text("l1", "three")
    infos = (await channels(desk, "l1"))["channel_infos"]
    assert [(one["session_to"], one["unread_num"]) for one in infos] == [("l3", 2), ("l2", 2)]
    assert (await channels(desk, "l1", limit="0"))["channel_infos"] == infos
    (first,) = (page := await channels(desk, "l1", limit="1"))["channel_infos"]
    (second,) = (await channels(desk, "l1", cursor=page["cursor"]))["channel_infos"]
    assert [first, second] == infos
    last = infos[1]
    assert (last["session_type"], last["is_top"]) == ("chat", False)
    assert last["meta"]["id"] == str(number)
    assert (last["meta"]["from"], last["meta"]["to"]) == ("onebell#demo_l2@easemob.com", "onebell#demo_l1@easemob.com")
    payload = json.loads(last["meta"]["payload"])
    assert payload == {"bodies": [{"msg": "two", "type": "txt"}], "ext": {}, "from": "l2", "to": "l1", "type": "chat"}
    async with signed_in(desk, "l2") as client:
        await client.send("l1", codec.message_body(MessageBody.CHAT, "l2", "l1", {"type": "combine", "title": "t"}, {}))
    newest = (await channels(desk, "l1", limit="1"))["channel_infos"][0]["meta"]["payload"]
    (shown,) = json.loads(newest)["bodies"]
    assert (shown["type"], shown["subType"], shown["title"]) == ("txt", "sub_combine", "t")
    (own,) = (await channels(desk, "l2"))["channel_infos"]
    assert (own["session_to"], own["unread_num"], own["meta"]["from"]) == ("l1", 0, "onebell#demo_l2@easemob.com")


async def test_what_is_imported_makes_its_conversation(desk: Desk) -> None:
    """On both sides; what ``is_ack_read`` says is not read is not, and no device gets it."""
    await desk.register("h1", "h2")
    for text, is_read in (("one", True), ("two", False), ("three", None)):
        message = {"from": "h2", "target": "h1", "type": "txt", "body": {"msg": text}, "is_ack_read": is_read}
        await desk.ok("POST", "/messages/users/import", message)
    for me, peer, unread in (("h1", "h2", 1), ("h2", "h1", 0)):
        (one,) = (await channels(desk, me))["channel_infos"]
        assert (one["session_to"], one["unread_num"]) == (peer, unread)
        assert json.loads(one["meta"]["payload"])["bodies"] == [{"msg": "three", "type": "txt"}]
        assert texts((await roam(desk, me, peer))[0]) == ["three", "two", "one"]
    assert (await desk.ok("GET", "/users/h1/offline_msg_count"))["data"] == {"h1": 0}
    async with signed_in(desk, "h1") as client:
        assert await client.unread() == {}


async def test_dropped_conversations(desk: Desk) -> None:
    """Off the list until something new comes; with its past gone for him only."""
    await desk.register("d1", "d2")
    async with signed_in(desk, "d2") as client:
        await client.text("d1", "before")
        path, mine = "/users/d1/user_channel", await desk.user_token("d1")
        body = await desk.ok("DELETE", path, {"channel": "d2", "type": "chat", "delete_roam": False}, token=mine)
        assert (body["path"], body["entities"], body["data"]) == ("/users/user_channel", [], {"result": "ok"})
        assert (await channels(desk, "d1"))["channel_infos"] == []
        assert texts((await roam(desk, "d1", "d2"))[0]) == ["before"]
        await desk.ok("DELETE", path, {"channel": "d2", "type": "chat", "delete_roam": True}, token=mine)
        assert (await roam(desk, "d1", "d2"))[0] == []
        assert texts((await roam(desk, "d2", "d1"))[0]) == ["before"]
        await client.text("d1", "after")
    assert [one["session_to"] for one in (await channels(desk, "d1"))["channel_infos"]] == ["d2"]
    assert texts((await roam(desk, "d1", "d2"))[0]) == ["after"]
    await desk.ok("DELETE", path, {"channel": "nobody", "type": "chat"}, token=mine)


async def test_end_of_a_token(desk: Desk) -> None:
    """When it ends, in ms; one that never does ends far away."""
    path = "/sdk/users/u1/token/expires"
    grant = {"grant_type": "password", "username": "u1", "password": "u1-password", "ttl": 600}
    token = (await desk.grant(grant)).json["access_token"]
    ends = (await desk.ok("GET", path, token=token))["expire_timestamp"]
    assert abs(ends - desk.clock.now_ms() - 600_000) < 60_000
    token = (await desk.grant({**grant, "ttl": 0})).json["access_token"]
    assert (await desk.ok("GET", path, token=token))["expire_timestamp"] > desk.clock.now_ms() + 10**11


async def test_addresses_for_sdks(desk: Desk) -> None:
    """Both the API and the socket are where the SDK asked, with CORS."""
    said = await desk.raw("GET", "/easemob/server.json?app_key=onebell%23demo", Host="im.example.com:8443")
    hosts = [{"protocol": "http", "domain": "im.example.com", "ip": "", "port": "8443"}]
    assert said.json["rest"] == said.json["msync-wx"] == {"hosts": hosts}
    assert said.headers["Access-Control-Allow-Origin"] == "*"
    assert (await desk.raw("GET", "/easemob/server.json", Host="im.test")).json["rest"]["hosts"][0]["port"] == "80"
    assert (await desk.raw("OPTIONS", "/easemob/server.json")).status == 200
    assert (await desk.raw("POST", "/easemob/server.json")).refusal[0] == 405


async def test_a_sender_that_is_no_user(desk: Desk) -> None:
    """``from`` need not exist (§1.3): what it sent is looked back on by its name, also weeks after the first time."""
    await desk.register("reader")
    sent = []
    for _ in range(3):
        sent.append(await desk.sent("reader", **{"from": "notice"}))
        desk.clock.move(7.5 * 86_400)
        await Keeper(desk.context).turn()
    found, _ = await roam(desk, "reader", "notice", is_positive=True)
    assert [str(one.id) for one in found] == sent
