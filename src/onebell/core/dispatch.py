"""Sends what is due: claims deliveries, hands them to carriers in batches, stores what became of them.

The database is the queue and the truth; a node that dies costs the leases it held. The bell only shortens the wait.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from onebell.core.bell import ConfigChanged, Due
from onebell.core.carriage import Carriers
from onebell.core.context import Context
from onebell.core.defects import Defect
from onebell.core.directory import CarrierAccount
from onebell.core.lanes import SLOW_S, Group, Lane, Place, Places, grouped
from onebell.core.ledger import Ledger
from onebell.core.outcomes import Outcome, Permanent, Split, Throttled, Unauthorized
from onebell.core.rendering import RenderedOnce, Renderer
from onebell.core.sending import DEADLINE_S, Sending
from onebell.core.verdict import Judge
from onebell.core.waking import woken
from onebell.core.work import Closed, Job, LaneClaim, MessageFacts, Result
from onebell.core.work import Lane as DueLane
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

LANES_PER_CLAIM = 16
"""Accounts that one claiming transaction serves."""
AHEAD_S = 1.0
"""While something is due later it is looked for this often: clocks jump (RELIABILITY R12)."""
MARGIN_MS = 2_000
"""A call starts only while its lease outlasts the call's deadline by this much."""

_Key = tuple[int, int]  # space, account


