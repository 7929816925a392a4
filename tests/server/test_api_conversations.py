"""Conversations of two people over the native API: beginning, writing, reading, taking back, presence."""

import asyncio
from typing import Any

import pytest
from tests.native_server import Native

INBOX = "/api/v1/inbox"


class Desk:
    """Alice and Rita, each signed in, with a conversation."""

    def __init__(self, native: Native, alice: str, rita: str) -> None:
        self.native = native
        self.alice = alice
        self.rita = rita
        self.feed = ""

    async def open(self) -> dict[str, Any]:
        """The conversation, as Alice has it."""
        status, body = await self.native.call("POST", f"{INBOX}/conversations", self.alice, {"uid": "RITA"})
        assert status == 200, body
        self.feed = body["feed"]["id"]
        return body["feed"]

    async def write(self, token: str, body: dict[str, Any], key: str = "") -> tuple[int, Any]:
        """Status and answer of a message."""
        headers = {"Idempotency-Key": key} if key else {}
        path = f"{INBOX}/feeds/{self.feed}/messages"
        return await self.native.call("POST", path, token, body, headers=headers)

    async def items(self, token: str, after: int = 0) -> list[dict[str, Any]]:
        """Changes after a rev."""
        status, body = await self.native.call("GET", f"{INBOX}?after={after}", token)
        assert status == 200, body
        return body["items"]

    async def feeds(self, token: str) -> dict[str, dict[str, Any]]:
        """Feeds by id."""
        return {item["id"]: item for item in (await self.native.call("GET", f"{INBOX}/feeds", token))[1]["items"]}


@pytest.fixture
async def desk(native: Native) -> Desk:
    made = Desk(native, await native.sign_in("alice"), await native.sign_in("rita"))
    await made.open()
    return made


def code_of(answer: tuple[int, Any]) -> tuple[int, str, str]:
    """Status, code and field of an error."""
    error = answer[1]["error"]
    return answer[0], error["code"], error.get("field", "")


async def test_two_people_talk(desk: Desk) -> None:
    """Each side has its own entry of what either writes; the feed says who the other one is."""
    status, sent = await desk.write(desk.alice, {"text": "hello"})
    assert (status, sent["seq"]) == (201, 1)
    status, answer = await desk.write(desk.rita, {"location": {"lat": 31.2, "lng": 121.5, "address": "Bund"}})
    assert status == 201

    own, got = await desk.items(desk.alice)
    assert (own["message_id"], own["direction"], own["kind_of"], own["body"]) == (
        sent["message_id"], "out", "text", "hello",
    )  # fmt: skip
    assert (own["delivered_at"], own["seen_at"]) == (None, None)
    assert (got["message_id"], got["direction"], got["kind_of"]) == (answer["message_id"], "in", "location")
    assert got["location"] == {"lat": 31.2, "lng": 121.5, "address": "Bund"}
    for token, uid in ((desk.alice, "rita"), (desk.rita, "alice")):
        feed = (await desk.feeds(token))[desk.feed]
        assert feed["peer"] == {"uid": uid, "name": uid.title(), "online": False}
        assert (feed["can_write"], feed["kind"], feed["dialect"], feed["unread"]) == (True, "direct", "native", 1)
        assert feed["recall_s"] == 120


async def test_beginning_again_finds_the_same_conversation(desk: Desk) -> None:
    """Also from the other side, and whatever was written in it; before, the feed is shown empty."""
    feed = await desk.open()
    assert (feed["entries"], feed["name"], feed["can_write"]) == (0, "Rita", True)
    assert feed["peer"]["uid"] == "rita"
    await desk.write(desk.alice, {"text": "hello"})
    _, other = await desk.native.call("POST", f"{INBOX}/conversations", desk.rita, {"uid": "alice"})
    assert (other["feed"]["id"], other["feed"]["entries"]) == (feed["id"], 1)

    unknown = await desk.native.call("POST", f"{INBOX}/conversations", desk.rita, {"uid": "nobody"})
    himself = await desk.native.call("POST", f"{INBOX}/conversations", desk.rita, {"uid": "rita"})
    assert code_of(unknown) == (404, "not_found", "")
    assert code_of(himself) == (422, "invalid", "uid")


