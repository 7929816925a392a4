"""Sending over MSYNC: messages, acks, recalls, edits, refusals (sheet easemob-msync §6, §7)."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.msync_client import DEMO, Client, body_of, connected, signal, text_body, texts, token_of
from tests.running import ALICE, BOB, RunningServer
from tests.wire.easemob.test_easemob_wire import bearer

from onebell.core.accounts import RelationKind
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.keyvalues import to_pairs
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncDL, CommSyncUL, MessageBody, Meta, MSync, Status

APP = "acme/demo"


@asynccontextmanager
async def online(server: RunningServer, *devices: str) -> AsyncIterator[list[Client]]:
    """Signed-in devices, ``user`` or ``user:resource``."""
    async with AsyncExitStack() as stack:
        clients = []
        for device in devices:
            user, _, resource = device.partition(":")
            client = await stack.enter_async_context(connected(server.session, server.url, user))
            said = await client.provision(await token_of(server.session, server.url, user), resource or "web")
            assert said.status.error_code == 0
            await client.unread()
            clients.append(client)
        yield clients


async def entries(server: RunningServer, who: tuple[str, str]) -> list[dict[str, Any]]:
    """What somebody reads in his inbox; signals are nothing to read."""
    return [item for item in await server.inbox(who) if item["kind"] == "entry"]


async def test_two_chat(server: RunningServer) -> None:
    """The receiver and the sender's other device get it under the id of the answer; the sending device does not."""
    async with online(server, "alice", "bob", "alice:phone") as (alice, bob, phone):
        body = text_body("somebody else", "bob", "hi", k="v", n=7)
        answer = await alice.send("bob", body)
        (got,) = await bob.news()
        (copy,) = await phone.news()
        assert await alice.unread() == {}

    assert (answer.status.error_code, answer.server_id) == (0, got.id)
    assert (got.id, got.timestamp) == (copy.id, copy.timestamp)
    assert (body_of(got).sender.name, got.sender.name, body_of(got).to.name) == ("alice", "alice", "bob")
    assert {pair.key for pair in body_of(got).ext} == {"k", "n"}
    (entry,) = await entries(server, BOB)
    assert (entry["body"], entry["sender"]["kind"], entry["direction"]) == ("hi", "person", "in")
    (own,) = await entries(server, ALICE)
    assert (own["body"], own["direction"]) == ("hi", "out")


async def test_what_is_sent_again_is_stored_once(server: RunningServer) -> None:
    """The same client id from the same device gets the same answer; from another device it is another message."""
    async with online(server, "alice", "alice:phone") as (alice, phone):
        first = await alice.text("bob", "hi", number=42)
        again = await alice.text("bob", "hi", number=42)
        other = await phone.text("bob", "hi", number=42)

    assert first.server_id == again.server_id != other.server_id
    assert len(await entries(server, BOB)) == 2


async def test_messages_without_an_id_are_no_repeats(server: RunningServer) -> None:
    """A client that names none sends a message each time."""
    async with online(server, "alice") as (alice,):
        answers = []
        for text in ("one", "two"):
            body = text_body("alice", "bob", text).SerializeToString()
            await alice.say(MSync.SYNC, CommSyncUL(meta=Meta(to=codec.user(DEMO, "bob"), ns=Meta.CHAT, payload=body)))
            answers.append(await alice.hear_a(CommSyncDL))

    assert answers[0].server_id != answers[1].server_id
    assert len(await entries(server, BOB)) == 2


KINDS: dict[str, dict[str, Any]] = {
    "txt": {"msg": "hi"},
    "img": {"filename": "a.png", "url": "http://h/o/a/chatfiles/1", "secret": "s", "file_length": 5,
            "size": {"height": 3.0, "width": 4.0}, "gif": True},
    "loc": {"lat": 1.5, "lng": 2.5, "addr": "a", "buildingName": "b"},
    "cmd": {"action": "go", "param": {"k": 1}},
    "custom": {"customEvent": "e", "v2:customExts": {"a": "b"}},
    "combine": {"msg": "see", "title": "t", "summary": "s", "url": "http://h/1", "secret": "x", "combineLevel": 1},
}  # fmt: skip


async def test_every_type_arrives_as_it_was_sent(server: RunningServer) -> None:
    """Content goes through the stored body and comes out the same; only a command is not in the inbox."""
    async with online(server, "alice", "bob") as (alice, bob):
        for kind, fields in KINDS.items():
            body = codec.message_body(MessageBody.CHAT, "alice", "bob", {**fields, "type": kind}, {})
            await alice.send("bob", body)
            (got,) = await bob.news()
            assert body_of(got).contents[0] == body.contents[0], kind

    shown = [item["body"] for item in await entries(server, BOB)]
    assert shown == ["hi", "[图片]", "[位置] a", "[自定义消息]", "see"]


