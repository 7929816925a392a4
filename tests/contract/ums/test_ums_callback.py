"""UMS: callback records (sheet jpush-ums §5), packed with what a real store knows of people and groups."""

import base64
import json
from typing import Any

import msgspec
import pytest

from onebell.core.events import Event, EventKind
from onebell.dialects.ums.callback import SCHEDULE, pack
from onebell.dialects.ums.group import CarrierUse, Group
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

KEY, SECRET = "7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1"
URL, SECOND = "http://127.0.0.1:9099/ums", "http://127.0.0.1:9099/second"
MSGID = "v:1t:1603707455p:27133n:2"
AT = 1_603_707_456_789


async def make_group(store: Store, space: int, **changed: Any) -> None:
    """The channel group K: mail and WeCom by accounts, the app by the inbox."""
    group = Group(
        carriers=(
            CarrierUse(type="email", carrier="site-mail"),
            CarrierUse(type="wechatwk", carrier="corp-wecom"),
            CarrierUse(type="app", carrier="inbox"),
        ),
        callback_urls=(URL, SECOND),
    )
    settings = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(group, **changed)))
    await store.credentials.issue(space, "ums", "channel_group", f"{KEY}:{SECRET}", name=KEY, settings=settings)


def event(space: int, kind: EventKind, number: int = 1, **changed: Any) -> Event:
    """Something that happened to a message of K."""
    fields: dict[str, Any] = {
        "id": number,
        "space": space,
        "dialect": "ums",
        "message": 9,
        "public_id": MSGID,
        "delivery": 0,
        "person": 0,
        "kind": kind,
        "data": {},
        "at": AT,
        "extra": {"channel": KEY},
        "callback_url": "",
        "callback_params": {"name": "joe", "age": 26},
    }
    return Event(**{**fields, **changed})


async def records(lookups: CachedLookups, *events: Event) -> list[dict[str, Any]]:
    """All records of all requests."""
    return [record for request in await pack(lookups, events) for record in json.loads(request.body)]


async def test_request(store: Store, space: int, lookups: CachedLookups) -> None:
    """A JSON array to the default address, with Basic auth as the only proof; the operator named the address."""
    await make_group(store, space)
    (request,) = await pack(lookups, [event(space, EventKind.SENT, number) for number in (1, 2)])

    assert (request.url, request.verified, request.events) == (URL, True, (1, 2))
    assert request.headers["Content-Type"] == "application/json"
    assert "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode() == request.headers["Authorization"]
    assert len(json.loads(request.body)) == 2


def test_schedule() -> None:
    """At 100 records or after 10 s; 200 exactly, 50 s between four tries (§5.2)."""
    assert (
        SCHEDULE.pauses_s, SCHEDULE.success, SCHEDULE.gather, SCHEDULE.gather_s,
    ) == ((50, 50, 50), (200,), 100, 10)  # fmt: skip


async def test_delivered_record(store: Store, space: int, lookups: CachedLookups) -> None:
    """Exact keys and types of a record of a delivery."""
    await make_group(store, space)
    bob = await store.people.create(space, "Bob")
    sent = event(space, EventKind.SENT, person=bob.id, account_code="site-mail", target="bob@example.test")

    assert await records(lookups, sent) == [
        {
            "type": 2,
            "channelkey": KEY,
            "msgid": MSGID,
            "userid": "Bob",
            "sender_id": "bob@example.test",
            "sender": 4,
            "sent_time": 1603707456,
            "params": {"name": "joe", "age": 26},
        }
    ]


async def test_a_broadcast_that_could_not_be_expanded(store: Store, space: int, lookups: CachedLookups) -> None:
    """Nobody is named, for nobody was found: UMS itself failed, and no carrier is blamed for what it never got."""
    await make_group(store, space)
    why = "defect in expanding the audience: ValueError (trace 0123456789abcdef)"
    parked = event(space, EventKind.FAILED, data={"code": 0, "message": why})

    assert await records(lookups, parked) == [
        {
            "type": 3,
            "channelkey": KEY,
            "msgid": MSGID,
            "userid": "",
            "sender_id": "",
            "sender": 0,
            "sent_time": 1603707456,
            "error": {"code": 0, "message": why},
            "params": {"name": "joe", "age": 26},
        }
    ]


