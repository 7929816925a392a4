"""The official Easemob web SDK, unmodified, in real Chromium (sheet easemob-msync §0, §11)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.desk import Desk
from tests.browser.sdk import SDKS, Sdk, site

FILE = "https://files.example.test/acme/demo/chatfiles/5fd74830-aaaa"
MESSAGES: dict[str, dict[str, Any]] = {
    "txt": {"msg": "你好"},
    "img": {"filename": "a.jpg", "secret": "s", "url": FILE, "size": {"width": 480, "height": 720}},
    "audio": {"url": FILE, "filename": "a.amr", "length": 10, "secret": "s"},
    "video": {"thumb": FILE, "length": 5, "secret": "s", "file_length": 58103, "thumb_secret": "z", "url": FILE},
    "file": {"filename": "t.txt", "secret": "s", "url": FILE},
    "loc": {"lat": "39.966", "lng": "116.322", "addr": "北京"},
    "cmd": {"action": "go"},
    "custom": {"customEvent": "e", "customExts": {"k": "v"}},
}
EVENTS = {
    "txt": "onTextMessage",
    "img": "onImageMessage",
    "audio": "onAudioMessage",
    "video": "onVideoMessage",
    "file": "onFileMessage",
    "loc": "onLocationMessage",
    "cmd": "onCmdMessage",
    "custom": "onCustomMessage",
}


async def rest(desk: Desk, token: str, kind: str, **more: Any) -> str:
    """A message to alice over REST → its id."""
    body = {"from": "carol", "to": ["alice"], "type": kind, "body": MESSAGES[kind], **more}
    headers = {"Authorization": f"Bearer {token}"}
    return str((await desk.post("/acme/demo/messages/users", body, headers=headers))["data"]["alice"])


@pytest_asyncio.fixture(loop_scope="session")
async def app() -> AsyncIterator[str]:
    """A site with the SDK."""
    async with site() as address:
        yield address


@pytest.mark.parametrize("library", SDKS)
async def test_every_message_of_rest_arrives(desk: Desk, library: str) -> None:
    """Signed in by password: what waited comes as offline messages, what follows live; each type with its fields."""
    token = await desk.easemob_token()
    ids = [await rest(desk, token, kind, ext={"number": 1657254052191, "yes": True}) for kind in list(EVENTS)[:4]]
    async with site(library) as app:
        sdk = await Sdk.page_of(desk, app)
        await sdk.open(desk.server.url, "alice", pwd="alice-password")
        await sdk.heard("onOfflineMessageSyncFinish")
        ids += [await rest(desk, token, kind) for kind in list(EVENTS)[4:]]
        got = {kind: (await sdk.heard(name))[0] for kind, name in EVENTS.items()}
        errors = await sdk.events("onError")

    assert [str(one["id"]) for one in got.values()] == ids
    assert {(one["from"], one["to"]) for one in got.values()} == {("carol", "alice")}
    assert got["txt"]["msg"] == "你好"
    assert got["txt"]["ext"] == {"number": 1657254052191, "yes": True}
    assert got["img"]["url"].startswith(f"{desk.server.url}/acme/demo/chatfiles/5fd74830-aaaa?")
    assert (got["img"]["width"], got["img"]["height"]) == (480, 720)
    assert (got["audio"]["length"], got["video"]["length"], got["video"]["file_length"]) == (10, 5, 58103)
    assert (got["file"]["filename"], got["cmd"]["action"], got["loc"]["addr"]) == ("t.txt", "go", "北京")
    assert (float(got["loc"]["lat"]), float(got["loc"]["lng"])) == (39.966, 116.322)
    assert (got["custom"]["customEvent"], got["custom"]["customExts"]) == ("e", {"k": "v"})
    assert errors == []


async def test_two_browsers_chat(desk: Desk, app: str) -> None:
    """Texts, acks, a recall, an edit, a custom message, between two pages; the inbox page agrees."""
    alice, bob = await Sdk.page_of(desk, app), await Sdk.page_of(desk, app)
    await alice.open(desk.server.url, "alice", pwd="alice-password", options={"delivery": True})
    await bob.open(desk.server.url, "bob", pwd="bob-password", options={"delivery": True})
    first = await alice.text("bob", "hello", ext={"a": {"b": [1, None]}})
    (got,) = await bob.heard("onTextMessage")
    assert (got["id"], got["msg"], got["ext"]) == (first, "hello", {"a": {"b": [1, None]}})
    (delivered,) = await alice.heard("onDeliveredMessage")
    assert delivered["mid"] == first

    await bob.send({"type": "read", "to": "alice", "id": first})
    (read,) = await alice.heard("onReadMessage")
    assert (read["mid"], read["from"]) == (first, "bob")
    await bob.send({"type": "channel", "to": "alice"})
    await alice.heard("onChannelMessage")

    await alice.page.evaluate(
        """id => conn.modifyMessage({messageId: id, modifiedMessage:
            library.message.create({chatType: 'singleChat', type: 'txt', to: 'bob', msg: 'better'})})""",
        first,
    )
    (changed,) = await bob.heard("onModifiedMessage")
    assert (changed["id"], changed["msg"], changed["modifiedInfo"]["operationCount"]) == (first, "better", 1)

    second = await alice.send({"type": "custom", "to": "bob", "customEvent": "order", "customExts": {"n": "1"}})
    (custom,) = await bob.heard("onCustomMessage")
    assert (custom["id"], custom["customExts"]) == (second, {"n": "1"})
    await alice.page.evaluate("id => conn.recallMessage({mid: id, to: 'bob', chatType: 'singleChat'})", second)
    (recalled,) = await bob.heard("onRecallMessage")
    assert (recalled["mid"], recalled["from"]) == (second, "alice")

    entries = [item for item in await desk.server.inbox(("bob", "bob-password")) if item["kind"] == "entry"]
    assert [(one["body"], bool(one["read_at"]), bool(one["recalled_at"])) for one in entries] == [
        ("better", True, False),
        ("", False, True),
    ]


async def test_a_picture_is_uploaded_and_shown(desk: Desk, app: str) -> None:
    """The SDK uploads it, sends its address, and the other browser loads the picture and its thumbnail."""
    alice, bob = await Sdk.page_of(desk, app), await Sdk.page_of(desk, app)
    await alice.open(desk.server.url, "alice", pwd="alice-password")
    await bob.open(desk.server.url, "bob", pwd="bob-password")
    sent = await alice.page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(640, 480);
            canvas.getContext('2d').fillRect(0, 0, 300, 300);
            const blob = await canvas.convertToBlob();
            const data = new File([blob], 'dot.png', {type: 'image/png'});
            const file = {url: URL.createObjectURL(data), filename: 'dot.png', filetype: 'png', data};
            return await send({type: 'img', to: 'bob', file, width: 640, height: 480});
        }"""
    )
    (got,) = await bob.heard("onImageMessage")
    shown = [
        await bob.page.evaluate(
            """url => new Promise((done, failed) => {
                const image = new Image();
                image.onload = () => done([image.naturalWidth, image.naturalHeight]);
                image.onerror = failed;
                image.src = url;
            })""",
            got[address],
        )
        for address in ("url", "thumb")
    ]

    assert (got["id"], got["width"], got["height"]) == (sent, 640, 480)
    assert shown[0] == [640, 480]
    assert 0 < shown[1][0] <= 640


