"""Signing in over MSYNC: tokens, refusals, devices, kicks, SockJS (sheet easemob-msync §2, §5, §7, §9)."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fakes.clock import MovedClock
from tests.msync_client import DEMO, Client, connected, kick_of, token_of
from tests.running import DemoStore, RunningServer, running
from tests.wire.easemob.test_easemob_wire import bearer

from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.msync_pb2 import CommSyncDL, CommUnreadDL, Logout, MSync, Provision


async def test_the_device_is_named_back(server: RunningServer) -> None:
    """The answer echoes the resource and the end of the token, and names no compression; a sign-out is answered."""
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        said = await client.provision(token, "webim_web_7")
        waiting = await client.unread()
        await client.say(MSync.LOGOUT, Logout(session_id="5", reason="inner:logout"))
        goodbye = await client.hear()
        end = await client.hear()

    assert (said.status.error_code, said.resource) == (0, "webim_web_7")
    assert list(said.protocol_compress_type) == []
    assert json.loads(said.auth_token)["expires_in"] > 1_700_000_000_000
    assert waiting == {}
    assert (goodbye.session_id, goodbye.status.error_code, end) == ("5", 0, None)


async def test_refusals_are_told_in_the_services_words(server: RunningServer) -> None:
    """Each wrong sign-in gets its code and reason, then the end of the socket."""
    alice, app_token = [await token_of(server.session, server.url, who) for who in ("alice", "bob")]
    no_match = (1, "Sorry, token or password does not match login info")
    cases = [
        ("alice", "YWMt-nonsense", "acme", "w", no_match),
        ("alice", app_token, "acme", "w", no_match),
        ("alice", "", "acme", "w", no_match),
        ("nobody", alice, "acme", "w", (1, "Sorry, user not found")),
        ("a b", alice, "acme", "w", (1, "Sorry, user not found")),
        ("alice", alice, "none", "w", (1, "Sorry, app not found")),
        ("", alice, "acme", "w", (4, "")),
        ("alice", alice, "acme", "w" * 300, (4, "")),
    ]
    for user, token, org, resource, expected in cases:
        async with connected(server.session, server.url, user) as client:
            client.app = App(org=org, app="demo", client_id="")
            said = await client.provision(token, resource)

            assert expected == (said.status.error_code, said.status.reason), (user, org)
            assert await client.hear() is None


async def test_what_a_client_says_of_itself_is_bounded(server: RunningServer) -> None:
    """Its names are cut where they are kept, a device without one is refused like another, nonsense is no token."""
    token = await token_of(server.session, server.url, "alice")
    mine = {"auth_token": json.dumps({"token": token}), "os_type": Provision.OTHER}
    cases = [
        ({**mine, "device_name": "n" * 9000, "device_uuid": "\0" * 9000, "version": "v" * 9000}, "r\0", (0, "")),
        ({**mine, "os_type": -5}, "", (0, "")),
        (mine, "r" * 257, (4, "")),
        ({"auth_token": '{"x":' + "[" * 9000}, "r", (1, "Sorry, token or password does not match login info")),
    ]
    for fields, resource, expected in cases:
        async with connected(server.session, server.url, "alice") as client:
            await client.say(MSync.PROVISION, Provision(**fields), guid=codec.user(DEMO, "alice", resource))
            said = await client.hear_a(Provision)
            assert expected == (said.status.error_code, said.status.reason), resource[:9]
            if expected[0] == 0:
                assert said.resource
                *_, session = await server.application.context.store.sessions.of_mailbox(*await alice(server))
                assert max(len(value) for value in session.info.values()) <= 256
                assert session.info["platform"] == str(Provision.OTHER)


async def alice(server: RunningServer) -> tuple[int, int, int]:
    """Her space and mailbox, now."""
    context = server.application.context
    space = (await context.lookups.spaces())[0].id
    account = await context.lookups.account(space, "acme/demo", "alice")
    assert account is not None
    return space, account.person, context.clock.now_ms()


async def test_nothing_before_the_sign_in(server: RunningServer) -> None:
    """Whoever asks first, or signs in twice, is shown out; nonsense is ignored, but not for ever."""
    async with connected(server.session, server.url, "alice") as client:
        await client.say(MSync.UNREAD)
        assert await client.hear() is None
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice", "/websocket") as client:
        await client.provision(token)
        await client.socket.send_bytes(b"\xff\xff\xff")
        await client.socket.send_str("hello")
        assert await client.unread() == {}
        await client.provision(token)
        assert await client.hear() is None
    async with connected(server.session, server.url, "alice", "/ws/x") as client:
        for _ in range(5):
            await client.socket.send_bytes(b"\x0a\x05")
        assert await client.hear() is None


async def test_the_same_device_replaces_itself(server: RunningServer) -> None:
    """The older socket is told that another device signed in (operation 2) and closed; the newer one stays."""
    token = await token_of(server.session, server.url, "alice")
    async with (
        connected(server.session, server.url, "alice") as old,
        connected(server.session, server.url, "alice") as new,
    ):
        await old.provision(token)
        await new.provision(token)

        assert kick_of(await old.hear_a(CommSyncDL)) == 2
        assert await old.hear() is None
        assert await new.unread() == {}


async def test_a_kick_says_why(server: RunningServer) -> None:
    """Forced out (operation 4), another password (3), removed (1), shut out (1): the word, then the end of the
    socket; the SDK's errors 217, 216 and 207 are made of them."""
    headers = await bearer(server)
    user = f"{server.url}/acme/demo/users/victim"
    kicks: list[tuple[str, str, dict[str, str] | None, int]] = [
        ("GET", "/disconnect", None, 4),
        ("PUT", "/password", {"newpassword": "another"}, 3),
        ("DELETE", "", None, 1),
        ("POST", "/deactivate", None, 1),
    ]
    for method, path, body, operation in kicks:
        token = await token_of(server.session, server.url, "victim")
        async with connected(server.session, server.url, "victim") as client:
            assert (await client.provision(token)).status.error_code == 0
            async with server.session.request(method, user + path, json=body, headers=headers) as answer:
                assert answer.status == 200
            assert kick_of(await client.hear_a(CommSyncDL)) == operation, path
            assert await client.hear() is None
    async with connected(server.session, server.url, "victim") as client:
        assert (await client.provision(token)).status.error_code == 12, "shut out, whatever he shows"


