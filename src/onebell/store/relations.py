"""Contacts and blocks between the accounts of an Easemob app (sheet easemob §3.4)."""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.clock import Clock
from onebell.core.accounts import RelationKind
from onebell.errors import Reason, Refused
from onebell.store.engine import Database
from onebell.store.hot import Quick
from onebell.store.schema import relation
from onebell.store.upserts import insert_missing


def _of(space: int, app: str, name: str, kind: RelationKind) -> sa.ColumnElement[bool]:
    return sa.and_(
        relation.c.space_id == space,
        relation.c.app == app,
        relation.c.name == name,
        relation.c.kind == kind.value,
    )


def names_of(connection: sa.Connection, space: int, app: str, name: str, kind: RelationKind) -> list[str]:
    """The others' names, the newest first."""
    statement = sa.select(relation.c.other).where(_of(space, app, name, kind))
    return list(connection.execute(statement.order_by(relation.c.created_at.desc(), relation.c.other)).scalars())


# Made once: it is asked for every message between clients.
_one = Quick(
    sa.select(relation.c.other).where(
        relation.c.space_id == sa.bindparam("space", type_=sa.BigInteger),
        *(relation.c[name] == sa.bindparam(name, type_=sa.Text) for name in ("app", "name", "kind", "other")),
    )
)


def _is_there(connection: sa.Connection, space: int, app: str, name: str, kind: RelationKind, other: str) -> bool:
    values = {"space": space, "app": app, "name": name, "kind": kind.value, "other": other}
    return bool(_one.run(connection, values))


def _remove(connection: sa.Connection, space: int, app: str, name: str, kind: RelationKind, other: str) -> bool:
    """End one relation; False when there was none."""
    one = sa.and_(_of(space, app, name, kind), relation.c.other == other)
    return connection.execute(sa.delete(relation).where(one)).rowcount > 0


def remove_all(connection: sa.Connection, space: int, app: str, name: str) -> None:
    """Remove everything that an account is to others, and they to it."""
    either = sa.or_(relation.c.name == name, relation.c.other == name)
    connection.execute(sa.delete(relation).where(relation.c.space_id == space, relation.c.app == app, either))


class Relations:
    """Who knows whom, and who wants nothing from whom."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def names(self, space: int, app: str, name: str, kind: RelationKind) -> list[str]:
        """The others' names, the newest first."""
        return await self._database.read(lambda connection: names_of(connection, space, app, name, kind))

    async def contacts(self, space: int, app: str, name: str) -> dict[str, str]:
        """The contacts of an account, the newest first, each with what it calls him; empty = by his name."""
        statement = sa.select(relation.c.other, relation.c.remark).where(_of(space, app, name, RelationKind.CONTACT))
        statement = statement.order_by(relation.c.created_at.desc(), relation.c.other)
        return await self._database.read(lambda connection: {row[0]: row[1] for row in connection.execute(statement)})

    async def set_remark(self, space: int, app: str, name: str, other: str, remark: str) -> bool:
        """What an account calls a contact; False when he is none."""
        one = sa.and_(_of(space, app, name, RelationKind.CONTACT), relation.c.other == other)
        statement = sa.update(relation).where(one).values(remark=remark)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount > 0)

    async def is_there(self, space: int, app: str, name: str, kind: RelationKind, other: str) -> bool:
        """Whether the account has this relation to another."""
        return await self._database.read(lambda connection: _is_there(connection, space, app, name, kind, other))

    async def befriend(self, space: int, app: str, one: str, other: str) -> None:
        """Make two accounts each other's contact; invitations between them are over."""
        await self._database.write(lambda connection: self._befriend(connection, space, app, (one, other)))

    async def invite(self, space: int, app: str, name: str, by: str) -> None:
        """Somebody asks an account to be his contact; the same again is one invitation."""
        row = self._row(space, app, name, RelationKind.INVITATION, by)
        await self._database.write(lambda connection: insert_missing(connection, relation, [row]))

    async def accept(self, space: int, app: str, name: str, by: str) -> bool:
        """Take an invitation: they are contacts then; False when there is none, and they are not contacts either."""

        def work(connection: sa.Connection) -> bool:
            is_invited = _remove(connection, space, app, name, RelationKind.INVITATION, by)
            if is_invited:
                self._befriend(connection, space, app, (name, by))
            return is_invited or _is_there(connection, space, app, name, RelationKind.CONTACT, by)

        return await self._database.write(work)

    async def decline(self, space: int, app: str, name: str, by: str) -> bool:
        """Drop an invitation; False when there is none."""
        return await self._database.write(
            lambda connection: _remove(connection, space, app, name, RelationKind.INVITATION, by)
        )

    def _befriend(self, connection: sa.Connection, space: int, app: str, both: tuple[str, str]) -> None:
        pairs = sorted((both, both[::-1]))
        insert_missing(
            connection, relation, [self._row(space, app, name, RelationKind.CONTACT, to) for name, to in pairs]
        )
        for name, to in pairs:
            _remove(connection, space, app, name, RelationKind.INVITATION, to)

    async def part(self, space: int, app: str, one: str, other: str) -> bool:
        """End a friendship on both sides; False when there was none."""

        def work(connection: sa.Connection) -> bool:
            pairs = sorted(((one, other), (other, one)))
            removed = [_remove(connection, space, app, name, RelationKind.CONTACT, to) for name, to in pairs]
            return any(removed)

        return await self._database.write(work)

    async def block(self, space: int, app: str, name: str, others: Sequence[str], most: int) -> None:
        """Put others on an account's block list.

        Raises:
            Refused: the list would hold more than ``most``; nobody is added.
        """
        rows = [self._row(space, app, name, RelationKind.BLOCK, other) for other in sorted(set(others))]

        def work(connection: sa.Connection) -> None:
            insert_missing(connection, relation, rows)
            if len(names_of(connection, space, app, name, RelationKind.BLOCK)) > most:
                raise Refused(Reason.GUARD_EXHAUSTED, "block list")

        await self._database.write(work)

    async def unblock(self, space: int, app: str, name: str, other: str) -> bool:
        """Take one off the block list; False when he was not on it."""
        return await self._database.write(
            lambda connection: _remove(connection, space, app, name, RelationKind.BLOCK, other)
        )

    def _row(self, space: int, app: str, name: str, kind: RelationKind, other: str) -> dict[str, object]:
        return {
            "space_id": space,
            "app": app,
            "name": name,
            "kind": kind.value,
            "other": other,
            "created_at": self._clock.now_ms(),
        }
