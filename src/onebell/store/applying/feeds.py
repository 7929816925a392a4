"""Feeds of a directory file and their members."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Feed
from onebell.core.wanted import WantedFeed
from onebell.store import feeds as verbs
from onebell.store.applying.desk import FROM_FILE, Desk, after
from onebell.store.changes import Origin
from onebell.store.feeds import NewFeed
from onebell.store.packed import pack

FeedKey = tuple[str, str, int, str]  # dialect, kind, owner, code


class _Stored(msgspec.Struct, frozen=True):
    feed: Feed
    origin: str
    members: dict[int, str]  # party → origin


def plan(desk: Desk, wanted: Sequence[WantedFeed]) -> None:
    """Compare the feeds."""
    for one in wanted:
        key = (one.dialect, one.kind, desk.person(one.owner), one.code)
        stored = _find(desk, key)
        if stored is None:
            _make(desk, one, key)
        else:
            _compare(desk, one, stored)
            desk.feeds[key] = stored.feed.id


def plan_removals(desk: Desk) -> None:
    """Remove what an earlier file made and this one does not name; comes after :func:`plan`."""
    named = set(desk.feeds.values())
    for feed in verbs.of_origin(desk.connection, desk.space, FROM_FILE):
        if feed.id not in named:
            _remove(desk, feed)


def _remove(desk: Desk, feed: Feed) -> None:
    desk.remove(
        _thing(feed.dialect, feed.kind.value, feed.code),
        lambda connection: verbs.remove(connection, desk.space, feed.id),
    )


def _thing(dialect: str, kind: str, code: str) -> str:
    return f"{kind} {dialect} {code}"


def _find(desk: Desk, key: FeedKey) -> _Stored | None:
    dialect, kind, owner, code = key
    feed = verbs.by_code(desk.connection, desk.space, dialect, kind, code, owner)
    if feed is None:
        return None
    origin = verbs.origin_of(desk.connection, desk.space, feed.id)
    members = {one.party: one.origin for one in verbs.members_of(desk.connection, desk.space, [feed.id])}
    return _Stored(feed, origin, members)


def _make(desk: Desk, want: WantedFeed, key: FeedKey) -> None:
    thing = _thing(want.dialect, want.kind, want.code)
    new = NewFeed(
        id=desk.mint.mint(),
        kind=want.kind,
        dialect=want.dialect,
        code=want.code,
        name=want.name or want.code,
        owner=key[2],
        settings=desk.merged(thing, "settings", {}, want.settings),
        origin=Origin.FILE.value,
    )
    desk.feeds[key] = new.id
    members = [(new.id, desk.person(uid)) for uid in want.members]

    def work(connection: sa.Connection) -> None:
        verbs.insert(connection, desk.space, [new], desk.now_ms)
        verbs.add_members(connection, desk.space, members, desk.now_ms, Origin.FILE)

    desk.make(thing, work)


def _compare(desk: Desk, want: WantedFeed, stored: _Stored) -> None:
    feed = stored.feed
    thing = _thing(want.dialect, want.kind, want.code)
    columns: dict[str, Any] = {}
    settings = desk.merged(thing, "settings", feed.settings, want.settings)
    if settings != feed.settings:
        columns["settings"] = pack(settings)
    if want.name and want.name != feed.name:
        columns["name"] = want.name
    wanted = [desk.person(uid) for uid in want.members]
    joining = [party for party in wanted if party not in stored.members]
    leaving = [party for party, origin in stored.members.items() if origin in FROM_FILE and party not in wanted]
    what = [*columns, *(["members"] if joining or leaving else [])]
    if not what:
        desk.same(thing)
        return

    def work(connection: sa.Connection) -> None:
        if columns:
            verbs.update(connection, desk.space, feed.id, **columns, origin=after(stored.origin))
        new = [(feed.id, party) for party in joining]
        verbs.add_members(connection, desk.space, new, desk.now_ms, Origin.FILE)
        verbs.remove_members(connection, desk.space, feed.id, leaving)

    desk.change(thing, what, stored.origin if columns else Origin.FILE.value, work)
