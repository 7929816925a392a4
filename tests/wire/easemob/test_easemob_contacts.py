"""Contacts as clients change them: over REST as SDK 4.x does, with roster frames as 3.x does, and what both sides hear.

What the SDK calls and reads is in easemob-websdk 4.21.1; the frames are in sheet easemob-msync §3.
"""

from typing import Any

import pytest
from tests.msync_client import Client
from tests.wire.easemob.desk import Desk
from tests.wire.easemob.test_easemob_offline import signed_in

from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import Meta, RosterBody

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP_SETTINGS = {"closed": "contacts_only = true"}
NO_SERVICE = (404, "service_resource_not_found", "Service resource not found")


def said_by(metas: list[Meta]) -> list[tuple[int, str, str, str]]:
    """Roster frames: operation, from, to, reason."""
    assert {one.ns for one in metas} == {Meta.ROSTER}
    bodies = [RosterBody.FromString(one.payload) for one in metas]
    return [(body.operation, body.sender.name, body.to[0].name, body.reason) for body in bodies]


async def change(client: Client, operation: RosterBody.Operation, *names: str, reason: str = "") -> tuple[int, str]:
    """A roster frame up; status and reason of its answer."""
    to = [codec.user(client.app, name) for name in names]
    body: Any = RosterBody(operation=operation, to=to, reason=reason)
    answer = await client.send(names[0] if names else "", body, ns=Meta.ROSTER)
    return answer.status.error_code, answer.status.reason


async def test_an_invitation_is_taken(desk: Desk) -> None:
    """Who is invited hears of it, also later; taken, who invited is told so, and who took it has a new contact."""
    await desk.register("r1", "r2")
    r1, r2 = await desk.user_token("r1"), await desk.user_token("r2")
    asked = {"usernames": ["R2"], "reason": "it's me"}
    body = await desk.ok("POST", "/users/r1/contacts/apply?resource=webim_1", asked, token=r1)
    assert (body["path"], body["data"]) == ("/users/r1/contacts/apply", {"applyContacts": ["r2"]})
    assert (await desk.ok("GET", "/users/r2/contacts/users", token=r2))["data"] == []
    async with signed_in(desk, "r2") as second, signed_in(desk, "r1") as first:
        assert said_by(await second.drain("r1")) == [(RosterBody.ADD, "r1", "r2", "it's me")]
        body = await desk.ok("POST", "/users/r2/contacts/accept/users/r1", token=r2)
        assert (body["path"], body["data"]) == ("/users/r2/contacts/accept/users/r1", {"acceptContacts": ["r1"]})
        assert said_by(await first.news()) == [(RosterBody.REMOTE_ACCEPT, "r2", "r1", "")]
        assert said_by(await second.news()) == [(RosterBody.ACCEPT, "r1", "r2", "")]
        for user, other, token in (("r1", "r2", r1), ("r2", "r1", r2)):
            assert (await desk.ok("GET", f"/users/{user}/contacts/users", token=token))["data"] == [other]
        # Contacts already: nobody is asked again.
        await desk.ok("POST", "/users/r1/contacts/apply", asked, token=r1)
        assert await second.unread() == {}
        await desk.ok("DELETE", "/users/r1/contacts/users/r2", token=r1)
        assert said_by(await second.news()) == [(RosterBody.REMOVE, "r1", "r2", "")]
        await desk.ok("DELETE", "/users/r1/contacts/users/r2", token=r1)
        assert await second.unread() == await first.unread() == {}
    assert (await desk.ok("GET", "/users/r2/contacts/users"))["data"] == []


