"""Events: written in the transaction that makes them true, packed into callbacks later."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from onebell.core.work import EventDraft
from onebell.ids import IdMint
from onebell.store.queueing import execute_many
from onebell.store.schema import event

_encode = msgspec.json.Encoder().encode


def write_events(connection: sa.Connection, drafts: Sequence[EventDraft], mint: IdMint) -> None:
    """Write events; those of a watched message wait to be packed into callbacks."""
    rows = [
        {
            "space_id": draft.space,
            "id": mint.mint(),
            "dialect": draft.dialect,
            "message_id": draft.message,
            "delivery_id": draft.delivery,
            "person_id": draft.person,
            "kind": draft.kind,
            "data": _encode(draft.data),
            "packed": 0 if draft.watched else 1,
            "created_at": draft.at,
        }
        for draft in drafts
    ]
    execute_many(connection, sa.insert(event), rows)
