"""Whether a user may write, to whom and how fast: asked of clients and of the inbox page (sheet easemob-msync §7)."""

from enum import Enum

from onebell.core.accounts import RelationKind
from onebell.core.context import Context
from onebell.dialects.easemob.app import ACCOUNT_NAME, CALLS_PER_SECOND, UPLINK_PER_SECOND, App


class Objection(Enum):
    """Why somebody may not write to somebody."""

    BLOCKED = "blocked"
    """The receiver has him on his block list."""
    NO_CONTACT = "no contact"
    """The app lets only contacts write, and the receiver has not got him as one."""


async def objection(context: Context, space: int, app: App, user: str, to: str) -> Objection | None:
    """What stands against a message between two users, named in lower case; None = nothing."""
    if not ACCOUNT_NAME.fullmatch(to) or to == user:
        return None
    relations = context.store.relations
    if await relations.is_there(space, app.key, to, RelationKind.BLOCK, user):
        return Objection.BLOCKED
    if app.contacts_only and not await relations.is_there(space, app.key, to, RelationKind.CONTACT, user):
        return Objection.NO_CONTACT
    return None


async def is_slow_enough(context: Context, space: int, app: App, user: str) -> bool:
    """Count one frame of a user; False = he has sent too many within a second."""
    limit = UPLINK_PER_SECOND * app.calls_per_second // CALLS_PER_SECOND
    return not limit or await context.limits.take(space, f"easemob:{app.key}:uplink:{user}", limit, 1)
