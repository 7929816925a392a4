"""The inbox page and the SDK serve the same two people at once, and agree (sheets easemob §1.3, msync §6, §7)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from tests.msync_client import Client, body_of, connected, signal, texts, token_of
from tests.running import ALICE, BOB, RunningServer
from tests.wire.easemob.test_easemob_wire import bearer

from onebell.core.accounts import RelationKind
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody, Meta

APP = "acme/demo"
MESSAGES = "/acme/demo/messages/users"


@dataclass
class Page:
    """Somebody's inbox page: his session, and his conversation with the other one."""

    server: RunningServer
    token: str
    feed: str = ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a call below /api/v1."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.server.session.request(
            method, f"{self.server.url}/api/v1{path}", json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    async def open(self, uid: str) -> dict[str, Any]:
        """The conversation with somebody."""
        status, body = await self.call("POST", "/inbox/conversations", {"uid": uid})
        assert status == 200, body
        self.feed = body["feed"]["id"]
        return dict(body["feed"])

    async def write(self, **body: Any) -> dict[str, Any]:
        """A message; the answer."""
        status, answer = await self.call("POST", f"/inbox/feeds/{self.feed}/messages", body)
        assert status == 201, answer
        return dict(answer)

    async def items(self, after: int = 0) -> list[dict[str, Any]]:
        """Entries that changed after a rev."""
        _, body = await self.call("GET", f"/inbox?after={after}")
        return [item for item in body["items"] if item["kind"] == "entry"]

    async def last(self) -> int:
        """The newest rev."""
        return int((await self.call("GET", "/inbox"))[1]["next"])


def acks(metas: list[Meta]) -> list[tuple[str, str, int]]:
    """Read acks: from, to, of which message."""
    bodies = [body_of(one) for one in metas]
    assert {body.type for body in bodies} <= {MessageBody.READ_ACK}
    return [(body.sender.name, body.to.name, body.ack_message_id) for body in bodies]


@asynccontextmanager
async def client_of(server: RunningServer, user: str, resource: str = "web") -> AsyncIterator[Client]:
    """A signed-in device."""
    async with connected(server.session, server.url, user) as client:
        said = await client.provision(await token_of(server.session, server.url, user), resource)
        assert said.status.error_code == 0
        await client.unread()
        yield client


@pytest.fixture
async def page(server: RunningServer) -> Page:
    """Alice's page, with the conversation with Bob."""
    made = Page(server, await server.sign_in(*ALICE))
    feed = await made.open("bob")
    assert (feed["dialect"], feed["can_write"], feed["peer"]["uid"]) == ("easemob", True, "bob")
    assert feed["recall_s"] == 120, "the app's own window"
    return made


async def test_a_text_goes_both_ways(server: RunningServer, page: Page) -> None:
    """What Alice writes in the page her own SDK gets as a copy and Bob's as a message, under one id; and his answer
    is in her page."""
    async with client_of(server, "alice") as own, client_of(server, "bob") as bob:
        sent = await page.write(text="hello")
        (got,) = await bob.news()
        (copy,) = await own.news()
        answer = await bob.text("alice", "hi")
        await own.news()

    assert (texts([got]), got.sender.name, body_of(got).to.name) == (["hello"], "alice", "bob")
    assert (copy.id, copy.sender.name, copy.to.name) == (got.id, "alice", "bob")
    mine, his = await page.items()
    assert (mine["message_id"], mine["seq"], mine["direction"]) == (sent["message_id"], sent["seq"], "out")
    assert (mine["entry_id"], mine["kind_of"], mine["body"]) == (str(got.id), "text", "hello")
    assert (his["entry_id"], his["direction"], his["body"]) == (str(answer.server_id), "in", "hi")
    assert mine["feed"]["id"] == his["feed"]["id"] == page.feed


