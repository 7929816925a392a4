"""Users over real HTTP (sheet easemob §3.2). Numbers in names are the sheet's acceptance cases."""

import asyncio
from typing import Any

import pytest
from tests.wire.easemob.desk import Desk

from onebell.dialects.easemob.app import App
from onebell.store import app_users

pytestmark = pytest.mark.asyncio(loop_scope="module")

UUID = App(org="onebell", app="demo", client_id="").uuid
EXISTS = "Application {} Entity user requires that property named username be unique, value of {} exists"
FULL = {"action", "application", "path", "uri", "timestamp", "duration", "organization", "applicationName"}
ENTITY = {"uuid", "type", "created", "modified", "username", "activated"}
NO_SERVICE = (404, "service_resource_not_found", "Service resource not found")


def user(name: Any = "x", password: Any = "p", **more: Any) -> dict[str, Any]:
    """A registration's body."""
    return {key: value for key, value in {"username": name, "password": password, **more}.items() if value is not ...}


# ---------------------------------------------------------------- registering


async def test_case_54_one_user(desk: Desk) -> None:
    """Names are lower-cased; the second of a name is refused; without a token nobody is made."""
    body = await desk.ok("POST", "/users", user("User1", nickname="One"))
    (entity,) = body["entities"]
    assert set(body) == FULL | {"entities"}
    assert set(entity) == ENTITY | {"nickname"}
    assert (body["path"], body["action"], entity["username"], entity["type"]) == ("/users", "post", "user1", "user")
    assert (entity["activated"], entity["nickname"]) == (True, "One")

    said = await desk.call("POST", "/users", user("user1"))
    assert said.refusal == (400, "duplicate_unique_property_exists", EXISTS.format(UUID, "user1"))
    said = await desk.call("POST", "/users", user("anonymous"), token="")
    text = "Open registration doesn't allow, so register user need token,"
    assert said.refusal == (401, "unauthorized", text)
    assert (await desk.call("GET", "/users/anonymous")).refusal == NO_SERVICE
    assert (await desk.call("GET", "/users/USER1")).json["entities"][0]["uuid"] == entity["uuid"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (user(...), "Entity user requires a property named username"),
        (user(""), "Entity user requires a property named username"),
        (user("a b"), "username [a b] is not legal"),
        (user("张三"), "username [张三] is not legal"),
        (user("a\0b"), "username [a\0b] is not legal"),
        (user("admin"), "username [admin] is not legal"),
        (user(7), "username [7] is not legal"),
        (user("x" * 65), "USERNAME_TOO_LONG"),
        (user("fine-1", ...), "password or pin must provided"),
        (user("fine-1", ""), "password or pin must provided"),
        (user("fine-1", 7), "password or pin must provided"),
        (user("fine-1", "x" * 65), "PASSWORD_TOO_LONG"),
        (user("fine-1", nickname="n" * 101), "NICKNAME_TOO_LONG"),
        (user("fine-1", nickname="n\0"), "nickname is not legal"),
        ("text", "this is an invalid request."),
    ],
)
async def test_registrations_that_break_a_rule(desk: Desk, body: object, text: str) -> None:
    """Each in the service's words; nobody is made."""
    said = await desk.call("POST", "/users", body)
    assert said.refusal == (400, "illegal_argument", text)
    assert (await desk.call("GET", "/users/fine-1")).status == 404


async def test_bodies_that_are_none(desk: Desk) -> None:
    """Broken JSON and other content types answer in their own words; a form that is JSON is read (§1.3)."""
    assert (await desk.call("POST", "/users", b'{"username":')).refusal[:2] == (400, "json_parse")
    headers = {"Authorization": f"Bearer {await desk.app_token()}"}
    said = await desk.raw("POST", "/onebell/demo/users", b"x", **headers, **{"Content-Type": "text/plain"})
    assert said.refusal == (415, "web_application", "Unsupported Media Type")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    raw = b'{"username":"by-form","password":"p"}'
    assert (await desk.raw("POST", "/onebell/demo/users", raw, **headers, **form)).status == 200


