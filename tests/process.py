"""A onebell server as its users run it: a process of its own, killed and started again by tests."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

READY = re.compile(r"onebell ready on (http://\S+)")
START_S = 60


class ServerProcess:
    """``onebell serve`` on a data directory and a free port, with the demo space applied at the first start."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None, port: int = 0) -> None:
        self._data = data
        self._environment = environment or {}
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.output: list[str] = []
        self.url = ""

    async def start(self) -> "ServerProcess":
        """Start and wait until it accepts."""
        self._data.mkdir(parents=True, exist_ok=True)
        arguments = ["-m", "onebell", "serve", "--demo", "--port", str(self._port), "--data", str(self._data)]
        with (self._data / "server.log").open("a") as errors:
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
            log = (self._data / "server.log").read_text()[-4000:]
            ready.set_exception(RuntimeError(f"the server ended before it was ready:\n{log}"))

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """``kill -9``."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        status = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return status
