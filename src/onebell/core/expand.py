"""Expands large audiences page after page inside the database: a broadcast costs no memory and blocks nobody."""

import asyncio

import structlog

from onebell.core.bell import Changed, Due, NewEntries
from onebell.core.carriage import Carriers
from onebell.core.context import Context
from onebell.core.defects import DEFECT_ATTEMPTS, noted
from onebell.core.model import Part
from onebell.core.waking import woken
from onebell.core.work import Addressing, ExpansionClaim, ExpansionJob, ExpansionPlan, Page, PartPlan
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

FIRST_PAGE = 1_000
SMALLEST_PAGE, LARGEST_PAGE = 125, 4_000
"""How far a page goes with what the store has time for."""
RING_S = 0.2
"""Between two rings for readers that a page did not see, because their session's row came a moment later."""
INBOX = "inbox"


class Expander:
    """One per node; :meth:`run` is its task."""

    def __init__(self, context: Context, carriers: Carriers, kinds: tuple[str, ...]) -> None:
        """``kinds`` are all carrier kinds that are built in."""
        self._context = context
        self._addressing = Addressing(
            email=tuple(kind for kind in kinds if carriers.address_from(kind) == "email"),
            phone=tuple(kind for kind in kinds if carriers.address_from(kind) == "phone"),
            account=tuple(kind for kind in kinds if carriers.address_from(kind) == "account"),
        )
        self.page_size = FIRST_PAGE
        self._rang_at = 0.0
        self._wake = asyncio.Event()
        self._is_stopping = False
        context.bell.listen(Due, self._heard)

    def _heard(self, note: Due) -> None:
        if note.queue == "expansions":
            self._wake.set()

    async def run(self) -> None:
        """Expand until :meth:`stop`."""
        while not self._is_stopping:
            self._wake.clear()
            try:
                wait_s = 0.0 if await self.turn() else await self._until_next()
            except StoreUnavailable as error:
                log.warning("expansion_waits_for_store", why=str(error))
                wait_s = 1.0
            await woken(self._wake, wait_s)

    def stop(self) -> None:
        """End after the page under way."""
        self._is_stopping = True
        self._wake.set()

    async def turn(self) -> bool:
        """Expand one audience to its end, or until the stop; False when none is due."""
        expansions = self._context.store.expansions
        claim = await expansions.claim(self._context.clock.now_ms(), self._context.mint.node)
        if claim is None:
            return False
        try:
            await self._expand(await expansions.read(claim))
        except StoreUnavailable:
            raise
        except Exception as error:
            # One audience that cannot be expanded waits for the end of its lease; the others go on.
            await self._failed(claim, error)
        return True

    async def _failed(self, claim: ExpansionClaim, error: Exception) -> None:
        """Count a defect; one too many parks the rest of the audience, and the message ends (RELIABILITY R15)."""
        defect = noted("expansion_defect", "expanding the audience", error, message=claim.message)
        context = self._context
        if claim.defects + 1 < DEFECT_ATTEMPTS:
            await context.store.expansions.count_defect(claim)
            return
        closed = await context.store.expansions.park(claim, defect.why, context.clock.now_ms(), context.mint)
        if closed.watched:
            context.bell.ring(Due(space=claim.space, queue="events"))

    async def _expand(self, job: ExpansionJob) -> None:
        plan = await self._plan(job)
        cursor, count = job.cursor, 0
        while not self._is_stopping:
            page = await self._write(plan, cursor)
            self._ring(job, page)
            cursor, count = page.cursor, count + page.count
            if page.is_last:
                log.info("audience_expanded", message=job.message, people=count)
                return
            # The loop's turn: what came meanwhile goes first.
            await asyncio.sleep(0)
        await self._context.store.expansions.give_back(job, self._context.mint.node)

    async def _write(self, plan: ExpansionPlan, cursor: int) -> Page:
        context = self._context
        began = context.clock.monotonic()
        page = await context.store.expansions.expand_page(
            plan, cursor, self.page_size, context.clock.now_ms(), context.mint, context.mint.node
        )
        self.adapt(context.clock.monotonic() - began)
        return page

    def adapt(self, took_s: float) -> None:
        """Shorter pages while they hold others up for long, longer ones while they do not."""
        share_s = self._context.store.expansions.page_s
        if took_s > share_s:
            self.page_size = max(SMALLEST_PAGE, self.page_size // 2)
        elif took_s < share_s / 2:
            self.page_size = min(LARGEST_PAGE, self.page_size * 2)

    def _ring(self, job: ExpansionJob, page: Page) -> None:
        bell = self._context.bell
        if page.has_deliveries:
            bell.ring(Due(space=job.space, queue="deliveries"))
        if page.watched:
            bell.ring(Due(space=job.space, queue="events"))
        if page.marks:
            bell.ring(NewEntries(message=job.stored, marks=page.marks))
        now = self._context.clock.monotonic()
        if page.is_last or now - self._rang_at >= RING_S:
            self._rang_at = now
            bell.ring(Changed(space=job.space, mailboxes=()))

    async def _until_next(self) -> float:
        poll_s = self._context.settings.poll_s
        due = await self._context.store.expansions.next_due()
        if due is None:
            return poll_s
        # Not below a second: a held message's expansion is due and yet nobody's.
        return min(poll_s, max(1.0, (due - self._context.clock.now_ms()) / 1000))

    async def _plan(self, job: ExpansionJob) -> ExpansionPlan:
        parts = [] if job.spread.is_silent or job.keep == "while_online" else await self._parts(job)
        return ExpansionPlan(
            job=job,
            has_entries=any(not part.carriers or INBOX in part.carriers for part in job.stored.parts),
            names_inbox=any(INBOX in part.carriers for part in job.stored.parts),
            parts=tuple(parts),
            addressing=self._addressing,
        )

    async def _parts(self, job: ExpansionJob) -> list[PartPlan]:
        plans = [await self._part(job, number, part) for number, part in enumerate(job.stored.parts)]
        return [plan for plan in plans if plan.is_by_route or plan.accounts]

    async def _part(self, job: ExpansionJob, number: int, part: Part) -> PartPlan:
        if not part.carriers:
            return PartPlan(part=number, is_by_route=True)
        accounts = [await self._context.lookups.carrier(job.space, code) for code in part.carriers if code != INBOX]
        return PartPlan(part=number, accounts=tuple(account.id for account in accounts if account is not None))
