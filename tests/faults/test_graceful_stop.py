"""R18: SIGTERM under load loses nothing and ends in time; a second signal stops at once."""

import asyncio
import signal
from pathlib import Path

import aiohttp
from tests.fakes.http_service import HttpService, hang, http_service
from tests.faults.senders import Load, five, inbox_texts, sign_in
from tests.process import ServerProcess
from tests.two_nodes import until

CUT_OFF = "timeout graceful shutdown exceeded"
"""uvicorn's words when the time to stop was over."""


async def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    """Senders and open streams do not hold up the end; what was accepted is there at the next, clean start."""
    async with ServerProcess(tmp_path / "data") as server, aiohttp.ClientSession() as session:
        load = Load(lambda _: server.url, await five(server.url))
        headers = await sign_in(session, server.url)
        async with load.running(20):
            await load.reach(100)
            socket = await session.ws_connect(f"{server.url}/api/v1/inbox/ws?after=0", headers=headers)
            events = await session.get(f"{server.url}/api/v1/inbox/stream", headers=headers)
            asked = asyncio.create_task(session.get(f"{server.url}/api/v1/inbox?after=999999&wait=30", headers=headers))
            await load.more(50)
            began = asyncio.get_running_loop().time()
            status = await server.stop()
            took = asyncio.get_running_loop().time() - began
        await asyncio.gather(asked, return_exceptions=True)
        events.close()
        await socket.close()

        assert status == 0
        assert CUT_OFF not in server.log.read_text()
        assert not (server.data / "onebell.db-wal").exists()
        assert not (server.data / "control.sock").exists()

        await server.start()
        lost = load.accepted - set(await inbox_texts(server.url))
        print(f"SIGTERM: ended in {took:.1f} s, {len(load.accepted)} accepted, {len(lost)} lost")
        assert lost == set()
        assert "store_unclean_start" not in server.log.read_text()


async def hold_a_call(server: ServerProcess, service: HttpService) -> None:
    """Send a message whose carrier's provider never answers, and wait until it was asked."""
    async with aiohttp.ClientSession() as session:
        body = {"token": "0123456789abcdef0123456789abcdef", "title": "load-1", "content": "held"}
        async with session.post(f"{server.url}/send", json=body) as answer:
            assert (await answer.json(content_type=None))["code"] == 200
    await until(lambda: bool(service.received))


async def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """While a carrier hangs the drain waits for it; the second signal does not. Nothing accepted is lost."""
    async with http_service(hang()) as service, ServerProcess(tmp_path / "data", options=()) as server:
        from onebell.control import Call, call  # noqa: PLC0415

        reply = await call(server.data, Call(command="apply", arguments={"text": DIRECTORY % service.base}))
        assert not reply.failed, reply.lines
        await hold_a_call(server, service)

        server.signal(signal.SIGTERM)
        # Two signals that the process has not heard yet are one; the hanging call keeps the drain that has begun.
        await until(lambda: "stopping" in server.log.read_text())
        server.signal(signal.SIGTERM)

        assert await server.ended() == 128 + signal.SIGTERM  # a drain would have ended with 0
        await server.start()
        assert await inbox_texts(server.url) == ["load-1"]


async def test_neither_a_carrier_nor_a_client_that_hangs_keeps_the_node(tmp_path: Path) -> None:
    """The time ends for both, and the end is a clean one: what was accepted is there, the half request is nobody's."""
    short = ServerProcess(tmp_path / "data", {"ONEBELL_DRAIN_S": "2"}, options=())
    async with http_service(hang()) as service, short as server:
        from onebell.control import Call, call  # noqa: PLC0415

        await call(server.data, Call(command="apply", arguments={"text": DIRECTORY % service.base}))
        host, port = server.url.removeprefix("http://").split(":")
        _, half = await asyncio.open_connection(host, int(port))
        half.write(b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await hold_a_call(server, service)

        assert await server.stop() == 0
        assert CUT_OFF in server.log.read_text()

        half.close()
        await server.start()
        assert "store_unclean_start" not in server.log.read_text()
        assert await inbox_texts(server.url) == ["load-1"]


DIRECTORY = """
[space]
name = "main"
[[people]]
uid = "alice"
password = "alice-password"
[[carriers]]
code = "sink"
kind = "webhook"
url = "%s/sink"
allow_networks = ["127.0.0.0/8"]
[[routes]]
person = "alice"
carriers = ["sink"]
[[pushplus.users]]
person = "alice"
token = "0123456789abcdef0123456789abcdef"
"""
