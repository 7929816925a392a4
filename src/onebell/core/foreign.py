"""Payloads that callers wrote and that go out as they are."""

from typing import Any

MARK = "$file"
"""What onebell itself writes into a native payload for a stored file (sheet wecom §2.4): never a caller."""


def foreign(value: Any) -> Any:
    """A caller's payload without keys that this server would take for its own marks.

    A caller who wrote ``{"$file": id}`` would otherwise be sent another's file.
    """
    if isinstance(value, dict):
        return {key: foreign(inner) for key, inner in value.items() if key != MARK}
    if isinstance(value, list):
        return [foreign(inner) for inner in value]
    return value