class Dispatcher:
    """One per node; :meth:`run` is its task."""

    def __init__(
        self,
        context: Context,
        carriers: Carriers,
        render: Renderer,
        judge: Judge | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._context = context
        self._carriers = carriers
        self._sending = Sending(context, carriers, RenderedOnce(render), deadline_s)
        self._judge = judge or Judge()
        self._deadline_ms = round(deadline_s * 1000) + MARGIN_MS
        self._ledger = Ledger(context)
        self._lanes: dict[_Key, Lane] = {}
        self._places = Places(context.settings.workers)
        self._messages: dict[_Key, MessageFacts | None] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._storing: set[asyncio.Future[None]] = set()
        self._wake = asyncio.Event()
        self._turning = asyncio.Lock()
        self._is_stopping = False
        context.bell.listen(Due, self._heard)
        context.bell.listen(ConfigChanged, lambda _: self._wake.set())

    def _heard(self, note: Due) -> None:
        if note.queue == "deliveries":
            self._wake.set()

    async def run(self) -> None:
        """Send until :meth:`drain` or :meth:`stop`."""
        while not self._is_stopping:
            self._wake.clear()
            try:
                async with self._turning:
                    wait_s = await self.turn()
            except StoreUnavailable as error:
                log.warning("dispatch_waits_for_store", why=str(error))
                wait_s = AHEAD_S
            await woken(self._wake, wait_s)

    async def drain(self, deadline_s: float) -> None:
        """Claim nothing more, let calls end for ``deadline_s``, give back what has not begun.

        Calls that still run then are dropped; their leases end by themselves and another node repeats them.
        """
        self._is_stopping = True
        self._wake.set()
        async with self._turning:  # what is being claimed is given back as well
            waiting = [job for lane in self._lanes.values() for job in lane.withdraw(_any)]
        if waiting:
            await self._return(waiting)
        if self._calls:
            await asyncio.wait(self._calls, timeout=deadline_s)
        await self.stop()

    async def _return(self, jobs: Sequence[Job]) -> None:
        try:
            await self._context.store.deliveries.give_back(jobs)
        except StoreUnavailable as error:
            log.warning("jobs_left_to_their_lease", count=len(jobs), why=str(error))

    async def stop(self) -> None:
        """Stop at once. What is being stored is still stored."""
        self._is_stopping = True
        self._wake.set()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, *self._storing, return_exceptions=True)
        await self._ledger.flush()

    @property
    def has_calls(self) -> bool:
        """Something is under way."""
        return bool(self._calls)

    async def resume(self, space: int, account: int) -> None:
        """Let a stopped or paused account send again; caches and other nodes hear of it."""
        await self._context.store.deliveries.resume(space, account)
        self._context.lookups.forget(space)
        self._context.bell.ring(Due(space=space, queue="deliveries"))

    async def idle(self) -> None:
        """Wait until every call that was started, and those they led to, have ended."""
        while self._calls:
            await asyncio.wait(self._calls)

    async def turn(self) -> float:
        """Claim once and start calls; seconds until it is worth looking again."""
        now = self._context.clock.now_ms()
        queue = self._context.store.deliveries
        await self._give_back_stale(now)
        lanes = await queue.lanes(now)
        await self._give_up(lanes, now)
        is_more_likely = await self._expire(lanes, now)
        claims = await self._claims(lanes, now)
        # Every lane in every turn: those whose addresses are all paused have waited longest and give nothing.
        for start in range(0, len(claims), LANES_PER_CLAIM):
            if not self._is_stopping:
                is_more_likely |= await self._claim(claims[start : start + LANES_PER_CLAIM])
        if is_more_likely:
            return 0
        rest_s = self._until_next(lanes, now)
        return min(AHEAD_S, rest_s) if claims else rest_s

    async def _claim(self, claims: Sequence[LaneClaim]) -> bool:
        """Take in what is due on these lanes; whether there may be more."""
        context = self._context
        jobs, closed = await context.store.deliveries.claim_due(
            context.clock.now_ms(), context.mint.node, claims, context.mint
        )
        self._announce(closed)
        await self._take_in(jobs)
        return bool(jobs or closed.finished)

    def _until_next(self, lanes: Sequence[DueLane], now: int) -> float:
        poll_s = self._context.settings.poll_s
        ahead = [max(lane.due_at, lane.blocked_until) - now for lane in lanes if not lane.stopped]
        soon = [ms / 1000 for ms in ahead if ms > 0]
        return max(0.01, min(poll_s, AHEAD_S, *soon)) if soon else poll_s

    async def _give_back_stale(self, now: int) -> None:
        """What waits so long that its lease no longer covers a call goes back to its place in the queue."""
        until = now + self._deadline_ms
        stale = [job for lane in self._lanes.values() for job in lane.withdraw(lambda job: job.lease_until < until)]
        if stale:
            await self._context.store.deliveries.give_back(stale)

    async def _give_up(self, lanes: Sequence[DueLane], now: int) -> None:
        """A stopped account's deliveries wait for as long as they are worth sending, not for ever: their message ends,
        and whoever watches it hears why."""
        for lane in lanes:
            account = await self._context.lookups.carrier_by_id(lane.space, lane.account) if lane.stopped else None
            if account is None:
                continue
            due_until = now - round(self._max_age_s(account) * 1000)
            if lane.due_at <= due_until:
                self._announce(await self._context.store.deliveries.give_up(lane, due_until, now, self._context.mint))

    async def _expire(self, lanes: Sequence[DueLane], now: int) -> bool:
        """Whoever watches a message hears that it has expired when it does, also while its account is paused. Whether
        there may be more of them."""
        queue, mint, is_more_likely = self._context.store.deliveries, self._context.mint, False
        for lane in lanes:
            if 0 < lane.expires_at <= now:
                here = self._lanes.get((lane.space, lane.account)) or Lane()
                closed = await queue.expire(lane, now, mint, tuple(sorted(here.in_hand)))
                self._announce(closed)
                is_more_likely |= bool(closed.finished)
        return is_more_likely

    def _max_age_s(self, account: CarrierAccount) -> float:
        return account.max_age_s or self._carriers.max_age_s(account.kind)

    async def _claims(self, lanes: Sequence[DueLane], now: int) -> list[LaneClaim]:
        claims: list[LaneClaim] = []
        for due in lanes:
            if due.stopped or due.blocked_until > now or due.due_at > now:
                continue
            lane = self._lanes.get((due.space, due.account)) or Lane()
            wanted = self._places.wanted(lane)
            if wanted == 0:
                continue
            account = await self._context.lookups.carrier_by_id(due.space, due.account)
            limit = wanted * (self._carriers.limits(account.kind).batch if account else 1)
            claims.append(LaneClaim(space=due.space, account=due.account, limit=limit, but=tuple(sorted(lane.in_hand))))
        return claims

    async def _take_in(self, jobs: Sequence[Job]) -> None:
        by_lane: dict[_Key, list[Job]] = {}
        for job in jobs:
            by_lane.setdefault((job.space, job.account), []).append(job)
        for key, own in by_lane.items():
            account = await self._context.lookups.carrier_by_id(*key)
            limit = self._carriers.limits(account.kind).batch if account else 1
            self._lanes.setdefault(key, Lane()).add(grouped(own, limit))
        self._start()

    def _start(self) -> None:
        """Start what may start, one call per lane in turn."""
        waiting = [(key, lane) for key, lane in self._lanes.items() if lane.pending]
        while waiting and not self._is_stopping:
            waiting = [(key, lane) for key, lane in waiting if self._start_one(key, lane)]

    def _start_one(self, key: _Key, lane: Lane) -> bool:
        if self._places.room(lane) <= 0:
            return False
        group = lane.next()
        if group is None:
            return False
        lane.busy |= group.targets
        # Taken here and not by the task, which runs later: the next one must see it.
        place = self._places.take(lane)
        self._spawn(self._carry(key, lane, group, place))
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _carry(self, key: _Key, lane: Lane, group: Group, place: Place) -> None:
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._slowed, place)
        try:
            await self._deliver(key, lane, group)
        except StoreUnavailable as error:
            # The lease ends by itself; whoever takes the delivery over repeats it.
            log.warning("dispatch_result_not_stored", message=group.message, why=str(error))
        finally:
            slow.cancel()
            place.leave()
            lane.ended(group)
            self._after(key, lane)

    def _slowed(self, place: Place) -> None:
        place.slow_down()
        self._start()
        self._wake.set()

    def _after(self, key: _Key, lane: Lane) -> None:
        # To the end of the line, so that every account has its turn.
        self._lanes.pop(key, None)
        if not lane.is_idle:
            self._lanes[key] = lane
        self._start()
        if self._places.wanted(lane):
            self._wake.set()

    async def _deliver(self, key: _Key, lane: Lane, group: Group) -> None:
        account = await self._context.lookups.carrier_by_id(*key)
        now = self._context.clock.now_ms()
        if account is None or account.stopped_why or not account.enabled:
            await self._refuse(account, group)
            return
        if min(job.lease_until for job in group.jobs) < now + self._deadline_ms:
            await self._context.store.deliveries.give_back(group.jobs)
            return
        message = await self._message((group.jobs[0].space, group.message))
        outcomes = await self._sending.send(account, message, group)
        # What a carrier did is stored whatever happens to this task.
        storing = asyncio.ensure_future(self._stored(account, lane, group, outcomes))
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        await asyncio.shield(storing)

    async def _refuse(self, account: CarrierAccount | None, group: Group) -> None:
        """The account was stopped or removed since the claim."""
        if account is not None:
            await self._context.store.deliveries.give_back(group.jobs)
            return
        why = "the carrier account was removed"
        results = [Result(job=job, outcome="permanent", state="failed", why=why) for job in group.jobs]
        await self._ledger.store(results)

    async def _message(self, key: _Key) -> MessageFacts | None:
        if key not in self._messages:
            while len(self._messages) >= self._context.settings.workers:
                self._messages.pop(next(iter(self._messages)))
            self._messages[key] = await self._context.store.messages.facts(*key)
        return self._messages[key]

    async def _stored(
        self, account: CarrierAccount, lane: Lane, group: Group, outcomes: Sequence[Outcome | Defect]
    ) -> None:
        pairs = [(job, _told(account, outcome)) for job, outcome in zip(group.jobs, outcomes, strict=True)]
        apart = [job for job, outcome in pairs if isinstance(outcome, Split)]
        if len(apart) > 1:
            lane.put_first(Group(group.message, group.part, apart).halves())
            pairs = [pair for pair in pairs if not isinstance(pair[1], Split)]
        now = self._context.clock.now_ms()
        max_age_s = self._max_age_s(account)
        results = [self._judge.result(job, outcome, max_age_s, now) for job, outcome in pairs]
        if results:
            await self._ledger.store(results)
            self._log(account, results)
        held = _held_back(lane, pairs)
        if held:
            await self._context.store.deliveries.give_back(held)
        if any(result.stops_account for result in results):
            self._context.lookups.forget(account.space)

    def _announce(self, closed: Closed) -> None:
        if closed.watched:
            self._context.bell.ring(Due(space=0, queue="events"))

    def _log(self, account: CarrierAccount, results: Sequence[Result]) -> None:
        for result in results:
            if result.outcome == "sent":
                continue
            log.info(
                "delivery_not_sent",
                message=result.job.message,
                delivery=result.job.id,
                carrier=account.code,
                attempt=result.job.attempt,
                outcome=result.outcome,
                state=result.state,
                why=result.why,
            )
        if any(result.stops_account for result in results):
            log.error("carrier_stopped", space=account.space, carrier=account.code, why=results[0].why)


def _any(job: Job) -> bool:
    return True


def _told(account: CarrierAccount, outcome: Outcome | Defect) -> Outcome | Defect:
    """A user's own account stops for nobody: only he can mend it, and his failed message is how he hears of it."""
    if account.is_foreign and isinstance(outcome, Unauthorized):
        return Permanent(why=outcome.why)
    return outcome


def _held_back(lane: Lane, pairs: Sequence[tuple[Job, Outcome | Defect]]) -> list[Job]:
    """What waits on this node for whom the provider wants left alone: it keeps its place in the queue."""
    held: list[Job] = []
    for job, outcome in pairs:
        if isinstance(outcome, Unauthorized) or (isinstance(outcome, Throttled) and outcome.scope != "target"):
            return held + lane.withdraw(_any)
        if isinstance(outcome, Throttled):
            held += lane.withdraw(lambda other, target=job.target: other.target == target)  # type: ignore[misc]
    return held