async def test_four_devices_of_a_platform(server: RunningServer) -> None:
    """A fifth one is refused; when one leaves there is room again."""
    token = await token_of(server.session, server.url, "alice")
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for number in range(4):
            client = await stack.enter_async_context(connected(server.session, server.url, "alice"))
            said = await client.provision(token, f"d{number}")
            assert said.status.error_code == 0
            clients.append(client)
        async with connected(server.session, server.url, "alice") as fifth:
            assert (await fifth.provision(token, "d4")).status.error_code == 13


async def test_sdk_3_speaks_through_sockjs(server: RunningServer) -> None:
    """The information page is open to other origins; frames are base64 in JSON; the token sits in ``auth``."""
    async with server.session.get(f"{server.url}/ws/info?t=1", headers={"Origin": "http://x.test"}) as answer:
        info = await answer.json()
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {key: info[key] for key in ("websocket", "origins", "cookie_needed")} == {
        "websocket": True,
        "origins": ["*:*"],
        "cookie_needed": False,
    }
    assert isinstance(info["entropy"], int)
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice", "/ws/123/abcdefgh/websocket") as client:
        asked = Provision(os_type=Provision.OTHER, version="3.6.3", resource="webim_1", auth=f"$t${token}")
        await client.say(MSync.PROVISION, asked, guid=codec.user(DEMO, "alice"))
        assert (await client.hear_a(Provision)).status.error_code == 0
        await client.say(MSync.UNREAD)
        assert (await client.hear_a(CommUnreadDL)).status.error_code == 0
        await client.socket.send_str("nonsense")
        assert await client.unread() == {}


async def test_a_silent_client_is_let_go(demo_store: DemoStore, tmp_path: Path) -> None:
    """No frame for 90 s: it has gone, and is offline; so is a socket that has not signed in for 10."""
    clock = MovedClock()
    async with running(await demo_store.sqlite(tmp_path / "server"), clock) as server:
        token = await token_of(server.session, server.url, "alice")
        async with (
            connected(server.session, server.url, "alice") as client,
            connected(server.session, server.url, "alice") as stranger,
        ):
            await client.provision(token)
            clock.move(11)
            assert await stranger.hear() is None
            assert await client.unread() == {}
            clock.move(91)
            assert await client.hear() is None
