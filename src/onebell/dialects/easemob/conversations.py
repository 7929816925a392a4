"""Conversations of an app's users: direct feeds, and the names that their two sides call each other (msync §4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from onebell.core.context import Context
from onebell.core.inbox import shown_part, unpack
from onebell.dialects.easemob.app import ACCOUNT_NAME, DIALECT, App


async def conversations(context: Context, space: int, app: App, me: int, others: Sequence[int]) -> dict[int, int]:
    """The conversations of a party with these, made at first use. Those of two apps are never the same."""
    if not others:
        return {}
    return await context.lookups.directs(space, DIALECT, me, others, app.key)


async def conversation_with(context: Context, space: int, app: App, me: int, name: str) -> int:
    """The conversation with a user of the app; 0 = there is no such user."""
    key = name.lower()
    if not ACCOUNT_NAME.fullmatch(key):
        return 0
    account = await context.lookups.account(space, app.key, key)
    if account is None:
        return 0
    return (await conversations(context, space, app, me, (account.person,)))[account.person]


async def peers(context: Context, space: int, app: App, me: int, feeds: Sequence[int]) -> dict[int, str]:
    """What the owner of a mailbox calls these conversations: the other side's name. Those of other apps are left out.

    Remembered until the space changes, so that a new message costs no look into the store.
    """
    shelf = context.lookups.shelf(space)
    known: dict[int, str] = {which: name for which in feeds if (name := shelf.get(_key(app, me, which), None))}
    missing = [which for which in feeds if which not in known]
    if missing:
        found = await context.store.queues.peers(space, DIALECT, app.key, me, missing)
        if gone := [which for which, name in found.items() if not name]:
            former = await _former_peers(context, space, me, gone)
            found = {which: name for which in found if (name := found[which] or former.get(which, ""))}
        for which, name in found.items():
            shelf.put(_key(app, me, which), name)
        known |= found
    return known


async def _former_peers(context: Context, space: int, me: int, feeds: Sequence[int]) -> dict[int, str]:
    """Whose account is deleted is called what his messages call him: those that wait still come."""
    found: dict[int, str] = {}
    for which, newest in await context.store.queues.newest_each_way(space, me, feeds):
        part = shown_part(unpack(newest.parts))
        data: Mapping[str, Any] = part.content.data if part is not None else {}
        names = data.get("to", ()) if newest.is_copy else (data.get("from", ""),)
        if len(names) == 1 and names[0]:
            found[which] = str(names[0])
    return found


def learn_peer(context: Context, space: int, app: App, me: int, which: int, name: str) -> None:
    """What the owner of a mailbox calls a conversation, where that is known already."""
    context.lookups.shelf(space).put(_key(app, me, which), name)


def _key(app: App, me: int, which: int) -> tuple[str, str, int, int]:
    return ("easemob peer", app.key, me, which)
