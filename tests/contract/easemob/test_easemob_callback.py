"""Easemob: callbacks after something has happened (sheet easemob §4.2, §4.3), packed with the rules of a real store."""

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa
from tests.contract.easemob.support import dialect
from tests.service import context_over

from onebell.core.context import Context
from onebell.core.events import CallbackAnswer, Event, EventKind
from onebell.core.packing import Packing
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.bans import FAILURES, MINUTES
from onebell.dialects.easemob.callback import SCHEDULE, PostSend
from onebell.dialects.easemob.happenings import LOGIN, REPLACED, happenings
from onebell.dialects.easemob.status import Device, tell_status
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

APP, URL, SECRET = "acme/demo", "http://127.0.0.1:9099/easemob", "easemob-callback-secret"
ID = "1029457500870543736"
BODY = {"msg": "rr", "type": "txt"}


@pytest.fixture
def context(store: Store, store_settings: Settings, lookups: CachedLookups) -> Context:
    """The core's doors over the store."""
    return context_over(store, store_settings, lookups)


@pytest.fixture
def post_send(context: Context) -> PostSend:
    """What packs."""
    return PostSend(context)


async def make_rule(store: Store, space: int, name: str = "audit", **changed: Any) -> None:
    """A post-send rule of the app."""
    data = {"app": APP, "name": name, "kind": "post", "url": URL, "events": ["chat", "chat_offline"], **changed}
    await store.records.create(space, "easemob", "callback", f"{APP}/{name}", data=data, secrets={"secret": SECRET})


def stored(space: int, **changed: Any) -> Event:
    """An entry that was written for user2."""
    fields: dict[str, Any] = {
        "id": 1,
        "space": space,
        "dialect": "easemob",
        "message": 9,
        "public_id": "77",
        "delivery": 0,
        "person": 5,
        "kind": EventKind.STORED,
        "data": {"public_id": ID, "offline": True},
        "at": 1_600_060_847_294,
        "extra": {"app": APP, "from": "user1", "to": {"5": "user2"}, "body": BODY, "ext": {"k": 1}},
        "callback_url": "",
        "callback_params": {},
    }
    return Event(**{**fields, **changed})


async def test_case_57_body(store: Store, space: int, post_send: PostSend) -> None:
    """Exact keys; the signature is MD5 of call id, secret and timestamp."""
    await make_rule(store, space, events=["chat"])
    (request,) = await post_send.pack([stored(space)])
    call_id = f"acme#demo_{ID}"
    security = hashlib.md5(f"{call_id}{SECRET}1600060847294".encode()).hexdigest()

    assert {
        "callId": call_id,
        "eventType": "chat",
        "timestamp": 1600060847294,
        "chat_type": "chat",
        "from": "user1",
        "to": "user2",
        "msg_id": ID,
        "payload": {"ext": {"k": 1}, "bodies": [BODY], "from": "user1", "to": "user2", "type": "chat"},
        "securityVersion": "1.0.0",
        "security": security,
        "appkey": "acme#demo",
        "host": "",
        "content_type": "chat:user:text",
    } == json.loads(request.body)
    assert (request.url, request.verified, request.events, request.message) == (URL, True, (1,), 9)


async def test_a_combined_message_is_a_text(store: Store, space: int, post_send: PostSend) -> None:
    """To rules and in what they are told, as the document shows it."""
    await make_rule(store, space, events=["chat"], types=["txt"])
    event = stored(space)
    body = await told(post_send, stored(space, extra={**event.extra, "body": {"type": "combine", "title": "t"}}))
    assert body["payload"]["bodies"] == [{"type": "txt", "subType": "sub_combine", "title": "t"}]
    assert body["content_type"] == "chat:user:text"


def test_case_58_schedule() -> None:
    """Not 200: once more at once, then parked."""
    assert (SCHEDULE.pauses_s, SCHEDULE.success, SCHEDULE.gather) == ((0,), (200,), 1)


