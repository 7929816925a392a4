"""How many objects of a kind a person may have, counted in the transaction that makes another."""

import sqlalchemy as sa

from onebell.errors import TooMany
from onebell.store.schema import person


def check(connection: sa.Connection, space: int, owner: int, held: sa.Select[int], most: int) -> None:
    """Raises ``TooMany`` when ``held`` counts ``most`` already; 0 = as many as he likes."""
    if not most:
        return
    # Two that are made at once would both find room: the second one waits here until the first is counted.
    connection.execute(
        sa.select(person.c.id).where(person.c.space_id == space, person.c.id == owner).with_for_update(key_share=True)
    )
    if (connection.scalar(held) or 0) >= most:
        raise TooMany(f"{most} already")
