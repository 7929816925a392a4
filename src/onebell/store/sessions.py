"""Sign-ins, tickets and open sockets: rows with a lease."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from onebell.core.presence import Session
from onebell.store import setting
from onebell.store.engine import Database
from onebell.store.inbox import AnyRow
from onebell.store.schema import credential_lookup, session
from onebell.store.upserts import pages

_info = msgspec.json.Decoder(dict[str, str])
_COLUMNS = (
    session.c.space_id,
    session.c.id,
    session.c.kind,
    session.c.mailbox_id,
    session.c.device_id,
    session.c.node,
    session.c.lease_until,
    session.c.kicked,
    session.c.info,
    session.c.created_at,
)


def _session(row: AnyRow) -> Session:
    return Session(
        space=row.space_id,
        id=row.id,
        kind=row.kind,
        mailbox=row.mailbox_id,
        device=row.device_id,
        node=row.node,
        lease_until=row.lease_until,
        kicked=row.kicked,
        info=_info.decode(row.info) if row.info else {},
        created_at=row.created_at,
    )


def _row(new: Session) -> dict[str, object]:
    return {
        "space_id": new.space,
        "id": new.id,
        "kind": new.kind,
        "mailbox_id": new.mailbox,
        "device_id": new.device,
        "node": new.node,
        "lease_until": new.lease_until,
        "kicked": new.kicked,
        "info": msgspec.json.encode(new.info),
        "created_at": new.created_at,
    }


def open_all(conn: Connection, new: Sequence[Session]) -> None:
    """Write sessions."""
    conn.execute(sa.insert(session), [_row(one) for one in new])


def issue(conn: Connection, new: Session, digest: bytes) -> None:
    """Write a session that is found by the digest of what its holder shows."""
    open_all(conn, [new])
    conn.execute(sa.insert(credential_lookup), [{"digest": digest, "space_id": new.space, "credential_id": new.id}])


_found = (
    sa.select(*_COLUMNS)
    .select_from(
        credential_lookup.join(
            session,
            sa.and_(
                session.c.space_id == credential_lookup.c.space_id, session.c.id == credential_lookup.c.credential_id
            ),
        )
    )
    .where(
        credential_lookup.c.digest == sa.bindparam("digest", type_=sa.LargeBinary),
        session.c.kind == sa.bindparam("kind", type_=sa.Text),
        session.c.lease_until > sa.bindparam("now", type_=sa.BigInteger),
        session.c.kicked == "",
    )
)


def find(conn: Connection, kind: str, digest: bytes, now: int) -> Session | None:
    """The session that belongs to a digest, unless it has ended."""
    row = conn.execute(_found, {"digest": digest, "kind": kind, "now": now}).first()
    return _session(row) if row is not None else None


def spend(conn: Connection, kind: str, digest: bytes, now: int) -> Session | None:
    """Use up what may be used once; None = there is none, or somebody was faster."""
    found = find(conn, kind, digest, now)
    if found is None:
        return None
    spent = conn.execute(sa.delete(credential_lookup).where(credential_lookup.c.digest == digest)).rowcount
    close(conn, found.space, [found.id])
    return found if spent else None


def close(conn: Connection, space: int, ids: Sequence[int]) -> None:
    """End sessions."""
    conn.execute(
        sa.delete(credential_lookup).where(
            credential_lookup.c.space_id == space, credential_lookup.c.credential_id.in_(ids)
        )
    )
    conn.execute(sa.delete(session).where(session.c.space_id == space, session.c.id.in_(ids)))


def close_of(conn: Connection, space: int, kind: str, mailbox: int) -> int:
    """End all sessions of a kind that belong to a mailbox's owner; how many."""
    ids = conn.execute(
        sa.select(session.c.id).where(
            session.c.space_id == space, session.c.mailbox_id == mailbox, session.c.kind == kind
        )
    ).scalars()
    found = list(ids)
    close(conn, space, found)
    return len(found)


def renew(conn: Connection, space: int, ids: Sequence[int], lease_until: int) -> list[Session]:
    """Lengthen leases; all of these that there are, those that somebody wants gone as they were."""
    mine = sa.and_(session.c.space_id == space, session.c.id.in_(ids))
    conn.execute(sa.update(session).where(mine, session.c.kicked == "").values(lease_until=lease_until))
    return [_session(row) for row in conn.execute(sa.select(*_COLUMNS).where(mine))]


def of_mailbox(conn: Connection, space: int, mailbox: int, now: int) -> list[Session]:
    """See :func:`of_mailboxes`."""
    return of_mailboxes(conn, space, [mailbox], now)


