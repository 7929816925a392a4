"""Contacts and block lists (sheet easemob §3.4)."""

from collections.abc import Sequence

from onebell.core.accounts import RelationKind
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import illegal, no_service
from onebell.dialects.easemob.app import ACCOUNT_NAME
from onebell.dialects.easemob.userdata import user_entity
from onebell.dialects.easemob.users import USERS
from onebell.dialects.easemob.visit import Call, Gate, Path, Visit, object_of
from onebell.errors import Refused
from onebell.http.exchange import Answer

MOST_BLOCKED = 500


class Contacts:
    """Who knows whom, and who wants nothing from whom."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """A user's own lists, for him and for the app."""
        gate = self._gate
        contacts, blocks = "/users/{}/contacts/users", "/users/{}/blocks/users"
        of_contact = {"POST": Call(self._befriend, USERS), "DELETE": Call(self._part, USERS)}
        of_blocks = {"GET": Call(self._blocks, USERS), "POST": Call(self._block, USERS)}
        return (
            gate.route(Path(contacts, gate.own_token, {"GET": Call(self._contacts, USERS)})),
            gate.route(Path(contacts + "/{}", gate.own_token, of_contact)),
            gate.route(Path(blocks, gate.own_token, of_blocks)),
            gate.route(Path(blocks + "/{}", gate.own_token, {"DELETE": Call(self._unblock, USERS)})),
        )

    async def _contacts(self, visit: Visit) -> Answer:
        return await self._listed(visit, RelationKind.CONTACT)

    async def _blocks(self, visit: Visit) -> Answer:
        return await self._listed(visit, RelationKind.BLOCK)

    async def _listed(self, visit: Visit, kind: RelationKind) -> Answer:
        owner = await self._gate.account(visit, visit.values[0])
        names = await self._context.store.relations.names(visit.space, visit.app.key, owner.name, kind)
        return answer.brief(self._gate.scene(visit), entities=[], data=names, count=len(names))

    async def _befriend(self, visit: Visit) -> Answer:
        owner, friend = await self._both(visit)
        if owner.name == friend.name:
            raise illegal(answer.INVALID_REQUEST)
        await self._context.store.relations.befriend(visit.space, visit.app.key, owner.name, friend.name)
        return self._entity(visit, owner, friend, "contacts")

    async def _part(self, visit: Visit) -> Answer:
        owner, friend = await self._both(visit)
        await self._context.store.relations.part(visit.space, visit.app.key, owner.name, friend.name)
        return self._entity(visit, owner, friend, "contacts")

    async def _block(self, visit: Visit) -> Answer:
        names = object_of(visit.request).get("usernames")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise illegal(answer.INVALID_REQUEST)
        owner = await self._gate.account(visit, visit.values[0])
        keys = list(dict.fromkeys(name.lower() for name in names))
        if not all(ACCOUNT_NAME.fullmatch(key) for key in keys) or len(keys) > MOST_BLOCKED:
            raise no_service() if len(keys) <= MOST_BLOCKED else _too_many()
        found = await self._context.store.accounts.find(visit.space, visit.app.key, keys)
        if len(found) < len(keys):
            raise no_service()
        try:
            await self._context.store.relations.block(visit.space, visit.app.key, owner.name, keys, MOST_BLOCKED)
        except Refused:
            raise _too_many() from None
        return answer.full(self._gate.scene(visit), entities=[], data=keys)

    async def _unblock(self, visit: Visit) -> Answer:
        owner, other = await self._both(visit)
        await self._context.store.relations.unblock(visit.space, visit.app.key, owner.name, other.name)
        return self._entity(visit, owner, other, "blocks")

    async def _both(self, visit: Visit) -> tuple[Account, Account]:
        owner, other = visit.values
        return await self._gate.account(visit, owner), await self._gate.account(visit, other)

    def _entity(self, visit: Visit, owner: Account, other: Account, what: str) -> Answer:
        path = f"/users/{owner.uuid}/{what}"
        return answer.full(self._gate.scene(visit), path=path, entities=[user_entity(visit.app, other)])


def _too_many() -> answer.Rejected:
    return illegal(f"the block list exceeds maximum limit, maximum limit is {MOST_BLOCKED}")
