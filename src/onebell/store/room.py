"""How many objects of a kind a person may have, counted in the transaction that makes another."""

import sqlalchemy as sa

from onebell.errors import TooMany
from onebell.store.schema import person


def check(
    connection: sa.Connection, table: sa.Table, space: int, owner: int, most: int, *which: sa.ColumnElement[bool]
) -> None:
    """Raises ``TooMany`` when the owner has ``most`` rows that are meant already; 0 = as many as he likes."""
    if not most:
        return
    # Two that are made at once would both find room: the second one waits here until the first is counted.
    connection.execute(
        sa.select(person.c.id).where(person.c.space_id == space, person.c.id == owner).with_for_update(key_share=True)
    )
    his = (table.c.space_id == space, table.c.owner_id == owner)
    if connection.execute(sa.select(sa.func.count()).select_from(table).where(*his, *which)).scalar_one() >= most:
        raise TooMany(f"{most} already")
