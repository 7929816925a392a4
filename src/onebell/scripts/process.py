"""One worker process, seen from its parent: started when it is needed, killed when it does not answer."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec

from onebell.errors import ScriptFault
from onebell.scripts.limits import Limits
from onebell.scripts.wire import Done, Failed, Ready, Task, encode, reply_of

_LINE_BYTES = 4 * 1024 * 1024
"""The longest reply: every character of a content escaped."""


class Ended(Exception):
    """The worker died, or does not keep to the protocol."""


class Worker:
    """A place for one worker process; there is none until the first run, and none after :meth:`kill`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: Process | None = None
        self._is_ready = False
        self._is_doomed = False

    @property
    def pid(self) -> int:
        """Of the process; 0 = there is none."""
        if self._process is None or self._is_doomed or self._process.returncode is not None:
            return 0
        return self._process.pid

    async def make_ready(self) -> None:
        """Start the process if there is none, and wait until its engine is fresh.

        Raises:
            Ended: it died before.
        """
        if not self.pid:
            await self.end()
            self._process = await self._started()
        if not self._is_ready:
            if not isinstance(await self._reply(), Ready):
                raise Ended
            self._is_ready = True

    async def run(self, task: Task) -> Done | Failed:
        """What a ready worker makes of a task.

        Raises:
            Ended: it died over it.
        """
        assert self._process is not None, "made ready before"
        pipe = self._process.stdin
        assert pipe is not None, "it is a pipe"
        self._is_ready = False
        try:
            async with asyncio.timeout(self._limits.run_s + self._limits.grace_s):
                pipe.write(encode(task) + b"\n")
                await pipe.drain()
                reply = await self._reply()
        except TimeoutError:
            # It holds the engine where the engine's own limit does not reach: a chain of promises, a finaliser.
            self.kill()
            return Failed(ScriptFault.TIME)
        except (OSError, RuntimeError):  # uvloop calls a closed pipe a RuntimeError
            raise Ended from None
        if isinstance(reply, Ready):
            raise Ended
        return reply

    def kill(self) -> None:
        """End the process at once; the next run starts another."""
        if self.pid and self._process is not None:
            self._process.kill()
            self._is_doomed = True

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        if self._process is not None:
            await self._process.wait()
        self._process, self._is_ready, self._is_doomed = None, False, False

    async def _started(self) -> Process:
        # Nothing of ours goes along: no environment (it may hold the server key), no directory, no open files.
        # It is no member of the terminal's group: Ctrl-C is the server's, which lets senders finish first.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "onebell.scripts.worker", encode(self._limits).decode()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LINE_BYTES,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd="/",
            start_new_session=True,
        )

    async def _reply(self) -> Ready | Done | Failed:
        assert self._process is not None, "started before"
        pipe = self._process.stdout
        assert pipe is not None, "it is a pipe"
        try:
            reply: Ready | Done | Failed = reply_of(await pipe.readline())
        except (msgspec.MsgspecError, ValueError):
            raise Ended from None
        return reply
