"""Rules whose receiver fails too often rest for a while (sheet easemob §4.2)."""

from onebell.core.context import Limits

FAILURES, WITHIN_S = 90, 30
DAY_S = 86_400
MINUTES = (5, 10, 15, 20, 25)
"""The first, second … ban of a day; the last one from then on."""
_ANY = 1 << 30


class Bans:
    """Kept as counts that all nodes share: a ban is a count in a window as long as the ban."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def failed(self, space: int, rule: str) -> None:
        """Count a failure; the one too many bans the rule."""
        key = f"easemob:callback:{rule}"
        if await self._limits.take(space, f"{key}:failed", FAILURES - 1, WITHIN_S) or await self.is_banned(space, rule):
            return
        before = await self._limits.used(space, f"{key}:bans", DAY_S)
        minutes = MINUTES[min(before, len(MINUTES) - 1)]
        await self._limits.take(space, f"{key}:bans", _ANY, DAY_S)
        await self._limits.take(space, f"{key}:ban", 1, minutes * 60)

    async def is_banned(self, space: int, rule: str) -> bool:
        """Whether it rests now."""
        for minutes in MINUTES:
            if await self._limits.used(space, f"easemob:callback:{rule}:ban", minutes * 60):
                return True
        return False
