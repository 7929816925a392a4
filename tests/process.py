"""A onebell server as its users run it: a process of its own, killed and started again by tests."""

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

READY = re.compile(r"onebell ready on (http://\S+)")
START_S = 60


class ServerProcess:
    """``onebell serve`` on a data directory and a free port; with the demo space unless told otherwise."""

    def __init__(
        self,
        data: Path,
        environment: dict[str, str] | None = None,
        port: int = 0,
        options: Sequence[str] = ("--demo",),
    ) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        """Its standard error; beside the data, so that a full data disk does not silence it."""
        self._environment = environment or {}
        self._port = port
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.output: list[str] = []
        self.url = ""

    async def __aenter__(self) -> "ServerProcess":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def start(self) -> "ServerProcess":
        """Start and wait until it accepts.

        Raises:
            RuntimeError: it ended before; the text holds its log.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        arguments = ["-m", "onebell", "serve", *self._options, "--port", str(self._port), "--data", str(self.data)]
        with self.log.open("a") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
            )
        ready = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(ready))
        async with asyncio.timeout(START_S):
            self.url = await ready
        self._port = int(self.url.rsplit(":", 1)[1])
        return self

    async def _read(self, ready: "asyncio.Future[str]") -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode().rstrip()
            self.output.append(line)
            if (found := READY.search(line)) and not ready.done():
                ready.set_result(found.group(1))
        if not ready.done():
            await self._process.wait()
            ready.set_exception(RuntimeError(f"the server ended before it was ready:\n{self.log.read_text()[-4000:]}"))

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: Signals) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        assert self._process is not None
        status = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return status

    async def kill(self) -> None:
        """``kill -9``."""
        await self._end(SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        return await self._end(SIGTERM)

    async def _end(self, number: Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self.ended()
