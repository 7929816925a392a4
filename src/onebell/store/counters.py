"""Places in mailboxes: counted under the mailbox's row lock, in the transaction that writes the entry (DESIGN §4)."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from onebell.ids import IdMint
from onebell.store.hot import HotStatement, Raw, Row, insert_into
from onebell.store.prepared import Box, Prepared
from onebell.store.schema import mailbox

Owner: TypeAlias = tuple[int, int]
"""Space and mailbox."""

NAME_KEPT_MS = 7 * 86_400_000
"""How long the mailbox of an unclaimed name outlives its last entry (DESIGN §1)."""

_COLUMNS = ("space_id", "id", "kind", "last", "last_public")
_MISSING_KIND = "person"
"""Mailboxes are made with their owner; one that is missing all the same is made here rather than lose a message."""


class Counters:
    """Gives out places and numbered public ids."""

    def __init__(self, dialect: sa.Dialect, mint: IdMint) -> None:
        self._mint = mint
        self._advance = HotStatement(mailbox, _COLUMNS, dialect, _advance(dialect))
        self._lift = HotStatement(mailbox, _COLUMNS, dialect, _lift(dialect))

    def advance(
        self, raw: Raw, items: Sequence[Prepared], boxes: Sequence[Sequence[Box]], now: int
    ) -> tuple[dict[Owner, int], list[Sequence[int]]]:
        """Move all counters of a batch by one statement that locks them in the order of their keys.

        Returns:
            The place before the first new one per mailbox, and each submission's public ids (none when not numbered).
        """
        counts: dict[Owner, int] = {}
        for item, its_boxes in zip(items, boxes, strict=True):
            space = item.stored.space
            for box in its_boxes:
                owner = (space, box.mailbox)
                counts[owner] = counts.get(owner, 0) + 1
        if not counts:
            return {}, self._numbers(items)
        numbers = self._numbers(items)
        highest = _highest(items, boxes, numbers)
        low, span = _range(numbers)
        rows: list[Row] = [
            (space, box, _MISSING_KIND, counts[space, box], highest.get((space, box), 0))
            for space, box in sorted(counts)
        ]
        tail = {"name_until": now + NAME_KEPT_MS, "low": low, "span": span}
        places: dict[Owner, int] = {}
        behind = 0
        for space, box, last, last_public in self._advance.run(raw, rows, tail):
            owner = (space, box)
            places[owner] = last - counts[owner]
            if last_public > highest.get(owner, last_public):
                behind = max(behind, last_public - span)
        if behind:
            numbers = self._overtake(raw, items, boxes, behind)
        return places, numbers

    def _numbers(self, items: Sequence[Prepared]) -> list[Sequence[int]]:
        mint = self._mint.mint
        return [[mint() for _ in range(item.slots)] if item.slots else () for item in items]

    def _overtake(
        self, raw: Raw, items: Sequence[Prepared], boxes: Sequence[Sequence[Box]], behind: int
    ) -> list[Sequence[int]]:
        """Another node's faster clock has numbered one of the mailboxes beyond our ids: take new ones above that."""
        self._mint.witness(behind)
        numbers = self._numbers(items)
        highest = _highest(items, boxes, numbers)
        self._lift.run(raw, [(space, box, _MISSING_KIND, 0, top) for (space, box), top in sorted(highest.items())])
        return numbers


def _highest(
    items: Sequence[Prepared], boxes: Sequence[Sequence[Box]], numbers: Sequence[Sequence[int]]
) -> dict[Owner, int]:
    """The last public id that each mailbox gets; ids rise in arrival order."""
    return dict(_numbered(items, boxes, numbers))


def _numbered(
    items: Sequence[Prepared], boxes: Sequence[Sequence[Box]], numbers: Sequence[Sequence[int]]
) -> Iterator[tuple[Owner, int]]:
    for item, its_boxes, ids in zip(items, boxes, numbers, strict=True):
        if ids:
            for box in its_boxes:
                yield (item.stored.space, box.mailbox), ids[box.slot]


def _range(numbers: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The lowest id of a batch, and how many its ids span."""
    first = next((ids[0] for ids in numbers if ids), 0)
    last = next((ids[-1] for ids in reversed(numbers) if ids), 0)
    return first, last - first + 1


def _advance(dialect: sa.Dialect) -> Any:
    statement = insert_into(dialect, mailbox)
    new = statement.excluded
    big = sa.BigInteger
    none: sa.ColumnClause[int] = sa.literal_column("0")
    # Normally the new ids are above the last one. If not, the column jumps beyond all of them, which RETURNING
    # shows: neither engine can return the old value.
    public = sa.case(
        (new.last_public == none, mailbox.c.last_public),
        (mailbox.c.last_public < sa.bindparam("low", type_=big), new.last_public),
        else_=mailbox.c.last_public + sa.bindparam("span", type_=big),
    )
    expires = sa.case((mailbox.c.expires_at > none, sa.bindparam("name_until", type_=big)), else_=mailbox.c.expires_at)
    return statement.on_conflict_do_update(
        index_elements=["space_id", "id"],
        set_={"last": mailbox.c.last + new.last, "last_public": public, "expires_at": expires},
    ).returning(mailbox.c.space_id, mailbox.c.id, mailbox.c.last, mailbox.c.last_public)


def _lift(dialect: sa.Dialect) -> Any:
    statement = insert_into(dialect, mailbox)
    return statement.on_conflict_do_update(
        index_elements=["space_id", "id"], set_={"last_public": statement.excluded.last_public}
    )
