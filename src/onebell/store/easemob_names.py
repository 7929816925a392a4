"""Names that nobody has in an Easemob app yet: what is sent to them waits a week for who appears (sheet easemob D9)."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.model import PartyKind
from onebell.store import parties
from onebell.store.counters import NAME_KEPT_MS
from onebell.store.queueing import ZERO
from onebell.store.schema import account, entry, feed, mailbox, member, message, party
from onebell.store.upserts import pages

DIALECT = "easemob"
KEPT_ENTRIES = 500
"""Of one name, the newest (sheet easemob §5: offline store)."""
_NAME: sa.ColumnElement[str] = sa.literal_column("'name'")
"""The party's kind in clear: SQLite takes a partial index only for a constant."""
PIECE = 100
"""Names that one transaction takes away."""


def key_of(app: str, name: str) -> str:
    """What the party of a name is found by."""
    return f"{app}/{name}"


def count(connection: sa.Connection, space: int, app: str) -> int:
    """How many names of an app something waits for; those that only ever wrote are none of them."""
    boxes = party.join(mailbox, sa.and_(mailbox.c.space_id == party.c.space_id, mailbox.c.id == party.c.id))
    # From "app/" to before "app0": the prefix as a range of the unique index.
    statement = (
        sa.select(sa.func.count())
        .select_from(boxes)
        .where(
            party.c.space_id == space,
            party.c.kind == PartyKind.NAME.value,
            party.c.name >= f"{app}/",
            party.c.name < f"{app}0",
            mailbox.c.last > ZERO,
        )
    )
    found: int = connection.execute(statement).scalar_one()
    return found


def give(
    connection: sa.Connection, space: int, app: str, name: str, person: int, mint: Callable[[], int], now_ms: int
) -> int:
    """What waits for a name becomes the entries of a person who is there already; how many.

    The name's own party and mailbox stay for what is being written to them right now; :func:`sweep` finds that.
    """
    key = key_of(app, name)
    source = parties.known(connection, space, PartyKind.NAME, [key]).get(key)
    if source is None:
        return 0
    boxes = sa.and_(mailbox.c.space_id == space, mailbox.c.id.in_([source, person]))
    connection.execute(sa.select(mailbox.c.id).where(boxes).order_by(mailbox.c.id).with_for_update())
    rows = _waiting(connection, space, source, now_ms)
    connection.execute(sa.delete(entry).where(entry.c.space_id == space, entry.c.mailbox_id == source))
    if rows:
        feeds = _feeds(connection, space, app, (source, person), rows, mint, now_ms)
        _append(connection, space, person, rows, feeds)
    return len(rows)


def _waiting(connection: sa.Connection, space: int, source: int, now_ms: int) -> Sequence[sa.RowMapping]:
    rows = connection.execute(
        sa.select(entry)
        .where(
            entry.c.space_id == space,
            entry.c.mailbox_id == source,
            entry.c.created_at > now_ms - NAME_KEPT_MS,
            entry.c.deleted_at == 0,
        )
        .order_by(entry.c.seq.desc())
        .limit(KEPT_ENTRIES)
    ).mappings()
    return rows.all()[::-1]


def _feeds(
    connection: sa.Connection,
    space: int,
    app: str,
    hands: tuple[int, int],
    rows: Sequence[sa.RowMapping],
    mint: Callable[[], int],
    now_ms: int,
) -> dict[int, int]:
    """The conversations with the name → those with the person; ``hands`` are both of them."""
    source, person = hands
    old = {row["feed_id"] for row in rows}
    codes = connection.execute(
        sa.select(feed.c.id, feed.c.code).where(feed.c.space_id == space, feed.c.id.in_(sorted(old)))
    )
    others = {row.id: _other(row.code, source) for row in codes}
    parted = sorted(set(others.values()))
    made = parties.ensure_directs(connection, space, DIALECT, app, person, parted, mint, now_ms)
    return {which: made[other] for which, other in others.items()}


def _other(code: str, one: int) -> int:
    low, high = (int(part) for part in code.split(":")[-2:])
    return high if low == one else low


