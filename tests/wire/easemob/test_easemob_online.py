"""Status, devices, contacts and block lists over real HTTP (sheet easemob §3.2 to §3.4)."""

import pytest
from tests.wire.easemob.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_SERVICE = (404, "service_resource_not_found", "Service resource not found")
BRIEF = {"action", "uri", "entities", "data", "timestamp", "duration", "count"}
FULL = {"action", "application", "path", "uri", "timestamp", "duration", "organization", "applicationName"}


# ---------------------------------------------------------------- who is online


async def test_case_52_status(desk: Desk) -> None:
    """Online while a client's socket or an inbox page is open; a signed-in browser that is closed is not."""
    await desk.register("stat")
    body = await desk.ok("GET", "/users/Stat/status")
    assert (set(body), body["data"], body["entities"], body["count"]) == (BRIEF, {"stat": "offline"}, [], 0)
    for kind in ("msync", "inbox"):
        socket = await desk.connect("stat", "web", kind=kind)
        assert (await desk.ok("GET", "/users/stat/status"))["data"] == {"stat": "online"}
        await desk.gone(socket)
        assert (await desk.ok("GET", "/users/stat/status"))["data"] == {"stat": "offline"}
    await desk.connect("stat", "", kind="sign_in")
    assert (await desk.ok("GET", "/users/stat/status"))["data"] == {"stat": "offline"}
    assert (await desk.call("GET", "/users/nobody/status")).refusal == NO_SERVICE


async def test_case_52_lease_of_a_lost_node(desk: Desk) -> None:
    """A node that is gone renews nothing: after its lease the user is offline."""
    await desk.register("lost")
    await desk.connect("lost", "phone")
    assert (await desk.ok("GET", "/users/lost/status"))["data"] == {"lost": "online"}
    desk.clock.move(61)
    assert (await desk.ok("GET", "/users/lost/status"))["data"] == {"lost": "offline"}


async def test_client_of_another_app_is_not_online_here(desk: Desk) -> None:
    """Two apps share nobody, also where both accounts are one person's."""
    await desk.ok("POST", "/users", {"username": "u2", "password": "p"}, app="open")
    socket = await desk.connect("u2", "phone", app="open")
    assert (await desk.ok("GET", "/users/u2/status"))["data"] == {"u2": "offline"}
    assert (await desk.ok("GET", "/users/u2/status", app="open"))["data"] == {"u2": "online"}
    await desk.ok("GET", "/users/u2/disconnect")
    assert await desk.kicked(socket) == [""]
    await desk.gone(socket)


async def test_statuses_of_many(desk: Desk) -> None:
    """One object per name in the order asked; nobody is offline."""
    socket = await desk.connect("u1", "web")
    body = await desk.ok("POST", "/users/batch/status", {"usernames": ["u2", "U1", "nobody", "a\0b", "u2"]})
    assert set(body) == {"action", "data", "timestamp", "duration"}
    assert body["action"] == "get batch user status"
    assert body["data"] == [{"u2": "offline"}, {"U1": "online"}, {"nobody": "offline"}, {"a\0b": "offline"}]
    await desk.gone(socket)


async def test_case_53_statuses_of_too_many(desk: Desk) -> None:
    """A hundred are answered, one more is refused; what is no list of names too."""
    names = [f"n{number}" for number in range(100)]
    assert len((await desk.ok("POST", "/users/batch/status", {"usernames": names}))["data"]) == 100
    said = await desk.call("POST", "/users/batch/status", {"usernames": [*names, "n"]})
    text = "request body exceeds maximum limit, maximum limit is 100"
    assert said.refusal == (400, "illegal_argument", text)
    for body in ({}, {"usernames": "u1"}, {"usernames": [1]}, []):
        assert (await desk.call("POST", "/users/batch/status", body)).refusal[:2] == (400, "illegal_argument")


async def test_resources_and_forced_logout(desk: Desk) -> None:
    """Devices by name; one or all are sent away, on whatever node they are; inbox pages stay."""
    await desk.register("multi")
    assert (await desk.ok("GET", "/users/multi/resources"))["data"] == []
    web, phone = await desk.connect("multi", "webim_web_1"), await desk.connect("multi", "android_1")
    page = await desk.connect("multi", "", kind="inbox")
    body = await desk.ok("GET", "/users/multi/resources")
    assert set(body) == FULL | {"entities", "data"}
    assert body["path"] == "/users/multi/resources"
    assert body["data"][0] == {"res": "webim_web_1", "device_uuid": "d-1", "device_name": "Chrome"}
    assert [one["res"] for one in body["data"]] == ["webim_web_1", "android_1"]

    body = await desk.ok("GET", "/users/multi/disconnect/android_1")
    assert (set(body), body["data"], body["count"]) == (BRIEF, {"result": True}, 0)
    assert await desk.kicked(web, phone, page) == ["", "kicked", ""]
    await desk.ok("GET", "/users/multi/disconnect")
    assert await desk.kicked(web, phone, page) == ["kicked", "kicked", ""]
    assert (await desk.call("GET", "/users/nobody/disconnect")).refusal == NO_SERVICE
    mine = await desk.user_token("multi")
    assert (await desk.call("GET", "/users/multi/disconnect", token=mine)).status == 401