async def test_an_invitation_is_refused(desk: Desk) -> None:
    """Only who invited hears of it; what nobody asked for cannot be taken, so nobody makes himself a contact."""
    await desk.register("d1", "d2")
    d1, d2 = await desk.user_token("d1"), await desk.user_token("d2")
    assert (await desk.call("POST", "/users/d2/contacts/accept/users/d1", token=d2)).refusal == NO_SERVICE
    await desk.ok("POST", "/users/d1/contacts/apply", {"usernames": ["d2"]}, token=d1)
    async with signed_in(desk, "d1") as first:
        body = await desk.ok("POST", "/users/d2/contacts/decline/users/d1", token=d2)
        assert body["data"] == {"declineContacts": ["d1"]}
        assert said_by(await first.news()) == [(RosterBody.REMOTE_DECLINE, "d2", "d1", "")]
        await desk.ok("POST", "/users/d2/contacts/decline/users/d1", token=d2)
        assert await first.unread() == {}
    assert (await desk.call("POST", "/users/d2/contacts/accept/users/d1", token=d2)).refusal == NO_SERVICE
    # The inviter cannot answer for the other one.
    await desk.ok("POST", "/users/d1/contacts/apply", {"usernames": ["d2"]}, token=d1)
    assert (await desk.call("POST", "/users/d1/contacts/accept/users/d2", token=d1)).refusal == NO_SERVICE
    assert (await desk.call("POST", "/users/d2/contacts/accept/users/d1", token=d1)).status == 401


async def test_nobody_makes_himself_a_contact_where_only_contacts_write(desk: Desk) -> None:
    """There a user's own token asks and takes; it makes no contacts."""
    for name in ("u1", "u2"):
        await desk.ok("POST", "/users", {"username": name, "password": "p"}, app="closed")
    u1, u2 = [await desk.user_token(name, "p", app="closed") for name in ("u1", "u2")]
    said = await desk.call("POST", "/users/u1/contacts/users/u2", app="closed", token=u1)
    assert said.refusal[:2] == (401, "unauthorized")
    await desk.ok("POST", "/users/u1/contacts/apply", {"usernames": ["u2"]}, app="closed", token=u1)
    assert (await desk.ok("GET", "/users/u2/contacts/users", app="closed"))["data"] == []
    await desk.ok("POST", "/users/u2/contacts/accept/users/u1", app="closed", token=u2)
    assert (await desk.ok("GET", "/users/u2/contacts/users", app="closed"))["data"] == ["u1"]


async def test_what_the_app_does_both_hear_of(desk: Desk) -> None:
    """Made and ended with the app's token: a new contact, and one that is gone, at either side."""
    await desk.register("a1", "a2")
    async with signed_in(desk, "a1") as first, signed_in(desk, "a2") as second:
        for method, operation in (("POST", RosterBody.ACCEPT), ("DELETE", RosterBody.REMOVE)):
            await desk.ok(method, "/users/a1/contacts/users/a2")
            assert said_by(await second.news()) == [(operation, "a1", "a2", "")]
            assert said_by(await first.news()) == [(operation, "a2", "a1", "")]


async def test_frames_do_the_same(desk: Desk) -> None:
    """Invite, refuse, take, end, block and let again with roster frames of the socket."""
    await desk.register("f1", "f2")
    async with signed_in(desk, "f1") as first, signed_in(desk, "f2") as second:
        assert await change(first, RosterBody.ADD, "F2", reason="hi") == (0, "")
        assert said_by(await second.news()) == [(RosterBody.ADD, "f1", "f2", "hi")]
        assert await change(second, RosterBody.DECLINE, "f1") == (0, "")
        assert said_by(await first.news()) == [(RosterBody.REMOTE_DECLINE, "f2", "f1", "")]
        assert await change(second, RosterBody.ACCEPT, "f1") == (1, "no such invitation")
        await change(first, RosterBody.ADD, "f2")
        await second.news()
        assert await change(second, RosterBody.ACCEPT, "f1") == (0, "")
        assert said_by(await first.news()) == [(RosterBody.REMOTE_ACCEPT, "f2", "f1", "")]
        assert said_by(await second.news()) == [(RosterBody.ACCEPT, "f1", "f2", "")]
        assert await change(first, RosterBody.REMOVE, "f2") == (0, "")
        assert said_by(await second.news()) == [(RosterBody.REMOVE, "f1", "f2", "")]

        assert await change(second, RosterBody.BAN, "f1") == (0, "")
        assert (await desk.ok("GET", "/users/f2/blocks/users"))["data"] == ["f1"]
        assert await change(first, RosterBody.ADD, "f2") == (1, "blocked")
        assert (await first.text("f2", "x")).status.reason == "blocked"
        assert await change(second, RosterBody.ALLOW, "f1") == (0, "")
        assert (await first.text("f2", "x")).status.error_code == 0

        for names, reason in (((), "message body is illegal"), (("f1",), "message body is illegal"),
                              (("nobody",), "user does not exist"), (("a b",), "user does not exist")):  # fmt: skip
            assert await change(first, RosterBody.ADD, *names) == (1, reason)
        assert await change(first, RosterBody.REMOTE_ACCEPT, "f2") == (1, "not supported")


