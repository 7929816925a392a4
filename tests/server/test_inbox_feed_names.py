"""What a mailbox calls its feeds: people see names, never the codes that machines find feeds by."""

from typing import Any

from tests.running import ALICE, BOB, RunningServer

EASEMOB = {
    "grant_type": "client_credentials",
    "client_id": "YXA6-demo-client-id",
    "client_secret": "YXA6-demo-client-secret",
}


async def feed_names(server: RunningServer, person: tuple[str, str]) -> list[str]:
    headers = {"Authorization": f"Bearer {await server.sign_in(*person)}"}
    async with server.session.get(f"{server.url}/api/v1/inbox/feeds", headers=headers) as answer:
        return [item["name"] for item in (await answer.json())["items"]]


async def easemob(server: RunningServer, **message: Any) -> None:
    async with server.session.post(f"{server.url}/acme/demo/token", json=EASEMOB) as answer:
        token = (await answer.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    body = {"type": "txt", "body": {"msg": "hi"}, **message}
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_direct_feed_is_called_by_the_other_side(server: RunningServer) -> None:
    """Alice and Bob share one feed; she reads "Bob", he reads "Alice"."""
    await easemob(server, **{"from": "bob", "to": ["alice"]})
    await easemob(server, **{"from": "alice", "to": ["bob"]})

    assert await feed_names(server, ALICE) == ["Bob"]
    assert await feed_names(server, BOB) == ["Alice"]


async def test_a_system_sender_lends_its_name(server: RunningServer) -> None:
    """The other side of a pair need not be a person."""
    await easemob(server, to=["alice"])

    assert await feed_names(server, ALICE) == ["admin"]


async def test_a_feed_of_one_with_himself_has_no_name(server: RunningServer) -> None:
    """A PushPlus message to oneself: there is no other side, the page names the service."""
    token = "0123456789abcdef0123456789abcdef"
    async with server.session.get(f"{server.url}/send", params={"token": token, "content": "x"}) as answer:
        assert answer.status == 200

    assert await feed_names(server, ALICE) == [""]
