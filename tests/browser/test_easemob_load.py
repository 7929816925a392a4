"""The official SDK under load while its socket is cut: nothing lost, doubled, out of order (sheet easemob-msync §0)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser.desk import Desk
from tests.browser.sdk import Sdk, site
from tests.cuttable import Cuttable, cuttable
from tests.engines import Cluster
from tests.msync_client import connected, token_of
from tests.running import DemoStore, RunningServer
from tests.two_nodes import Pair, running_pair

SENDERS = 10
EACH = 100
WAITING = 500
CUTS_AT = (SENDERS * EACH // 5, SENDERS * EACH * 3 // 5)
"""Received messages after which the socket is cut."""


async def send_all(server: RunningServer, name: str, token: str) -> list[str]:
    """One sender's messages, each after the answer to the one before → their ids."""
    ids = []
    async with connected(server.session, server.url, name) as client:
        await client.provision(token)
        for number in range(EACH):
            answer = await client.text("alice", f"{name}:{number}")
            assert answer.status.error_code == 0, answer.status.reason
            ids.append(str(answer.server_id))
    return ids


async def cut_on_the_way(sdk: Sdk, way: Cuttable, then: str) -> None:
    """Cut the socket twice while messages come; from the second time on the client finds another server."""
    for count in CUTS_AT:
        await sdk.heard("onTextMessage", count)
        way.cut()
        way.target = then


async def check_load(sdk: Sdk, senders: RunningServer, way: Cuttable, then: str) -> None:
    """All messages of all senders."""
    names = [f"sender{number}" for number in range(SENDERS)]
    tokens = [await token_of(senders.session, senders.url, name) for name in names]
    cutting = asyncio.create_task(cut_on_the_way(sdk, way, then))
    sent = await asyncio.gather(*(send_all(senders, *one) for one in zip(names, tokens, strict=True)))
    await cutting
    got = await sdk.heard("onTextMessage", SENDERS * EACH)
    ids = [str(one["id"]) for one in got]

    assert len(ids) == len(set(ids)) == SENDERS * EACH
    assert {one for some in sent for one in some} == set(ids)
    for name in names:
        assert [one["msg"] for one in got if one["from"] == name] == [f"{name}:{number}" for number in range(EACH)]
    assert len(await sdk.events("onConnected")) >= 2


async def test_many_messages_while_the_socket_is_cut(desk: Desk) -> None:
    """On one node."""
    async with site() as app, cuttable(desk.server.url) as way:
        sdk = await Sdk.page_of(desk, app)
        await sdk.open(way.url, "alice", pwd="alice-password")
        await check_load(sdk, desk.server, way, desk.server.url)


async def test_an_acknowledgement_that_is_lost(desk: Desk) -> None:
    """What is sent again because its acknowledgement was lost is acknowledged then, and the conversation goes on.

    The SDK drops a batch whose key is the one it saw last, unanswered (sheet easemob-msync §6): until its heartbeat,
    which does not come here, nothing of the conversation would follow.
    """
    async with (
        site() as app,
        cuttable(desk.server.url) as way,
        connected(desk.server.session, desk.server.url, "bob") as bob,
    ):
        await bob.provision(await token_of(desk.server.session, desk.server.url, "bob"))
        sdk = await Sdk.page_of(desk, app)
        await sdk.open(way.url, "alice", pwd="alice-password", options={"heartBeatWait": 3_600_000})
        way.silence_at = b"first"
        await bob.text("alice", "first")
        await sdk.heard("onTextMessage")
        way.cut()
        await sdk.heard("onConnected", 2)
        await bob.text("alice", "second")
        got = await sdk.heard("onTextMessage", 2)

    assert [one["msg"] for one in got] == ["first", "second"]


async def test_all_that_waited(desk: Desk) -> None:
    """What waits for somebody, up to the 500 that may (``make test-all``), comes when he signs in, oldest first."""
    name = "sender0"
    token = await token_of(desk.server.session, desk.server.url, name)
    ids = [one for _ in range(WAITING // EACH) for one in await send_all(desk.server, name, token)]
    async with site() as app:
        sdk = await Sdk.page_of(desk, app)
        await sdk.open(desk.server.url, "alice", pwd="alice-password")
        await sdk.heard("onOfflineMessageSyncFinish")
        got = await sdk.heard("onTextMessage", WAITING)

    assert [str(one["id"]) for one in got] == ids


@pytest_asyncio.fixture(loop_scope="session")
async def pair(demo_store: DemoStore, cluster: Cluster, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two nodes that only the database joins."""
    async with running_pair(demo_store, tmp_path, cluster, nats=False) as started:
        yield started


@pytest.mark.postgres
@pytest.mark.all
async def test_many_messages_over_two_nodes(chromium: Browser, pair: Pair) -> None:
    """The senders are at one node, the reader at the other; cut off, he comes back to the senders' node."""
    desk = Desk(chromium, pair.a)
    async with site() as app, cuttable(pair.a.url) as way:
        sdk = await Sdk.page_of(desk, app)
        await sdk.open(way.url, "alice", pwd="alice-password")
        await check_load(sdk, pair.b, way, pair.b.url)
    await desk.close()
