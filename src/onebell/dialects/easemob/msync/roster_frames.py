"""Contacts and blocks, listed and changed with frames of their own: ``RosterBody`` (sheet easemob-msync §3).

SDK 4.x calls the REST API instead; both end in :class:`Roster`.
"""

from collections.abc import Iterable

from onebell.core.accounts import RelationKind
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.easemob.app import ACCOUNT_NAME
from onebell.dialects.easemob.msync import codec, refusals
from onebell.dialects.easemob.msync.codec import Undecodable
from onebell.dialects.easemob.msync.device import Seated
from onebell.dialects.easemob.msync.msync_pb2 import Meta, RosterBody
from onebell.dialects.easemob.msync.refusals import NotTaken
from onebell.dialects.easemob.roster import MOST_BLOCKED, Roster
from onebell.errors import Refused

LISTS = {RosterBody.GET_ROSTER: RelationKind.CONTACT, RosterBody.GET_BLACKLIST: RelationKind.BLOCK}
"""What a client asks for without naming anybody."""


async def take_roster(context: Context, seated: Seated, meta: Meta) -> tuple[Meta, ...]:
    """Change what one user is to others, or list it; what goes back beside the acknowledgement.

    Raises:
        NotTaken: in the words of §7.
        StoreUnavailable
    """
    try:
        body = codec.read(RosterBody, meta.payload)
    except Undecodable:
        raise NotTaken(*refusals.UNREADABLE) from None
    if (kind := LISTS.get(body.operation)) is not None:
        names = await context.store.relations.names(seated.space, seated.app.key, seated.user, kind)
        return (_list(context, seated, body.operation, names),)
    await _take_change(context, seated, body)
    return ()


def _list(context: Context, seated: Seated, operation: RosterBody.Operation, names: Iterable[str]) -> Meta:
    """The question's own shape, filled in. A list has no version: it is sent whole each time."""
    me = codec.user(seated.app, seated.user)
    body = RosterBody(
        operation=operation,
        status=RosterBody.RosterStatus(error_code=RosterBody.RosterStatus.OK),
        sender=me,
        to=[codec.user(seated.app, name) for name in names],
    )
    number, now = context.mint.mint(), context.clock.now_ms()
    return Meta(id=number, sender=me, to=me, timestamp=now, ns=Meta.ROSTER, payload=body.SerializeToString())


async def _take_change(context: Context, seated: Seated, body: RosterBody) -> None:
    me, *others = await _accounts(context, seated, [seated.user, *(jid.name.lower() for jid in body.to)])
    if not others:
        raise NotTaken(*refusals.UNREADABLE)
    roster = Roster(context, seated.space, seated.app)
    match body.operation:
        case RosterBody.BAN:
            await _block(roster, me, others)
        case RosterBody.ALLOW:
            await roster.unblock(me, [one.name for one in others])
        case _:
            for other in others:
                await _change(roster, me, other, body)


async def _accounts(context: Context, seated: Seated, names: list[str]) -> list[Account]:
    keys = list(dict.fromkeys(names))
    if len(keys) > MOST_BLOCKED or not all(ACCOUNT_NAME.fullmatch(key) for key in keys):
        raise NotTaken(*refusals.NO_USER)
    found = await context.lookups.accounts(seated.space, seated.app.key, keys)
    if len(found) < len(keys):
        raise NotTaken(*refusals.NO_USER)
    return [found[key] for key in keys]


async def _change(roster: Roster, me: Account, other: Account, body: RosterBody) -> None:
    match body.operation:
        case RosterBody.ADD:
            if not await roster.invite(me, other, body.reason):
                raise NotTaken(*refusals.BLOCKED)
        case RosterBody.REMOVE:
            await roster.part(me, other)
        case RosterBody.ACCEPT:
            if not await roster.accept(me, other):
                raise NotTaken(*refusals.NOT_INVITED)
        case RosterBody.DECLINE:
            await roster.decline(me, other)
        case _:
            raise NotTaken(*refusals.UNSUPPORTED)


async def _block(roster: Roster, me: Account, others: list[Account]) -> None:
    try:
        await roster.block(me, [one.name for one in others])
    except Refused:
        raise NotTaken(*refusals.TOO_MANY_BLOCKED) from None