async def test_presence_is_not_offered(desk: Desk) -> None:
    """In the service's own words."""
    for path in ("/users/u1/presence", "/users/u1/presence/web/1", "/users/u1/presence/sublist"):
        said = await desk.call("POST", path, {})
        assert said.refusal == (400, "service_open_exception", "the app not open presence")


# ---------------------------------------------------------------- contacts and blocks


async def test_contacts(desk: Desk) -> None:
    """A friend is one on both sides; the answer shows him; the list has the newest first."""
    await desk.register("c1", "c2", "c3")
    body = await desk.ok("POST", "/users/c1/contacts/users/C2")
    owner = (await desk.ok("GET", "/users/c1"))["entities"][0]["uuid"]
    assert set(body) == FULL | {"entities"}
    assert (body["path"], body["entities"][0]["username"]) == (f"/users/{owner}/contacts", "c2")
    desk.clock.move(1)
    await desk.ok("POST", "/users/c3/contacts/users/c1")
    body = await desk.ok("GET", "/users/c1/contacts/users")
    assert (set(body), body["data"], body["count"], body["entities"]) == (BRIEF, ["c3", "c2"], 2, [])

    assert (await desk.ok("DELETE", "/users/c2/contacts/users/c1"))["entities"][0]["username"] == "c1"
    assert (await desk.ok("GET", "/users/c1/contacts/users"))["data"] == ["c3"]
    assert (await desk.ok("GET", "/users/c2/contacts/users"))["data"] == []
    await desk.ok("DELETE", "/users/c2/contacts/users/c1")


async def test_block_lists(desk: Desk) -> None:
    """One-sided; several at once; all of them must be there."""
    await desk.register("b1", "b2", "b3")
    body = await desk.ok("POST", "/users/b1/blocks/users", {"usernames": ["B2", "b3", "b2"]})
    assert set(body) == FULL | {"entities", "data"}
    assert (body["data"], body["entities"]) == (["b2", "b3"], [])
    body = await desk.ok("GET", "/users/b1/blocks/users")
    assert (set(body), set(body["data"]), body["count"]) == (BRIEF, {"b2", "b3"}, 2)
    assert (await desk.ok("GET", "/users/b2/blocks/users"))["count"] == 0

    owner = (await desk.ok("GET", "/users/b1"))["entities"][0]["uuid"]
    body = await desk.ok("DELETE", "/users/b1/blocks/users/b2")
    assert (body["path"], body["entities"][0]["username"]) == (f"/users/{owner}/blocks", "b2")
    assert (await desk.ok("GET", "/users/b1/blocks/users"))["data"] == ["b3"]


async def test_blocked_senders_still_send_by_rest(desk: Desk) -> None:
    """REST checks neither the block list nor friendship (§1.3)."""
    await desk.ok("POST", "/users/u2/blocks/users", {"usernames": ["u1"]})
    number = await desk.sent("u2")
    assert number in {str(row["public_id"]) for row in await desk.entries("u2")}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/u1/contacts/users/nobody", None),
        ("POST", "/users/nobody/contacts/users/u1", None),
        ("DELETE", "/users/u1/contacts/users/nobody", None),
        ("GET", "/users/nobody/contacts/users", None),
        ("GET", "/users/nobody/blocks/users", None),
        ("POST", "/users/u1/blocks/users", {"usernames": ["u2", "nobody"]}),
        ("POST", "/users/u1/blocks/users", {"usernames": ["a b"]}),
        ("DELETE", "/users/u1/blocks/users/nobody", None),
    ],
)
async def test_relations_of_nobody(desk: Desk, method: str, path: str, body: object) -> None:
    """404; nothing is changed."""
    assert (await desk.call(method, path, body)).refusal == NO_SERVICE


async def test_relations_that_are_none(desk: Desk) -> None:
    """No friend of oneself, no list that is none or too long; a user's lists are his own and the app's."""
    assert (await desk.call("POST", "/users/u1/contacts/users/u1")).refusal[:2] == (400, "illegal_argument")
    too_many = [f"x{number}" for number in range(501)]
    for names in (None, [], "u2", [7], too_many):
        said = await desk.call("POST", "/users/u1/blocks/users", {"usernames": names})
        assert said.refusal[:2] == (400, "illegal_argument")
    mine = await desk.user_token("u1")
    assert (await desk.ok("GET", "/users/u1/contacts/users", token=mine))["count"] == 0
    assert (await desk.call("GET", "/users/u2/contacts/users", token=mine)).status == 401
