"""Who gets in: every route with no and wrong credentials, sign-in, cookies, tickets, tokens (RELIABILITY S5–S9)."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest
import structlog
from tests.native_server import PASSWORD, PEOPLE, Native

from onebell.api import cookies
from onebell.api.operations import ROLES, SCOPES, Operation
from onebell.http.exchange import Request

BODIES: dict[str, Any] = {
    "/login": {"uid": "nobody", "password": "x"},
    "/inbox/read": {"up_to": 0},
    "/inbox/conversations": {"uid": "rita"},
    "/inbox/{}/press": {"key": "k"},
    "/messages": {"to": "rita", "title": "t"},
    "/tokens": {"name": "n"},
}
"""Bodies that pass the decoder, so that it is the credential that decides."""
OF_AN_INBOX = ("/inbox", "/files")
"""Only for somebody who has one: a file is uploaded for a conversation of his."""
NOT_WALKED = {"/inbox/stream", "/logout"}
"""One does not end, the other ends the walk's session: they have tests of their own."""


def path_of(operation: Operation) -> str:
    return operation.pattern.replace("{}", "1")


async def walk(native: Native, **credential: Any) -> dict[str, int]:
    """The status of every operation with some credential, by method and path."""
    found = {}
    for operation in native.api.operations:
        if operation.path in NOT_WALKED:
            continue
        body = BODIES.get(operation.path) if operation.body is not None else None
        status, _ = await native.call(operation.method, path_of(operation), body=body, **credential)
        found[f"{operation.method} {operation.path}"] = status
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic cml0YTpjb3JyZWN0"},
        {"Cookie": "onebell_session=wrong"},
        {"Cookie": "onebell_session=", "Origin": "https://evil.test"},
    ],
)
async def test_every_route_refuses_no_and_wrong_credentials(native: Native, headers: dict[str, str]) -> None:
    """Nothing but the sign-in, the docs and the probes answers without a good credential."""
    statuses = await walk(native, headers=headers)
    open_ones = {"POST /login"}

    assert {name: status for name, status in statuses.items() if name not in open_ones and status != 401} == {}
    assert statuses["POST /login"] in {401, 403}
    assert (await native.call("POST", "/api/v1/logout", headers=headers))[0] == 401
    for path in ("/metrics", "/api/v1/inbox/stream", "/api/v1/inbox?ticket=wrong"):
        assert (await native.call("GET", path, headers=headers))[0] == 401


async def test_every_route_that_is_not_an_operation_is_known(native: Native) -> None:
    """What answers without a credential is a short list, and none of it holds data."""
    operations = {operation.pattern for operation in native.api.operations}
    others = {route.pattern for route in native.api.routes()} - operations

    assert others == {
        "/", "/app/{*}", "/console/{*}", "/assets/{*}", "/sw.js", "/manifest.webmanifest", "/console/setup",
        "/api/docs", "/api/v1/docs.js", "/api/v1/docs.css", "/api/v1/openapi.json",
        "/healthz", "/readyz", "/metrics", "/f/{}",
    }  # fmt: skip


@pytest.mark.parametrize(("uid", "role"), PEOPLE)
async def test_every_role_gets_what_the_table_gives_it(native: Native, uid: str, role: str) -> None:
    """For every operation and role: 403 exactly where the role has none of the rights of its row."""
    statuses = await walk(native, token=await native.sign_in(uid))
    for operation in native.api.operations:
        if operation.path in {*NOT_WALKED, "/login"}:
            continue
        may = bool(ROLES[role] & operation.rights)
        status = statuses[f"{operation.method} {operation.path}"]
        assert (status != 403) == may, f"{role} {operation.method} {operation.path}: {status}"


@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_every_scope_gets_what_the_table_gives_it(native: Native, scope: str) -> None:
    """A token that belongs to nobody has its scope's rights and no inbox."""
    statuses = await walk(native, token=await native.token(scope))
    for operation in native.api.operations:
        if operation.path in {*NOT_WALKED, "/login", "/ticket"}:
            continue
        may = bool(SCOPES[scope] & operation.rights) and not operation.path.startswith(OF_AN_INBOX)
        status = statuses[f"{operation.method} {operation.path}"]
        assert (status != 403) == may, f"{scope} {operation.method} {operation.path}: {status}"


