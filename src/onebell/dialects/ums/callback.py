"""Callback records: arrays of them, per channel group and address (sheet jpush-ums §5)."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from onebell.core.context import Lookups
from onebell.core.directory import Credential
from onebell.core.events import CallbackRequest, CallbackSchedule, Event, EventKind
from onebell.dialects.ums.audience import EXPIRED, NO_REGISTRATION_ID
from onebell.dialects.ums.group import CHANNEL_GROUP, DIALECT, INBOX, Group, basic_header
from onebell.dialects.ums.kinds import KINDS

SCHEDULE = CallbackSchedule(pauses_s=(50, 50, 50), timeout_s=10, success=(200,), gather=100, gather_s=10)  # sheet §5.2

TYPES: dict[EventKind, int] = {
    EventKind.RESOLVED: 0,
    EventKind.UNRESOLVED: 1,
    EventKind.SENT: 2,
    EventKind.FAILED: 3,
    EventKind.EXPIRED: 3,
    EventKind.DELIVERED: 4,
    EventKind.UNDELIVERED: 5,
    EventKind.CLICKED: 6,
    EventKind.READ: 6,  # opened in the inbox (sheet §4.5)
    EventKind.RECALLED: 7,
    EventKind.NOT_RECALLED: 8,
}
SUBMITTED = TYPES[EventKind.SENT]
WITH_ERROR = frozenset({1, 3, 5, 8})
UMS_ITSELF = 0  # sender of types 0 and 1, and of what no carrier had a part in
APP, WECOM = KINDS["app"].sender, KINDS["wechatwk"].sender
APP_PLATFORM_WEB, APP_SENDER_JIGUANG = 2, 0


async def pack(lookups: Lookups, events: Sequence[Event]) -> Sequence[CallbackRequest]:
    """Requests per channel group and address; events of statuses nobody asked for are left out."""
    packer = _Packer(lookups)
    if events:  # all of them are of one space; who was found is looked up together
        await lookups.people(events[0].space, [event.person for event in events if event.person])
    for event in events:
        await packer.add(event)
    return packer.requests()


class _Batch:
    """Records on their way to one address."""

    def __init__(self, space: int, channel: str, url: str, pair: str) -> None:
        self.space = space
        self.channel = channel
        self.url = url
        self.pair = pair
        self.records: list[tuple[int, dict[str, Any]]] = []  # (event, record)

    def requests(self) -> Iterator[CallbackRequest]:
        for start in range(0, len(self.records), SCHEDULE.gather):
            some = self.records[start : start + SCHEDULE.gather]
            yield CallbackRequest(
                kind="ums",
                space=self.space,
                url=self.url,
                verified=True,
                headers={"Content-Type": "application/json", "Authorization": basic_header(self.pair)},
                body=msgspec.json.encode([record for _, record in some]),
                order_key=f"ums:{self.channel}:{self.url}",
                events=tuple(dict.fromkeys(event for event, _ in some)),
            )


class _Packer:
    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._batches: dict[tuple[int, str, str], _Batch] = {}

    def requests(self) -> Sequence[CallbackRequest]:
        return [request for batch in self._batches.values() for request in batch.requests()]

    async def add(self, event: Event) -> None:
        numbers = _types(event)
        channel = str(event.extra.get("channel", ""))
        credential = await self._lookups.credential_named(event.space, DIALECT, CHANNEL_GROUP, channel)
        if not numbers or credential is None:
            return
        group = msgspec.convert(credential.settings, Group)
        wanted = [number for number in numbers if number in group.callback_statuses]
        if not wanted or not group.callback_urls:
            return
        batch = self._batch(event, credential, group)
        for number in wanted:
            batch.records.append((event.id, await self._record(event, number, channel, group)))

    def _batch(self, event: Event, credential: Credential, group: Group) -> _Batch:
        url = str(event.extra.get("url", ""))
        if url not in group.callback_urls:
            url = group.callback_urls[0]
        key = (event.space, credential.name, url)
        if key not in self._batches:
            self._batches[key] = _Batch(event.space, credential.name, url, credential.value)
        return self._batches[key]

    async def _record(self, event: Event, number: int, channel: str, group: Group) -> dict[str, Any]:
        uid = await self._uid(event)
        custom = bool(event.extra.get("custom"))
        kind = _carrier_type(event, group)
        was_submitted = number >= 2 and not _is_of_nobody(event)
        sender = KINDS[kind].sender if was_submitted and kind in KINDS else UMS_ITSELF
        shown = number >= 2 or custom
        record: dict[str, Any] = {
            "type": number,
            "channelkey": channel,
            "msgid": event.public_id,
            "userid": "" if custom else uid,
            "sender_id": (_address(event) or uid) if shown else "",
            "sender": sender,
        }
        record.update(_sender_details(sender, _address(event)))
        record["sent_time"] = event.at // 1000
        if number in WITH_ERROR:
            record["error"] = _error(event, kind)
        record["params"] = event.callback_params
        return record

    async def _uid(self, event: Event) -> str:
        if event.person:
            person = await self._lookups.person(event.space, event.person)
            if person is not None:
                return person.uid
        return str(event.data.get("uid", ""))


def _types(event: Event) -> Sequence[int]:
    """The records that an event makes."""
    if event.kind is EventKind.RESOLVED:
        known = () if event.extra.get("custom") else (TYPES[event.kind],)  # custom ids are not looked up (sheet §3)
        # Where the inbox is the app channel the entry is written together with this event: it is submitted.
        return (*known, SUBMITTED) if event.data.get("carrier") == INBOX else known
    number = TYPES.get(event.kind)
    return () if number is None else (number,)


def _is_of_nobody(event: Event) -> bool:
    """It happened to the message as a whole, and no carrier did it: its audience could not be expanded, say."""
    return not (event.person or event.delivery or event.account_code or event.data.get("uid") or _address(event))


def _address(event: Event) -> str:
    return event.target or str(event.data.get("target", ""))


def _carrier_type(event: Event, group: Group) -> str:
    """Which of the group's carriers the event is about; without a delivery it is the inbox."""
    named = str(event.data.get("carrier", ""))
    return named if named in KINDS else group.kind_of(event.account_code or named or INBOX)


def _sender_details(sender: int, address: str) -> dict[str, int]:
    if sender == APP:
        return {"app_platform": APP_PLATFORM_WEB, "app_sender": APP_SENDER_JIGUANG}
    if sender == WECOM:
        return {"wechatwk_sender": 1 if "/" in address else 0}
    return {}


def _error(event: Event, kind: str) -> dict[str, Any]:
    code = event.data.get("code", 0)
    if event.kind is EventKind.UNRESOLVED and not code:
        return {"code": NO_REGISTRATION_ID, "message": f"no registration id for {kind}"}
    if event.kind is EventKind.EXPIRED:
        return {"code": EXPIRED, "message": "expired"}
    text = event.data.get("message") or event.data.get("why") or event.kind.value
    return {"code": code if isinstance(code, int) else 0, "message": str(text)}
