"""Two nodes on one PostgreSQL, with NATS and without: one service to everybody who calls or reads (DESIGN §5)."""

import asyncio
import collections
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.engines import Cluster
from tests.faults.senders import ALICE, Load, WeCom, by_pushgo, by_pushplus, five, inbox_texts, sign_in
from tests.running import DemoStore, RunningServer
from tests.two_nodes import Pair, running_pair

pytestmark = pytest.mark.postgres
AT_ONCE_S = 10.0
"""A busy machine may stall; the poll that would find it beside NATS comes after 60 s, a kick's renewal after 20."""
STORM = 300
SHARE = 60
"""Of the 100 messages a minute that WeCom lets through to one receiver."""


BOTH = pytest.mark.parametrize("pair", [pytest.param("nats", marks=pytest.mark.nats), "no-nats"], indirect=True)
LATER_WITHOUT = pytest.mark.parametrize(
    "pair",
    [pytest.param("nats", marks=pytest.mark.nats), pytest.param("no-nats", marks=pytest.mark.all)],
    indirect=True,
)
"""Without NATS only in ``make test-all``."""


@pytest.fixture
async def pair(
    request: pytest.FixtureRequest, tmp_path: Path, demo_store: DemoStore, cluster: Cluster
) -> AsyncIterator[Pair]:
    """Two running nodes."""
    async with running_pair(demo_store, tmp_path, cluster, nats=request.param == "nats") as two:
        yield two


async def read_until(socket: aiohttp.ClientWebSocketResponse, text: str, within_s: float) -> None:
    """Take frames until one holds a text."""
    async with asyncio.timeout(within_s):
        while text not in str((await socket.receive()).data):
            pass


@BOTH
async def test_a_message_accepted_on_one_node_is_read_on_the_other(pair: Pair) -> None:
    """A socket on B gets what A accepted: with NATS at once, without NATS after at most a poll."""
    async with aiohttp.ClientSession() as session:
        headers = await sign_in(session, pair.a.url)  # a sign-in holds on every node
        async with session.ws_connect(f"{pair.b.url}/api/v1/inbox/ws?after=0", headers=headers) as socket:
            for number in range(5):
                assert (await by_pushplus(session, pair.a.url, f"load-{number}")).is_success
                await read_until(socket, f"load-{number}", AT_ONCE_S)


@LATER_WITHOUT
async def test_a_storm_of_duplicates_is_one_message(pair: Pair) -> None:
    """R13: 300 requests with one op_id over both nodes store one message and get one answer, to the byte."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        replies = await asyncio.gather(*(by_pushgo(session, pair.url(number), "load-storm") for number in range(STORM)))
    answers = collections.Counter(str((reply.status, reply.body)) for reply in replies)

    assert len(answers) == 1, answers
    assert replies[0].is_success
    assert await inbox_texts(pair.a.url) == ["load-storm"]


@LATER_WITHOUT
async def test_load_over_both_nodes_is_complete_and_once(pair: Pair) -> None:
    """Five dialects, both nodes in turn: everything accepted is in the one inbox, once, wherever it is read."""
    load = Load(pair.url, await five(pair.a.url))
    async with load.running(12):
        await load.reach(300)
    on_a, on_b = await inbox_texts(pair.a.url), await inbox_texts(pair.b.url)

    assert load.accepted - set(on_b) == set()
    assert len(on_a) == len(set(on_a))
    assert on_a == on_b[: len(on_a)]  # what was cut at the end of the load may still have come in between


@LATER_WITHOUT
async def test_a_session_is_ended_on_the_other_node(pair: Pair) -> None:
    """Who signs out on A loses the socket that B holds; presence is one list for both."""
    async with aiohttp.ClientSession() as session:
        headers = await sign_in(session, pair.a.url)
        async with session.ws_connect(f"{pair.b.url}/api/v1/inbox/ws?after=0", headers=headers) as socket:
            await sockets_of_alice(pair.a, 1)
            async with session.post(f"{pair.a.url}/api/v1/logout", headers=headers) as answer:
                assert answer.status == 204
            # Without NATS the renewal (20 s) finds it.
            received = await socket.receive(timeout=AT_ONCE_S if pair.nats else 30)

            assert received.type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 4409
        await sockets_of_alice(pair.a, 0)


async def sockets_of_alice(node: RunningServer, wanted: int) -> None:
    """Wait until a node knows of so many sockets, wherever they are."""
    context = node.application.context
    space = (await context.lookups.spaces())[0].id
    alice = await context.lookups.person_by_uid(space, ALICE["uid"])
    assert alice is not None
    async with asyncio.timeout(10):
        while True:
            found = await context.store.sessions.of_mailbox(space, alice.id, context.clock.now_ms())
            if sum(one.kind == "inbox" for one in found) == wanted:
                return
            await asyncio.sleep(0.05)


@LATER_WITHOUT
async def test_limits_are_decided_on_the_sum(pair: Pair) -> None:
    """WeCom's messages a minute to one receiver are counted over both nodes: B refuses what A's share has filled."""
    async with aiohttp.ClientSession() as session:
        for number in range(SHARE):
            assert (await WeCom()(session, pair.a.url, f"a-{number}")).is_success
        await pair.a.application.context.limits.flush()  # as it does every 200 ms
        replies = [await WeCom()(session, pair.b.url, f"b-{number}") for number in range(SHARE)]
    assert replies[0].is_success
    assert not replies[-1].is_success


@BOTH
async def test_a_new_credential_is_known_on_the_other_node(pair: Pair) -> None:
    """A change of the directory on A is seen on B, and a removed one is no longer believed there."""
    async with aiohttp.ClientSession() as session:
        admin = await sign_in(session, pair.a.url)
        body = {"name": "ci", "scope": "send", "person": ""}
        async with session.post(f"{pair.a.url}/api/v1/tokens", headers=admin, json=body) as answer:
            assert answer.status == 201, await answer.text()
            bearer = {"Authorization": f"Bearer {(await answer.json())['token']}"}
        async with session.get(f"{pair.b.url}/api/v1/tokens", headers=admin) as answer:
            (made,) = [item for item in (await answer.json())["items"] if item["name"] == "ci"]
        assert await eventually(session, pair.b.url, bearer) == 201
        async with session.delete(f"{pair.a.url}/api/v1/tokens/{made['id']}", headers=admin) as answer:
            assert answer.status == 204, await answer.text()
        assert await eventually(session, pair.b.url, bearer, wanted=401) == 401


async def eventually(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], wanted: int = 201, within_s: float = 20
) -> int:
    """The status of a native send once it is what is wanted, else the last one."""
    end = asyncio.get_running_loop().time() + within_s
    while True:
        body = {"to": "alice", "title": "hello"}
        async with session.post(f"{url}/api/v1/messages", headers=headers, json=body) as answer:
            if answer.status == wanted or asyncio.get_running_loop().time() > end:
                return answer.status
        await asyncio.sleep(0.05)