async def test_inbox_as_the_app(store: Store, space: int, lookups: CachedLookups) -> None:
    """An entry is found and submitted at once; the registration id is the uid; read counts as a click (§4.5)."""
    await make_group(store, space)
    bob = await store.people.create(space, "bob")
    found = await records(
        lookups,
        event(space, EventKind.RESOLVED, person=bob.id, data={"carrier": "inbox"}),
        event(space, EventKind.DELIVERED, person=bob.id),
        event(space, EventKind.READ, person=bob.id),
    )

    assert [(one["type"], one["sender"], one["sender_id"]) for one in found] == [
        (0, 0, ""),
        (2, 1, "bob"),
        (4, 1, "bob"),
        (6, 1, "bob"),
    ]
    assert [(one.get("app_platform"), one.get("app_sender")) for one in found[:2]] == [(None, None), (2, 0)]
    assert {"bob"} == {one["userid"] for one in found}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"uid": "user2", "carrier": "site-mail", "code": 0}, {"code": 1, "message": "no registration id for email"}),
        (
            {"uid": "nobody", "carrier": "email", "code": 2, "message": "unknown user"},
            {"code": 2, "message": "unknown user"},
        ),
    ],
)
async def test_invalid_target(
    store: Store, space: int, lookups: CachedLookups, data: dict[str, Any], error: dict[str, Any]
) -> None:
    """Type 1 comes from UMS itself and says why."""
    await make_group(store, space)
    (record,) = await records(lookups, event(space, EventKind.UNRESOLVED, data=data))
    assert (1, 0, "", data["uid"], error) == (
        record["type"], record["sender"], record["sender_id"], record["userid"], record["error"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (EventKind.FAILED, 3), (EventKind.EXPIRED, 3), (EventKind.UNDELIVERED, 5), (EventKind.NOT_RECALLED, 8),
        (EventKind.SENT, 2), (EventKind.DELIVERED, 4), (EventKind.CLICKED, 6), (EventKind.RECALLED, 7),
    ],
)  # fmt: skip
async def test_types(store: Store, space: int, lookups: CachedLookups, kind: EventKind, number: int) -> None:
    """The nine statuses; only 1, 3, 5 and 8 have an error, whose code is an integer."""
    await make_group(store, space)
    data = {"code": 81013, "message": "nobody valid"}
    (record,) = await records(lookups, event(space, kind, account_code="corp-wecom", target="Zhang3", data=data))
    assert (number, 10, 0) == (record["type"], record["sender"], record["wechatwk_sender"])
    assert (number in (3, 5, 8)) == isinstance(record.get("error", {}).get("code"), int)


async def test_linked_corp(store: Store, space: int, lookups: CachedLookups) -> None:
    """An id with a slash is a linked corp's."""
    await make_group(store, space)
    (record,) = await records(lookups, event(space, EventKind.SENT, account_code="corp-wecom", target="C1/z3"))
    assert record["wechatwk_sender"] == 1


async def test_custom_ids(store: Store, space: int, lookups: CachedLookups) -> None:
    """With custom registration ids the userid is empty, the id always shown, and nobody is looked up."""
    await make_group(store, space)
    extra = {"channel": KEY, "custom": True}
    bob = await store.people.create(space, "bob")
    found = await records(
        lookups,
        event(space, EventKind.RESOLVED, person=bob.id, extra=extra, data={"carrier": "inbox"}),
        event(space, EventKind.FAILED, extra=extra, data={"carrier": "app", "target": "r9", "code": 2, "message": "?"}),
    )
    assert [(one["type"], one["userid"], one["sender_id"], one["sender"]) for one in found] == [
        (2, "", "bob", 1),
        (3, "", "r9", 1),
    ]


async def test_only_asked_statuses(store: Store, space: int, lookups: CachedLookups) -> None:
    """Which of the nine are sent is the channel group's setting (case 46)."""
    await make_group(store, space, callback_statuses=(2,))
    kinds = (EventKind.UNRESOLVED, EventKind.SENT, EventKind.DELIVERED)
    assert [one["type"] for one in await records(lookups, *(event(space, kind) for kind in kinds))] == [2]


async def test_nothing_to_tell(store: Store, space: int, lookups: CachedLookups) -> None:
    """No address, an unknown group, or an event that UMS has no word for: no request."""
    assert await pack(lookups, [event(space, EventKind.SENT)]) == []
    await make_group(store, space, callback_urls=())
    assert await pack(lookups, [event(space, EventKind.SENT), event(space, EventKind.FINISHED)]) == []


@pytest.mark.parametrize(("asked", "url"), [(SECOND, SECOND), ("http://evil/", URL), ("", URL)])
async def test_address_of_the_request(store: Store, space: int, lookups: CachedLookups, asked: str, url: str) -> None:
    """Only a verified address of the group takes the default's place (§1.5)."""
    await make_group(store, space)
    (request,) = await pack(lookups, [event(space, EventKind.SENT, extra={"channel": KEY, "url": asked})])
    assert url == request.url


async def test_one_request_per_address(store: Store, space: int, lookups: CachedLookups) -> None:
    """Batches are per channel group and URL, and one after the other on each."""
    await make_group(store, space)
    second = {"channel": KEY, "url": SECOND}
    requests = await pack(
        lookups,
        [event(space, EventKind.SENT), event(space, EventKind.SENT, 2, extra=second), event(space, EventKind.SENT, 3)],
    )
    assert {request.url: request.events for request in requests} == {URL: (1, 3), SECOND: (2,)}
    assert len({request.order_key for request in requests}) == 2


async def test_case_46_hundred_records_a_request(store: Store, space: int, lookups: CachedLookups) -> None:
    """250 records to one address are 100, 100 and 50, in order, one after the other."""
    await make_group(store, space)
    requests = await pack(lookups, [event(space, EventKind.SENT, number) for number in range(250)])
    assert [len(json.loads(request.body)) for request in requests] == [100, 100, 50]
    assert [number for request in requests for number in request.events] == list(range(250))
    assert len({request.order_key for request in requests}) == 1


async def test_sender_numbers_stay_below_eleven(store: Store, space: int, lookups: CachedLookups) -> None:
    """A number above 10 would crash the Go SDK (§5.3)."""
    await make_group(store, space)
    codes = ("site-mail", "corp-wecom", "inbox", "another")
    found = await records(lookups, *(event(space, EventKind.SENT, account_code=code) for code in codes))
    assert [one["sender"] for one in found] == [4, 10, 1, 0]
