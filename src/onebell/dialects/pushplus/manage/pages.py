"""Pages: ``current``, ``pageSize``, ``params`` in; ``pageNum``, ``pageSize``, ``total``, ``pages``, ``list`` out."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from onebell.dialects.pushplus.manage.call import Call, number_of

SIZE = 20
MAX_SIZE = 50
MAX_NUMBER = 1_000_000_000
"""A page beyond this is this one, and empty: where it begins must fit into 63 bits."""

T = TypeVar("T")


class Page(msgspec.Struct, frozen=True):
    """Which page is asked for."""

    number: int  # from 1
    size: int
    params: dict[str, Any]  # what narrows the list; values as they came

    @property
    def start(self) -> int:
        """How many items stand before it."""
        return (self.number - 1) * self.size

    def param(self, name: str, default: int = 0) -> int:
        """A whole number of ``params``, given as number or as text.

        Raises:
            OpenRefused: something else was given.
        """
        return number_of(name, self.params.get(name), default)


class Listed(msgspec.Struct, rename="camel"):
    """A page as it is answered."""

    page_num: int
    page_size: int
    total: int
    pages: int
    list: Sequence[Any]


def page_of(call: Call) -> Page:
    """The page that a call asks for; 0, null, absent and senseless numbers are 1 and 20, more than 50 is 50.

    Raises:
        OpenRefused: a number that is none.
    """
    number, size = call.number("current"), call.number("pageSize")
    params = call.values.get("params")
    return Page(
        number=min(max(number, 1), MAX_NUMBER),
        size=min(size, MAX_SIZE) if size > 0 else SIZE,
        params=params if isinstance(params, dict) else {},
    )


def part_of(page: Page, oldest_first: Sequence[T]) -> Sequence[T]:
    """The items of a page, newest first, out of a list that is known whole."""
    return list(reversed(oldest_first))[page.start : page.start + page.size]


async def newest(
    call: Call, kind: str, oldest_first: Sequence[T], which: Callable[[T], int], row: Callable[[int, T], Any]
) -> Listed:
    """The page that a call asks for, out of a list that is known whole: each item as ``row`` shows it under the small
    number of the object that it is.

    Raises:
        OpenRefused: a page number that is none.
    """
    page = page_of(call)
    part = part_of(page, oldest_first)
    numbers = await call.shown(kind, [which(one) for one in part])
    return listed(page, len(oldest_first), [row(numbers[which(one)], one) for one in part])


def listed(page: Page, total: int, items: Sequence[Any]) -> Listed:
    """A page's answer; ``items`` are what stands on it."""
    return Listed(page.number, page.size, total, -(-total // page.size), items)
