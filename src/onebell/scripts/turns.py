"""Whose script runs next: owners take turns, and one owner never has two at once."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from onebell.scripts.wire import Done, Failed, Task


@dataclass(eq=False)
class Job:
    """A script that waits for its turn."""

    owner: int
    task: Task
    answer: "asyncio.Future[Done | Failed]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Jobs by owner. However many one owner has, the next owner's is taken before his second."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Job]] = {}  # in the order of their turns
        self._busy: set[int] = set()
        self._free: list[asyncio.Future[None]] = []

    def put(self, job: Job) -> None:
        """Line up."""
        self._waiting.setdefault(job.owner, deque()).append(job)
        self._wake()

    async def take(self) -> Job:
        """The next job, once there is one; its owner has no other until :meth:`done`."""
        while (job := self._next()) is None:
            waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._free.append(waker)
            await waker
        self._busy.add(job.owner)
        return job

    def done(self, job: Job) -> None:
        """The job's owner may have the next."""
        self._busy.discard(job.owner)
        if job.owner in self._waiting:
            self._wake()

    def _wake(self) -> None:
        # Whoever came last has the warm worker.
        if self._free:
            self._free.pop().set_result(None)

    def _next(self) -> Job | None:
        for owner in [owner for owner in self._waiting if owner not in self._busy]:
            jobs = self._waiting.pop(owner)
            while jobs:
                job = jobs.popleft()
                if job.answer.done():  # whoever asked has given up
                    continue
                if jobs:
                    self._waiting[owner] = jobs
                return job
        return None