@pytest.mark.parametrize(
    ("events", "offline", "types"),
    [
        (["chat"], True, ["chat"]), (["chat_offline"], True, ["chat_offline"]), (["chat_offline"], False, []),
        (["chat", "chat_offline"], True, ["chat", "chat_offline"]), (["chat", "chat_offline"], False, ["chat"]),
        (["read_ack"], True, []),
    ],
)  # fmt: skip
async def test_offline_receiver(
    store: Store, space: int, post_send: PostSend, events: list[str], offline: bool, types: list[str]
) -> None:
    """A receiver who is offline yields both events, where the rule asks for both."""
    await make_rule(store, space, events=events)
    requests = await post_send.pack([stored(space, data={"public_id": ID, "offline": offline})])
    assert types == [json.loads(request.body)["eventType"] for request in requests]


@pytest.mark.parametrize(
    ("changed", "env", "calls"),
    [
        ({}, "", 1), ({}, "default", 1), ({}, "test", 0), ({"env": "test"}, "test", 1), ({"env": "test"}, "", 0),
        ({"enabled": False}, "", 0), ({"kind": "pre"}, "", 0), ({"app": "acme/other"}, "", 0),
    ],
)  # fmt: skip
async def test_case_59_routes(
    store: Store, space: int, post_send: PostSend, changed: dict[str, Any], env: str, calls: int
) -> None:
    """A route that no rule has means no callback, not even the default one; only enabled post rules count."""
    await make_rule(store, space, **{"events": ["chat"], **changed})
    event = stored(space)
    assert calls == len(await post_send.pack([stored(space, extra={**event.extra, "env": env})]))


async def test_one_request_per_rule_and_id(store: Store, space: int, post_send: PostSend) -> None:
    """Two rules and two receivers: four requests."""
    await make_rule(store, space, events=["chat"])
    await make_rule(store, space, "second", events=["chat"])
    events = [stored(space), stored(space, id=2, data={"public_id": "2", "offline": False})]
    requests = await post_send.pack(events)
    assert len(requests) == 4
    assert len({request.order_key for request in requests}) == 4


async def test_other_events_are_left_out(store: Store, space: int, post_send: PostSend) -> None:
    """What the service has no word for is told nobody."""
    await make_rule(store, space)
    kinds = (EventKind.RESOLVED, EventKind.FINISHED, EventKind.DELIVERED, EventKind.CLICKED)
    assert await post_send.pack([stored(space, kind=kind) for kind in kinds]) == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [("txt", "text"), ("img", "image"), ("audio", "voice"), ("loc", "location"), ("video", "video"), ("file", "file"),
     ("cmd", "command"), ("custom", "custom")],
)  # fmt: skip
async def test_content_types(store: Store, space: int, post_send: PostSend, kind: str, word: str) -> None:
    """The eight words of content_type."""
    await make_rule(store, space, events=["chat"])
    event = stored(space)
    (request,) = await post_send.pack([stored(space, extra={**event.extra, "body": {"type": kind}})])
    assert f"chat:user:{word}" == json.loads(request.body)["content_type"]


# ---------------------------------------------------------------- what happens later


async def told(post_send: PostSend, event: Event) -> dict[str, Any]:
    """The body of the only request, its signature checked."""
    (request,) = await post_send.pack([event])
    body = dict(json.loads(request.body))
    signed = f"{body['callId']}{SECRET}{body['timestamp']}".encode()
    assert body.pop("security") == hashlib.md5(signed).hexdigest()
    return body


async def test_read_ack(store: Store, space: int, post_send: PostSend) -> None:
    """Who read is ``from``, who wrote is ``to``; the ack has an id of its own."""
    await make_rule(store, space, events=["read_ack"])
    assert await told(post_send, stored(space, id=968665325555943556, kind=EventKind.READ, data={"public_id": ID})) == {
        "chat_type": "read_ack",
        "callId": "acme#demo_968665325555943556",
        "channel_channel": "acme#demo_user1@conference.easemob.com",
        "payload": {"ext": {}, "ack_message_id": ID, "bodies": []},
        "host": "",
        "appkey": "acme#demo",
        "from": "user2",
        "to": "user1",
        "eventType": "chat",
        "msg_id": "968665325555943556",
        "timestamp": 1600060847294,
    }


