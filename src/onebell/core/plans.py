"""Runs durable timers: each once when it comes, overdue ones at once after a restart."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.core.defects import DEFECT_ATTEMPTS, noted
from onebell.core.events import EventKind
from onebell.core.waking import woken
from onebell.core.work import PlanJob
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

AT_ONCE = 16
AGAIN_S = 60.0
"""After a handler raised."""


class PlanHandler(Protocol):
    """Does what a kind of timer is for."""

    @property
    def given_up(self) -> EventKind:
        """What the message's timeline says when our code fails on a step every time; data = {"code", "message"}."""
        ...

    async def __call__(self, job: PlanJob) -> int | None:
        """Do this step; when the next one comes (ms), or ``None`` when that was the last.

        A node that dies in the middle leaves the step to another: what it does must bear being done twice.
        """
        ...


class Plans:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context, handlers: Mapping[str, PlanHandler]) -> None:
        self._context = context
        self._handlers = handlers
        self._wake = asyncio.Event()
        self._is_stopping = False
        context.bell.listen(Due, self._heard)

    def _heard(self, note: Due) -> None:
        if note.queue == "plans":
            self._wake.set()

    async def run(self) -> None:
        """Run timers until :meth:`stop`."""
        while not self._is_stopping:
            self._wake.clear()
            try:
                wait_s = await self.turn()
            except StoreUnavailable as error:
                log.warning("plans_wait_for_store", why=str(error))
                wait_s = 1.0
            await woken(self._wake, wait_s)

    def stop(self) -> None:
        """End after what is under way."""
        self._is_stopping = True
        self._wake.set()

    async def turn(self) -> float:
        """Run what has come; seconds until it is worth looking again."""
        poll_s = self._context.settings.poll_s
        now = self._context.clock.now_ms()
        due = await self._context.store.plans.next_due(self._handlers)
        if due is None:
            return poll_s
        if due > now:
            return min(poll_s, 1.0, (due - now) / 1000)
        jobs = await self._context.store.plans.claim_due(now, self._handlers, AT_ONCE)
        await asyncio.gather(*(self._run(job) for job in jobs))
        return 0 if jobs else min(poll_s, 1.0)

    async def _run(self, job: PlanJob) -> None:
        plans = self._context.store.plans
        try:
            next_at = await self._handlers[job.kind](job)
        except StoreUnavailable:
            raise
        except Exception as error:
            await self._failed(job, error)
            return
        if next_at is None:
            await plans.finish(job)
        else:
            await plans.move_on(job, next_at)

    async def _failed(self, job: PlanJob, error: Exception) -> None:
        """Put the step off; one defect too many parks the timer (RELIABILITY R15)."""
        defect = noted("plan_defect", f"the timer {job.kind}", error, kind=job.kind, message=job.message, step=job.step)
        plans, now = self._context.store.plans, self._context.clock.now_ms()
        if job.defects + 1 < DEFECT_ATTEMPTS:
            await plans.put_off(job, now + round(AGAIN_S * 1000))
            return
        kind = self._handlers[job.kind].given_up
        closed = await plans.park(job, kind, defect.why, now, self._context.mint)
        if closed.watched:
            self._context.bell.ring(Due(space=job.space, queue="events"))
