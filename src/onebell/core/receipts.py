"""Receipts: asks providers that have to be asked, and hears those that call."""

import asyncio
from collections.abc import Sequence

import structlog

from onebell.core.bell import Due
from onebell.core.carriage import CarrierReceipt, Carriers, HearsReceipts, Polls
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount
from onebell.core.sending import DEADLINE_S
from onebell.core.waking import woken
from onebell.core.work import PollJob, ReceiptFact
from onebell.errors import StoreUnavailable
from onebell.http.exchange import Answer, Request

log = structlog.get_logger()

AT_ONCE = 200
SHORTEST_S = 60.0
LONGEST_S = 6 * 3600.0
GIVEN_UP_S = 3 * 86_400.0
"""A provider that has not said anything by then will not."""
GROWTH = 0.5
"""The next poll comes after this fraction of the delivery's age."""


class Receipts:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context, carriers: Carriers) -> None:
        self._context = context
        self._carriers = carriers
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Poll until :meth:`stop`. Polls are rows: whoever is awake asks."""
        while not self._stop.is_set():
            try:
                wait_s = await self.turn()
            except StoreUnavailable as error:
                log.warning("receipts_wait_for_store", why=str(error))
                wait_s = 1.0
            await woken(self._stop, wait_s)

    def stop(self) -> None:
        """End after what is under way."""
        self._stop.set()

    async def turn(self) -> float:
        """Ask who is due; seconds until it is worth looking again."""
        poll_s = self._context.settings.poll_s
        now = self._context.clock.now_ms()
        due = await self._context.store.receipts.next_poll()
        if due is None:
            return poll_s
        if due > now:
            return min(poll_s, (due - now) / 1000)
        jobs = await self._context.store.receipts.claim_polls(now, AT_ONCE)
        by_account: dict[tuple[int, int], list[PollJob]] = {}
        for job in jobs:
            by_account.setdefault((job.space, job.account), []).append(job)
        await asyncio.gather(*(self._poll(own) for own in by_account.values()))
        return 0 if len(jobs) == AT_ONCE else poll_s

    async def _poll(self, jobs: Sequence[PollJob]) -> None:
        account = await self._context.lookups.carrier_by_id(jobs[0].space, jobs[0].account)
        said = None if account is None else await self._said(account, jobs)
        nexts = [(job, 0 if said is None else self._next(job)) for job in jobs]
        await self._context.store.receipts.poll_again(nexts)
        if account is not None and said is not None:
            await self._apply(account, said)

    async def _said(self, account: CarrierAccount, jobs: Sequence[PollJob]) -> Sequence[CarrierReceipt] | None:
        """What the provider says now; ``None`` when it cannot be asked at all. An account whose fields were broken
        since, or a provider that fails, is asked again later and stops nobody else's polls."""
        refs = sorted({job.provider_ref for job in jobs})
        try:
            carrier = await self._carriers.open(account)
            if not isinstance(carrier, Polls):
                return None
            async with asyncio.timeout(DEADLINE_S):
                return await carrier.poll(refs)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("poll_failed", carrier=account.code)
            return ()

    def _next(self, job: PollJob) -> int:
        now = self._context.clock.now_ms()
        age_s = (now - job.sent_at) / 1000
        if age_s >= GIVEN_UP_S:
            return 0
        return now + round(min(max(age_s * GROWTH, SHORTEST_S), LONGEST_S) * 1000)

    async def hear(self, space: int, code: str, request: Request) -> Answer | None:
        """A provider's call to ``/r/{account code}/…``; ``None`` when nobody there listens."""
        account = await self._context.lookups.carrier(space, code)
        if account is None or not account.enabled:
            return None
        carrier = await self._carriers.open(account)
        if not isinstance(carrier, HearsReceipts):
            return None
        answer, said = await carrier.receipt(request)
        # Stored before it is answered: the provider will not say it again.
        await self._apply(account, said)
        return answer

    async def _apply(self, account: CarrierAccount, said: Sequence[CarrierReceipt]) -> None:
        facts = [
            ReceiptFact(
                space=account.space,
                account=account.id,
                provider_ref=one.provider_ref,
                state=one.state,
                address=one.address,
                why=one.why,
                code=one.code,
                target_is_dead=one.drop_target,
            )
            for one in said
            if one.state != "pending"
        ]
        if not facts:
            return
        now = self._context.clock.now_ms()
        if await self._context.store.receipts.apply(facts, now, self._context.mint):
            self._context.bell.ring(Due(space=account.space, queue="events"))
