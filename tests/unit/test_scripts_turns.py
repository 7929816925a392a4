"""Owners take turns: nobody's scripts wait behind all of another's."""

import asyncio

from onebell.scripts.turns import Job, Turns
from onebell.scripts.wire import Task


def job(owner: int, name: str) -> Job:
    return Job(owner, Task(name, ""))


async def taken(turns: Turns, count: int) -> list[str]:
    """The next jobs, each done before the one after it."""
    names = []
    for _ in range(count):
        one = await turns.take()
        names.append(one.task.code)
        turns.done(one)
    return names


async def test_owners_take_turns() -> None:
    """However many one owner has, the next owner's is taken before his second; each owner's keep their order."""
    turns = Turns()
    for owner, name in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (2, "b2"), (3, "c1")]:
        turns.put(job(owner, name))

    assert await taken(turns, 6) == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_an_owner_has_one_at_a_time() -> None:
    """His second waits until his first is done, and then whoever is free takes it."""
    turns = Turns()
    turns.put(job(1, "a1"))
    turns.put(job(1, "a2"))
    first = await turns.take()
    second = asyncio.create_task(turns.take())
    turns.put(job(2, "b1"))
    assert (await second).task.code == "b1"

    third = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    assert not third.done()
    turns.done(first)
    assert (await third).task.code == "a2"


async def test_who_came_last_is_asked_first() -> None:
    """The last to become free has the warm worker."""
    turns = Turns()
    takers = [asyncio.create_task(turns.take()) for _ in range(2)]
    await asyncio.sleep(0)
    turns.put(job(1, "a1"))

    assert (await takers[1]).task.code == "a1"
    takers[0].cancel()


async def test_who_gave_up_is_passed_over() -> None:
    """A job whose caller no longer waits costs nobody a turn."""
    turns = Turns()
    left, stays = job(1, "a1"), job(1, "a2")
    turns.put(left)
    turns.put(stays)
    left.answer.cancel()

    assert await taken(turns, 1) == ["a2"]
