"""Easemob: a message from the request to the rows it leaves. Numbers in names are the sheet's acceptance cases."""

import asyncio
import json

import pytest
from tests.contract.easemob.support import RULE, TOKEN, directory, parts, send
from tests.service import Service

from onebell.ids import EASEMOB_ID
from onebell.store import schema

# ---------------------------------------------------------------- who gets it


async def test_case_8_an_id_per_receiver(easemob: Service) -> None:
    """The id of the answer is the receiver's entry's own; names are found without case and answered as sent."""
    said = await send(easemob, ["user1", "USER2"])
    ids = said.json["data"]
    entries = {str(row["public_id"]): row["mailbox_id"] for row in await easemob.rows(schema.entry)}

    assert {
        "path",
        "uri",
        "timestamp",
        "organization",
        "application",
        "action",
        "data",
        "duration",
        "applicationName",
    } == set(said.json)
    assert {"user1", "USER2"} == set(ids)
    assert all(EASEMOB_ID.match(one) for one in ids.values())
    assert await easemob.person("user1") == entries[ids["user1"]]
    assert await easemob.person("user2") == entries[ids["USER2"]]


async def test_ids_increase_in_a_mailbox(easemob: Service) -> None:
    """Clients use ids as a cursor: within a mailbox they strictly increase, at any speed."""
    said = await asyncio.gather(*(send(easemob, ["user2"]) for _ in range(50)))
    ids = [int(one.json["data"]["user2"]) for one in said]
    rows = await easemob.rows(schema.entry)
    in_order = [row["public_id"] for row in sorted(rows, key=lambda row: row["seq"])]

    assert len(set(ids)) == 50
    assert sorted(ids) == in_order


async def test_both_directions_are_one_conversation(easemob: Service) -> None:
    """A pair of parties has one direct feed, whoever writes."""
    await send(easemob, ["user2"])
    await send(easemob, ["user1"], **{"from": "user2"})
    assert len({row["feed_id"] for row in await easemob.rows(schema.entry)}) == 1


async def test_case_21_six_hundred_receivers(easemob: Service) -> None:
    """Six hundred distinct ids; names that nobody has yet get a mailbox of their own."""
    said = await send(easemob, [f"r{number:03}" for number in range(1, 599)] + ["user1", "user2"])
    assert len(set(said.json["data"].values())) == 600
    assert len(await easemob.rows(schema.entry)) == 600


async def test_case_22_one_more_stores_nothing(easemob: Service) -> None:
    """601 are refused whole."""
    said = await send(easemob, [f"r{number}" for number in range(601)])
    assert said.text == "params to's size can't exceed limit 600"
    assert await easemob.rows(schema.message) == []


async def test_case_35_unknown_name_keeps_its_messages(easemob: Service) -> None:
    """A message to a name is kept, and given to the person who appears under it (D9)."""
    said = await send(easemob, ["ghost"])
    grant = {"grant_type": "inherit", "username": "Ghost", "autoCreateUser": True}
    user = (await easemob.ask("POST", TOKEN, grant)).json["user"]
    (entry,) = await easemob.rows(schema.entry)

    assert (user["username"], user["type"], user["activated"]) == ("ghost", "user", True)
    assert await easemob.person("ghost") == entry["mailbox_id"]
    assert said.json["data"]["ghost"] == str(entry["public_id"])


