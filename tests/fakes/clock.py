"""A clock that a test moves."""


class MovedClock:
    """Stands still until it is moved; both its hands move together."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.at_ms = now_ms
        self._seconds = 1000.0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return self._seconds

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.at_ms += round(seconds * 1000)
        self._seconds += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock; no time passes."""
        self.at_ms += round(seconds * 1000)
