"""R6: NATS carries nothing that could be lost. And what nodes share by rows: provider tokens."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from tests.engines import Cluster
from tests.fakes.http_service import Received, answer, http_service
from tests.faults.senders import by_pushgo, by_pushplus, inbox_texts, sign_in
from tests.running import DemoStore
from tests.two_nodes import is_connected, running_pair, until

from onebell import demo, directory
from onebell.app import SECTIONS

pytestmark = pytest.mark.postgres
ROUNDS = 20


@pytest.mark.nats
async def test_nats_stops_and_comes_back_empty(tmp_path: Path, demo_store: DemoStore, cluster: Cluster) -> None:
    """A reader on B gets everything that A accepts: with NATS, while it is gone, and after it came back empty."""
    async with (
        running_pair(demo_store, tmp_path, cluster, nats=True, poll_s=0.5) as pair,
        aiohttp.ClientSession() as session,
    ):
        assert pair.nats is not None
        headers = await sign_in(session, pair.a.url)
        seen: list[str] = []
        async with session.ws_connect(f"{pair.b.url}/api/v1/inbox/ws?after=0", headers=headers) as socket:
            reading = asyncio.create_task(_read(socket, seen))
            sent = await _send(session, pair.a.url, "with")
            pair.nats.stop()
            await until(lambda: not is_connected(pair.a) and not is_connected(pair.b))
            sent += await _send(session, pair.a.url, "without")
            await until(lambda: len(seen) == len(sent))
            pair.nats.start()
            await until(lambda: is_connected(pair.a) and is_connected(pair.b))
            sent += await _send(session, pair.a.url, "again")
            await until(lambda: len(seen) == len(sent))
            reading.cancel()

        print(f"NATS gone and back empty: {len(sent)} accepted on A, {len(seen)} read on B in order")
        assert seen == sent
        assert await inbox_texts(pair.b.url) == sent


async def _send(session: aiohttp.ClientSession, url: str, what: str) -> list[str]:
    titles = [f"load-{what}-{number}" for number in range(ROUNDS)]
    for number, title in enumerate(titles):
        way = by_pushplus if number % 2 else by_pushgo
        assert (await way(session, url, title)).is_success
    return titles


async def _read(socket: aiohttp.ClientWebSocketResponse, seen: list[str]) -> None:
    async for message in socket:
        seen += [item["title"] for item in message.json()["items"] if item["kind"] == "entry"]


async def test_a_provider_token_is_fetched_once_for_both_nodes(
    tmp_path: Path, demo_store: DemoStore, cluster: Cluster
) -> None:
    """Messages that leave over one account from two nodes at once use one token, asked for once (R11)."""

    async def provider(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)  # long enough for the other node to want it too
        await answer(200, {"errcode": 0, "errmsg": "ok", "access_token": "t", "expires_in": 7200, "msgid": "m"})(
            request, writer
        )

    async with (
        http_service(provider) as service,
        running_pair(demo_store, tmp_path, cluster, nats=False) as pair,
        aiohttp.ClientSession() as session,
    ):
        text = demo.directory().replace("http://127.0.0.1:9099", service.base)
        await directory.apply(pair.a.application.context.store, SECTIONS, text, dry_run=False)
        body = {"token": "0123456789abcdef0123456789abcdef", "channel": "cp", "webhook": "cp", "template": "txt"}

        async def send(number: int) -> None:
            sent = {**body, "title": "load", "content": f"load-{number}"}
            async with session.post(f"{pair.url(number)}/send", json=sent) as got:
                assert (await got.json(content_type=None))["code"] == 200

        await asyncio.gather(*(send(number) for number in range(10)))
        await until(lambda: len(_to(service.received, "/message/send")) == 10, 30)

        assert len(_to(service.received, "/gettoken")) == 1


def _to(received: list[Received], path: str) -> list[Received]:
    return [one for one in received if path in one.target]
