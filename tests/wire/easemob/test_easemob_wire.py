"""Easemob over real HTTP: what readers see, and that nothing a caller sends is a 500."""

import json
from pathlib import Path
from typing import Any

from tests.running import ALICE, BOB, RunningServer
from tests.wire.easemob.test_easemob_golden import GRANTS
from tests.wire.mutations import mutated

URL = "https://XXXX/XXXX/XXXX/chatfiles/1"
BODIES: list[Any] = [
    {"from": "user1", "to": ["user2", "bob"], "type": kind, "body": body, "ext": {"em_ignore_notification": True}}
    for kind, body in {
        "txt": {"msg": "testmessages"},
        "img": {"filename": "a.jpg", "secret": "s", "url": URL, "size": {"width": 480, "height": 720}},
        "audio": {"url": URL, "filename": "a.amr", "length": 10, "secret": "s"},
        "video": {"thumb": URL, "length": 0, "secret": "s", "file_length": 58103, "thumb_secret": "z", "url": URL},
        "file": {"filename": "t.txt", "secret": "s", "url": URL},
        "loc": {"lat": "39.966", "lng": "116.322", "addr": "北京"},
        "cmd": {"action": "a", "param": {}},
        "custom": {"customEvent": "e", "customExts": {"k": "v"}},
    }.items()
]
LEGACY: list[Any] = [
    {"target_type": "users", "target": ["bob"], "msg": {**body["body"], "type": body["type"]}, "from": "a", "ext": {}}
    for body in BODIES
]
TOKENS: list[Any] = [
    {**GRANTS["@app"], "ttl": 10},
    {"grant_type": "password", "username": "nobody", "password": "p"},
    {"grant_type": "inherit", "username": "alice", "autoCreateUser": False, "ttl": "10"},
]


async def bearer(server: RunningServer) -> dict[str, str]:
    """An app token's header."""
    async with server.session.post(f"{server.url}/acme/demo/token", json=GRANTS["@app"]) as got:
        token = (await got.json())["access_token"]
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


async def test_text_is_in_the_inbox_at_once(server: RunningServer) -> None:
    """Accepted is stored: who asks after the answer sees it; only who was named."""
    message = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": "你好"}}
    headers = await bearer(server)
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=message, headers=headers) as got:
        assert got.status == 200
    (entry,) = [item for item in await server.inbox(ALICE) if item["kind"] == "entry"]
    assert (entry["body"], entry["dialect"], entry["sender"]["kind"]) == ("你好", "easemob", "person")
    assert (entry["feed"]["kind"], entry["direction"]) == ("direct", "in")
    assert not await server.inbox(BOB)


async def test_a_command_is_shown_to_nobody(server: RunningServer) -> None:
    """It is for programs: the inbox passes over its place, live and later (sheet §1.3)."""
    headers, url = await bearer(server), f"{server.url}/acme/demo/messages/users"
    token = await server.sign_in(*ALICE)
    async with server.session.ws_connect(
        f"{server.url}/api/v1/inbox/ws?after=0", headers={"Authorization": f"Bearer {token}"}
    ) as socket:
        for body in ({"type": "cmd", "body": {"action": "go"}}, {"type": "txt", "body": {"msg": "seen"}}):
            async with server.session.post(url, json={"from": "bob", "to": ["alice"], **body}, headers=headers) as got:
                assert got.status == 200
        live = [(await socket.receive_json(timeout=30))["items"][0] for _ in range(2)]

    assert [item["kind"] for item in live] == ["removed", "entry"]
    assert [item.get("body") for item in await server.inbox(ALICE)] == [None, "seen"]
    async with server.session.get(
        f"{server.url}/api/v1/inbox?before=99", headers={"Authorization": f"Bearer {token}"}
    ) as got:
        assert [item["body"] for item in (await got.json())["items"]] == ["seen"]


async def test_sync_device_shows_in_the_senders_inbox(server: RunningServer) -> None:
    """The sender's own copy is an outgoing entry of the same conversation."""
    message = {"from": "bob", "to": ["alice"], "type": "txt", "body": {"msg": "x"}, "sync_device": True}
    headers = await bearer(server)
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=message, headers=headers) as got:
        assert got.status == 200
    (copy,), (received,) = [
        [item for item in await server.inbox(person) if item["kind"] == "entry"] for person in (BOB, ALICE)
    ]
    assert (copy["direction"], copy["feed"]["id"]) == ("out", received["feed"]["id"])


