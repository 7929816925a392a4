"""S5: every route of every area, without a credential and with wrong ones. Generated from the router's own tables."""

import secrets
from pathlib import Path

import aiohttp
import pytest
from tests.running import DemoStore, RunningServer, running
from yarl import URL

OPEN = {
    # The page of a product: a shell without data.
    "GET /", "GET /app/{*}", "GET /console/{*}", "GET /assets/{*}", "GET /sw.js", "GET /manifest.webmanifest",
    "GET /api/docs", "GET /api/v1/docs.js", "GET /api/v1/docs.css", "GET /api/v1/openapi.json",
    # Probes.
    "GET /healthz", "GET /readyz",
    # Where Easemob's SDKs find this server before anybody signs in: its addresses, and what its sockets can do.
    "GET /easemob/server.json", "GET /ws/info",
}  # fmt: skip
"""What anybody may have. Whatever is not here must refuse; a new route that forgets to fails this test."""
ANYBODY = {
    "POST /api/v1/login",
    # Easemob's users and apps sign in here; a file's link is its secret; what is no route is nobody's.
    "POST /{}/{}/token", "GET /{}/{}/chatfiles/{}", "HEAD /{}/{}/chatfiles/{}", "GET /{}/{}/chatmessages/{}/{}",
    "HEAD /{}/{}/chatmessages/{}/{}",
}  # fmt: skip
"""What does not ask who calls, and refuses a stranger for another reason."""
PREFLIGHTS = "OPTIONS"
NO_CALL = {PREFLIGHTS, "CONNECT", "TRACE"}
CANARY = "canary-of-alice"
WRONG: dict[str, dict[str, str]] = {
    "nothing": {},
    "bearer": {"Authorization": "Bearer wrong"},
    "basic": {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
    "cookie": {"Cookie": "onebell_session=wrong"},
    "access-key": {"access-key": "wrong", "Authorization": "wrong"},
    "foreign cookie": {"Cookie": "onebell_session=wrong", "Origin": "https://evil.test"},
}
SERVICES_REFUSAL = ("code", "errcode", "success", "error", "error_code")


@pytest.fixture
async def node(tmp_path: Path, demo_store: DemoStore):
    """A node where Alice has a message that nobody else may see."""
    async with running(await demo_store.sqlite(tmp_path / "node")) as server:
        body = {"token": "0123456789abcdef0123456789abcdef", "title": CANARY, "content": CANARY}
        async with server.session.post(f"{server.url}/send", json=body) as answer:
            assert (await answer.json(content_type=None))["code"] == 200
        yield server


def routes(node: RunningServer) -> list[tuple[str, str]]:
    """Method and pattern of every route of the main listener."""
    found = set()
    for table in node.application.router.tables.values():
        found |= {(method, pattern) for pattern, methods in table.listed() for method in methods}
    return sorted(found)


def is_refusal(status: int, body: bytes) -> bool:
    """By the status, or by what a service that always answers 200 says."""
    if status >= 400 or status in {302, 303, 307, 308}:
        return True
    text = body.decode(errors="replace")
    return any(
        said in text
        for said in ('"code":903', '"code":401', '"code":999', '"code":500,', '"errcode":93000', '"success":false')
    ) or ('"errcode":' in text and '"errcode":0' not in text)


@pytest.mark.parametrize("kind", WRONG)
async def test_every_route_refuses_a_stranger(node: RunningServer, kind: str) -> None:
    """No route gives a stranger success or a word of somebody's message."""
    open_ones = []
    leaks = []
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        for method, pattern in routes(node):
            path = pattern.replace("{*}", secrets.token_hex(8)).replace("{}", secrets.token_hex(8))
            body = b"{}" if method in {"POST", "PUT"} else None
            headers = {**WRONG[kind], **({"Content-Type": "application/json"} if body else {})}
            url = URL(node.url + path, encoded=True)
            async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                said = await answer.read()
            if CANARY in said.decode(errors="replace"):
                leaks.append(f"{method} {pattern}")
            assert answer.status < 500, f"{method} {pattern}: {answer.status}"
            if not is_refusal(answer.status, said) and method != PREFLIGHTS:
                open_ones.append(f"{method} {pattern}")

    assert leaks == []
    assert set(open_ones) <= OPEN, set(open_ones) - OPEN
    assert len(routes(node)) > 60


@pytest.mark.parametrize("kind", ["nothing", "bearer", "cookie"])
async def test_a_stranger_is_asked_who_he_is_before_all_else(node: RunningServer, kind: str) -> None:
    """Of the native API and of an Easemob app that is there: what a body lacks, or an object that nobody has, must not
    hide a route that forgot to ask."""
    unasked = {}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for method, pattern in routes(node):
            if not pattern.startswith(("/api/v1/", "/{}/{}/")) or pattern.endswith("{*}") or method in NO_CALL:
                continue
            path = pattern.replace("/{}/{}", "/acme/demo", 1) if pattern.startswith("/{}/{}/") else pattern
            url = node.url + path.replace("{}", "1")
            headers = {**WRONG[kind], "Content-Type": "application/json"}
            async with session.request(method, url, data=b"{}", headers=headers) as answer:
                if answer.status not in {401, 405}:
                    unasked[f"{method} {pattern}"] = answer.status

    assert {route: status for route, status in unasked.items() if route not in OPEN | ANYBODY} == {}


async def test_one_dialects_credential_opens_no_other(node: RunningServer) -> None:
    """A PushPlus token, a WeCom key, a channel password and an app secret are worth nothing at the native API."""
    for value in (
        "0123456789abcdef0123456789abcdef",
        "633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa",
        "channel-password",
        "YXA6-demo-client-secret",
        "ums-access-secret",
        "alice-secret-key",
    ):
        for path in ("/api/v1/inbox", "/api/v1/me", "/api/v1/people", "/metrics"):
            async with node.session.get(node.url + path, headers={"Authorization": f"Bearer {value}"}) as answer:
                assert answer.status == 401, (value, path)


async def test_a_cookie_writes_only_from_our_own_pages(node: RunningServer) -> None:
    """S9: another site that makes a browser send the cookie changes nothing, on any route."""
    cookie = f"onebell_session={await node.sign_in('alice', 'alice-password')}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for method, pattern in routes(node):
            if method in {"GET", "HEAD", "OPTIONS"} or not pattern.startswith("/api/v1/"):
                continue
            for origin in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                path = pattern.replace("{}", "1")
                headers = {"Cookie": cookie, "Content-Type": "application/json", **origin}
                async with session.request(method, node.url + path, data=b"{}", headers=headers) as answer:
                    assert answer.status in {401, 403, 422, 400}, f"{method} {pattern}: {answer.status}"
        assert len(await node.inbox()) == 1
