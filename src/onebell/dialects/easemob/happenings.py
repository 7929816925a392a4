"""What callbacks tell of: an event of the core in the service's own words, not signed yet (sheet easemob §4)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec

from onebell.core.events import Event, EventKind
from onebell.dialects.easemob.bodies import documented
from onebell.dialects.easemob.signals import READ_ACK, RECALL

CHAT, CHAT_OFFLINE, PUSH = "chat", "chat_offline", "push"
LOGIN, LOGOUT, REPLACED = "login", "logout", "replaced"
POST_EVENTS = (CHAT, CHAT_OFFLINE, READ_ACK, RECALL, LOGIN, LOGOUT, REPLACED, PUSH)
"""What a rule may ask for."""
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
NOT_PUSHED = {
    EventKind.FAILED: "push yet but fail ",  # with the blank, as documented
    EventKind.EXPIRED: "expire message",
}
Body = dict[str, Any]


class Happening(msgspec.Struct, frozen=True):
    """One callback's content."""

    name: str  # of ``POST_EVENTS``
    kind: str  # message type; empty where there is none
    body: Body


class _Told(msgspec.Struct, frozen=True):
    """An event with what every body says of it."""

    event: Event
    host: str
    ids: Mapping[int, str]  # entry ids by mailbox
    own: Mapping[str, str]  # ids of what clients were told of a message, by its id

    @property
    def appkey(self) -> str:
        """``org#app``."""
        app = self.event.extra.get("app") or self.event.data.get("app") or ""
        return str(app).replace("/", "#", 1)

    @property
    def sender(self) -> str:
        return str(self.event.extra.get("from", ""))

    @property
    def receivers(self) -> dict[int, str]:
        """Names by mailbox: of the one whom the event is about, else all."""
        named = {int(party): str(name) for party, name in self.event.extra.get("to", {}).items()}
        person = self.event.person
        return {person: named.get(person, "")} if person else named

    def msg_id(self, person: int) -> str:
        """The receiver's own id of the message."""
        return str(self.event.data.get("public_id") or self.ids.get(person, ""))

    def payload(self, receiver: str) -> Body:
        extra = self.event.extra
        return {
            "ext": extra.get("ext", {}),
            "bodies": [documented(extra.get("body", {}))],
            "from": self.sender,
            "to": receiver,
            "type": CHAT,
        }


def happenings(event: Event, host: str, ids: Mapping[int, str], own: Mapping[str, str]) -> Iterator[Happening]:
    """What a rule may be told of an event; nothing for most kinds."""
    tell = _TELL.get(event.kind)
    return iter(()) if tell is None else tell(_Told(event, host, ids, own))


def _stored(told: _Told) -> Iterator[Happening]:
    ((person, receiver),) = told.receivers.items()
    kind = str(documented(told.event.extra.get("body", {})).get("type", ""))
    yield Happening(CHAT, kind, _chat(told, person, receiver, kind, CHAT))
    if told.event.data.get("offline"):
        yield Happening(CHAT_OFFLINE, kind, _chat(told, person, receiver, kind, CHAT_OFFLINE))
        if why := told.event.extra.get("unpushed", {}).get(str(person)):
            yield Happening(PUSH, kind, {**_pushed(told, person, receiver), "status": "fail", "detail": why})


def _chat(told: _Told, person: int, receiver: str, kind: str, event_type: str) -> Body:
    msg_id = told.msg_id(person)
    return {
        "callId": f"{told.appkey}_{msg_id}",
        "eventType": event_type,
        "timestamp": told.event.at,
        "chat_type": CHAT,
        "from": told.sender,
        "to": receiver,
        "msg_id": msg_id,
        "payload": told.payload(receiver),
        "securityVersion": SECURITY_VERSION,
        "appkey": told.appkey,
        "host": told.host,
        "content_type": f"chat:user:{CONTENT_TYPES.get(kind, 'text')}",
    }


def _read(told: _Told) -> Iterator[Happening]:
    ((person, reader),) = told.receivers.items()
    channel = f"{told.appkey}_{told.sender}@conference.easemob.com"
    body = _about(told, READ_ACK, told.msg_id(person), told.event.id)
    yield Happening(READ_ACK, "", {**body, "channel_channel": channel, "from": reader, "to": told.sender})


def _recalled(told: _Told) -> Iterator[Happening]:
    if told.event.delivery:  # a provider's own word on what it took back
        return
    for place, (person, receiver) in enumerate(told.receivers.items()):
        if told.ids and person not in told.ids:  # what he has is a message of its own since it was changed
            continue
        original = told.msg_id(person)
        body = _about(told, RECALL, original, told.event.id + place)
        yield Happening(RECALL, "", {**body, "from": told.sender, "recall_id": original, "to": receiver})


def _about(told: _Told, chat_type: str, original: str, event_id: int) -> Body:
    """A message that says something of an earlier one, with an id of its own: the one that clients know it by.

    Where none was told, it is the event's.
    """
    own_id = told.own.get(original) or str(event_id)
    return {
        "chat_type": chat_type,
        "callId": f"{told.appkey}_{own_id}",
        "payload": {"ext": {}, "ack_message_id": original, "bodies": []},
        "host": told.host,
        "appkey": told.appkey,
        "eventType": CHAT,
        "msg_id": own_id,
        "timestamp": told.event.at,
    }


def _delivery(told: _Told) -> Iterator[Happening]:
    event = told.event
    for person, receiver in told.receivers.items():
        body = _pushed(told, person, receiver)
        body |= {"channel": event.account_kind.upper(), "data": event.data}
        # A route here is a person's and no device's.
        body |= {"device_id": "", "device_token": event.target, "notifier_name": event.account_code}
        body |= {"status": "success"}
        if why := NOT_PUSHED.get(event.kind):
            body |= {"status": "fail", "detail": why}
        yield Happening(PUSH, "", body)


def _pushed(told: _Told, person: int, receiver: str) -> Body:
    msg_id = told.msg_id(person)
    return {
        "callId": f"{told.appkey}_{msg_id}",
        "appkey": told.appkey,
        "chat_type": CHAT,
        "from": told.sender,
        "msg_id": msg_id,
        "payload": told.payload(receiver),
        "step": PUSH,
        "target": receiver,
        "timestamp": told.event.at,
    }


def _status(told: _Told) -> Iterator[Happening]:
    """``data`` of these events is what :mod:`status` writes."""
    data = told.event.data
    reason = str(data["reason"])
    body = {
        "callId": f"{told.appkey}_{UUID(int=told.event.id << 64 | told.event.at)}",
        "reason": reason,
        "os": data["os"],
        "ip": data["ip"],
        "host": told.host,
        "appkey": told.appkey,
        "user": f"{told.appkey}_{data['user']}@easemob.com/{data['resource']}",
        "version": data["version"],
        "timestamp": told.event.at,
        "status": told.event.kind.value,
    }
    yield Happening(reason, "", body)


_TELL: dict[EventKind, Callable[[_Told], Iterator[Happening]]] = {
    EventKind.STORED: _stored,
    EventKind.MISSED: _stored,  # the call was answered with an id: the message was accepted (sheet §4.2)
    EventKind.READ: _read,
    EventKind.RECALLED: _recalled,
    EventKind.SENT: _delivery,
    EventKind.FAILED: _delivery,
    EventKind.EXPIRED: _delivery,
    EventKind.ONLINE: _status,
    EventKind.OFFLINE: _status,
}
