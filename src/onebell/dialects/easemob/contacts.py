"""Contacts, invitations and block lists, as servers and the client SDKs call them (sheet easemob §3.4).

What only the SDKs call (``/contacts/apply``, ``/contacts/accept``, ``/sdk/user/{}/blocks`` …) is as easemob-websdk
4.21.1 writes and reads it; pages and remarks are as the documentation's pages about them say.
"""

from collections.abc import Awaitable, Callable, Sequence

from onebell.core.accounts import RelationKind
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import illegal, no_service
from onebell.dialects.easemob.app import ACCOUNT_NAME
from onebell.dialects.easemob.roster import MOST_BLOCKED, Roster
from onebell.dialects.easemob.userdata import user_entity
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, not_his, object_of
from onebell.errors import Refused
from onebell.http.exchange import Answer

CONTACTS = Rate("contacts", 100)
MOST_INVITED = 100
"""In one call."""
PAGE, PAGE_MOST = 10, 50
REMARK_CHARS = 100
_Change = Callable[[Account, Sequence[str]], Awaitable[None]]


class Contacts:
    """Who knows whom, and who wants nothing from whom."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """A user's own lists, for him and for the app."""
        contacts, blocks, sdk = "/users/{}/contacts", "/users/{}/blocks/users", "/sdk/user/{}/blocks"
        documented = "/user/{}/contacts"  # the SDK writes "users" here too
        return (
            self._route(contacts, GET=self._pages),
            self._route(documented, GET=self._pages),
            self._route(documented + "/users/{}", PUT=self._remark),
            self._route(contacts + "/users", GET=self._contacts),
            self._route(contacts + "/users/{}", POST=self._befriend, PUT=self._remark, DELETE=self._part),
            self._route(contacts + "/apply", POST=self._invite),
            self._route(contacts + "/accept/users/{}", POST=self._accept),
            self._route(contacts + "/decline/users/{}", POST=self._decline),
            self._route(blocks, GET=self._blocks, POST=self._block),
            self._route(blocks + "/{}", DELETE=self._unblock),
            self._route(sdk, POST=self._block, DELETE=self._unblock_several),
        )

    def _route(self, pattern: str, **calls: Callable[[Visit], Awaitable[Answer]]) -> Route:
        handled = {method: Call(handle, CONTACTS) for method, handle in calls.items()}
        return self._gate.route(Path(pattern, self._gate.own_token, handled))

    def _roster(self, visit: Visit) -> Roster:
        return Roster(self._context, visit.space, visit.app)

    # ------------------------------------------------------------ lists

    async def _contacts(self, visit: Visit) -> Answer:
        known = await self._known(visit)
        entities = [_contact(name, remark) for name, remark in known.items()] if _wants_remarks(visit) else []
        return self._listed(visit, list(known), entities)

    async def _pages(self, visit: Visit) -> Answer:
        known, query = await self._known(visit), visit.request.query_value
        limit, cursor = query("limit") or str(PAGE), query("cursor") or ""
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 9 and int(limit)):
            raise illegal(answer.INVALID_REQUEST)
        names = list(known)
        # The cursor is the last name shown; whoever has gone since ends the list.
        start = 0 if not cursor else names.index(cursor) + 1 if cursor in known else len(names)
        page = names[start : start + min(int(limit), PAGE_MOST)]
        following = page[-1] if start + len(page) < len(names) else ""
        contacts = [_contact(name, known[name]) if _wants_remarks(visit) else {"username": name} for name in page]
        data = {"contacts": contacts, "cursor": following}
        return answer.brief(self._gate.scene(visit), entities=[], data=data, count=len(names))

    async def _known(self, visit: Visit) -> dict[str, str]:
        owner = await self._gate.account(visit, visit.values[0])
        return await self._context.store.relations.contacts(visit.space, visit.app.key, owner.name)

    async def _blocks(self, visit: Visit) -> Answer:
        owner = await self._gate.account(visit, visit.values[0])
        store = self._context.store.relations
        names = await store.names(visit.space, visit.app.key, owner.name, RelationKind.BLOCK)
        return self._listed(visit, names, [])

    def _listed(self, visit: Visit, names: list[str], entities: list[dict[str, str | None]]) -> Answer:
        return answer.brief(self._gate.scene(visit), entities=entities, data=names, count=len(names))

    # ------------------------------------------------------------ contacts

    async def _befriend(self, visit: Visit) -> Answer:
        if visit.caller.user and visit.app.contacts_only:
            # Whoever is a contact may write: that takes the other's word, or the app's.
            raise not_his(visit)
        owner, friend = await self._two(visit)
        await self._roster(visit).befriend(owner, friend)
        return self._entity(visit, owner, friend, "contacts")

    async def _part(self, visit: Visit) -> Answer:
        owner, friend = await self._both(visit)
        roster = self._roster(visit)
        await (roster.part if visit.caller.user else roster.sever)(owner, friend)
        return self._entity(visit, owner, friend, "contacts")

    async def _remark(self, visit: Visit) -> Answer:
        remark = object_of(visit.request).get("remark")
        if not isinstance(remark, str) or len(remark) > REMARK_CHARS or "\0" in remark:
            raise illegal(answer.INVALID_REQUEST)
        owner, friend = await self._both(visit)
        store = self._context.store.relations
        if not await store.set_remark(visit.space, visit.app.key, owner.name, friend.name, remark):
            raise illegal("updateRemark they are not friends, please add as a friend first.")
        return answer.brief(self._gate.scene(visit), status="ok")

    async def _invite(self, visit: Visit) -> Answer:
        names, reason = _asked(visit)
        if len(names) > MOST_INVITED:
            raise illegal(answer.INVALID_REQUEST)
        owner, found = await self._owner_and(visit, names)
        if owner.name in found:
            raise illegal(answer.INVALID_REQUEST)
        roster = self._roster(visit)
        for name, other in found.items():  # before anybody is asked
            if await roster.blocks(other, owner):
                raise answer.blocked(name)
        for other in found.values():
            await roster.invite(owner, other, reason)
        return answer.envelope(self._gate.scene(visit), {"applyContacts": list(found)})

    async def _accept(self, visit: Visit) -> Answer:
        owner, other = await self._two(visit)
        if not await self._roster(visit).accept(owner, other):
            raise no_service()
        return answer.envelope(self._gate.scene(visit), {"acceptContacts": [other.name]})

    async def _decline(self, visit: Visit) -> Answer:
        owner, other = await self._two(visit)
        await self._roster(visit).decline(owner, other)
        return answer.envelope(self._gate.scene(visit), {"declineContacts": [other.name]})

    # ------------------------------------------------------------ blocks

    async def _block(self, visit: Visit) -> Answer:
        return await self._change_blocks(visit, self._roster(visit).block)

    async def _unblock_several(self, visit: Visit) -> Answer:
        return await self._change_blocks(visit, self._roster(visit).unblock)

    async def _change_blocks(self, visit: Visit, change: _Change) -> Answer:
        names, _ = _asked(visit)
        if len(set(names)) > MOST_BLOCKED:
            raise _too_many()
        owner, found = await self._owner_and(visit, names)
        try:
            await change(owner, list(found))
        except Refused:
            raise _too_many() from None
        return answer.full(self._gate.scene(visit), entities=[], data=list(found))

    async def _unblock(self, visit: Visit) -> Answer:
        owner, other = await self._both(visit)
        await self._roster(visit).unblock(owner, [other.name])
        return self._entity(visit, owner, other, "blocks")

    # ------------------------------------------------------------ who is meant

    async def _both(self, visit: Visit) -> tuple[Account, Account]:
        owner, other = visit.values
        return await self._gate.account(visit, owner), await self._gate.account(visit, other)

    async def _two(self, visit: Visit) -> tuple[Account, Account]:
        """Nobody is his own contact."""
        owner, other = await self._both(visit)
        if owner.name == other.name:
            raise illegal(answer.INVALID_REQUEST)
        return owner, other

    async def _owner_and(self, visit: Visit, names: Sequence[str]) -> tuple[Account, dict[str, Account]]:
        """The others by lower-case name, in the order asked for; all of them are there."""
        owner = await self._gate.account(visit, visit.values[0])
        keys = list(dict.fromkeys(name.lower() for name in names))
        if not all(ACCOUNT_NAME.fullmatch(key) for key in keys):
            raise no_service()
        found = await self._context.store.accounts.find(visit.space, visit.app.key, keys)
        if len(found) < len(keys):
            raise no_service()
        return owner, {key: found[key] for key in keys}

    def _entity(self, visit: Visit, owner: Account, other: Account, what: str) -> Answer:
        path = f"/users/{owner.uuid}/{what}"
        return answer.full(self._gate.scene(visit), path=path, entities=[user_entity(visit.app, other)])


def _asked(visit: Visit) -> tuple[list[str], str]:
    """The names in the body, and the reason beside them."""
    body = object_of(visit.request)
    names, reason = body.get("usernames"), body.get("reason")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise illegal(answer.INVALID_REQUEST)
    return names, reason if isinstance(reason, str) else ""


def _wants_remarks(visit: Visit) -> bool:
    return visit.request.query_value("needReturnRemark") == "true"


def _contact(name: str, remark: str) -> dict[str, str | None]:
    return {"username": name, "remark": remark or None}


def _too_many() -> answer.Rejected:
    return illegal(f"the block list exceeds maximum limit, maximum limit is {MOST_BLOCKED}")