async def test_a_persons_read_token_opens_his_inbox(native: Native) -> None:
    """A token may belong to a person; it opens that inbox and no other."""
    owner = await native.sign_in("alice")
    asked = {"name": "phone", "scope": "read", "person": "rita"}
    status, body = await native.call("POST", "/api/v1/tokens", owner, asked)
    await native.send("rita", "for rita")
    await native.send("sam", "for sam")

    assert status == 201
    _, page = await native.call("GET", "/api/v1/inbox", body["token"])
    assert [item["title"] for item in page["items"]] == ["for rita"]


@pytest.mark.parametrize("written", ["9" * 19, "9" * 30, "-1", "x", "%00", "%ff", "1%00", "٣"])
async def test_what_can_be_no_id_is_answered_on_every_route(native: Native, written: str) -> None:
    """Numbers beyond 64 bits, NUL and words where an id stands are the caller's mistake, never a 500."""
    owner = await native.sign_in("alice")
    found = {}
    for operation in native.api.operations:
        if operation.names and operation.path not in NOT_WALKED:
            path = operation.pattern.replace("{}", written)
            body = {"text": "x"} if operation.path.endswith("/messages") else None
            found[f"{operation.method} {operation.path}"] = (await native.call(operation.method, path, owner, body))[0]

    assert set(found.values()) <= {404, 422}, found
    for query in (f"inbox?feed={written}", f"messages?dialect=%00&before={written}", f"inbox?q=%00&before={written}"):
        assert (await native.call("GET", f"/api/v1/{query}", owner))[0] == 422, query


@pytest.mark.parametrize("up_to", [-1, 2**62, 2**63, 10**30])
async def test_what_can_be_no_place_moves_no_marker(native: Native, up_to: int) -> None:
    """A place beyond 64 bits is refused with its field."""
    rita = await native.sign_in("rita")
    await native.send("rita")

    status, body = await native.call("POST", "/api/v1/inbox/read", rita, {"up_to": up_to})

    assert (status, body["error"]["code"]) == (422, "invalid")
    assert (await native.call("GET", "/api/v1/inbox", rita))[1]["items"][0]["read_at"] is None


async def test_another_persons_objects_are_not_there(native: Native) -> None:
    """What belongs to somebody else is answered as what does not exist, in every way to reach it."""
    message = await native.send("rita")
    sam = await native.sign_in("sam")

    for method, path in (
        ("GET", "/api/v1/inbox/1"),
        ("DELETE", "/api/v1/inbox/1"),
        ("POST", "/api/v1/inbox/1/read"),
        ("GET", f"/api/v1/messages/{message}"),
        ("POST", f"/api/v1/messages/{message}/recall"),
        ("GET", "/api/v1/messages/nothing"),
    ):
        status, body = await native.call(method, path, sam)
        assert (status, body["error"]["code"]) == (404, "not_found"), path
    rita = await native.sign_in("rita")
    assert (await native.call("GET", "/api/v1/inbox/1", rita))[1]["items"][0]["read_at"] is None


@pytest.mark.parametrize("name", ["", "n" * 101, "a\0", "a\nb"])
async def test_a_token_has_a_printable_name(native: Native, name: str) -> None:
    """What PostgreSQL's text or a list cannot show is refused."""
    owner = await native.sign_in("alice")
    status, body = await native.call("POST", "/api/v1/tokens", owner, {"name": name, "scope": "send"})

    assert (status, body["error"]["field"]) == (422, "name")


async def test_a_revoked_token_is_refused(native: Native) -> None:
    """Revoking ends a token at once; its value is never listed."""
    owner = await native.sign_in("alice")
    _, made = await native.call("POST", "/api/v1/tokens", owner, {"name": "ci", "scope": "send"})
    _, listed = await native.call("GET", "/api/v1/tokens", owner)
    assert made["token"] not in str(listed)
    assert (await native.call("GET", "/api/v1/me", made["token"]))[1]["role"] == "send"

    status, _ = await native.call("DELETE", f"/api/v1/tokens/{listed['items'][0]['id']}", owner)

    assert status == 204
    assert (await native.call("GET", "/api/v1/me", made["token"]))[0] == 401
    assert (await native.call("DELETE", "/api/v1/tokens/999", owner))[0] == 404


# ---------------------------------------------------------------- signing in


