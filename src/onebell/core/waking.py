"""Waiting for a wake-up that may be lost, so never longer than until the next look."""

import asyncio
import contextlib


async def woken(wake: asyncio.Event, wait_s: float) -> None:
    """Until the event is set, at most ``wait_s`` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await wake.wait()