def _append(
    connection: sa.Connection, space: int, person: int, rows: Sequence[sa.RowMapping], feeds: dict[int, int]
) -> None:
    top = max(row["public_id"] for row in rows)
    last: int = connection.execute(
        sa.update(mailbox)
        .where(mailbox.c.space_id == space, mailbox.c.id == person)
        .values(
            last=mailbox.c.last + len(rows),
            last_public=sa.case((mailbox.c.last_public < top, top), else_=mailbox.c.last_public),
        )
        .returning(mailbox.c.last)
    ).scalar_one()
    first = last - len(rows) + 1
    moved = [
        {
            **row,
            "mailbox_id": person,
            "seq": first + number,
            "rev": first + number,
            "feed_id": feeds.get(row["feed_id"], row["feed_id"]),
        }
        for number, row in enumerate(rows)
    ]
    connection.execute(sa.insert(entry), moved)


def over(connection: sa.Connection, space: int, now_ms: int) -> dict[int, str]:
    """Up to ``PIECE`` names that nothing was sent to for a week: party and key."""
    return {row.id: row.name for row in connection.execute(_over(space, now_ms))}


def _over(space: int, now_ms: int) -> sa.Select[Any]:
    return (
        sa.select(party.c.id, party.c.name)
        .join(mailbox, sa.and_(mailbox.c.space_id == party.c.space_id, mailbox.c.id == party.c.id))
        .where(
            mailbox.c.space_id == space,
            mailbox.c.expires_at > ZERO,
            mailbox.c.expires_at < now_ms,
            party.c.kind == PartyKind.NAME.value,
        )
        .order_by(mailbox.c.id)
        .limit(PIECE)
    )


def sweep(connection: sa.Connection, space: int, mint: Callable[[], int], now_ms: int) -> int:
    """Take away what :func:`over` names; how many.

    What reached one in the moment somebody got an account of that name is given to him first. One that has written
    stays as long as its messages, for whoever has them looks back on them by its name (``from`` need not exist).
    """
    names = over(connection, space, now_ms)
    owners = _owners(connection, space, list(names.values()))
    for key, person in owners.items():
        app, _, name = key.rpartition("/")
        give(connection, space, app, name, person, mint, now_ms)
    # Held now, in the writers' order, so that nothing is sent to one of them meanwhile: whoever has just got something
    # is none of them any more.
    held = connection.execute(_over(space, now_ms).with_for_update(of=mailbox))
    ids = [row.id for row in held if row.id in names]
    writers = _writers(connection, space, ids)
    _empty(connection, space, writers, now_ms)
    _remove(connection, space, [one for one in ids if one not in writers])
    return len(ids)


def _writers(connection: sa.Connection, space: int, ids: Sequence[int]) -> frozenset[int]:
    wrote = sa.exists().where(
        message.c.space_id == space, message.c.sender == mailbox.c.id, message.c.sender_kind == _NAME
    )
    rows = connection.execute(sa.select(mailbox.c.id).where(mailbox.c.space_id == space, mailbox.c.id.in_(ids), wrote))
    return frozenset(rows.scalars())


def _empty(connection: sa.Connection, space: int, ids: Collection[int], now_ms: int) -> None:
    """What waited for these is over, they themselves are looked at again in a week."""
    connection.execute(sa.delete(entry).where(entry.c.space_id == space, entry.c.mailbox_id.in_(ids)))
    later = sa.update(mailbox).where(mailbox.c.space_id == space, mailbox.c.id.in_(ids))
    connection.execute(later.values(expires_at=now_ms + NAME_KEPT_MS))


def _owners(connection: sa.Connection, space: int, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key in keys:
        app, _, name = key.rpartition("/")
        statement = sa.select(account.c.person_id).where(
            account.c.space_id == space, account.c.app == app, account.c.name == name
        )
        if (person := connection.execute(statement).scalar()) is not None:
            found[key] = person
    return found


def _remove(connection: sa.Connection, space: int, ids: Sequence[int]) -> None:
    for page in pages(ids):
        connection.execute(sa.delete(entry).where(entry.c.space_id == space, entry.c.mailbox_id.in_(page)))
        connection.execute(sa.delete(member).where(member.c.space_id == space, member.c.party_id.in_(page)))
        connection.execute(sa.delete(mailbox).where(mailbox.c.space_id == space, mailbox.c.id.in_(page)))
        connection.execute(sa.delete(party).where(party.c.space_id == space, party.c.id.in_(page)))