async def test_case_55_several_users(desk: Desk) -> None:
    """Those who are there do not fail the call: they are named beside those who were made."""
    await desk.register("user3")
    body = await desk.ok("POST", "/users", [user("b1"), user("User3"), user("b2"), user("B2")])
    assert set(body) == FULL | {"entities", "data"}
    assert [one["username"] for one in body["entities"]] == ["b1", "b2"]
    assert body["data"] == [{"username": "user3", "registerUserFailReason": "the user3 already exists"}]
    assert (await desk.ok("POST", "/users", [user("b3")]))["data"] == []


async def test_batches_that_break_a_rule(desk: Desk) -> None:
    """Nobody of them is made, and a password that somebody sent is in no answer."""
    size = "Request body array size[61] had almost reached or been greater than the upper range value[60]"
    said = await desk.call("POST", "/users", [user(f"m{number}") for number in range(61)])
    assert said.refusal == (400, "illegal_argument", size)
    said = await desk.call("POST", "/users", [user("m1", "one-secret"), user("M1", "two-secret")])
    assert said.refusal[:2] == (400, "duplicate_unique_property_exists")
    assert said.refusal[2].startswith("the same user m1 has a different password, the passwords are ")
    assert b"secret" not in said.body
    assert (await desk.call("POST", "/users", [user("m1"), user("m 2")])).status == 400
    assert (await desk.call("POST", "/users", [])).status == 400
    assert (await desk.call("POST", "/users", [user("m1"), 7])).status == 400
    assert (await desk.call("GET", "/users/m1")).refusal == NO_SERVICE


async def test_open_registration(desk: Desk) -> None:
    """Anybody may come without a token, alone; nobody gets into the mailbox of a person who is there."""
    body = await desk.ok("POST", "/users", user("walk-in"), app="open", token="")
    assert body["entities"][0]["username"] == "walk-in"
    said = await desk.call("POST", "/users", user("Outsider"), app="open", token="")
    assert said.refusal[1] == "duplicate_unique_property_exists"
    assert (await desk.call("POST", "/users", [user("w2")], app="open", token="")).status == 401
    assert (await desk.call("GET", "/users", app="open", token="")).refusal == (
        401, "unauthorized", "Unable to authenticate (OAuth)",
    )  # fmt: skip
    assert (await desk.call("POST", "/users", user("w3"), app="open", token="YWMt-none")).status == 401


async def test_app_binds_a_person_who_is_there(desk: Desk) -> None:
    """The app's token makes an account of the person with that uid; where it makes no people only of him."""
    await desk.ok("POST", "/users", user("Outsider"), app="closed")
    said = await desk.call("POST", "/users", user("nobody-yet"), app="closed")
    assert said.refusal == (400, "illegal_argument", "username [nobody-yet] is not legal")
    failed = await desk.ok("POST", "/users", [user("nobody-yet"), user("u1")], app="closed")
    assert failed["data"] == [
        {"username": "nobody-yet", "registerUserFailReason": "username [nobody-yet] is not legal"}
    ]
    assert await desk.person("nobody-yet") == 0
    assert (await desk.call("GET", "/users/outsider")).refusal == NO_SERVICE


async def test_registered_at_once(desk: Desk) -> None:
    """Of ten who register one name at the same moment one succeeds, and the others hear that it is there."""
    said = await asyncio.gather(*(desk.call("POST", "/users", user("race")) for _ in range(10)))
    assert sorted(one.status for one in said) == [200] + [400] * 9
    assert {one.refusal[1] for one in said if one.status == 400} == {"duplicate_unique_property_exists"}


# ---------------------------------------------------------------- reading


async def test_one_user(desk: Desk) -> None:
    """The brief envelope with one entity; a user may look at himself only."""
    body = await desk.ok("GET", "/users/u1")
    assert set(body) == {"action", "path", "uri", "entities", "timestamp", "duration", "count"}
    assert (body["path"], body["count"], body["entities"][0]["username"]) == ("/users", 1, "u1")
    mine = await desk.user_token("u1")
    assert (await desk.ok("GET", "/users/U1", token=mine))["count"] == 1
    said = await desk.call("GET", "/users/u2", token=mine)
    permission = f"Subject does not have permission [applications:get:{UUID}:/users/u2]"
    assert said.refusal == (401, "unauthorized", permission)
    assert said.json["exception"] == "org.apache.shiro.authz.UnauthorizedException"
    assert (await desk.call("GET", "/users", token=mine)).status == 401


