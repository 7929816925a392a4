"""Parties that are made when they are first needed: bots, system names, unclaimed names, pairs of two."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from onebell.core.model import FeedKind, PartyKind
from onebell.store import feeds
from onebell.store.counters import NAME_KEPT_MS
from onebell.store.schema import feed, mailbox, party
from onebell.store.upserts import insert_missing, pages

# Made once: every first message of a conversation asks for them.
_of_space = sa.bindparam("of_space", type_=sa.BigInteger)
_known = sa.select(party.c.name, party.c.id).where(
    party.c.space_id == _of_space,
    party.c.kind == sa.bindparam("of_kind", type_=sa.Text),
    party.c.name.in_(sa.bindparam("names", type_=sa.Text, expanding=True)),
)
_known_directs = sa.select(feed.c.code, feed.c.id).where(
    feed.c.space_id == _of_space,
    feed.c.dialect == sa.bindparam("of_dialect", type_=sa.Text),
    feed.c.kind == FeedKind.DIRECT.value,
    feed.c.owner_id == 0,
    feed.c.code.in_(sa.bindparam("codes", type_=sa.Text, expanding=True)),
)


def known(connection: sa.Connection, space: int, kind: PartyKind, names: Sequence[str]) -> dict[str, int]:
    """Ids of these parties, as far as they exist."""
    found: dict[str, int] = {}
    for page in pages(names):
        values = {"of_space": space, "of_kind": kind.value, "names": page}
        found.update((row[0], row[1]) for row in connection.execute(_known, values))
    return found


def ensure(
    connection: sa.Connection,
    space: int,
    kind: PartyKind,
    names: Sequence[str],
    mint: Callable[[], int],
    now_ms: int,
) -> dict[str, int]:
    """Ids of these parties; what is missing is made, a name or device with its mailbox."""
    insert_missing(
        connection,
        party,
        [{"space_id": space, "id": mint(), "kind": kind.value, "name": name} for name in sorted(set(names))],
    )
    found = known(connection, space, kind, names)
    if kind in (PartyKind.NAME, PartyKind.DEVICE):
        expires_at = now_ms + NAME_KEPT_MS if kind is PartyKind.NAME else 0
        insert_missing(
            connection,
            mailbox,
            [
                {"space_id": space, "id": number, "kind": kind.value, "expires_at": expires_at}
                for number in sorted(found.values())
            ],
        )
    return found


def pair_code(within: str, one: int, other: int) -> str:
    """The code of the direct feed of two parties, the same in either order."""
    pair = f"{min(one, other)}:{max(one, other)}"
    return f"{within}:{pair}" if within else pair


def known_directs(
    connection: sa.Connection, space: int, dialect: str, within: str, one: int, others: Sequence[int]
) -> dict[int, int]:
    """Direct feeds of ``one`` with these, as far as they exist."""
    codes = {pair_code(within, one, other): other for other in others}
    found: dict[int, int] = {}
    for page in pages(list(codes)):
        values = {"of_space": space, "of_dialect": dialect, "codes": page}
        found.update((codes[row[0]], row[1]) for row in connection.execute(_known_directs, values))
    return found


def ensure_directs(
    connection: sa.Connection,
    space: int,
    dialect: str,
    within: str,
    one: int,
    others: Sequence[int],
    mint: Callable[[], int],
    now_ms: int,
) -> dict[int, int]:
    """Direct feeds of ``one`` with these; what is missing is made, with both as members."""
    rows = [
        {
            "space_id": space,
            "id": mint(),
            "kind": FeedKind.DIRECT.value,
            "dialect": dialect,
            "code": code,
            "owner_id": 0,
            "created_at": now_ms,
        }
        for code in sorted({pair_code(within, one, other) for other in others})
    ]
    insert_missing(connection, feed, rows)
    found = known_directs(connection, space, dialect, within, one, others)
    both = {(which, party_id) for other, which in found.items() for party_id in (one, other)}
    feeds.add_members(connection, space, sorted(both), now_ms)
    return found