async def test_recall_of_one_entry(store: Store, space: int, post_send: PostSend) -> None:
    """Exact keys, with the original's id twice and the event's own."""
    await make_rule(store, space, events=["recall"])
    event = stored(space, id=966475585536657404, kind=EventKind.RECALLED, data={"public_id": ID})
    assert await told(post_send, event) == {
        "chat_type": "recall",
        "callId": "acme#demo_966475585536657404",
        "payload": {"ext": {}, "ack_message_id": ID, "bodies": []},
        "host": "",
        "appkey": "acme#demo",
        "from": "user1",
        "recall_id": ID,
        "to": "user2",
        "eventType": "chat",
        "msg_id": "966475585536657404",
        "timestamp": 1600060847294,
    }


async def test_push_results(store: Store, space: int, post_send: PostSend) -> None:
    """What became of an offline push, with the receiver's id of the message and the way it went."""
    await make_rule(store, space, events=["push"])
    way = {"delivery": 3, "account_kind": "bark", "account_code": "my-bark", "target": "key"}
    success = await told(post_send, stored(space, kind=EventKind.SENT, data={"public_id": ID}, **way))
    failed = await told(post_send, stored(space, kind=EventKind.FAILED, data={"public_id": ID, "code": 400}, **way))
    expired = await told(post_send, stored(space, kind=EventKind.EXPIRED, data={"public_id": ID}, **way))

    assert success == {
        "callId": f"acme#demo_{ID}",
        "appkey": "acme#demo",
        "channel": "BARK",
        "chat_type": "chat",
        "data": {"public_id": ID},
        "device_id": "",
        "device_token": "key",
        "from": "user1",
        "msg_id": ID,
        "notifier_name": "my-bark",
        "payload": {"ext": {"k": 1}, "bodies": [BODY], "from": "user1", "to": "user2", "type": "chat"},
        "status": "success",
        "step": "push",
        "target": "user2",
        "timestamp": 1600060847294,
    }
    assert [(one["status"], one["detail"]) for one in (failed, expired)] == [
        ("fail", "push yet but fail "),
        ("fail", "expire message"),
    ]


async def test_why_nothing_was_pushed(store: Store, space: int, post_send: PostSend) -> None:
    """An offline receiver to whom nothing goes out has a reason."""
    await make_rule(store, space, events=["push"])
    event = stored(space)
    body = await told(post_send, stored(space, extra={**event.extra, "unpushed": {"5": "no push binding"}}))
    assert (body["status"], body["detail"], body["msg_id"]) == ("fail", "no push binding", ID)


@pytest.mark.parametrize(("reason", "status"), [(LOGIN, "online"), ("logout", "offline"), (REPLACED, "offline")])
async def test_signing_in_and_out(context: Context, space: int, post_send: PostSend, reason: str, status: str) -> None:
    """An event of no message, written only where a rule asks for it."""
    app = App(org="acme", app="demo", client_id="c")
    device = Device(user="u1", resource="webim_r1", os="webim", ip="203.0.113.9", version="4.21.1")
    await tell_status(context, space, app, device, reason)
    assert await context.store.callbacks.waiting("easemob", 10) == ()

    await make_rule(context.store, space, events=[reason])
    context.lookups.forget(space)
    await tell_status(context, space, app, device, reason)
    (event,) = await context.store.callbacks.waiting("easemob", 10)
    assert [request.timeout_s for request in await post_send.pack([event])] == [60]
    body = await told(post_send, event)
    assert body.pop("callId").startswith("acme#demo_")
    assert body.pop("timestamp") == event.at
    assert body == {
        "reason": reason,
        "os": "webim",
        "ip": "203.0.113.9",
        "host": "",
        "appkey": "acme#demo",
        "user": "acme#demo_u1@easemob.com/webim_r1",
        "version": "4.21.1",
        "status": status,
    }