async def test_acks_reach_the_sender(server: RunningServer) -> None:
    """Delivery, reading, and the whole conversation; what the SDK read is read in the inbox too."""
    async with online(server, "alice", "bob") as (alice, bob):
        sent = await alice.text("bob", "one")
        await bob.news()
        heard = []
        for kind in (MessageBody.DELIVER_ACK, MessageBody.READ_ACK, MessageBody.READ_ACK):
            answer = await bob.send("alice", signal(kind, "bob", "alice", sent.server_id))
            assert answer.status.error_code == 0
        while len(heard) < 2:
            heard += await alice.news()
        (entry,) = await entries(server, BOB)
        assert entry["read_at"] is not None
        await alice.text("bob", "two")
        await bob.news()
        await bob.send("alice", signal(MessageBody.CHANNEL_ACK, "bob", "alice"))
        heard += await alice.news()
        assert all(item["read_at"] for item in await entries(server, BOB))

    said = [(body_of(one).type, body_of(one).ack_message_id, body_of(one).sender.name) for one in heard]
    assert said == [
        (MessageBody.DELIVER_ACK, sent.server_id, "bob"),
        (MessageBody.READ_ACK, sent.server_id, "bob"),
        (MessageBody.CHANNEL_ACK, 0, "bob"),
    ]
    assert all(len(body_of(one).contents) == 1 for one in heard)


async def test_acks_of_nothing_are_taken(server: RunningServer) -> None:
    """Of unknown messages, of one's own, of what admin wrote: no entry, no error."""
    async with online(server, "alice") as (alice,):
        own = await alice.text("bob", "x")
        for to, number in (("admin", 5), ("bob", own.server_id), ("nobody", 2**63 - 1), ("bob", 0)):
            for kind in (MessageBody.READ_ACK, MessageBody.DELIVER_ACK):
                answer = await alice.send(to, signal(kind, "alice", to, number))
                assert answer.status.error_code == 0
        answer = await alice.send("nobody", signal(MessageBody.CHANNEL_ACK, "alice", "nobody"))
        assert (answer.status.error_code, answer.server_id > 0) == (0, True)


async def test_a_recalled_message_is_gone_everywhere(server: RunningServer) -> None:
    """Whoever has not pulled it never does; he and the sender's other device are told, also later."""
    async with online(server, "alice", "alice:phone") as (alice, phone):
        sent = await alice.text("bob", "oops")
        recall = signal(MessageBody.RECALL, "alice", "bob", sent.server_id)
        answer = await alice.send("bob", recall, ext=to_pairs({"recallMessageExtensionInfo": "why"}))
        again = await alice.send("bob", recall)
        told = await phone.news()
    async with online(server, "bob") as (bob,):
        (got,) = await bob.drain("alice")

    assert (answer.status.error_code, again.status.reason) == (0, "not_found msg")
    assert {body_of(one).type for one in told} == {MessageBody.RECALL}
    assert (body_of(got).type, body_of(got).ack_message_id) == (MessageBody.RECALL, sent.server_id)
    assert got.ext[0].string_value == "why"
    (entry,) = await entries(server, BOB)
    assert entry["recalled_at"] is not None


async def test_only_the_writer_takes_back(server: RunningServer) -> None:
    """Neither the receiver nor a stranger; an unknown message cannot be."""
    async with online(server, "alice", "bob", "carol") as (alice, bob, carol):
        sent = await alice.text("bob", "x")
        command = codec.message_body(MessageBody.CHAT, "alice", "bob", {"type": "cmd", "action": "a"}, {})
        unshown = await alice.send("bob", command)
        for client, number in ((bob, sent.server_id), (carol, sent.server_id), (alice, 7), (alice, unshown.server_id)):
            answer = await client.send("bob", signal(MessageBody.RECALL, client.user, "bob", number))
            assert (answer.status.error_code, answer.status.reason) == (1, "not_found msg")
    (entry,) = await entries(server, BOB)
    assert entry["recalled_at"] is None


def edit_of(number: int, text: str, scope: Any = MessageBody.BODY, **ext: Any) -> MessageBody:
    """An edit as the SDK writes it."""
    body = text_body("alice", "bob", text, **ext)
    body.type, body.edit_message_id, body.edit_scope = MessageBody.EDIT, number, scope
    return body


async def test_an_edited_message_reads_anew(server: RunningServer) -> None:
    """In the inbox, for who pulls it later, and as an event; ten times at most."""
    async with online(server, "alice", "bob") as (alice, bob):
        sent = await alice.text("bob", "old")
        await bob.news()
        answer = await alice.send("bob", edit_of(sent.server_id, "new", MessageBody.BODY_AND_EXT, k="v"))
        (event,) = await bob.news()
        for number in range(9):
            assert (await alice.send("bob", edit_of(sent.server_id, f"v{number}"))).status.error_code == 0
        over = await alice.send("bob", edit_of(sent.server_id, "never"))
        foreign = await bob.send("alice", edit_of(sent.server_id, "mine"))
        missing = await alice.send("bob", edit_of(9, "x"))
    async with online(server, "bob:fresh") as (fresh,):
        later = await fresh.drain("alice")

    (said,) = answer.metas
    told = json.loads(said.payload)["edit_msg"]
    assert (said.ns, told["count"], told["operator"], told["chat_type"]) == (Meta.NOTIFY, 1, "alice", "chat:user")
    body = body_of(event)
    assert (body.type, body.edit_message_id, body.edit_scope) == (8, sent.server_id, MessageBody.BODY_AND_EXT)
    assert (body.contents[0].text, json.loads(body.meta)["edit_msg"]) == ("new", told)
    assert over.status.reason == "Sorry, edit limit reached"
    assert foreign.status.reason == "Sorry, You do not have permission"
    assert missing.status.reason == "Sorry, message does not exist"
    assert [body_of(one).type for one in later] == [MessageBody.EDIT] * 9
    (entry,) = await entries(server, BOB)
    assert entry["body"] == "v8"


