"""Devices that read a mailbox from a place of their own, and their sign-ins (DESIGN §1)."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.conversations import REPLACED, Seat, SignedIn
from onebell.core.presence import Session
from onebell.errors import NotFound, TooManyDevices
from onebell.ids import IdMint
from onebell.store import sessions
from onebell.store.engine import Database
from onebell.store.hot import HotStatement, Row, insert_into, raw
from onebell.store.schema import device, device_position, mailbox, session

PIECE = 500
"""Devices that one transaction forgets."""


def sign_in(conn: Connection, seat: Seat, mint: IdMint) -> SignedIn:
    """Store a sign-in; sessions of the same device are told to end.

    Raises:
        TooManyDevices: as many others of the platform are signed in as may be.
        NotFound: there is no such mailbox.
    """
    # Two nodes that let the same person in wait for each other here: neither overlooks the other's session.
    box = sa.select(mailbox.c.id).where(mailbox.c.space_id == seat.space, mailbox.c.id == seat.mailbox)
    if conn.execute(box.with_for_update()).first() is None:
        raise NotFound("mailbox")
    now = seat.session.created_at
    number, seen_at = _device(conn, seat, mint, now)
    alive = sessions.of_mailbox(conn, seat.space, seat.mailbox, now)
    mine = [one.id for one in alive if one.device == number]
    others = {one.device for one in alive if _is_beside(one, seat) and one.device != number}
    if len(others) >= seat.limit:
        raise TooManyDevices
    if mine:
        sessions.kick(conn, seat.space, mine, REPLACED)
    new = msgspec.structs.replace(seat.session, device=number)
    sessions.open_all(conn, [new])
    return SignedIn(session=new, seen_at=seen_at, replaced=tuple(mine))


def _is_beside(other: Session, seat: Seat) -> bool:
    info = other.info
    return other.kind == seat.session.kind and info.get("realm") == seat.realm and info.get("platform") == seat.platform


def _device(conn: Connection, seat: Seat, mint: IdMint, now: int) -> tuple[int, int]:
    """Its id, and when it was last there."""
    shown = {"name": seat.name, "platform": seat.platform, "last_seen": now}
    mine = sa.and_(device.c.space_id == seat.space, device.c.dialect == seat.dialect, device.c.key == seat.code)
    found = conn.execute(sa.select(device.c.id, device.c.last_seen).where(mine)).first()
    if found is not None:
        conn.execute(sa.update(device).where(mine).values(shown))
        return found.id, found.last_seen
    number = mint.mint()
    row = {"space_id": seat.space, "id": number, "mailbox_id": seat.mailbox, "dialect": seat.dialect,
           "key": seat.code, "route": "private", "created_at": now, **shown}  # fmt: skip
    conn.execute(sa.insert(device), [row])
    _start(conn, seat, number)
    return number, 0


def _start(conn: Connection, seat: Seat, number: int) -> None:
    """A new device begins at what no device of its owner has acknowledged (sheet easemob-msync §6)."""
    theirs = device_position.join(
        device,
        sa.and_(device.c.space_id == device_position.c.space_id, device.c.id == device_position.c.device_id),
    )
    highest = (
        sa.select(
            sa.literal(seat.space, sa.BigInteger),
            sa.literal(number, sa.BigInteger),
            device_position.c.feed_id,
            sa.func.max(device_position.c.seq),
            sa.func.max(device_position.c.public_id),
        )
        .select_from(theirs)
        .where(
            device.c.space_id == seat.space,
            device.c.mailbox_id == seat.mailbox,
            device.c.dialect == seat.dialect,
            device.c.key.startswith(f"{seat.realm}:", autoescape=True),
        )
        .group_by(device_position.c.feed_id)
    )
    names = ["space_id", "device_id", "feed_id", "seq", "public_id"]
    conn.execute(sa.insert(device_position).from_select(names, highest))


def seen(conn: Connection, space: int, ids: Sequence[int], now: int) -> None:
    """These devices are there now."""
    if ids:
        conn.execute(sa.update(device).where(device.c.space_id == space, device.c.id.in_(ids)).values(last_seen=now))


def forget(conn: Connection, space: int, dialect: str, seen_before: int, now: int) -> int:
    """Drop up to ``PIECE`` devices of a dialect, with their places, that were not seen since; how many."""
    here = sa.select(session.c.id).where(
        session.c.space_id == space, session.c.device_id == device.c.id, session.c.lease_until > now
    )
    ids = conn.execute(
        sa.select(device.c.id)
        .where(device.c.space_id == space, device.c.dialect == dialect, device.c.last_seen < seen_before)
        .where(~here.exists())
        .limit(PIECE)
    ).scalars()
    gone = list(ids)
    if gone:
        places = device_position.c
        conn.execute(sa.delete(device_position).where(places.space_id == space, places.device_id.in_(gone)))
        conn.execute(sa.delete(device).where(device.c.space_id == space, device.c.id.in_(gone)))
    return len(gone)


def advance(conn: Connection, rows: list[Row]) -> None:
    """Move places of devices forward, never back. Rows of ``device_position``, sorted by key."""
    _advance(conn.dialect).run(raw(conn), rows)


@lru_cache(2)
def _advance(dialect: sa.Dialect) -> HotStatement:
    statement = insert_into(dialect, device_position)
    old, new = device_position.c, statement.excluded
    ahead = new.seq > old.seq
    changed = {name: sa.case((ahead, new[name]), else_=old[name]) for name in ("seq", "public_id")}
    upsert = statement.on_conflict_do_update(index_elements=["space_id", "device_id", "feed_id"], set_=changed)
    return HotStatement(device_position, [column.name for column in device_position.c], dialect, upsert)


class Devices:
    """Devices, each verb in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def sign_in(self, seat: Seat, mint: IdMint) -> SignedIn:
        """See :func:`sign_in`."""
        return await self._db.write(lambda conn: sign_in(conn, seat, mint))

    async def seen(self, space: int, ids: Sequence[int], now: int) -> None:
        """See :func:`seen`."""
        await self._db.write(lambda conn: seen(conn, space, ids, now))

    async def forget(self, space: int, dialect: str, seen_before: int, now: int) -> int:
        """See :func:`forget`."""
        return await self._db.write(lambda conn: forget(conn, space, dialect, seen_before, now))
