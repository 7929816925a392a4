"""Taking a message back: out of every mailbox, out of the queues where it still waits, and from providers that can."""

import asyncio

import msgspec
import structlog

from onebell.core.bell import Changed, Due
from onebell.core.carriage import Carriers, Recalls
from onebell.core.context import Context
from onebell.core.events import EventKind
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled
from onebell.core.sending import DEADLINE_S
from onebell.core.work import TAKE_BACK, EventDraft, MessageFacts, PlanDraft, PlanJob, TakenDelivery, words
from onebell.errors import StoreUnavailable

log = structlog.get_logger()

_RECALL, _HIDE = "recall", "hide"
AT_ONCE = 100
TRIES = 5
AGAIN_S = 30.0


class _Kept(msgspec.Struct):
    """What the timer has to know."""

    how: str = _RECALL


async def recall(context: Context, space: int, message: int) -> bool:
    """Recall a message; False when it was recalled before.

    What providers have taken is taken back by a timer, from those that can. It also finishes what a crash left undone.

    Raises:
        NotFound: the space has no such message.
    """
    return await _withdraw(context, space, message, _RECALL)


async def hide(context: Context, space: int, message: int) -> bool:
    """Recall a message and leave nothing of it to its readers but that it is gone. As :func:`recall`."""
    return await _withdraw(context, space, message, _HIDE)


async def _withdraw(context: Context, space: int, message: int, how: str) -> bool:
    store, now = context.store, context.clock.now_ms()
    # First of all: no page of a large audience may follow what is marked below.
    await store.expansions.stop(space, message)
    timer = PlanDraft(
        space=space, kind=TAKE_BACK, next_at=now, message=message, data=msgspec.json.encode(_Kept(how=how))
    )
    is_new = await store.inbox_changes.recall_message(space, message, now, context.mint, timer)
    await _mark(context, space, message, how)
    context.bell.ring(Due(space=space, queue="plans"))
    context.bell.ring(Due(space=space, queue="events"))
    return is_new


async def _mark(context: Context, space: int, message: int, how: str) -> None:
    """Every entry that is not marked yet, a piece at a time."""
    changes = context.store.inbox_changes
    mark = changes.hide if how == _HIDE else changes.recall
    while boxes := await mark(space, message, context.clock.now_ms()):
        context.bell.ring(Changed(space=space, mailboxes=boxes))


class TakeBack:
    """The timer's handler: asks each provider that took a delivery of the message and can give it back."""

    given_up = EventKind.NOT_RECALLED

    def __init__(self, context: Context, carriers: Carriers) -> None:
        self._context = context
        self._carriers = carriers

    async def __call__(self, job: PlanJob) -> int | None:
        """Ask; those that fail for now are asked again later, up to ``TRIES`` times."""
        facts = await self._context.store.messages.facts(job.space, job.message)
        if facts is None:
            return None
        if job.step == 0:
            await _mark(self._context, job.space, job.message, msgspec.json.decode(job.data, type=_Kept).how)
        is_last = job.step + 1 >= TRIES
        after, are_left = 0, False
        while page := await self._context.store.receipts.taken(job.space, job.message, after, AT_ONCE):
            after = page[-1].id
            for one in page:
                outcome = await self._ask(one)
                if isinstance(outcome, Temporary | Throttled) and not is_last:
                    are_left = True
                else:
                    await self._tell(facts, one, outcome)
        return self._context.clock.now_ms() + round(AGAIN_S * 1000) if are_left else None

    async def _ask(self, one: TakenDelivery) -> Outcome:
        account = await self._context.lookups.carrier_by_id(one.space, one.account)
        if account is None or not account.enabled:
            return Permanent(why="the carrier account is off")
        try:
            carrier = await self._carriers.open(account)
            if not isinstance(carrier, Recalls):
                return Permanent(why="the provider takes nothing back")
            async with asyncio.timeout(DEADLINE_S):
                return await carrier.recall(one.provider_ref)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("recall_defect", carrier=account.code, delivery=one.id)
            return Temporary(why=type(error).__name__)

    async def _tell(self, message: MessageFacts, one: TakenDelivery, outcome: Outcome) -> None:
        kind = EventKind.RECALLED if isinstance(outcome, Sent) else EventKind.NOT_RECALLED
        event = EventDraft(
            space=one.space,
            dialect=message.dialect,
            message=message.id,
            delivery=one.id,
            person=one.person,
            kind=kind.value,
            at=self._context.clock.now_ms(),
            data={} if isinstance(outcome, Sent) else {"code": _code(outcome), "message": words(outcome.why)},
            watched=message.watched,
        )
        await self._context.store.receipts.tell([event], self._context.mint)
        if message.watched:
            self._context.bell.ring(Due(space=one.space, queue="events"))


def _code(outcome: Outcome) -> int:
    return outcome.code if isinstance(outcome, Permanent) else 0
