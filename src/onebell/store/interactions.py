"""What readers answered by pressing buttons: one value per message, person and key (DESIGN §1 "interaction")."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.mailbox import EntryRow
from onebell.store.packed import pack, unpack_texts
from onebell.store.schema import interaction

_BUTTONS = b'"buttons"'


def _of(space: int, message: int, party: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        interaction.c.space_id == space, interaction.c.message_id == message, interaction.c.party_id == party
    )


def answer_of(conn: Connection, space: int, message: int, party: int, key: str) -> str | None:
    """What a person answered under a key; None = nothing yet."""
    mine = sa.and_(_of(space, message, party), interaction.c.key == key)
    row = conn.execute(sa.select(interaction.c.value).where(mine)).first()
    return None if row is None else unpack_texts(row.value)[0]


def write_answer(conn: Connection, space: int, message: int, party: int, answer: tuple[str, str], now: int) -> None:
    """Keep an answer, a key and its value. There is none under this key yet."""
    key, value = answer
    conn.execute(
        sa.insert(interaction).values(
            space_id=space, message_id=message, party_id=party, key=key, value=pack((value,)), created_at=now
        )
    )


def with_answers(conn: Connection, space: int, rows: Sequence[EntryRow]) -> tuple[EntryRow, ...]:
    """Entries with what the owners of their mailboxes answered.

    Only an entry that took another place since it was written can have been answered, so new ones cost nothing.
    """
    asked = [row for row in rows if row.rev != row.seq and _BUTTONS in (row.parts or b"")]
    if not asked:
        return tuple(rows)
    mine = sa.tuple_(interaction.c.message_id, interaction.c.party_id).in_(
        [(row.message, row.mailbox) for row in asked]
    )
    found: dict[tuple[int, int], dict[str, str]] = {}
    for row in conn.execute(sa.select(interaction).where(interaction.c.space_id == space, mine)):
        found.setdefault((row.message_id, row.party_id), {})[row.key] = unpack_texts(row.value)[0]
    return tuple(_answered(row, found.get((row.message, row.mailbox))) for row in rows)


def _answered(row: EntryRow, answers: dict[str, str] | None) -> EntryRow:
    return msgspec.structs.replace(row, answers=tuple(answers.items())) if answers else row