async def test_signing_in_and_out(native: Native) -> None:
    """A session works as bearer and as cookie until it is signed out."""
    answer = await native.session.post(
        f"{native.url}/api/v1/login", json={"uid": "RITA", "password": PASSWORD, "space": "main"}
    )
    token = (await answer.json())["token"]
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(rf"onebell_session={token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", cookie)

    by_cookie = {"headers": {"Cookie": f"onebell_session={token}"}}
    assert (await native.call("GET", "/api/v1/me", **by_cookie))[1]["uid"] == "rita"
    assert (await native.call("GET", "/api/v1/me", token))[1] == {
        "uid": "rita", "name": "Rita", "role": "reader", "rights": ["inbox"], "space": "main", "language": "en",
        "timezone": "UTC",
    }  # fmt: skip
    assert (await native.call("POST", "/api/v1/logout", token))[0] == 204
    assert (await native.call("GET", "/api/v1/me", token))[0] == 401
    assert (await native.call("GET", "/api/v1/me", **by_cookie))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        {"uid": "rita", "password": "wrong"},
        {"uid": "nobody", "password": PASSWORD},
        {"uid": "rita", "password": PASSWORD, "space": "elsewhere"},
        {"uid": "rita", "password": ""},
    ],
)
async def test_all_failed_sign_ins_look_alike(native: Native, body: dict[str, str]) -> None:
    """The answer does not tell whether the name, the password or the space was wrong."""
    assert await native.call("POST", "/api/v1/login", body=body) == (
        401,
        {"error": {"code": "unauthorized", "message": "the name or the password is wrong"}},
    )


async def test_guessing_is_throttled_before_hashing(native: Native) -> None:
    """After ten failures the next guess is refused at once, also the right one; another name is not affected."""
    for _ in range(10):
        await native.call("POST", "/api/v1/login", body={"uid": "rita", "password": "wrong"})

    async with native.session.post(f"{native.url}/api/v1/login", json={"uid": "rita", "password": PASSWORD}) as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["code"]) == (429, "too_many")
        assert int(answer.headers["Retry-After"]) > 0
    named = {"space": "main", "uid": "rita", "password": PASSWORD}
    assert (await native.call("POST", "/api/v1/login", body=named))[0] == 429
    assert await native.sign_in("sam")


async def test_a_cookie_is_secure_behind_https(native: Native) -> None:
    """Behind a trusted proxy that speaks https the cookie is marked Secure."""
    scope = {"method": "POST", "query_string": b"", "headers": [], "scheme": "https"}
    _, value = cookies.set_cookie(Request(scope, b"/", b""), "t", 9)
    assert value.endswith(b"; HttpOnly; SameSite=Lax; Secure")


# ---------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "OWN"}, 200),
        ({"Origin": "OWN.evil.test"}, 403),
    ],
)
async def test_a_cookie_changes_something_only_from_our_own_pages(
    native: Native, headers: dict[str, str], status: int
) -> None:
    """Another site can make a browser send our cookie, but not our Origin."""
    token = await native.sign_in("rita")
    headers = {name: value.replace("OWN", native.url) for name, value in headers.items()}
    cookie = {"Cookie": f"onebell_session={token}"}

    assert (await native.call("POST", "/api/v1/inbox/read", body={"up_to": 0}, headers=headers | cookie))[0] == status
    # Reading is no change; a bearer needs no Origin, because no browser sends it by itself.
    assert (await native.call("GET", "/api/v1/inbox", headers=headers | cookie))[0] == 200
    assert (await native.call("POST", "/api/v1/inbox/read", token, {"up_to": 0}, headers=headers))[0] == 200


async def test_another_site_cannot_sign_a_visitor_in(native: Native) -> None:
    """A sign-in that another site causes would put its visitor into a stranger's inbox."""
    body = {"uid": "rita", "password": PASSWORD}
    foreign = {"Origin": "https://evil.test"}

    assert (await native.call("POST", "/api/v1/login", body=body, headers=foreign))[0] == 403
    assert (await native.call("POST", "/api/v1/login", body=body, headers={"Origin": native.url}))[0] == 200


