"""Entries by ``rev``: one that never changed has its ``seq`` as its rev, only the changed ones have an index of it.

An index of every rev held each value a second time and was a quarter of what storing a broadcast cost.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from onebell.store.schema import entry

_unchanged = entry.c.rev == entry.c.seq
_changed = entry.c.rev != entry.c.seq  # the condition of the index entry_changed, word for word

Place = int | sa.ColumnElement[int]


def between(after: Place, up_to: Place) -> sa.ColumnElement[bool]:
    """Entries whose rev lies behind ``after``, up to ``up_to``; of which mailboxes, the caller says."""
    return sa.or_(
        sa.and_(_unchanged, entry.c.seq > after, entry.c.seq <= up_to),
        sa.and_(_changed, entry.c.rev > after, entry.c.rev <= up_to),
    )


def first_behind(
    after: sa.ColumnElement[int], wanted: Sequence[sa.ColumnElement[bool]], limit: sa.ColumnElement[int]
) -> sa.Subquery:
    """``seq`` of the entries ``wanted`` behind a rev, oldest changes first: at most ``limit`` of either kind."""
    unchanged = sa.select(entry.c.seq).where(*wanted, _unchanged, entry.c.seq > after).order_by(entry.c.seq)
    changed = sa.select(entry.c.seq).where(*wanted, _changed, entry.c.rev > after).order_by(entry.c.rev)
    either = sa.union_all(*(sa.select(one.limit(limit).subquery().c.seq) for one in (unchanged, changed)))
    return either.subquery("behind")