async def test_pages_of_users(desk: Desk) -> None:
    """Oldest first, each once; the last page has no cursor; the query is echoed."""
    await desk.ok("POST", "/users", [user(f"page{number}") for number in range(5)], app="open")
    seen: list[str] = []
    cursor = ""
    for _ in range(20):
        more = f"&cursor={cursor}" if cursor else ""
        body = await desk.ok("GET", f"/users?limit=2{more}", app="open")
        assert body["params"]["limit"] == ["2"]
        assert body["count"] == len(body["entities"])
        seen += [one["username"] for one in body["entities"]]
        if not (cursor := body.get("cursor", "")):
            break
    assert len(seen) == len(set(seen))
    assert {f"page{number}" for number in range(5)} <= set(seen)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "cursor=!!", "cursor=bm9uZQ"])
async def test_pages_that_are_none(desk: Desk, query: str) -> None:
    """A limit that is no number, a cursor that is none of ours."""
    assert (await desk.call("GET", f"/users?{query}")).refusal[:2] == (400, "illegal_argument")


# ---------------------------------------------------------------- changing


async def test_nickname_and_push_style(desk: Desk) -> None:
    """What was changed is in the answer and stays; the user may do it himself."""
    await desk.register("edits")
    body = await desk.ok("PUT", "/users/edits", {"nickname": "Ed"}, token=await desk.user_token("edits"))
    assert set(body) == FULL | {"entities"}
    assert body["entities"][0]["nickname"] == "Ed"
    hours = {"notification_no_disturbing": True, "notification_no_disturbing_start": "1"}
    body = await desk.ok("PUT", "/users/edits", {"notification_display_style": "1", **hours})
    assert body["entities"][0]["notification_display_style"] == 1
    assert body["entities"][0]["nickname"] == "Ed"
    account = await desk.context.lookups.account(await desk.space(), "onebell/demo", "edits")
    assert account.settings == {"notification_display_style": 1, **hours}
    for change in ({"nickname": "n" * 101}, {"notification_display_style": 2}, {"notification_no_disturbing": "x"},
                   {"notification_no_disturbing_end": 25}):  # fmt: skip
        assert (await desk.call("PUT", "/users/edits", change)).refusal[:2] == (400, "illegal_argument")
    assert (await desk.call("PUT", "/users/nobody", {"nickname": "x"})).refusal == NO_SERVICE


async def test_whom_another_node_has_just_removed(desk: Desk) -> None:
    """This node still knows him for up to a second: he is not found, whatever is to become of him."""
    await desk.register("parted")
    await desk.ok("GET", "/users/parted")
    space, store = await desk.space(), desk.context.store
    gone = await store.db.write(lambda connection: app_users.remove(connection, space, "onebell/demo", "parted"))
    assert gone is not None
    for method, path, body in (
        ("PUT", "", {"nickname": "x"}),
        ("PUT", "", {"notification_display_style": 1}),
        ("POST", "/deactivate", None),
        ("POST", "/activate", None),
        ("PUT", "/push/binding", {"device_id": "d", "device_token": "t", "notifier_name": "n"}),
        ("PUT", "/notification/user/u1", {"type": "NONE"}),
    ):
        assert (await desk.call(method, f"/users/parted{path}", body)).refusal == NO_SERVICE, path


async def test_password_ends_tokens_and_devices(desk: Desk) -> None:
    """The old token is unknown, the old password wrong, every device is sent away; the inbox password stays."""
    mine, phone = await desk.user_token("u3"), await desk.connect("u3", "phone")
    body = await desk.ok("PUT", "/users/u3/password", {"newpassword": "another"})
    assert set(body) == {"action", "timestamp", "duration"}
    assert body["action"] == "set user password"
    assert (await desk.call("GET", "/users/u3", token=mine)).refusal == (
        401, "auth_bad_access_token", "Unable to authenticate",
    )  # fmt: skip
    assert (await desk.grant({"grant_type": "password", "username": "u3", "password": "u3-password"})).status == 400
    await desk.user_token("u3", "another")
    assert await desk.kicked(phone) == ["password changed"]
    assert await desk.server.sign_in("u3", "u3-password")


