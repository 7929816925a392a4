"""Easemob: pre-send callbacks (sheet easemob §4.1): what a client sends is shown to the app's own server first."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tests.contract.easemob.support import directory, send
from tests.service import Service

from onebell.core.accept import Accept
from onebell.core.callbacks import NoAnswer, NotAllowed
from onebell.core.events import CallbackAnswer, CallbackRequest
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.presend import BLOCKED, BROKEN, DENIED, PreSend
from onebell.dialects.easemob.push_text import TITLE
from onebell.dialects.easemob.send import Origin, number_of, send_from
from onebell.errors import Refused
from onebell.store import schema
from onebell.store.bell import LocalBell
from onebell.store.writer import BatchWriter

RULE = """
[[easemob.callbacks]]
app = "acme/demo"
name = "check"
kind = "pre"
url = "http://127.0.0.1:9099/pre"
secret = "s"
wait_ms = 300
default_policy = "POLICY"
"""
OK = {"valid": True, "code": "HX:10000"}


@dataclass
class Server:
    """The app's own server: says what it is told to say."""

    answers: list[Any] = field(default_factory=list)
    asked: list[CallbackRequest] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)

    async def post(
        self, request: CallbackRequest, headers: Mapping[str, str], allow: Sequence[str], timeout_s: float
    ) -> CallbackAnswer:
        self.asked.append(request)
        self.patience.append(timeout_s)
        said = self.answers.pop(0)
        if isinstance(said, Exception):
            raise said
        status, body = said if isinstance(said, tuple) else (200, said)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return CallbackAnswer(status=status, headers={}, body=raw)


@pytest.fixture
def server() -> Server:
    """The app's own server."""
    return Server()


@pytest.fixture
async def guarded(easemob: Service, server: Server) -> Service:
    """Easemob with a pre-send rule that lets pass what it hears nothing about."""
    context = easemob.context
    writer = BatchWriter(context.store.db, context.clock, context.mint, LocalBell())
    pre = PreSend(context.lookups, server, context.clock)
    accept = Accept(writer, context.lookups, context.files, context.clock, context.mint, (pre,))  # type: ignore[arg-type]
    object.__setattr__(context, "accept", accept)
    await easemob.apply(directory(rule=RULE.replace("POLICY", "allow")))
    return easemob


def uplink(kind: str = "txt", **body: Any) -> Message:
    """What a client sends to user2."""
    content = {"msg": "welcome", **body} if kind == "txt" else body
    return Message(
        sender="user1", receivers=("user2",), kind=kind, body={**content, "type": kind}, ext={"k": 1},
        online_only=False, sync_device=False,
    )  # fmt: skip


async def say(service: Service, message: Message) -> int:
    """Send it as the client protocol does."""
    record = await service.context.lookups.record(service.space, "easemob", "app", "acme/demo")
    assert record is not None
    origin = Origin(party=await service.person("user1"), device=0)
    app = msgspec.convert(record.data, App)
    return number_of(await send_from(service.context, service.space, app, message, origin))


async def kept(service: Service) -> Any:
    """The body and ext of the newest message; None when there is none."""
    rows = await service.rows(schema.message)
    if not rows:
        return None
    data = json.loads(rows[-1]["parts"])[0]["content"]["data"]
    return data["body"], data["ext"]


async def test_what_is_asked(guarded: Service, server: Server) -> None:
    """Exact keys; the flat body with its ext (D5); signed; the rule's own patience."""
    server.answers = [OK]
    await say(guarded, uplink())
    (request,) = server.asked
    body = json.loads(request.body)
    signed = f"{body['callId']}s{body['timestamp']}".encode()

    assert list(body) == ["callId", "timestamp", "chat_type", "from", "to", "msg_id", "payload", "security"]
    assert body["callId"].startswith("acme#demo_")
    assert (body["chat_type"], body["from"], body["to"]) == ("chat", "user1", "user2")
    assert body["payload"] == {"msg": "welcome", "type": "txt", "ext": {"k": 1}}
    assert body["security"] == hashlib.md5(signed).hexdigest()
    assert server.patience == [0.3]
    assert await kept(guarded) == ({"msg": "welcome", "type": "txt"}, {"k": 1})


async def test_rest_is_never_asked(guarded: Service, server: Server) -> None:
    """Pre-send is for client SDKs only."""
    assert (await send(guarded, ["user2"])).status == 200
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [({"valid": False, "code": "HX:10001"}, "HX:10001"), ({"valid": False}, DENIED),
     ({"valid": False, "code": ""}, BLOCKED), ({"valid": False, "code": 10001, "payload": "x"}, DENIED)],
)  # fmt: skip
async def test_no_means_no(guarded: Service, server: Server, answer: Any, why: str) -> None:
    """Nothing is stored, and the sender is told the server's own words, or the service's."""
    server.answers = [answer]
    with pytest.raises(Refused) as refused:
        await say(guarded, uplink())
    assert refused.value.detail == why
    assert await kept(guarded) is None


