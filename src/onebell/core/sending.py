"""One call to a carrier: from jobs to outcomes, whatever happens on the way."""

import asyncio
from collections.abc import Sequence

from onebell.core.carriage import Address, Batch, Carrier, Carriers, Rendered
from onebell.core.context import Context
from onebell.core.defects import Defect, noted
from onebell.core.directory import CarrierAccount
from onebell.core.lanes import Group
from onebell.core.outcomes import Outcome, Permanent, Temporary, Throttled
from onebell.core.rendering import NeverRendered, Renderer
from onebell.core.work import MessageFacts
from onebell.errors import OnebellError, StoreUnavailable

DEADLINE_S = 30.0
"""No call to a carrier takes longer in all (RELIABILITY R8); leases outlast it."""
RATE_WAIT_S = 3.0
"""How long an account waits that has used up its calls of this minute."""


class Sending:
    """Makes calls. Raises nothing but what the store raises, and cancellation."""

    def __init__(self, context: Context, carriers: Carriers, render: Renderer, deadline_s: float = DEADLINE_S) -> None:
        self._context = context
        self._carriers = carriers
        self._render = render
        self._deadline_s = deadline_s

    async def send(
        self, account: CarrierAccount, message: MessageFacts | None, group: Group
    ) -> Sequence[Outcome | Defect]:
        """One outcome per job, in order.

        Raises:
            StoreUnavailable: the message could not be read; nothing went out.
        """
        if message is None or group.part >= len(message.parts):
            return [Permanent(why="the message was removed")] * len(group.jobs)
        try:
            if not await self._is_within_rate(account):
                return [Throttled(why="the account's own limit per minute", wait_s=RATE_WAIT_S)] * len(group.jobs)
            carrier = await self._carriers.open(account)
            rendered = await self._render(message, group.part, account)
            space = await self._context.lookups.space(account.space)
            batch = _batch(message, rendered, group, space.public_url)
            return await self._call(carrier, batch)
        except StoreUnavailable:
            raise
        except NeverRendered as error:
            return [Permanent(why=f"cannot be sent: {error}")] * len(group.jobs)
        except OnebellError as error:
            # Ours, on purpose: wrong fields, an attachment out of reach. Somebody may put it right in time.
            return [Temporary(why=f"cannot be sent: {error}")] * len(group.jobs)
        except Exception as error:
            return [_defect(account, group, error)] * len(group.jobs)

    async def _is_within_rate(self, account: CarrierAccount) -> bool:
        per_minute = self._carriers.limits(account.kind).per_minute
        if not per_minute:
            return True
        key = f"carrier:{account.id}"
        return await self._context.limits.take(account.space, key, per_minute, 60)

    async def _call(self, carrier: Carrier, batch: Batch) -> Sequence[Outcome | Defect]:
        # Not ``asyncio.timeout``: carrier code that swallows its cancellation must not hold us.
        task = asyncio.ensure_future(carrier.send(batch))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._deadline_s)
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(_forget)
        if not done:
            return [Temporary(why=f"no answer within {self._deadline_s:g} s")] * len(batch.addresses)
        outcomes = task.result()
        if len(outcomes) != len(batch.addresses):
            raise ValueError(f"{len(outcomes)} outcomes for {len(batch.addresses)} addresses")
        return outcomes


def _forget(task: "asyncio.Future[Sequence[Outcome]]") -> None:
    """What a late call says is heard by nobody; asked for, so that it is not reported as lost."""
    if not task.cancelled():
        task.exception()


def _batch(message: MessageFacts, rendered: Rendered, group: Group, public_url: str) -> Batch:
    return Batch(
        message=message.public_id,
        dialect=message.dialect,
        severity=message.severity,
        created_ms=message.created_at,
        expires_ms=message.expires_at,
        sender=message.sender_name,
        link=f"{public_url}/app/m/{message.id}" if public_url else "",
        rendered=rendered,
        addresses=tuple(Address(delivery=job.id, value=job.address, attempt=job.attempt) for job in group.jobs),
    )


def _defect(account: CarrierAccount, group: Group, error: Exception) -> Defect:
    return noted(
        "carrier_defect",
        f"carrier {account.kind}",
        error,
        carrier=account.code,
        kind=account.kind,
        message=group.message,
    )