@pytest.mark.parametrize("body", [{}, {"newpassword": ""}, {"newpassword": 7}])
async def test_password_is_required(desk: Desk, body: object) -> None:
    """Nothing is changed without one; nobody's is not found."""
    said = await desk.call("PUT", "/users/u1/password", body)
    assert said.refusal == (400, "illegal_argument", "newpassword is required")
    for name in ("nobody", "a%00b", "%ff"):
        said = await desk.call("PUT", f"/users/{name}/password", {"newpassword": "x"})
        assert said.refusal == (404, "entity_not_found", "User null not found")
    mine = await desk.user_token("u1")
    assert (await desk.call("PUT", "/users/u1/password", {"newpassword": "x"}, token=mine)).status == 401


async def test_deactivated_until_activated(desk: Desk) -> None:
    """No token is good, none is given, every device goes; afterwards all is as before."""
    await desk.register("banned")
    mine, phone = await desk.user_token("banned"), await desk.connect("banned", "phone")
    body = await desk.ok("POST", "/users/banned/deactivate")
    assert set(body) == {"action", "entities", "timestamp", "duration"}
    assert (body["action"], body["entities"][0]["activated"]) == ("Deactivate user", False)
    assert (await desk.call("GET", "/users/banned", token=mine)).status == 401
    grant = {"grant_type": "password", "username": "banned", "password": "banned-password"}
    assert (await desk.grant(grant)).refusal == (400, "invalid_grant", "user not activated")
    assert await desk.kicked(phone) == ["removed"]

    body = await desk.ok("POST", "/users/banned/activate")
    assert (set(body), body["action"]) == ({"action", "timestamp", "duration"}, "activate user")
    assert (await desk.call("GET", "/users/banned", token=mine)).status == 401
    await desk.user_token("banned")
    for path in ("/users/nobody/activate", "/users/nobody/deactivate"):
        assert (await desk.call("POST", path)).refusal == NO_SERVICE


# ---------------------------------------------------------------- removing


async def test_removed_user(desk: Desk) -> None:
    """Account, tokens and devices go, and the person whom the API made; one of the directory stays."""
    await desk.register("leaves")
    mine, phone = await desk.user_token("leaves"), await desk.connect("leaves", "phone")
    assert (await desk.call("DELETE", "/users/leaves", token=mine)).status == 401
    body = await desk.ok("DELETE", "/users/leaves")
    assert set(body) == FULL | {"entities"}
    assert (body["path"], body["entities"][0]["username"]) == ("/users", "leaves")
    assert (await desk.call("GET", "/users/leaves", token=mine)).status == 401
    assert (await desk.call("DELETE", "/users/leaves")).refusal == NO_SERVICE
    assert await desk.kicked(phone) == ["removed"]
    assert await desk.person("leaves") == 0

    await desk.ok("POST", "/users", user("u2"), app="closed")
    await desk.ok("DELETE", "/users/u2", app="closed")
    assert await desk.person("u2")
    assert (await desk.ok("GET", "/users/u2"))["count"] == 1


async def test_the_oldest_users_go_together(desk: Desk) -> None:
    """As many as asked, oldest first; the cursor goes on behind them."""
    for name in ("old1", "old2", "old3"):
        await desk.ok("POST", "/users", user(name), app="open")
    before = (await desk.ok("GET", "/users?limit=100", app="open"))["entities"]
    body = await desk.ok("DELETE", "/users?limit=2", app="open")
    assert set(body) == FULL | {"entities", "params", "cursor"}
    assert body["params"] == {"limit": ["2"]}
    assert [one["uuid"] for one in body["entities"]] == [one["uuid"] for one in before[:2]]
    left = (await desk.ok("GET", "/users?limit=100", app="open"))["entities"]
    assert [one["uuid"] for one in left] == [one["uuid"] for one in before[2:]]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/users", "POST, GET, DELETE"),
        ("POST", "/users/u1", "GET, PUT, DELETE"),
        ("GET", "/users/u1/password", "PUT"),
        ("GET", "/users/u1/activate", "POST"),
        ("POST", "/users/u1/status", "GET"),
    ],
)
async def test_other_methods(desk: Desk, method: str, path: str, allowed: str) -> None:
    """405 that names those there are; a browser's question is answered before."""
    said = await desk.call(method, path)
    assert said.refusal == (405, "unsupported_service_operation", "Service operation not supported")
    assert said.headers["Allow"] == allowed
    asked = await desk.raw("OPTIONS", f"/onebell/demo{path}")
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "DELETE" in asked.headers["Access-Control-Allow-Methods"]
