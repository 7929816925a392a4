"""Callbacks after something has happened (sheet easemob §4.2, §4.3): one request per rule and thing."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from onebell.core.context import Context, Lookups
from onebell.core.directory import Record
from onebell.core.events import CallbackAnswer, CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.dialects.easemob.app import CALLBACK, DIALECT, Rule
from onebell.dialects.easemob.bans import Bans
from onebell.dialects.easemob.happenings import LOGIN, LOGOUT, REPLACED, Happening, happenings
from onebell.dialects.easemob.signals import READ_ACK, RECALL, once_told

# "Not 200 → retried once, at once" (sheet §4.2). How long a message's receiver is waited for is not documented.
SCHEDULE = CallbackSchedule(pauses_s=(0,), timeout_s=10, success=(200,))
SLOW: dict[str, int] = dict.fromkeys((LOGIN, LOGOUT, REPLACED), 60)
"""Seconds by kind, where the service says how long it waits (sheet §4.3)."""
DEFAULT_ENV = "default"
ANSWER_CHARS = 1000
"""What an app's own server may say (sheet §4)."""


async def rules_of(lookups: Lookups, space: int, app: str, kind: str) -> list[tuple[Rule, Record]]:
    """The app's enabled rules of a kind (pre, post)."""
    records = await lookups.records(space, DIALECT, CALLBACK)
    rules = ((msgspec.convert(record.data, Rule), record) for record in records)
    return [(rule, record) for rule, record in rules if rule.app == app and rule.kind == kind and rule.enabled]


def security(call_id: str, secret: str, timestamp: int) -> str:
    """The signature: lower-case hex MD5 of call id, secret and timestamp (sheet §4)."""
    return hashlib.md5(f"{call_id}{secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def is_too_long(answer: CallbackAnswer) -> bool:
    """Whether an app's own server says more than it may."""
    return len(answer.body.decode("utf-8", "replace")) > ANSWER_CHARS


class PostSend:
    """Packs events into callbacks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._bans = Bans(context.limits)

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """A request for everything that happened and every rule that asks for it."""
        return [request for event in events for request in await self._requests(event)]

    async def failed(self, space: int, rule: str) -> None:
        """A receiver did not take a callback of a rule."""
        await self._bans.failed(space, rule)

    async def _requests(self, event: Event) -> list[CallbackRequest]:
        app = str(event.extra.get("app") or event.data.get("app") or "")
        rules = await rules_of(self._context.lookups, event.space, app, "post")
        if not rules:
            return []
        ids = await self._entry_ids(event)
        own = await self._own_ids(event, app, [str(event.data.get("public_id", "")), *ids.values()])
        host = urlsplit((await self._context.lookups.space(event.space)).public_url).netloc
        wanted = str(event.extra.get("env") or DEFAULT_ENV)
        return [
            await self._request(event, happening, record)
            for happening in happenings(event, host, ids, own)
            for rule, record in _wanting(rules, happening, wanted)
        ]

    async def _entry_ids(self, event: Event) -> dict[int, str]:
        """The receivers' own ids of a message, where the event does not say them."""
        if not event.message or "public_id" in event.data:
            return {}
        return await self._context.store.messages.entry_ids(event.space, event.message)

    async def _own_ids(self, event: Event, app: str, about: Collection[str]) -> dict[str, str]:
        """The ids under which clients were told of an event, by the messages that it is about.

        They are told first and the event follows, so that none is missed.
        """
        match event.kind:
            case EventKind.READ:
                return await once_told(self._context, event.space, app, READ_ACK, event.person, about)
            case EventKind.RECALLED:
                return await once_told(self._context, event.space, app, RECALL, event.sender, about)
        return {}

    async def _request(self, event: Event, happening: Happening, record: Record) -> CallbackRequest:
        body = happening.body
        signed = security(body["callId"], record.secrets.get("secret", ""), body["timestamp"])
        return CallbackRequest(
            kind=happening.name,
            space=event.space,
            url=record.data["url"],
            verified=True,
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode({**body, "security": signed}),
            order_key=f"easemob:{record.key}:{body['callId']}",
            message=event.message,
            events=(event.id,),
            timeout_s=SLOW.get(happening.name, 0),
            context={"rule": record.key},
            parked="the rule is banned" if await self._bans.is_banned(event.space, record.key) else "",
        )


def _wanting(rules: Sequence[tuple[Rule, Record]], happening: Happening, env: str) -> Iterator[tuple[Rule, Record]]:
    for rule, record in rules:
        # A route that no rule has means no callback, not even the default one (sheet §4.2).
        if rule.env == env and happening.name in rule.events and rule.takes(happening.kind):
            yield rule, record
