"""A mapping that forgets what was not used lately, so that callers cannot fill the memory."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """At most ``limit`` entries in two generations: a full young one becomes the old one, whose rest is forgotten.

    A hit is one dict look-up, two when the entry was not used for a while.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K, default: V) -> V:
        """The value of ``key``, else ``default``."""
        young = self._young
        if key in young:
            return young[key]
        if key not in self._old:
            return default
        value = self._old.pop(key)
        self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember ``value``."""
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def drop(self, key: K) -> None:
        """Forget ``key``."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


KEY_CHARS = 1_024
"""Of all texts in one key; what was issued, and what addresses a device, is shorter."""


class ShortKeyed(Bounded[K, V]):
    """Likewise, for keys that callers write: it never remembers what stands under a long one, however few there are."""

    __slots__ = ()

    def put(self, key: K, value: V) -> None:
        """Remember ``value``, if its key is short."""
        if _chars(key) <= KEY_CHARS:
            super().put(key, value)


def _chars(key: object) -> int:
    match key:
        case str() | bytes():
            return len(key)
        case tuple():
            return sum(map(_chars, key))
    return 0
