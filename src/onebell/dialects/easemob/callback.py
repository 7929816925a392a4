"""Post-send callbacks (sheet easemob §4.2): one request per rule, message id and event."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from onebell.core.context import Lookups
from onebell.core.directory import Record
from onebell.core.events import CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.dialects.easemob.app import CALLBACK, DIALECT, Rule

# "Not 200 → retried once, at once" (sheet §4.2).
SCHEDULE = CallbackSchedule(pauses_s=(0,), timeout_s=10, success=(200,))
DEFAULT_ENV = "default"
CHAT, CHAT_OFFLINE = "chat", "chat_offline"
SECURITY_VERSION = "1.0.0"
CONTENT_TYPES = {
    "txt": "text",
    "img": "image",
    "audio": "voice",
    "loc": "location",
    "video": "video",
    "file": "file",
    "cmd": "command",
    "custom": "custom",
}


async def rules_of(lookups: Lookups, space: int, app: str, kind: str) -> list[tuple[Rule, Record]]:
    """The app's enabled rules of a kind (pre, post)."""
    records = await lookups.records(space, DIALECT, CALLBACK)
    rules = ((msgspec.convert(record.data, Rule), record) for record in records)
    return [(rule, record) for rule, record in rules if rule.app == app and rule.kind == kind and rule.enabled]


async def pack(lookups: Lookups, events: Sequence[Event]) -> Sequence[CallbackRequest]:
    """A request for every entry, rule and event that the rule asks for."""
    requests: list[CallbackRequest] = []
    for event in events:
        if event.kind is EventKind.STORED:
            requests.extend(await _requests(lookups, event))
    return requests


async def _requests(lookups: Lookups, event: Event) -> list[CallbackRequest]:
    app = str(event.extra.get("app", ""))
    wanted = str(event.extra.get("env") or DEFAULT_ENV)
    space = await lookups.space(event.space)
    host = urlsplit(space.public_url).netloc
    return [
        _request(event, rule, record, event_type, host)
        for rule, record in await rules_of(lookups, event.space, app, "post")
        # A route that no rule has means no callback, not even the default one (sheet §4.2).
        if rule.env == wanted
        for event_type in _event_types(event)
        if event_type in rule.events
    ]


def _event_types(event: Event) -> Iterator[str]:
    yield CHAT
    if event.data.get("offline"):
        yield CHAT_OFFLINE


def _request(event: Event, rule: Rule, record: Record, event_type: str, host: str) -> CallbackRequest:
    body = _body(event, event_type, host, record.secrets.get("secret", ""))
    return CallbackRequest(
        kind=event_type,
        space=event.space,
        url=rule.url,
        verified=True,
        headers={"Content-Type": "application/json"},
        body=msgspec.json.encode(body),
        order_key=f"easemob:{record.key}:{body['msg_id']}",
        message=event.message,
        events=(event.id,),
    )


def _body(event: Event, event_type: str, host: str, secret: str) -> dict[str, Any]:
    appkey = str(event.extra["app"]).replace("/", "#", 1)
    msg_id = str(event.data.get("public_id", ""))
    call_id = f"{appkey}_{msg_id}"
    sender, receiver = str(event.extra.get("from", "")), _receiver(event)
    content = event.extra.get("body", {})
    return {
        "callId": call_id,
        "eventType": event_type,
        "timestamp": event.at,
        "chat_type": CHAT,
        "from": sender,
        "to": receiver,
        "msg_id": msg_id,
        "payload": {
            "ext": event.extra.get("ext", {}),
            "bodies": [content],
            "from": sender,
            "to": receiver,
            "type": CHAT,
        },
        "securityVersion": SECURITY_VERSION,
        "security": security(call_id, secret, event.at),
        "appkey": appkey,
        "host": host,
        "content_type": f"chat:user:{CONTENT_TYPES.get(content.get('type', ''), 'text')}",
    }


def _receiver(event: Event) -> str:
    # ``person`` is the mailbox's owner, who may be a name that nobody has yet.
    return str(event.extra.get("to", {}).get(str(event.person), ""))


def security(call_id: str, secret: str, timestamp: int) -> str:
    """The signature: lower-case hex MD5 of call id, secret and timestamp (sheet §4)."""
    return hashlib.md5(f"{call_id}{secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()
