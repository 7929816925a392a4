"""The pool of workers: no script harms anybody, and none delays another owner's by more than its limits."""

import asyncio

from onebell.errors import ScriptFailed, ScriptFault
from onebell.scripts.limits import Limits
from onebell.scripts.process import Ended, Worker
from onebell.scripts.turns import Job, Turns
from onebell.scripts.wire import Done, Failed, Task

LIMITS = Limits()


class ScriptPool:
    """Implements :class:`onebell.core.context.Scripts`; there is no worker before the first script."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._turns = Turns()
        self._workers = [Worker(limits) for _ in range(limits.workers)]
        self._places: list[asyncio.Task[None]] = []

    @property
    def pids(self) -> list[int]:
        """Of the worker processes that there are now."""
        return [worker.pid for worker in self._workers if worker.pid]

    async def run(self, code: str, content: str, *, owner: int) -> str:
        """Run ``code`` with one global, ``content``; returns what it holds afterwards, by ``String()``.

        ``owner`` is whose script it is: he has one worker at a time, however many messages he sends.

        Raises:
            ScriptFailed: it gave no content, within ``answer_s`` at the worst.
        """
        if not self._places:
            self._places = [
                asyncio.create_task(self._work(worker), name=f"scripts-{no}") for no, worker in enumerate(self._workers)
            ]
        job = Job(owner, Task(_storable(code), _storable(content)))
        self._turns.put(job)
        try:
            async with asyncio.timeout(self._limits.answer_s):
                answer = await job.answer
        except TimeoutError:
            raise ScriptFailed(ScriptFault.OVERLOADED) from None
        if isinstance(answer, Failed):
            raise ScriptFailed(answer.fault, answer.text)
        return answer.content

    async def close(self) -> None:
        """End all workers."""
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)
        self._places = []
        for worker in self._workers:
            await worker.end()

    async def _work(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        while True:
            idle = loop.call_later(self._limits.idle_s, worker.kill)
            job = await self._turns.take()
            idle.cancel()
            answer = await self._answer(worker, job)
            if not job.answer.done():
                job.answer.set_result(answer)
            await self._recover(worker)
            self._turns.done(job)

    async def _answer(self, worker: Worker, job: Job) -> Done | Failed:
        try:
            async with asyncio.timeout(self._limits.start_s):
                await worker.make_ready()
            return await worker.run(job.task)
        except (Ended, TimeoutError, OSError):
            worker.kill()
            return Failed(ScriptFault.CRASHED)

    async def _recover(self, worker: Worker) -> None:
        """A script may have left work behind that holds its worker up; what is not ready soon is replaced."""
        try:
            async with asyncio.timeout(self._limits.grace_s):
                if worker.pid:
                    await worker.make_ready()
        except (Ended, TimeoutError, OSError):
            worker.kill()


def _storable(text: str) -> str:
    # A lone surrogate is no text and cannot be written into the pipe.
    return text.encode("utf-8", "replace").decode()
