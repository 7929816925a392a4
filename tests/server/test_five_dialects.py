"""One message in by each of the five APIs: answered in its own words, and in the inbox at once."""

import asyncio

import aiohttp
import pytest
from tests.running import RunningServer

from onebell import demo


@pytest.mark.parametrize("number", range(5))
async def test_the_printed_curl_lines_reach_alice(server: RunningServer, number: int) -> None:
    """What ``make run`` prints can be pasted as it stands, and alice has the message."""
    line = demo.curl_lines(server.url)[number]
    done = await asyncio.create_subprocess_shell(line.replace("curl ", "curl -sS ", 1), stdout=asyncio.subprocess.PIPE)
    answer, _ = await done.communicate()
    items = await server.inbox()

    assert done.returncode == 0, answer
    # Alice belongs to both of the bot's groups, and each is a conversation of its own.
    assert [item["dialect"] for item in items] == (
        [["pushplus"], ["wecom", "wecom"], ["pushgo"], ["ums"], ["easemob"]][number]
    ), answer


async def test_a_path_of_nobody_gets_pushgos_404(server: RunningServer) -> None:
    """What belongs to no area is answered with PushGo's ``route_not_found``."""
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/nope") as answer:
        body = await answer.json()

    assert (answer.status, body["error_code"]) == (404, "route_not_found")
