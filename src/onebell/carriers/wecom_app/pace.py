"""How much one member may get: the service drops what is over its bounds and says nothing (sheet wecom §6.2)."""

from collections.abc import Iterable
from dataclasses import dataclass

BOUNDS = ((60, 30), (3600, 1000))
"""Seconds of a window, messages to one member in it."""


@dataclass(slots=True)
class _Window:
    began_ms: int
    count: int


class Pace:
    """Counts what this node sends to each member of one account."""

    def __init__(self) -> None:
        self._windows: dict[int, dict[str, _Window]] = {seconds: {} for seconds, _ in BOUNDS}

    def wait_s(self, members: Iterable[str], now_ms: int) -> float:
        """How long these members together must wait; 0 = they need not."""
        ids = [member.lower() for member in members]
        return max((self._left_s(one, now_ms) for one in ids), default=0.0)

    def count(self, members: Iterable[str], now_ms: int) -> None:
        """One message goes to each of them."""
        ids = {member.lower() for member in members}
        for seconds, windows in self._windows.items():
            over = [one for one, window in windows.items() if now_ms - window.began_ms >= seconds * 1000]
            for one in over:
                del windows[one]
            for one in ids:
                windows.setdefault(one, _Window(now_ms, 0)).count += 1

    def _left_s(self, member: str, now_ms: int) -> float:
        left = 0.0
        for seconds, bound in BOUNDS:
            window = self._windows[seconds].get(member)
            if window is not None and window.count >= bound:
                left = max(left, seconds - (now_ms - window.began_ms) / 1000)
        return left