UNUSABLE = [
    NoAnswer("too slow"), NotAllowed("no"), (500, OK), (201, OK), b"no json", [], {"code": "x"}, {"valid": "true"},
    {"valid": 1}, {"valid": True, "payload": "x"}, {"valid": True, "padding": "x" * 1000},
    *({"valid": True, "payload": payload} for payload in ({"msg": 3}, {"msg": ""}, {"ext": []})),
]  # fmt: skip


@pytest.mark.parametrize("answer", UNUSABLE, ids=str)
async def test_no_usable_answer(guarded: Service, server: Server, answer: Any) -> None:
    """The rule's default decides, once and without a retry: allow stores what was sent, deny refuses."""
    server.answers = [answer]
    await say(guarded, uplink())
    assert await kept(guarded) == ({"msg": "welcome", "type": "txt"}, {"k": 1})

    await guarded.apply(directory(rule=RULE.replace("POLICY", "deny")))
    server.answers = [answer]
    with pytest.raises(Refused) as refused:
        await say(guarded, uplink())
    assert refused.value.detail == BROKEN
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("payload", "body", "ext"),
    [
        ({"msg": "***"}, {"msg": "***", "type": "txt"}, {"k": 1}),
        ({"msg": "***", "ext": {"seen": True}, "type": "txt"}, {"msg": "***", "type": "txt"}, {"seen": True}),
        ({"ext": {}}, {"msg": "welcome", "type": "txt"}, {}),
    ],
)
async def test_another_text(
    guarded: Service, server: Server, payload: dict[str, Any], body: dict[str, Any], ext: dict[str, Any]
) -> None:
    """A text message's words and ext may be replaced; that is what is stored and shown."""
    server.answers = [{"valid": True, "payload": payload}]
    await say(guarded, uplink())
    assert await kept(guarded) == (body, ext)
    row = (await guarded.rows(schema.message))[-1]
    assert json.loads(row["parts"])[0]["content"]["body"] == body["msg"]


async def test_a_push_says_the_new_text(guarded: Service, server: Server) -> None:
    """Only where it shows the message: who wrote it and fixed words stay, however short the old text was."""
    assert (await guarded.ask("PUT", "/acme/demo/users/user1", {"nickname": "Eve"})).status == 200
    assert (await guarded.ask("PUT", "/acme/demo/users/user2", {"notification_display_style": "1"})).status == 200
    for text in ("e", "消"):
        server.answers = [{"valid": True, "payload": {"msg": "***"}}]
        await say(guarded, uplink(msg=text))
        row = max(await guarded.rows(schema.message), key=lambda row: row["id"])
        _, push = json.loads(row["parts"])
        assert (push["content"]["title"], push["content"]["body"]) == (TITLE, "Eve: ***")
        assert json.loads(row["extra"])["uplink"] is True


async def test_only_texts_are_changed(guarded: Service, server: Server) -> None:
    """Another content for a command or a picture is ignored."""
    for message in (uplink("cmd", action="run"), uplink("img", url="https://x.test/a", filename="a")):
        server.answers = [{"valid": True, "payload": {"msg": "x", "action": "other", "url": "https://evil.test"}}]
        await say(guarded, message)
        assert await kept(guarded) == (message.body, message.ext)


async def test_several_rules(guarded: Service, server: Server) -> None:
    """Each sees what the one before made of it; the first no ends it; rules for other types are not asked."""
    second = RULE.replace('"check"', '"second"').replace("POLICY", "allow")
    other = RULE.replace('"check"', '"third"').replace("POLICY", 'allow"\ntypes = ["img"]\nenv = "default')
    await guarded.apply(directory(rule=RULE.replace("POLICY", "allow") + second + other))
    server.answers = [{"valid": True, "payload": {"msg": "once"}}, {"valid": True, "payload": {"msg": "twice"}}]
    await say(guarded, uplink())
    assert [json.loads(one.body)["payload"]["msg"] for one in server.asked] == ["welcome", "once"]
    assert await kept(guarded) == ({"msg": "twice", "type": "txt"}, {"k": 1})

    server.asked.clear()
    server.answers = [{"valid": False}]
    with pytest.raises(Refused):
        await say(guarded, uplink())
    assert len(server.asked) == 1
