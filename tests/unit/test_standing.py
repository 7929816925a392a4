"""Background work outlives its defects."""

import asyncio

from onebell.core.standing import kept


class Stumbling:
    """Raises a few times, then ends."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.begun = 0

    async def run(self) -> None:
        self.begun += 1
        if self.errors:
            raise self.errors.pop()


async def test_a_defect_does_not_end_the_work() -> None:
    """Whatever it raises, a group of errors too, it begins anew; when it ends by itself that is the end."""
    part = Stumbling(KeyError("x"), ExceptionGroup("tasks", [ValueError("y")]))

    await kept(part, again_s=0)

    assert part.begun == 3


async def test_a_cancelled_work_is_not_begun_anew() -> None:
    """A stop is no defect."""
    part = Stumbling(KeyError("x"))
    work = asyncio.create_task(kept(part, again_s=60))
    await asyncio.sleep(0)

    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    assert (work.cancelled(), part.begun) == (True, 1)
