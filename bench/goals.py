"""What is asked of a figure, and by how much it is missed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A figure's limit."""

    what: str
    limit: float
    sign: str

    def judge(self, value: float) -> str:
        """The goal and what became of it, for a table's last column."""
        asked = f"{self.what} {self.sign} {self.limit:,g}"
        held = value >= self.limit if self.sign == "≥" else value <= self.limit
        return f"{asked}: held" if held else f"{asked}: **missed** by {abs(value / self.limit - 1):.0%}"


def least(what: str, limit: float) -> Goal:
    """As much or more."""
    return Goal(what, limit, "≥")


def most(what: str, limit: float) -> Goal:
    """As much or less."""
    return Goal(what, limit, "≤")
