"""Whole numbers that callers write as text: ids, limits, instants."""

MOST = 2**63 - 1
"""What a store holds; ids of messages are no larger."""


def whole(text: str, most: int = MOST) -> int | None:
    """The number; None = it is none, or larger than ``most``."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if number <= most else None