async def test_name_with_messages_becomes_a_person(server: RunningServer) -> None:
    """What a name got before anybody had it is in his inbox when he appears."""
    headers = await bearer(server)
    message = {"to": ["newcomer"], "type": "txt", "body": {"msg": "welcome"}}
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=message, headers=headers) as got:
        assert got.status == 200
    grant = {"grant_type": "inherit", "username": "newcomer", "autoCreateUser": True}
    async with server.session.post(f"{server.url}/acme/demo/token", json=grant, headers=headers) as got:
        assert (await got.json())["user"]["username"] == "newcomer"
    store, lookups = server.application.context.store, server.application.context.lookups
    space = (await lookups.spaces())[0].id
    person = await lookups.person_by_uid(space, "newcomer")
    assert person is not None
    hashed = await server.application.context.vault.hash_password("newcomer-password")
    await store.people.set_password_hash(space, person.id, hashed)
    (entry,) = await server.inbox(("newcomer", "newcomer-password"))
    assert entry["body"] == "welcome"


async def flood(server: RunningServer, path: str, bodies: list[Any], allowed: tuple[int, ...]) -> None:
    """Send almost right requests; every answer is JSON with a fitting status."""
    headers = await bearer(server)
    for raw in mutated(bodies, 200, seed=11):
        async with server.session.post(server.url + path, data=raw, headers=headers) as got:
            answer = json.loads(await got.read())
        assert got.status in allowed, (raw, answer)
        if got.status != 200:
            assert set(answer) >= {"error", "exception", "timestamp", "duration", "error_description"}


async def test_no_message_is_a_500(server: RunningServer) -> None:
    """Almost right messages get an answer of the sheet's tables, always JSON (RELIABILITY S1)."""
    await flood(server, "/acme/demo/messages/users", BODIES, (200, 400, 403, 413, 429))


async def test_no_legacy_message_is_a_500(server: RunningServer) -> None:
    """The same for the legacy twin."""
    await flood(server, "/acme/demo/messages?useMsgId=true", LEGACY, (200, 400, 403, 413, 429))


async def test_no_token_request_is_a_500(server: RunningServer) -> None:
    """The same for tokens."""
    await flood(server, "/acme/demo/token", TOKENS, (200, 400, 404, 429))


ME = "/users/alice"
CALLS: dict[tuple[str, str], Any] = {
    ("POST", "/users"): [{"username": "m1", "password": "p", "nickname": "n"}],
    ("PUT", ME): {"nickname": "x", "notification_no_disturbing": True, "notification_no_disturbing_start": "1"},
    ("POST", "/users/batch/status"): {"usernames": ["alice", "bob"]},
    ("POST", f"{ME}/blocks/users"): {"usernames": ["bob"]},
    ("POST", "/messages/msg_recall"): {"msg_id": "7", "to": "bob", "chat_type": "chat", "force": True},
    ("POST", "/messages/recall"): {"msgs": [{"msg_id": "7", "to": "bob", "chat_type": "chat"}]},
    ("POST", "/messages/users/import"): {"from": "alice", "target": "bob", "type": "txt", "body": {"msg": "x"},
                                         "ext": {"a": 1}, "msg_timestamp": 1700000000000},
    ("POST", f"{ME}/messageroaming"): {"queue": "bob", "start": -1, "pull_number": 2, "startTime": 1, "endTime": 2},
    ("DELETE", f"{ME}/user_channel"): {"channel": "bob", "type": "chat", "delete_roam": False},
    ("PUT", f"{ME}/notification/user/bob"): {"type": "NONE", "ignoreInterval": "21:30-08:00", "ignoreDuration": 1},
    ("PUT", f"{ME}/push/binding"): {"device_id": "d", "device_token": "t", "notifier_name": "n"},
    ("POST", "/notification/template"): {"name": "t1", "title_pattern": "a{0}", "content_pattern": "b"},
}  # fmt: skip


async def test_no_other_call_is_a_500(server: RunningServer) -> None:
    """The same for everything else that takes a body."""
    headers = await bearer(server)
    for (method, path), body in CALLS.items():
        for raw in mutated([body], 10, seed=12):
            url = f"{server.url}/acme/demo{path}"
            async with server.session.request(method, url, data=raw, headers=headers) as got:
                answer = json.loads(await got.read())
            assert got.status < 500, (path, raw, answer)


def test_every_printed_type_is_flooded() -> None:
    """As many bodies as the document prints types."""
    printed = {
        path.name.split("-")[1].split(".")[0] for path in (Path(__file__).parents[1] / "seeds/easemob").glob("*.curl")
    }
    assert {body["type"] for body in BODIES} == printed