async def test_what_was_written_in_the_page_is_on_the_list(server: RunningServer, page: Page) -> None:
    """The SDK's list of conversations holds those that only a page has written in, on both sides: a person did."""
    await page.write(text="from the page")
    for user, other in (("alice", "bob"), ("bob", "alice")):
        headers = {"Authorization": f"Bearer {await token_of(server.session, server.url, user)}"}
        url = f"{server.url}/acme/demo/sdk/user/{user}/user_channels/list?limit=5"
        async with server.session.get(url, headers=headers) as answer:
            (info,) = (await answer.json())["data"]["channel_infos"]
        assert (info["session_to"], info["unread_num"]) == (other, int(user == "bob"))


async def test_read_marks_go_both_ways(server: RunningServer, page: Page) -> None:
    """The SDK's acks are the times on Alice's entry; her reading is one read ack at the SDK of whoever wrote."""
    async with client_of(server, "bob") as bob:
        await page.write(text="one")
        (got,) = await bob.news()
        start = await page.last()
        await bob.send("alice", signal(MessageBody.DELIVER_ACK, "bob", "alice", got.id))
        (item,) = await page.items(start)
        assert (item["delivered_at"] is not None, item["seen_at"]) == (True, None)
        await bob.send("alice", signal(MessageBody.READ_ACK, "bob", "alice", got.id))
        assert [item["seen_at"] is not None for item in await page.items(item["rev"])][:1] == [True]
        await page.write(text="two")
        await bob.news()
        start = await page.last()
        await bob.send("alice", signal(MessageBody.CHANNEL_ACK, "bob", "alice"))
        assert [(one["body"], one["seen_at"] is not None) for one in await page.items(start)] == [("two", True)]

        sent = [(await bob.text("alice", text)).server_id for text in ("a", "b", "c")]
        seqs = {one["body"]: one["seq"] for one in await page.items()}
        for _ in range(2):
            await page.call("POST", f"/inbox/{seqs['a']}/read")
        await page.call("POST", "/inbox/read", {"up_to": seqs["c"]})
        heard = []
        while len(heard) < 3:
            heard += await bob.news()
        assert await bob.unread() == {}
    assert [(body_of(one).type, body_of(one).ack_message_id) for one in heard] == [
        (MessageBody.READ_ACK, number) for number in sent
    ]


async def test_what_is_read_in_one_place_is_read_in_all_of_ones_own(server: RunningServer, page: Page) -> None:
    """Read in the page, Alice's SDKs hear of it, also of what a system name wrote; read by one of them, the other one
    and the page do."""
    headers = await bearer(server)
    async with client_of(server, "alice") as own, client_of(server, "alice", "phone") as phone:
        async with client_of(server, "bob") as bob:
            first, second = [(await bob.text("alice", text)).server_id for text in ("a", "b")]
        message = {"to": ["alice"], "type": "txt", "body": {"msg": "c"}}
        async with server.session.post(f"{server.url}{MESSAGES}", json=message, headers=headers) as answer:
            system = int((await answer.json())["data"]["alice"])
        for client in (own, phone):
            assert texts([*await client.drain("bob"), *await client.drain("admin")]) == ["a", "b", "c"]
        seqs = {one["body"]: one["seq"] for one in await page.items()}

        await page.call("POST", f"/inbox/{seqs['a']}/read")
        await page.call("POST", f"/inbox/{seqs['c']}/read")
        for client in (own, phone):
            heard = [*await client.drain("bob"), *await client.drain("admin")]
            assert acks(heard) == [("alice", "bob", first), ("alice", "admin", system)]

        start = await page.last()
        await phone.send("bob", signal(MessageBody.READ_ACK, "alice", "bob", second))
        assert acks(await own.drain("bob")) == [("alice", "bob", second)]
        assert acks(await phone.drain("bob")) == []
        assert [(one["body"], one["read_at"] is not None) for one in await page.items(start)] == [("b", True)]
        await phone.send("bob", signal(MessageBody.CHANNEL_ACK, "alice", "bob"))
        (whole,) = await own.drain("bob")
        assert (body_of(whole).type, body_of(whole).sender.name) == (MessageBody.CHANNEL_ACK, "alice")


