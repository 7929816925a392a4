"""How often a bot may send, and that it does not send one body twice at once (sheet wecom §3.3)."""

from onebell.core.context import Limits
from onebell.dialects.wecom.answer import NO_SINGLE_CHAT, SAME_BODY_AT_ONCE, TOO_OFTEN, Rejected
from onebell.dialects.wecom.bot import Bot
from onebell.dialects.wecom.targets import Refusal, Targets

WINDOW_S = 60
DEBUG_CALLS = 5
"""A minute, for calls with ``debug=1`` (sheet §2.1.6)."""


class Rates:
    """Counts of this server's bots. Rates are shared by all nodes; bodies in flight are known per node."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_flight: set[tuple[int, bytes]] = set()

    async def count_call(self, bot: Bot, *, is_debug: bool) -> None:
        """Count a call with a valid key.

        Raises:
            Rejected: over the bot's calls a minute.
        """
        if not await self._take(bot, "calls", bot.rates.calls):
            raise Rejected(TOO_OFTEN)
        if is_debug and not await self._take(bot, "debug", DEBUG_CALLS):
            raise Rejected(TOO_OFTEN)

    def hold(self, bot: Bot, body: bytes) -> None:
        """Hold a body while it is worked on, until ``let_go``.

        Raises:
            Rejected: the same body of the same bot is being worked on.
        """
        if (bot.id, body) in self._in_flight:
            raise Rejected(SAME_BODY_AT_ONCE)
        self._in_flight.add((bot.id, body))

    def let_go(self, bot: Bot, body: bytes) -> None:
        """The body may be sent again."""
        self._in_flight.discard((bot.id, body))

    async def admit(self, bot: Bot, targets: Targets) -> Targets:
        """Count a message for its targets; those over their limit are left out.

        Raises:
            Rejected: nobody is left, or the whole message is over a limit.
        """
        if not await self._take(bot, "messages", bot.rates.messages):
            raise Rejected(TOO_OFTEN)
        if targets.is_broadcast:
            if not await self._take(bot, "broadcast", bot.rates.broadcast):
                raise Rejected(TOO_OFTEN)
            return targets
        return await self._admit_each(bot, targets)

    async def _admit_each(self, bot: Bot, targets: Targets) -> Targets:
        refused: list[Refusal] = []
        feeds: set[int] = set()
        people: set[int] = set()
        for feed in targets.feeds:
            if not await self._take(bot, f"feed:{feed.id}", bot.rates.feed):
                feeds.add(feed.id)
                refused.append(Refusal(feed.code, TOO_OFTEN))
        for person in targets.people:
            if not await self._take(bot, f"person:{person.id}", bot.rates.person):
                people.add(person.id)
                # The seed lists "too often" among the causes of 93005.
                refused.append(Refusal(person.uid, NO_SINGLE_CHAT))
        if not refused:
            return targets
        if len(refused) == len(targets.feeds) + len(targets.people):
            raise Rejected(refused[0].fault)
        return targets.without(refused, feeds, people)

    async def _take(self, bot: Bot, what: str, limit: int) -> bool:
        return limit == 0 or await self._limits.take(bot.space, f"wecom:{bot.id}:{what}", limit, WINDOW_S)