async def test_reading_is_seen_by_the_writer(desk: Desk) -> None:
    """One by one or by the marker: his entry takes a new rev with the time, once."""
    for text in ("one", "two", "three"):
        await desk.write(desk.alice, {"text": text})
    await desk.native.call("POST", f"{INBOX}/1/read", desk.rita)
    (first,) = await desk.items(desk.alice, 3)
    assert (first["body"], first["rev"], first["seq"]) == ("one", 4, 1)
    assert first["seen_at"] == first["delivered_at"]
    assert first["seen_at"] is not None
    await desk.native.call("POST", f"{INBOX}/1/read", desk.rita)
    assert await desk.items(desk.alice, 4) == []
    await desk.native.call("POST", f"{INBOX}/read", desk.rita, {"up_to": 3})
    assert [(item["body"], item["rev"], item["seen_at"] is not None) for item in await desk.items(desk.alice, 4)] == [
        ("two", 5, True), ("three", 6, True),
    ]  # fmt: skip
    assert (await desk.feeds(desk.rita))[desk.feed]["unread"] == 0


async def test_only_ones_own_message_is_taken_back_and_only_for_a_while(desk: Desk) -> None:
    """It loses its content on both sides; the other side cannot do it, nor can he after two minutes."""
    await desk.write(desk.alice, {"text": "oops"})
    assert code_of(await desk.native.call("POST", f"{INBOX}/1/recall", desk.rita)) == (403, "forbidden", "")
    assert (await desk.native.call("POST", f"{INBOX}/1/recall", desk.alice))[0] == 204
    assert (await desk.native.call("POST", f"{INBOX}/1/recall", desk.alice))[0] == 204
    for token in (desk.alice, desk.rita):
        (item,) = await desk.items(token)
        assert item["recalled_at"] is not None
        assert (item["body"], item["kind_of"]) == ("", "message")
    assert code_of(await desk.native.call("POST", f"{INBOX}/9/recall", desk.alice)) == (404, "not_found", "")
    _, late = await desk.write(desk.alice, {"text": "late"})
    desk.native.clock.ahead_s += 121
    answer = await desk.native.call("POST", f"{INBOX}/{late['seq']}/recall", desk.alice)
    assert code_of(answer) == (403, "too_late", "")


async def test_what_cannot_be_written_is_refused_whole(desk: Desk) -> None:
    """Other people's conversations are not there; feeds and bots cannot be answered; a message is one thing."""
    sam = await desk.native.sign_in("sam")
    reader = await desk.native.token("read", person=await desk.native.person("rita"))
    assert code_of(await desk.write(sam, {"text": "x"})) == (404, "not_found", "")
    assert code_of(await desk.write(reader, {"text": "x"})) == (403, "forbidden", "")
    for body, field in (
        ({}, "text"), ({"text": " "}, "text"), ({"text": "x" * 4001}, "text"), ({"text": "x", "file": "1"}, "text"),
        ({"file": "1"}, "file"), ({"file": "x"}, "file"), ({"file": "9" * 30}, "file"),
        ({"location": {"lat": 91, "lng": 0}}, "location"), ({"text": "x", "duration_s": -1}, "duration_s"),
    ):  # fmt: skip
        assert code_of(await desk.write(desk.alice, body)) == (422, "invalid", field), body
    assert await desk.items(desk.alice) == []
    await desk.native.send("rita", "from a bot")
    (bot,) = (feed for feed in (await desk.feeds(desk.rita)).values() if feed["id"] != desk.feed)
    assert (bot["can_write"], bot["peer"]) == (False, None)
    desk.feed = bot["id"]
    assert code_of(await desk.write(desk.rita, {"text": "x"})) == (403, "not_writable", "")


async def test_a_repeat_under_a_key_is_one_message(desk: Desk) -> None:
    """With another text, or in another conversation, the key is refused."""
    first = await desk.write(desk.alice, {"text": "hello"}, "k")
    assert await desk.write(desk.alice, {"text": "hello"}, "k") == first
    assert code_of(await desk.write(desk.alice, {"text": "other"}, "k")) == (422, "key_reused", "")
    assert len(await desk.items(desk.rita)) == 1


async def test_presence_is_an_open_connection(desk: Desk) -> None:
    """Being signed in is not enough; people who do not exist are left out."""
    path = f"{INBOX}/presence?uids=rita,ALICE,nobody"
    assert (await desk.native.call("GET", path, desk.alice))[1] == {"rita": False, "alice": False}
    socket = f"{desk.native.url}{INBOX}/ws".replace("http", "ws", 1)
    headers = {"Authorization": f"Bearer {desk.rita}"}
    await desk.write(desk.alice, {"text": "are you there?"})
    async with desk.native.session.ws_connect(socket, headers=headers), asyncio.timeout(20):
        while (await desk.native.call("GET", path, desk.alice))[1] != {"rita": True, "alice": False}:
            await asyncio.sleep(0.005)  # its row is written by a task of its own
        assert (await desk.feeds(desk.alice))[desk.feed]["peer"]["online"]
    many = ",".join(f"p{number}" for number in range(101))
    answer = await desk.native.call("GET", f"{INBOX}/presence?uids={many}", desk.alice)
    assert code_of(answer) == (422, "invalid", "uids")