async def test_another_site_cannot_open_a_socket_with_our_cookie(native: Native) -> None:
    """A WebSocket with the cookie needs our Origin; with a bearer it does not."""
    token = await native.sign_in("rita")
    url = f"{native.url}/api/v1/inbox/ws?after=0"
    cookie = {"Cookie": f"onebell_session={token}"}

    for headers, code in (
        (cookie | {"Origin": "https://evil.test"}, 4403),
        (cookie, 4403),
        ({}, 4401),
        ({"Authorization": "Bearer wrong"}, 4401),
        ({"Authorization": f"Bearer {await native.token('send')}"}, 4403),
        ({"Authorization": f"Bearer {await native.token('read')}"}, 4403),
    ):
        async with native.session.ws_connect(url, headers=headers) as socket:
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == code
    async with native.session.ws_connect(url, headers=cookie | {"Origin": native.url}) as socket:
        await native.send("rita")
        assert "hello" in (await socket.receive()).data


# ---------------------------------------------------------------- tickets


async def test_a_ticket_opens_one_stream_once(native: Native) -> None:
    """A ticket is good for one stream, within 30 seconds, and for nothing else."""
    token = await native.sign_in("rita")

    async def ticket() -> str:
        return (await native.call("POST", "/api/v1/ticket", token))[1]["ticket"]

    used = await ticket()
    url = f"{native.url}/api/v1/inbox/ws?after=0&ticket="
    async with native.session.ws_connect(url + used) as socket:
        await native.send("rita")
        assert "hello" in (await socket.receive()).data
    async with native.session.ws_connect(url + used) as socket:
        await socket.receive()
        assert socket.close_code == 4401
    assert (await native.call("GET", f"/api/v1/inbox?ticket={await ticket()}"))[0] == 401
    late = await ticket()
    native.clock.ahead_s = 31
    async with native.session.ws_connect(url + late) as socket:
        await socket.receive()
        assert socket.close_code == 4401


async def test_a_persons_token_can_have_a_ticket(native: Native) -> None:
    """Programs that hold a token get tickets too; one that belongs to nobody gets a stream that refuses it."""
    token = await native.token("read", "phone", await native.person("rita"))
    _, body = await native.call("POST", "/api/v1/ticket", token)

    async with native.session.ws_connect(f"{native.url}/api/v1/inbox/ws?after=0&ticket={body['ticket']}") as socket:
        await native.send("rita")
        assert "hello" in (await socket.receive()).data


async def test_signing_out_ends_the_streams_it_opened(native: Native) -> None:
    """A socket that a session let in ends when the session is signed out; another session's goes on."""
    mine, other = await native.sign_in("rita"), await native.sign_in("rita")
    url = f"{native.url}/api/v1/inbox/ws?after=0"
    await native.send("rita", "first")
    async with (
        native.session.ws_connect(url, headers={"Authorization": f"Bearer {mine}"}) as ends,
        native.session.ws_connect(url, headers={"Authorization": f"Bearer {other}"}) as stays,
    ):
        assert "first" in (await ends.receive()).data
        assert "first" in (await stays.receive()).data
        async with asyncio.timeout(10):
            while len(await sessions(native)) < 2:
                await asyncio.sleep(0.005)

        await native.call("POST", "/api/v1/logout", mine)

        assert (await ends.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert ends.close_code == 4409
        await native.send("rita", "second")
        assert "second" in (await stays.receive(timeout=10)).data


async def sessions(native: Native) -> list[Any]:
    found = await native.context.store.sessions.of_mailbox(
        native.space, await native.person("rita"), native.clock.now_ms()
    )
    return [one for one in found if one.kind == "inbox"]


# ---------------------------------------------------------------- secrets


async def test_no_secret_shows_in_logs_or_answers(native: Native) -> None:
    """Planted canaries appear in no log line, error, list, or figure (RELIABILITY S8)."""
    with structlog.testing.capture_logs() as logs:
        token = await native.token("admin", "canary-token")
        owner = await native.sign_in("alice")
        seen = []
        for path in ("/api/v1/tokens", "/api/v1/carriers", "/api/v1/people", "/metrics", "/api/v1/me"):
            seen.append(await native.call("GET", path, owner))
        seen.append(await native.call("POST", "/api/v1/carriers/bad-desk/check", owner))
        seen.append(await native.call("POST", "/api/v1/login", body={"uid": "alice", "password": "canary-password"}))
        seen.append(await native.call("POST", "/api/v1/login", data=b'{"uid":"a","password":"canary-password"'))

    everything = str(seen) + str(logs)
    for canary in (token, owner, PASSWORD, "canary-password", "canary-secret", "argon2"):
        assert canary not in everything