async def listed(client: Client, operation: RosterBody.Operation) -> list[str]:
    """The names that a question for a list is answered with."""
    body: Any = RosterBody(operation=operation)
    answer = await client.send("", body, ns=Meta.ROSTER)
    assert answer.status.error_code == 0
    (one,) = answer.metas
    found = RosterBody.FromString(one.payload)
    assert (one.ns, found.operation, found.HasField("status")) == (Meta.ROSTER, operation, True)
    assert (found.sender.name, {jid.app_key for jid in found.to} <= {client.app.appkey}) == (client.user, True)
    return sorted(jid.name for jid in found.to)


async def test_frames_list_contacts_and_blocks(desk: Desk) -> None:
    """A client's own lists, whole, also empty ones; changing nothing and ringing nobody."""
    await desk.register("g1", "g2", "g3")
    async with signed_in(desk, "g1") as client:
        for operation in (RosterBody.GET_ROSTER, RosterBody.GET_BLACKLIST):
            assert await listed(client, operation) == []
        for other in ("g2", "g3"):
            await desk.ok("POST", f"/users/g1/contacts/users/{other}")
        await desk.ok("POST", "/users/g1/blocks/users", {"usernames": ["g3"]})
        assert await listed(client, RosterBody.GET_ROSTER) == ["g2", "g3"]
        assert await listed(client, RosterBody.GET_BLACKLIST) == ["g3"]


async def test_lists_and_blocks_as_the_sdk_asks(desk: Desk) -> None:
    """All contacts with remarks, or page by page; blocked and let again by several names at once."""
    await desk.register("l1", "l2", "l3", "l4")
    mine = await desk.user_token("l1")
    for name in ("l2", "l3", "l4"):
        await desk.ok("POST", f"/users/l1/contacts/users/{name}")
    body = await desk.ok("GET", "/users/l1/contacts/users?needReturnRemark=true", token=mine)
    assert sorted(one["username"] for one in body["entities"]) == sorted(body["data"]) == ["l2", "l3", "l4"]
    assert {one["remark"] for one in body["entities"]} == {None}
    names, cursor = [], ""
    for count in (2, 1):
        path = f"/users/l1/contacts?needReturnRemark=true&limit=2&cursor={cursor}"
        page = (await desk.ok("GET", path, token=mine))["data"]
        assert len(page["contacts"]) == count
        names += [one["username"] for one in page["contacts"]]
        cursor = page["cursor"]
    assert (names, cursor) == (body["data"], "")
    assert (await desk.call("GET", "/users/l1/contacts?limit=0", token=mine)).refusal[:2] == (400, "illegal_argument")
    body = await desk.ok("GET", "/user/l1/contacts?limit=99", token=mine)
    assert (body["count"], body["data"]["contacts"][0]) == (3, {"username": names[0]})

    path, both = "/sdk/user/l1/blocks?resource=webim_1", {"usernames": ["L2", "l3"]}
    assert (await desk.ok("POST", path, both, token=mine))["data"] == ["l2", "l3"]
    assert sorted((await desk.ok("GET", "/users/l1/blocks/users", token=mine))["data"]) == ["l2", "l3"]
    await desk.register("l5")
    await desk.ok("POST", path, {"usernames": ["l5"]}, token=mine)
    said = await desk.call("POST", "/users/l5/contacts/apply", {"usernames": ["l1"]}, token=await desk.user_token("l5"))
    assert said.refusal == (403, "forbidden_op", "blocked by l1")
    assert (await desk.ok("DELETE", path, {"usernames": ["l2", "l3", "l5"]}, token=mine))["data"] == ["l2", "l3", "l5"]
    assert (await desk.ok("GET", "/users/l1/blocks/users", token=mine))["data"] == []


