"""Small numbers for objects with long ids, on both engines."""

import asyncio

from onebell.core.directory import Space
from onebell.store import spaces


async def test_objects_are_numbered_at_first_sight(store, space):
    """1, 2, 3 in the order of asking; a number never changes, and an object has one."""
    first = await store.numbers.shown(space, "token", ["900", "800", "900"])
    again = await store.numbers.shown(space, "token", ["700", "800"])

    assert first == {"900": 1, "800": 2}
    assert again == {"700": 3, "800": 2}


async def test_a_number_finds_its_object(store, space):
    """In its space and kind only; what was never shown has no number."""
    await store.numbers.shown(space, "member", ["12:34"])

    assert await store.numbers.meant(space, "member", 1) == "12:34"
    assert await store.numbers.meant(space, "token", 1) == ""
    assert await store.numbers.meant(space + 1, "member", 1) == ""
    assert await store.numbers.meant(space, "member", -1) == ""


async def test_each_space_counts_by_itself(store, space):
    """Another space's first object is 1 as well."""
    other = Space(
        id=8, name="other", timezone="UTC", language="en", public_url="", allow_callbacks=(), config_version=0
    )
    await store.db.write(lambda connection: spaces.insert(connection, other, 1))

    assert await store.numbers.shown(space, "token", ["5"]) == {"5": 1}
    assert await store.numbers.shown(other.id, "token", ["6"]) == {"6": 1}


async def test_many_ask_at_once(store, space):
    """Whoever asks at the same time, no number is given twice and no object gets two."""
    asked = [store.numbers.shown(space, "token", [str(one), str(one + 1)]) for one in range(20)]
    answers = await asyncio.gather(*asked)
    found: dict[str, set[int]] = {}
    for answer in answers:
        for one, number in answer.items():
            found.setdefault(one, set()).add(number)

    assert all(len(numbers) == 1 for numbers in found.values())
    assert sorted(number for numbers in found.values() for number in numbers) == list(range(1, 22))