def of_mailboxes(conn: Connection, space: int, mailboxes: Sequence[int], now: int) -> list[Session]:
    """Sessions of these mailboxes that are alive, oldest first.

    Those that somebody wants gone are so for whoever asks: their sockets hear of it within moments.
    """
    found: list[Session] = []
    for page in pages(mailboxes):
        of_these = (session.c.space_id == space, session.c.mailbox_id.in_(page))
        alive = (session.c.lease_until > now, session.c.kicked == "")
        rows = conn.execute(sa.select(*_COLUMNS).where(*of_these, *alive).order_by(session.c.id))
        found += [_session(row) for row in rows]
    return found


def kick(conn: Connection, space: int, ids: Sequence[int], why: str) -> None:
    """Want sessions gone; the node that holds each ends it."""
    conn.execute(sa.update(session).where(session.c.space_id == space, session.c.id.in_(ids)).values(kicked=why))


def ended(conn: Connection, before: int, limit: int) -> list[tuple[int, int]]:
    """Up to ``limit`` sessions (space, id) whose lease ended before an instant."""
    which = sa.select(session.c.space_id, session.c.id).where(session.c.lease_until < before)
    return [(row.space_id, row.id) for row in conn.execute(which.limit(limit))]


def sweep(conn: Connection, sessions: Sequence[tuple[int, int]], ended_before: int) -> None:
    """Remove those of these sessions whose lease was not renewed meanwhile."""
    by_space: dict[int, list[int]] = {}
    for space, number in sessions:
        by_space.setdefault(space, []).append(number)
    for space, ids in by_space.items():
        mine = (session.c.space_id == space, session.c.id.in_(ids), session.c.lease_until < ended_before)
        close(conn, space, list(conn.execute(sa.select(session.c.id).where(*mine).with_for_update()).scalars()))


_SETUP = "setup"


def finish_setup(conn: Connection, space: int, now: int) -> None:
    """Remember that the one-time link was used: no start prints another."""
    setting.write(conn, space, _SETUP, {"done_at": now})


def probe(conn: Connection, now: int) -> None:
    """Write one row and take it away again, to see whether the store takes writes."""
    row = Session(space=0, id=now, kind="probe")
    close(conn, 0, [row.id])
    open_all(conn, [row])
    close(conn, 0, [row.id])


class Sessions:
    """Sessions, each verb in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open_all(self, new: Sequence[Session]) -> None:
        """See :func:`open_all`."""
        await self._db.write(lambda conn: open_all(conn, new))

    async def issue(self, new: Session, digest: bytes) -> None:
        """See :func:`issue`."""
        await self._db.write(lambda conn: issue(conn, new, digest))

    async def find(self, kind: str, digest: bytes, now: int) -> Session | None:
        """See :func:`find`."""
        return await self._db.read(lambda conn: find(conn, kind, digest, now))

    async def spend(self, kind: str, digest: bytes, now: int) -> Session | None:
        """See :func:`spend`."""
        return await self._db.write(lambda conn: spend(conn, kind, digest, now))

    async def close(self, space: int, ids: Sequence[int]) -> None:
        """See :func:`close`."""
        await self._db.write(lambda conn: close(conn, space, ids))

    async def close_of(self, space: int, kind: str, mailbox: int) -> int:
        """See :func:`close_of`."""
        return await self._db.write(lambda conn: close_of(conn, space, kind, mailbox))

    async def renew(self, space: int, ids: Sequence[int], lease_until: int) -> list[Session]:
        """See :func:`renew`."""
        return await self._db.write(lambda conn: renew(conn, space, ids, lease_until))

    async def of_mailbox(self, space: int, mailbox: int, now: int) -> list[Session]:
        """See :func:`of_mailbox`."""
        return await self._db.read(lambda conn: of_mailbox(conn, space, mailbox, now))

    async def of_mailboxes(self, space: int, mailboxes: Sequence[int], now: int) -> list[Session]:
        """See :func:`of_mailboxes`."""
        return await self._db.read(lambda conn: of_mailboxes(conn, space, mailboxes, now))

    async def kick(self, space: int, ids: Sequence[int], why: str) -> None:
        """See :func:`kick`."""
        await self._db.write(lambda conn: kick(conn, space, ids, why))

    async def sweep(self, ended_before: int, limit: int) -> int:
        """Remove up to ``limit`` sessions whose lease ended before an instant; how many were found.

        Looked for beside the writers: it reads them all.
        """
        found = await self._db.read(lambda conn: ended(conn, ended_before, limit))
        if found:
            await self._db.write(lambda conn: sweep(conn, found, ended_before))
        return len(found)

    async def is_set_up(self, space: int) -> bool:
        """Whether the one-time link was used."""
        return bool(await self._db.read(lambda conn: setting.read(conn, space, _SETUP)))

    async def finish_setup(self, space: int, now: int) -> None:
        """See :func:`finish_setup`."""
        await self._db.write(lambda conn: finish_setup(conn, space, now))

    async def probe(self, now: int) -> None:
        """See :func:`probe`."""
        await self._db.write(lambda conn: probe(conn, now))
