"""UMS callbacks from the call to the receiver, over real HTTP (sheet jpush-ums §5)."""

import asyncio
from typing import Any

from tests.fakes.http_service import answer, http_service
from tests.running import RunningServer
from tests.wire.ums.test_ums_golden import PAIRS
from tests.wire.ums.test_ums_wire import APP, HEADERS, sent

from onebell import demo, directory
from onebell.app import SECTIONS


async def told_at(server: RunningServer, url: str) -> None:
    """Let the demo's channel group call back here."""
    text = demo.directory().replace("http://127.0.0.1:9099/ums", url)
    await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)


async def test_records_arrive_in_arrays(server: RunningServer) -> None:
    """A hundred events are not kept waiting: an array with Basic K:secret, params echoed, an unknown userid told."""
    async with http_service(answer(200)) as receiver:
        await told_at(server, f"{receiver.base}/ums")
        people = ["alice", "bob", "carol", "user1", "user2", "nobody"]
        # Twelve events each: found and stored five times, one nobody, the end. At once: they wait 10 s for company.
        fields = {"aud_userid": people, "msg_app": [APP], "callback": {"params": {"name": "joe"}}}
        await asyncio.gather(*(sent(server, **fields) for _ in range(16)))
        async with asyncio.timeout(20):
            while not receiver.received:
                await asyncio.sleep(0.05)

    got = receiver.received[0]
    records: list[dict[str, Any]] = got.json
    assert (got.method, got.target, got.headers["authorization"]) == ("POST", "/ums", HEADERS["Authorization"])
    assert 50 < len(records) <= 100
    assert {record["channelkey"] for record in records} == {PAIRS["@K"].split(":")[0]}
    assert {record["type"] for record in records} == {0, 1, 2}
    assert {record["userid"] for record in records if record["type"] == 1} == {"nobody"}
    assert all(record["params"] == {"name": "joe"} for record in records)