async def test_signing_in_with_a_token(desk: Desk, app: str) -> None:
    """No REST call comes before the socket; a wrong password and a wrong token are told in the SDK's own errors."""
    token = await desk.easemob_token()
    grant = {"grant_type": "inherit", "username": "alice"}
    headers = {"Authorization": f"Bearer {token}"}
    mine = (await desk.post("/acme/demo/token", grant, headers=headers))["access_token"]
    sdk = await Sdk.page_of(desk, app)
    await sdk.open(desk.server.url, "alice", accessToken=mine)

    wrong = await Sdk.page_of(desk, app)
    url = desk.server.url
    options = {"appKey": "acme#demo", "url": f"{url.replace('http', 'ws', 1)}/ws", "apiUrl": url}
    await wrong.page.evaluate("options => connect(options)", options)
    said = await wrong.page.evaluate("refused(conn.open({user: 'alice', accessToken: 'YWMt-wrong'}))")
    assert said["type"] == 28
    said = await wrong.page.evaluate("refused(conn.open({user: 'alice', pwd: 'wrong'}))")
    assert "invalid password" in str(said)


async def test_kicks_are_the_sdks_own_errors(desk: Desk, app: str) -> None:
    """Forced out, signed in again by the same device, another password, removed: 217, 206, 216, 207, and each time the
    page does not come back."""
    headers = {"Authorization": f"Bearer {await desk.easemob_token()}"}
    user = f"{desk.server.url}/acme/demo/users/alice"

    async def call(method: str, path: str, body: Any = None) -> Any:
        async with desk.server.session.request(method, user + path, json=body, headers=headers) as answer:
            assert answer.status == 200
            return (await answer.json()).get("data")

    first = await Sdk.page_of(desk, app)
    second = await Sdk.page_of(desk, app, first.page.context)
    await first.open(desk.server.url, "alice", pwd="alice-password")
    assert await call("GET", "/status") == {"alice": "online"}
    await call("GET", "/disconnect")
    assert await first.kicks(1) == [217]
    assert await call("GET", "/status") == {"alice": "offline"}
    await first.open(desk.server.url, "alice", pwd="alice-password")
    # The SDK keeps its device's name where all pages of a site find it.
    await second.open(desk.server.url, "alice", pwd="alice-password")
    assert await first.kicks(2) == [217, 206]
    await call("PUT", "/password", {"newpassword": "another"})
    assert await second.kicks(1) == [216]
    await second.open(desk.server.url, "alice", pwd="another")
    await call("DELETE", "")
    assert await second.kicks(2) == [216, 207]