async def test_a_client_changes_what_one_receiver_has(server: RunningServer) -> None:
    """The app sent it for him to several: each has an id of its own, and the others keep theirs."""
    message = {"from": "alice", "to": ["bob", "user1"], "type": "txt", "body": {"msg": "old"}, "sync_device": True}
    headers = await bearer(server)
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=message, headers=headers) as got:
        ids = {name: int(number) for name, number in (await got.json())["data"].items()}
    async with online(server, "alice") as (alice,):
        other = codec.message_body(MessageBody.EDIT, "alice", "bob", {"type": "cmd", "action": "a"}, {})
        other.edit_message_id = ids["bob"]
        refused = await alice.send("bob", other)
        edited = await alice.send("bob", edit_of(ids["bob"], "new"))
        recalled = await alice.send("user1", signal(MessageBody.RECALL, "alice", "user1", ids["user1"]))

    assert refused.status.reason == "Sorry, edit is not available"
    assert (edited.status.error_code, recalled.status.error_code) == (0, 0)
    (bobs,) = await entries(server, BOB)
    (gone,) = await entries(server, ("user1", "user1-password"))
    mine = {(item["body"], item["recalled_at"] is not None) for item in await entries(server, ALICE)}
    assert (bobs["body"], bobs["recalled_at"], gone["recalled_at"] is not None) == ("new", None, True)
    assert mine == {("new", False), ("", True)}


async def test_refusals_name_their_reason(server: RunningServer) -> None:
    """Blocked, too large, unreadable, for a group, of an unknown kind; nothing of all that is stored."""
    store = server.application.context.store
    space = (await server.application.context.lookups.spaces())[0].id
    await store.relations.block(space, APP, "bob", ["alice"], 10)
    async with online(server, "alice") as (alice,):
        blocked = await alice.text("bob", "hi")
        large = await alice.text("carol", "x" * 5200)
        unknown = codec.message_body(MessageBody.CHAT, "alice", "carol", {"type": "txt", "msg": ""}, {})
        unknown.contents[0].type = 42
        empty = text_body("alice", "carol", "x")
        del empty.contents[:]
        answers = [await alice.send("carol", body) for body in (unknown, empty)]
        odd = text_body("alice", "carol", "x")
        odd.type = 9
        answers.append(await alice.send("carol", odd))
        answers.append(await alice.send("carol", text_body("alice", "carol", "x"), ns=Meta.MUC))
        group = await alice.send("carol", text_body("alice", "carol", "x"), number=5)

    assert (blocked.status.error_code, blocked.status.reason, blocked.server_id) == (1, "blocked", 0)
    assert (large.status.error_code, large.status.reason) == (Status.PERMISSION_DENIED, "Sorry, data is too large")
    assert [answer.status.reason for answer in answers] == [
        "message body is illegal", "message body is illegal", "not supported", "not supported",
    ]  # fmt: skip
    assert group.status.error_code == 0
    assert await entries(server, BOB) == []
    assert await store.relations.is_there(space, APP, "bob", RelationKind.BLOCK, "alice")


async def test_only_those_online_get_a_passing_message(server: RunningServer) -> None:
    """``deliverOnlineOnly``: nothing is kept, and the answer is the same."""
    async with online(server, "alice") as (alice,):
        answer = await alice.text("bob", "typing", routetype=Meta.ROUTE_ONLINE)
        async with online(server, "bob") as (bob,):
            now = await alice.text("bob", "now", routetype=Meta.ROUTE_ONLINE)
            (got,) = await bob.news()

    assert answer.status.error_code == 0
    assert answer.server_id > 0
    assert (texts([got]), got.id) == (["now"], now.server_id)


async def test_a_user_who_is_not_there_yet_gets_it_later(server: RunningServer) -> None:
    """What is written to a free name is his who registers it (D9)."""
    async with online(server, "alice") as (alice,):
        sent = await alice.text("Newcomer", "welcome")
    token = await token_of(server.session, server.url, "newcomer")
    async with connected(server.session, server.url, "newcomer") as client:
        await client.provision(token)
        (got,) = await client.drain("alice")

    assert (got.id, texts([got])) == (sent.server_id, ["welcome"])


@pytest.mark.parametrize("text", ["", "你好 🔔", "x" * 3000])
async def test_odd_texts_pass(server: RunningServer, text: str) -> None:
    """Empty, beyond the basic plane, long."""
    async with online(server, "alice", "bob") as (alice, bob):
        await alice.text("bob", text)
        assert texts(await bob.news()) == [text]
