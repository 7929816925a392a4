"""A server never sends to itself, by whatever name the world calls it."""

import asyncio
from pathlib import Path

import pytest
from tests.running import running

from onebell import directory
from onebell.app import SECTIONS, Application
from onebell.carriers.address_gate import AddressForbidden, operator
from onebell.carriers.outbound import Unreachable
from onebell.serving import _OwnAddresses
from onebell.settings import Settings

EVERYWHERE = operator(("0.0.0.0/0", "::/0"))
SPACE = '[space]\nname = "main"\npublic_url = "{}"\n'


async def is_refused(application: Application, url: str) -> bool:
    try:
        await application.outbound.request("GET", url, headers={}, body=None, policy=EVERYWHERE, timeout_s=20)
    except AddressForbidden:
        return True
    except Unreachable:
        return False
    return False


async def apply(application: Application, public_url: str) -> None:
    await directory.apply(application.context.store, SECTIONS, SPACE.format(public_url), dry_run=False)


async def test_public_urls_of_spaces_are_our_own(tmp_path: Path) -> None:
    """The address we listen on and each space's public URL are refused, also one that a space gets later."""
    async with running(Settings(data=str(tmp_path), port=0)) as server:
        application, port = server.application, int(server.url.rpartition(":")[2])
        await apply(application, "http://127.0.0.1:9")
        own = _OwnAddresses(application, "127.0.0.1", port)
        await own.tell()

        assert await is_refused(application, f"{server.url}/healthz")
        assert await is_refused(application, "http://127.0.0.1:9/app/m/1")
        assert not await is_refused(application, "http://127.0.0.2:9/")

        following = asyncio.create_task(own.follow())
        await asyncio.sleep(0)
        await apply(application, "http://127.0.0.2:9")
        async with asyncio.timeout(20):
            while not await is_refused(application, "http://127.0.0.2:9/"):
                await asyncio.sleep(0.02)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        assert not await is_refused(application, "http://127.0.0.1:9/app/m/1")
