"""Requests that are almost right: a known body with one to three places changed, always the same ones for a seed."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1.5, 1e300, "", " ", "x", "0", "\0", "\u202e", "a\nb",
    "中" * 50, "x" * 3000, [], [None], [[]], [""], ["\0"], ["user1"] * 3, {}, {"": ""}, {"\0": "\0"}, {"value": 1},
    {"data": ["\0", "a"]}, [{"data": ["a" * 400]}], "http://[", "http://127.0.0.1:1/", "all", "$ne", "' OR 1=1 --",
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*path, number))


def _change(value: Any, path: tuple[Any, ...], chance: random.Random) -> None:
    for step in path[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):  # an earlier change took it away
            return
    if not isinstance(value, dict | list):
        return
    action = chance.choice(("replace", "replace", "remove", "add"))
    if action == "add" and isinstance(value, dict):
        value[chance.choice(("extra", "\0", "to", "ext", "option", "x" * 300))] = chance.choice(STRANGE)
    elif isinstance(value, list) and not (isinstance(path[-1], int) and path[-1] < len(value)):
        return
    elif action == "remove" and (isinstance(value, list) or path[-1] in value):
        del value[path[-1]]
    else:
        value[path[-1]] = chance.choice(STRANGE)


def mutated(bodies: list[Any], count: int, seed: int) -> Iterator[bytes]:
    """``count`` bodies as JSON; one in ten is cut off or has a byte changed."""
    chance = random.Random(seed)
    for _ in range(count):
        body = copy.deepcopy(chance.choice(bodies))
        places = list(_places(body))
        for path in chance.sample(places, min(len(places), chance.randint(1, 3))):
            _change(body, path, chance)
        raw = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode()
        if chance.random() < 0.1:
            at = chance.randrange(len(raw) + 1)
            raw = raw[:at] if chance.random() < 0.5 else raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        yield raw