async def test_made_up_names_do_not_fill_the_store(easemob: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond an app's share no new name gets a mailbox; those that have one go on, and all get an id.

    Guests who only write take nothing of the share.
    """
    monkeypatch.setattr("onebell.dialects.easemob.send.NAMES", 3)
    for guest in ("g1", "g2", "g3", "g4"):
        await send(easemob, ["user2"], **{"from": guest})
    for to in (["n1", "n2"], ["n1"], ["n3", "n4"], ["n2", "user2", "n5"]):
        said = await send(easemob, to)
        assert set(said.json["data"]) == set(to)
    names = [row["name"] for row in await easemob.rows(schema.party) if row["kind"] == "name"]
    assert [name for name in names if "/n" in name] == ["acme/demo/n1", "acme/demo/n2"]
    assert len(await easemob.rows(schema.entry)) == 4 + 5
    assert len(await easemob.rows(schema.message)) == 4 + 4


async def test_name_of_a_person_without_an_account(easemob: Service) -> None:
    """A person who has no account in this app is nobody here: his inbox gets nothing."""
    await send(easemob, ["outsider"])
    (entry,) = await easemob.rows(schema.entry)
    assert await easemob.person("outsider") != entry["mailbox_id"]


async def test_names_nobody_can_have(easemob: Service) -> None:
    """They get an id and leave no mailbox; the message itself is stored before the answer."""
    before = len(await easemob.rows(schema.party))
    said = await send(easemob, ["a b", "张三", "x" * 65, "\0"], **{"from": "\0 nobody"})
    assert len(set(said.json["data"].values())) == 4
    assert len(await easemob.rows(schema.message)) == 1
    assert await easemob.rows(schema.entry) == []
    assert before + 1 == len(await easemob.rows(schema.party))


async def test_whatever_is_written_as_from_makes_no_rows(easemob: Service) -> None:
    """Names that nobody can ever have share one party."""
    before = len(await easemob.rows(schema.party))
    for number in range(3):
        assert (await send(easemob, ["user2"], **{"from": f"nobody {number}"})).status == 200
    assert before + 1 == len(await easemob.rows(schema.party))


async def test_case_18_default_sender(easemob: Service) -> None:
    """Without ``from`` the administrator of the app writes."""
    await send(easemob, ["user2"], **{"from": ...})
    (message,) = await easemob.rows(schema.message)
    assert (message["sender_kind"], message["sender_name"]) == ("system", "admin")
    assert (await parts(easemob))["content"]["data"]["from"] == "admin"


async def test_sender_is_the_accounts_person(easemob: Service) -> None:
    """A registered sender is shown by his account, an unregistered one by the name as written; ids are lower case."""
    await send(easemob, ["user2"], **{"from": "USER1"})
    await send(easemob, ["user2"], **{"from": "Stranger"})
    first, second = await easemob.rows(schema.message)
    assert ("person", await easemob.person("user1")) == (first["sender_kind"], first["sender"])
    assert (second["sender_kind"], second["sender_name"]) == ("name", "Stranger")
    assert (await parts(easemob))["content"]["data"]["from"] == "stranger"


async def test_sync_device_copies_to_the_sender(easemob: Service) -> None:
    """An outgoing entry with the same id in the sender's mailbox; none for the administrator, or who is no user."""
    said = await send(easemob, ["user2"], sync_device=True)
    entries = {row["mailbox_id"]: row for row in await easemob.rows(schema.entry)}
    mine, his = entries[await easemob.person("user1")], entries[await easemob.person("user2")]
    assert (mine["direction"], his["direction"]) == (1, 0)
    assert {int(said.json["data"]["user2"])} == {mine["public_id"], his["public_id"]}
    for sender in (..., "nobody"):
        assert (await send(easemob, ["user2"], sync_device=True, **{"from": sender})).status == 200
    assert len(await easemob.rows(schema.entry)) == 4


async def test_message_to_oneself(easemob: Service) -> None:
    """Allowed, and there once: who has it as its receiver needs no copy."""
    for sync in (False, True):
        assert (await send(easemob, ["user1"], sync_device=sync)).status == 200
    assert [row["direction"] for row in await easemob.rows(schema.entry)] == [0, 0]
    assert (await send(easemob, ["user1", "user2"], sync_device=True)).status == 200
    mine = await easemob.person("user1")
    new = [(row["mailbox_id"] == mine, row["direction"]) for row in (await easemob.rows(schema.entry))[2:]]
    assert sorted(new) == [(False, 0), (True, 0), (True, 1)]


async def test_case_9_online_only(easemob: Service) -> None:
    """ROUTE_ONLINE to somebody who is offline: an id, a durable row, no entry, no carrier."""
    said = await send(easemob, ["user2", "ghost"], routetype="ROUTE_ONLINE")
    (message,) = await easemob.rows(schema.message)
    assert len(set(said.json["data"].values())) == 2
    assert message["keep"] == "while_online"
    assert await easemob.rows(schema.entry) == []
    assert await easemob.rows(schema.delivery) == []


async def test_routes_and_silence(easemob: Service) -> None:
    """A message goes over the receiver's routes too, unless ``em_ignore_notification`` says that nothing may ring."""
    await send(easemob, ["user2"])
    assert await easemob.addresses() == ["u2@x.cn"]
    await send(easemob, ["user2"], ext={"em_ignore_notification": True})
    assert await easemob.addresses() == []


async def test_commands_are_pushed_nowhere(easemob: Service) -> None:
    """cmd messages are delivered and stored, never shown or pushed."""
    await send(easemob, ["user2"], type="cmd", body={"action": "a"})
    part = await parts(easemob)
    assert await easemob.addresses() == []
    assert len(await easemob.rows(schema.entry)) == 1
    assert (part["carriers"], part["content"]["data"]["type"]) == (["inbox"], "cmd")
    assert "body" not in part["content"]


async def test_push_texts(easemob: Service) -> None:
    """Title and text for notifications come from em_apns_ext, else em_push_ext; the message itself stays."""
    ext = {"em_apns_ext": {"em_push_title": "T"}, "em_push_ext": {"title": "x", "content": "C"}}
    await send(easemob, ["user2"], ext=ext)
    content = (await parts(easemob))["content"]
    assert (content["title"], content["summary"], content["body"]) == ("T", "C", "hi")
    assert ext == content["data"]["ext"]


async def test_cases_10_to_16_what_clients_get(easemob: Service) -> None:
    """The canonical body, the extension and both names travel with the message; a person reads a label."""
    body = {"filename": "a.jpg", "url": "http://x/f", "size": {"width": 1, "height": 2}}
    await send(easemob, ["user2"], type="img", body=body, ext={"k": [1]})
    content = (await parts(easemob))["content"]
    stored = {**body, "secret": "", "file_length": 0, "type": "img"}
    assert {"type": "img", "body": stored, "ext": {"k": [1]}, "from": "user1", "to": ["user2"]} == content["data"]
    assert (content["body"], content["url"]) == ("[图片]", "http://x/f")


# ---------------------------------------------------------------- callbacks


async def test_watched_only_where_a_rule_asks(easemob: Service) -> None:
    """Without a post-send rule a message has no events to pack."""
    await send(easemob, ["user2"])
    assert [row["watched"] for row in await easemob.rows(schema.message)] == [0]


async def test_case_57_events_of_a_watched_message(easemob: Service) -> None:
    """One event per receiver, with his id and whether he was offline; the body is kept for the callback."""
    await easemob.apply(directory(rule=RULE))
    said = await send(easemob, ["user2", "ghost"], env="default")
    events = await easemob.events("stored")
    extra = json.loads((await easemob.rows(schema.message))[0]["extra"])

    assert set(said.json["data"].values()) == {one["public_id"] for one in events}
    assert {True} == {one["offline"] for one in events}
    assert {str(one["person"]) for one in events} == set(extra["to"])
    assert {"user2", "ghost"} == set(extra["to"].values())
    assert (extra["app"], extra["env"], extra["body"]) == ("acme/demo", "default", {"msg": "hi", "type": "txt"})


async def test_an_hour_comes_in_pieces(easemob: Service) -> None:
    """However small the pieces, every receiver's message comes once, in order."""
    for to in (["user1", "user2"], ["user2"], ["a b"], ["ghost", "user1"]):
        await send(easemob, to)
    store, span = easemob.context.store.easemob, (0, 1 << 60)
    whole = await store.hour(easemob.space, "acme/demo", span)
    after: tuple[int, int] | None = (0, 0)
    pieces = []
    while after is not None:
        page = await store.hour(easemob.space, "acme/demo", span, after, 1)
        pieces += page.records
        after = page.after
    assert [one.to for one in whole.records] == [one.to for one in pieces]
    assert sorted(one.to for one in pieces) == ["ghost", "user1", "user1", "user2", "user2"]
    assert whole.after is None
    assert (await store.hour(easemob.space, "acme/dem", span)).records == ()
