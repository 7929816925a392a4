"""Points: what text messages cost their sender, where points are kept (sheet pushplus §5 ``sms``).

By default nobody keeps them: who runs his own server pays his SMS service, not himself. Where the directory file gives
a person points, what he has spent is a guard, checked and charged in the transaction that accepts the message. Only
what was sent costs (seed, channel sms): the rest is given back when the message is finished.
"""

from collections.abc import Sequence

from onebell.core.context import Context, Lookups
from onebell.core.directory import CarrierAccount
from onebell.core.events import Event
from onebell.core.model import Audience, GuardUse, Members, People
from onebell.dialects.pushplus.parse import CHANNELS
from onebell.dialects.pushplus.senders import SenderInfo

_KEPT_S = 100 * 365 * 86_400
"""What was spent stays spent: a guard has to end some day, this one outlives its owner."""


def spent(person: int) -> str:
    """The guard that counts what a person has spent."""
    return f"pushplus:points:{person}"


async def left(context: Context, sender: SenderInfo) -> int:
    """The points that a person has left; 0 where he keeps none."""
    given = int(sender.account.get("points") or 0)
    return max(0, given - await context.store.pushplus.spent(sender.space.id, spent(sender.person.id))) if given else 0


async def settle(context: Context, event: Event) -> None:
    """Give back what a message that has ended was charged for addresses it did not reach."""
    each = CHANNELS[str(event.extra["channel"])].points
    owner = int(event.extra["owner"])
    await context.store.pushplus.settle(event.space, event.message, spent(owner), each)


async def price(
    lookups: Lookups, sender: SenderInfo, account: CarrierAccount, each: int, audience: Sequence[Audience]
) -> tuple[GuardUse, ...]:
    """What a message costs, ``each`` for every address it reaches; nothing where the sender keeps no points."""
    given = sender.account.get("points")
    if given is None or not each:
        return ()
    amount = each * sum([await _reached(lookups, account, one) for one in audience])
    return (GuardUse(key=spent(sender.person.id), amount=amount, limit=int(given), keep_s=_KEPT_S),) if amount else ()


async def _reached(lookups: Lookups, account: CarrierAccount, audience: Audience) -> int:
    """How many addresses; an audience too large to look at counts in full."""
    if isinstance(audience, Members):
        membership = await lookups.membership(account.space, audience.feed)
        if membership.ids is None:
            return membership.count
        people = tuple(frozenset(membership.ids) - frozenset(audience.exclude))
    elif isinstance(audience, People):
        people = audience.ids
    else:
        return 0
    return len({value for person in people if (value := await lookups.address_of(account.space, person, account))})