async def test_rules_for_some_types(store: Store, space: int, post_send: PostSend) -> None:
    """A rule may be for some types of messages only; what has no type it is told all the same."""
    await make_rule(store, space, events=["chat", "read_ack"], types=["img"])
    event = stored(space)
    image = stored(space, extra={**event.extra, "body": {"type": "img"}})
    read = stored(space, kind=EventKind.READ, data={"public_id": ID})
    assert [len(await post_send.pack([one])) for one in (event, image, read)] == [0, 1, 1]


async def test_ninety_failures_ban_a_rule(context: Context, space: int, post_send: PostSend, store: Store) -> None:
    """The ninetieth within half a minute; then callbacks are parked unsent, and longer each time, for a day."""
    await make_rule(store, space, events=["chat"])
    rule = f"{APP}/audit"
    for _ in range(FAILURES - 1):
        await post_send.failed(space, rule)
    (request,) = await post_send.pack([stored(space)])
    assert (request.parked, request.context) == ("", {"rule": rule})
    await post_send.failed(space, rule)
    (request,) = await post_send.pack([stored(space)])
    assert request.parked == "the rule is banned"
    key = f"easemob:callback:{rule}"
    assert await context.limits.used(space, f"{key}:ban", MINUTES[0] * 60) == 1
    assert await context.limits.used(space, f"{key}:bans", 86_400) == 1


def test_a_recall_tells_of_who_has_the_message() -> None:
    """One of its receivers has a message of his own since it was changed for him: this recall is not his."""
    event = stored(1, kind=EventKind.RECALLED, person=0, data={})
    both = {**event.extra, "to": {"5": "user2", "6": "user3"}}
    (told,) = happenings(stored(1, kind=EventKind.RECALLED, person=0, data={}, extra=both), "", {6: ID}, {})
    assert (told.body["to"], told.body["recall_id"]) == ("user3", ID)


async def test_long_answers_count_as_failures(context: Context, space: int) -> None:
    """What an app's own server says may have a thousand characters (§4): more is held against its rule."""
    await make_rule(context.store, space, events=["chat"])
    easemob = dialect(context)
    (request,) = await easemob.pack([stored(space)])
    for said in ("好" * 1000, "好" * 1001):
        await easemob.on_answer(request, CallbackAnswer(status=200, headers={}, body=said.encode()))
    assert await context.limits.used(space, f"easemob:callback:{APP}/audit:failed", 30) == 1


async def test_entry_ids_are_looked_up(store: Store, context: Context, space: int, post_send: PostSend) -> None:
    """A message that is recalled as a whole is told for each receiver, if it is still known."""
    await make_rule(store, space, events=["recall"])
    event = stored(space, id=100, kind=EventKind.RECALLED, person=0, data={})
    both = {**event.extra, "to": {"5": "user2", "6": "user3"}}
    requests = await post_send.pack([stored(space, id=100, kind=EventKind.RECALLED, person=0, data={}, extra=both)])
    assert [json.loads(one.body)["to"] for one in requests] == ["user2", "user3"]
    assert [json.loads(one.body)["msg_id"] for one in requests] == ["100", "101"]


async def test_what_a_banned_rule_misses_is_parked(context: Context, space: int) -> None:
    """It is not sent, but kept, with why, to be replayed."""
    await make_rule(context.store, space, events=["login"])
    easemob = dialect(context)
    for _ in range(FAILURES):
        await easemob.on_failure(space, {"rule": f"{APP}/audit"})
    await tell_status(context, space, App(org="acme", app="demo", client_id="c"), Device(user="u", resource="r"), LOGIN)
    await Packing(context, {"easemob": easemob}).turn()

    read = sa.select(schema.callback.c.state, schema.callback.c.last_reply)
    rows = await context.store.db.read(lambda connection: connection.execute(read).all())
    assert [tuple(row) for row in rows] == [("parked", "the rule is banned")]
