"""Easemob: post-send callbacks (sheet easemob §4.2), packed with the rules of a real store."""

import hashlib
import json
from typing import Any

import pytest

from onebell.core.events import Event, EventKind
from onebell.dialects.easemob.callback import SCHEDULE, pack
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

APP, URL, SECRET = "acme/demo", "http://127.0.0.1:9099/easemob", "easemob-callback-secret"
ID = "1029457500870543736"
BODY = {"msg": "rr", "type": "txt"}


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


async def test_case_57_body(store: Store, space: int, lookups: CachedLookups) -> None:
    """Exact keys; the signature is MD5 of call id, secret and timestamp."""
    await make_rule(store, space, events=["chat"])
    (request,) = await pack(lookups, [stored(space)])
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
    store: Store, space: int, lookups: CachedLookups, events: list[str], offline: bool, types: list[str]
) -> None:
    """A receiver who is offline yields both events, where the rule asks for both."""
    await make_rule(store, space, events=events)
    requests = await pack(lookups, [stored(space, data={"public_id": ID, "offline": offline})])
    assert types == [json.loads(request.body)["eventType"] for request in requests]


@pytest.mark.parametrize(
    ("changed", "env", "calls"),
    [
        ({}, "", 1), ({}, "default", 1), ({}, "test", 0), ({"env": "test"}, "test", 1), ({"env": "test"}, "", 0),
        ({"enabled": False}, "", 0), ({"kind": "pre"}, "", 0), ({"app": "acme/other"}, "", 0),
    ],
)  # fmt: skip
async def test_case_59_routes(
    store: Store, space: int, lookups: CachedLookups, changed: dict[str, Any], env: str, calls: int
) -> None:
    """A route that no rule has means no callback, not even the default one; only enabled post rules count."""
    await make_rule(store, space, **{"events": ["chat"], **changed})
    event = stored(space)
    assert calls == len(await pack(lookups, [stored(space, extra={**event.extra, "env": env})]))


async def test_one_request_per_rule_and_id(store: Store, space: int, lookups: CachedLookups) -> None:
    """Two rules and two receivers: four requests."""
    await make_rule(store, space, events=["chat"])
    await make_rule(store, space, "second", events=["chat"])
    events = [stored(space), stored(space, id=2, data={"public_id": "2", "offline": False})]
    requests = await pack(lookups, events)
    assert len(requests) == 4
    assert len({request.order_key for request in requests}) == 4


async def test_other_events_are_left_out(store: Store, space: int, lookups: CachedLookups) -> None:
    """Only what was stored for a receiver is told after sending."""
    await make_rule(store, space)
    kinds = (EventKind.RESOLVED, EventKind.FINISHED, EventKind.DELIVERED, EventKind.READ)
    assert await pack(lookups, [stored(space, kind=kind) for kind in kinds]) == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [("txt", "text"), ("img", "image"), ("audio", "voice"), ("loc", "location"), ("video", "video"), ("file", "file"),
     ("cmd", "command"), ("custom", "custom")],
)  # fmt: skip
async def test_content_types(store: Store, space: int, lookups: CachedLookups, kind: str, word: str) -> None:
    """The eight words of content_type."""
    await make_rule(store, space, events=["chat"])
    event = stored(space)
    (request,) = await pack(lookups, [stored(space, extra={**event.extra, "body": {"type": kind}})])
    assert f"chat:user:{word}" == json.loads(request.body)["content_type"]
