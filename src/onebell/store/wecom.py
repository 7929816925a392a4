"""What only WeCom asks of the messages."""

import sqlalchemy as sa

from onebell.store.engine import Database
from onebell.store.packed import unpack_object
from onebell.store.schema import message, public_id


class WecomStore:
    """Verbs of the WeCom dialect."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def post(self, space: int, post_id: str, blackboard: int) -> int:
        """The message that is this post on this blackboard (a feed); 0 = there is none (sheet wecom §2.2)."""
        statement = (
            sa.select(message.c.id, message.c.extra)
            .join(
                public_id,
                sa.and_(
                    public_id.c.space_id == message.c.space_id,
                    public_id.c.message_id == message.c.id,
                ),
            )
            .where(
                public_id.c.dialect == "wecom",
                public_id.c.public_id == post_id,
                message.c.space_id == space,
            )
        )
        row = await self._db.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None or blackboard not in unpack_object(row.extra).get("blackboards", ()):
            return 0
        return int(row.id)