async def test_recalls_go_both_ways(server: RunningServer, page: Page) -> None:
    """Taken back in the page it is a recall at both SDKs; taken back by the SDK it is gone from the page. No search
    tells what it said."""
    async with client_of(server, "alice") as own, client_of(server, "bob") as bob:
        sent = await page.write(text="oops")
        (got,) = await bob.news()
        await own.news()
        assert (await page.call("POST", f"/inbox/{sent['seq']}/recall"))[0] == 204
        (told,) = await bob.news()
        (copy,) = await own.news()
        answer = await bob.text("alice", "oops, too")
        await bob.send("alice", signal(MessageBody.RECALL, "bob", "alice", answer.server_id))

    for one in (told, copy):
        assert (body_of(one).type, body_of(one).ack_message_id) == (MessageBody.RECALL, got.id)
    assert [(item["recalled_at"] is not None, item["body"]) for item in await page.items()] == [(True, "")] * 2
    assert (await page.call("GET", "/inbox?q=oops"))[1]["items"] == []


async def test_whom_bob_has_blocked_is_told_so(server: RunningServer, page: Page) -> None:
    """The block list is asked as for a client's message; nothing is stored."""
    space = (await server.application.context.lookups.spaces())[0].id
    await server.application.context.store.relations.block(space, APP, "bob", ["alice"], 10)
    assert await server.application.context.store.relations.is_there(space, APP, "bob", RelationKind.BLOCK, "alice")
    status, body = await page.call("POST", f"/inbox/feeds/{page.feed}/messages", {"text": "x"})
    assert (status, body["error"]["code"]) == (403, "blocked")
    status, body = await page.call("POST", f"/inbox/feeds/{page.feed}/messages", {"text": "x" * 5200})
    assert (status, body["error"]["code"]) == (403, "blocked")
    assert await server.inbox(BOB) == await page.items() == []


async def test_a_text_that_is_too_long_is_refused(page: Page) -> None:
    """It has as many bytes as a client's message may have."""
    status, body = await page.call("POST", f"/inbox/feeds/{page.feed}/messages", {"text": "文" * 1800})
    assert (status, body["error"]["code"], body["error"]["field"]) == (422, "invalid", "text")


async def test_presence_is_of_either_kind(server: RunningServer, page: Page) -> None:
    """A client's socket counts as an open page does."""
    assert (await page.call("GET", "/inbox/presence?uids=bob"))[1] == {"bob": False}
    async with client_of(server, "bob"):
        assert (await page.call("GET", "/inbox/presence?uids=bob"))[1] == {"bob": True}
        assert (await page.open("bob"))["peer"]["online"]


async def test_a_file_of_the_page_is_loaded_by_the_sdk(server: RunningServer, page: Page) -> None:
    """It is a picture under the app's paths that opens with its secret only, is sent once, and shows in the page."""
    form = aiohttp.FormData()
    form.add_field("file", b"\x89PNG\r\n\x1a\n...", filename="a.png", content_type="image/png")
    headers = {"Authorization": f"Bearer {page.token}"}
    async with server.session.post(f"{server.url}/api/v1/files", data=form, headers=headers) as answer:
        assert answer.status == 201
        file = await answer.json()
    async with client_of(server, "bob") as bob:
        await page.write(file=file["id"])
        (got,) = await bob.news()
    content = body_of(got).contents[0]
    assert (content.type, content.display_name) == (MessageBody.Content.IMAGE, "a.png")
    async with server.session.get(content.remote_path) as answer:
        assert answer.status == 401
    async with server.session.get(f"{content.remote_path}?share-secret={content.secret_key}") as answer:
        assert (answer.status, await answer.read()) == (200, b"\x89PNG\r\n\x1a\n...")
    status, body = await page.call("POST", f"/inbox/feeds/{page.feed}/messages", {"file": file["id"]})
    assert (status, body["error"]["field"]) == (422, "file")
    (item,) = await page.items()
    assert (item["kind_of"], item["images"], item["attachments"][0]["type"]) == ("image", [file["url"]], "image/png")
    async with server.session.get(server.url + file["url"]) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