async def test_a_remark_is_the_owners_own(desk: Desk) -> None:
    """Under the documented path and the SDK's; of a contact only, and gone with him."""
    await desk.register("m1", "m2", "m3")
    mine = await desk.user_token("m1")
    await desk.ok("POST", "/users/m1/contacts/users/m2")
    body = await desk.ok("PUT", "/user/m1/contacts/users/M2", {"remark": "Zwei"})
    assert set(body) == {"action", "duration", "status", "timestamp", "uri"}
    assert (body["action"], body["status"]) == ("put", "ok")

    async def shown(name: str) -> list[dict[str, Any]]:
        return list((await desk.ok("GET", f"/users/{name}/contacts/users?needReturnRemark=true"))["entities"])

    assert await shown("m1") == [{"username": "m2", "remark": "Zwei"}]
    assert await shown("m2") == [{"username": "m1", "remark": None}]
    await desk.ok("PUT", "/users/m1/contacts/users/m2?resource=w", {"remark": "二" * 100}, token=mine)
    assert (await shown("m1"))[0]["remark"] == "二" * 100
    for wrong in ({"remark": "x" * 101}, {"remark": 1}, {}, {"remark": "\0"}):
        assert (await desk.call("PUT", "/users/m1/contacts/users/m2", wrong)).refusal[:2] == (400, "illegal_argument")
    refused = (400, "illegal_argument", "updateRemark they are not friends, please add as a friend first.")
    assert (await desk.call("PUT", "/user/m1/contacts/users/m3", {"remark": "x"})).refusal == refused
    assert (await desk.call("PUT", "/user/m1/contacts/users/nobody", {"remark": "x"})).refusal == NO_SERVICE
    assert (await desk.call("PUT", "/user/m2/contacts/users/m1", {"remark": "x"}, token=mine)).status == 401
    for method in ("DELETE", "POST"):
        await desk.ok(method, "/users/m1/contacts/users/m2")
    assert await shown("m1") == [{"username": "m2", "remark": None}]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"usernames": ["u1"]}, "illegal_argument"),
        ({"usernames": []}, "illegal_argument"),
        ({"usernames": "u2"}, "illegal_argument"),
        ({"usernames": [f"x{number}" for number in range(101)]}, "illegal_argument"),
        ({"usernames": ["u2", "nobody"]}, "service_resource_not_found"),
        ({"usernames": ["a b"]}, "service_resource_not_found"),
    ],
)
async def test_invitations_that_are_none(desk: Desk, body: dict[str, Any], error: str) -> None:
    """Nobody invites himself, nobody, too many, or who is not there; nothing is changed."""
    assert (await desk.call("POST", "/users/u1/contacts/apply", body)).refusal[1] == error
    assert (await desk.call("POST", "/users/u2/contacts/accept/users/u1")).refusal == NO_SERVICE


async def test_who_is_blocked_by_one_asks_none(desk: Desk) -> None:
    """A call that one of those named refuses asks nobody."""
    await desk.register("asker", "open1", "shut1")
    await desk.ok("POST", "/users/shut1/blocks/users", {"usernames": ["asker"]})
    said = await desk.call("POST", "/users/asker/contacts/apply", {"usernames": ["open1", "shut1"]})
    assert said.refusal == (403, "forbidden_op", "blocked by shut1")
    assert (await desk.call("POST", "/users/open1/contacts/accept/users/asker")).refusal == NO_SERVICE
