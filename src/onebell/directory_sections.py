"""A dialect's section of a directory file before its struct sees it: what refers to whom, and what is left out."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

PERSON_KEYS = frozenset(
    {"person", "owner", "friend", "members", "subscribers", "subscription_scope", "people", "users"}
)
"""Keys of the sections whose strings are uids; as the names of tables some of them mean something else."""
CARRIER_KEYS = frozenset({"carrier", "default_mail", "default_sms"})
"""Keys of the sections whose value is the code of a carrier account."""
_INDEX = re.compile(r"\[(\d+)\]")


def inside(value: object, path: str) -> Iterator[tuple[str, object]]:
    """(place, value) of everything directly inside a table or an array."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (f"{path}.{key}" if path else key), inner
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield f"{path}[{number}]", inner


def strings(value: object, path: str) -> Iterator[tuple[str, str]]:
    """(place, string) of every string, however deep."""
    for place, inner in inside(value, path):
        if isinstance(inner, str):
            yield place, inner
        else:
            yield from strings(inner, place)


def references(value: object, path: str) -> Iterator[tuple[frozenset[str], str, str]]:
    """(``PERSON_KEYS`` or ``CARRIER_KEYS``, string, place) of every string that names a person or a carrier."""
    for place, text in strings(value, path):
        key = place.rpartition(".")[2].partition("[")[0]
        for keys in (PERSON_KEYS, CARRIER_KEYS):
            if key in keys and text:
                yield keys, text, place


class Pruned:
    """A section without what refers to carriers that are left out.

    A table of an array goes as a whole when it names one; elsewhere only the key goes.
    """

    def __init__(self, section: object, path: str, skipped: Collection[str], warn: Callable[[str, str], None]) -> None:
        """``warn`` is told (place, code) of everything that goes."""
        self._skipped = skipped
        self._warn = warn
        self._kept: dict[str, list[int]] = {}  # places in the file, by the path of an array that lost some
        self.section = self._prune(section, path)

    def original(self, path: str) -> str:
        """The place in the file of a place in :attr:`section`."""
        done, rest = "", path
        while match := _INDEX.search(rest):
            done += rest[: match.start()]
            number = int(match[1])
            kept = self._kept.get(done, [])
            done += f"[{kept[number] if number < len(kept) else number}]"
            rest = rest[match.end() :]
        return done + rest

    def _prune(self, value: Any, where: str) -> Any:
        if isinstance(value, list):
            kept = [number for number, one in enumerate(value) if not self._goes_whole(one, f"{where}[{number}]")]
            if len(kept) < len(value):
                self._kept[where] = kept
            return [self._prune(value[number], f"{where}[{number}]") for number in kept]
        if not isinstance(value, dict):
            return value
        return {
            key: self._prune(inner, f"{where}.{key}")
            for key, inner in value.items()
            if not self._goes(key, inner, f"{where}.{key}")
        }

    def _goes_whole(self, value: object, where: str) -> bool:
        return isinstance(value, dict) and any(self._goes(key, one, f"{where}.{key}") for key, one in value.items())

    def _goes(self, key: str, value: object, where: str) -> bool:
        if key not in CARRIER_KEYS or not isinstance(value, str) or value not in self._skipped:
            return False
        self._warn(where, value)
        return True
