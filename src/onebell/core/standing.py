"""Work that stands beside the listener for as long as the node runs: a defect in it must not end it."""

import asyncio
from typing import Protocol

import structlog

log = structlog.get_logger()

AGAIN_S = 1.0
"""Between a defect and the next beginning."""


class Standing(Protocol):
    """Runs until it is stopped or cancelled."""

    async def run(self) -> None: ...


async def kept(part: Standing, again_s: float = AGAIN_S) -> None:
    """Run it, and begin anew after a defect: a server that accepts and no longer delivers would look alive."""
    while True:
        try:
            await part.run()
        except Exception:
            log.exception("task_failed", task=type(part).__name__)
            await asyncio.sleep(again_s)
        else:
            return