async def test_two_browsers_become_contacts(desk: Desk, app: str) -> None:
    """Asked, refused, asked again and taken, then ended and blocked, with the SDK's own calls and events."""
    alice, bob = await Sdk.page_of(desk, app), await Sdk.page_of(desk, app)
    await alice.open(desk.server.url, "alice", pwd="alice-password")
    await bob.open(desk.server.url, "bob", pwd="bob-password")
    await alice.call("addContact", "bob", "let me in")
    (asked,) = await bob.heard("onContactInvited")
    assert (asked["from"], asked["to"], asked["status"], asked["type"]) == ("alice", "bob", "let me in", "subscribe")
    await bob.call("declineContactInvite", "alice")
    (refused,) = await alice.heard("onContactRefuse")
    assert (refused["from"], refused["type"]) == ("bob", "unsubscribed")
    await alice.call("addContact", "bob", "please")
    await bob.heard("onContactInvited", 2)
    await bob.call("acceptContactInvite", "alice")
    (agreed,) = await alice.heard("onContactAgreed")
    (added,) = await bob.heard("onContactAdded")
    assert (agreed["from"], added["from"], added["type"]) == ("bob", "alice", "subscribed")
    await alice.call("setContactRemark", {"userId": "bob", "remark": "Bobby"})
    assert (await alice.call("getAllContacts"))["data"] == [{"userId": "bob", "remark": "Bobby"}]
    assert (await bob.call("getContacts"))["data"] == ["alice"]
    page = (await bob.call("getContactsWithCursor", {"pageSize": 10}))["data"]
    assert page == {"cursor": "", "contacts": [{"userId": "alice", "remark": None}]}

    await alice.call("deleteContact", "bob")
    (gone,) = await bob.heard("onContactDeleted")
    assert (gone["from"], (await bob.call("getContacts"))["data"]) == ("alice", [])
    assert (await bob.call("addUsersToBlocklist", {"name": ["alice"]}))["data"] == {"userIds": ["alice"]}
    assert (await bob.call("getBlocklist"))["data"] == ["alice"]
    said = await alice.page.evaluate("refused(send({type: 'txt', to: 'bob', msg: 'x'}))")
    assert said["type"] == 603
    await bob.call("removeUserFromBlocklist", {"name": ["alice"]})
    await alice.text("bob", "hello again")
    await bob.heard("onTextMessage")
    assert await alice.events("onError") == await bob.events("onError") == []
