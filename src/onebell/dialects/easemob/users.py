"""The users of an app over REST (sheet easemob §3.2)."""

from collections.abc import Sequence
from typing import Any

from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import illegal, no_service, no_user, unauthorized
from onebell.dialects.easemob.app import KICKED_PASSWORD, KICKED_REMOVED
from onebell.dialects.easemob.auth import UNKNOWN, Caller
from onebell.dialects.easemob.devices import devices_of, end
from onebell.dialects.easemob.paging import Paging, cursor_of, read_paging
from onebell.dialects.easemob.registration import Registration, check_nickname, check_password
from onebell.dialects.easemob.userdata import edited, user_entity
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, json_of, not_his, object_of
from onebell.errors import NotFound
from onebell.http.exchange import Answer

USERS = Rate("users", 100)
"""All that administers users shares it (sheet §5)."""
REMOVALS = Rate("users:delete", 30)
PATH = "/users"


class Users:
    """Registering, reading, changing and removing accounts."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._registration = Registration(context)

    def routes(self) -> Sequence[Route]:
        """Users may see and rename themselves; the rest needs the app's token."""
        gate, one = self._gate, PATH + "/{}"
        every = {
            "POST": Call(self._register, USERS),
            "GET": Call(self._list, USERS),
            "DELETE": Call(self._remove_oldest, REMOVALS),
        }
        single = {
            "GET": Call(self._show, USERS),
            "PUT": Call(self._edit, USERS),
            "DELETE": Call(self._remove, USERS),
        }
        return (
            gate.route(Path(PATH, self._who_registers, every)),
            gate.route(Path(one, gate.own_token, single)),
            gate.route(Path(one + "/password", gate.app_token, {"PUT": Call(self._set_password, USERS)})),
            gate.route(Path(one + "/deactivate", gate.app_token, {"POST": Call(self._deactivate, USERS)})),
            gate.route(Path(one + "/activate", gate.app_token, {"POST": Call(self._activate, USERS)})),
        )

    # ------------------------------------------------------------ registering

    async def _who_registers(self, visit: Visit) -> Caller:
        """Without a token only where registration is open (§3.2)."""
        if visit.request.method != "POST" or visit.request.text_header(b"authorization"):
            return await self._gate.app_token(visit)
        if not visit.app.open_registration:
            raise unauthorized(answer.REGISTER_TOKEN)
        return UNKNOWN

    async def _register(self, visit: Visit) -> Answer:
        body, is_open = json_of(visit.request), visit.caller.is_unknown
        if isinstance(body, list):
            if is_open:
                raise unauthorized(answer.NO_TOKEN)
            made, failed = await self._registration.several(visit.space, visit.app, body)
            return answer.full(self._gate.scene(visit), entities=_entities(visit, made), data=failed)
        if not isinstance(body, dict):
            raise illegal(answer.INVALID_REQUEST)
        registered = self._registration.by_himself if is_open else self._registration.by_app
        account = await registered(visit.space, visit.app, body)
        return answer.full(self._gate.scene(visit), entities=_entities(visit, [account]))

    # ------------------------------------------------------------ reading

    async def _show(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        scene = self._gate.scene(visit)
        return answer.brief(scene, path=PATH, entities=_entities(visit, [account]), count=1)

    async def _list(self, visit: Visit) -> Answer:
        paging = read_paging(visit.request)
        store = self._context.store.accounts
        found = await store.page(visit.space, visit.app.key, paging.after, paging.limit + 1)
        page = found[: paging.limit]
        more = {**_page(visit, paging, page, len(found) > len(page)), "count": len(page)}
        return answer.brief(self._gate.scene(visit), path=PATH, **more)

    # ------------------------------------------------------------ removing

    async def _remove(self, visit: Visit) -> Answer:
        if visit.caller.user:
            raise not_his(visit)
        account = await self._gate.account(visit, visit.values[0])
        devices = await devices_of(self._context, account)
        if await self._context.store.accounts.remove(visit.space, visit.app.key, account.name) is None:
            raise no_service()
        await end(self._context, visit.space, devices, KICKED_REMOVED)
        return answer.full(self._gate.scene(visit), path=PATH, entities=_entities(visit, [account]))

    async def _remove_oldest(self, visit: Visit) -> Answer:
        paging = read_paging(visit.request)
        store, app = self._context.store.accounts, visit.app.key
        asked = await store.page(visit.space, app, paging.after, paging.limit + 1)
        devices = [one for account in asked for one in await devices_of(self._context, account)]
        gone = await store.remove_oldest(visit.space, app, paging.after, paging.limit)
        names = {account.name for account in gone}
        await end(self._context, visit.space, [one for one in devices if one.info.get("user") in names], KICKED_REMOVED)
        more = _page(visit, paging, gone, len(asked) > paging.limit)
        return answer.full(self._gate.scene(visit), path=PATH, **more)

    # ------------------------------------------------------------ changing

    async def _edit(self, visit: Visit) -> Answer:
        body, account = object_of(visit.request), await self._gate.account(visit, visit.values[0])
        store, app = self._context.store.accounts, visit.app.key
        change = edited(account, body)
        if (nickname := check_nickname(body.get("nickname"))) is not None:
            account = await store.set_nickname(visit.space, app, account.name, nickname)
        if change:
            account = await store.change_settings(visit.space, app, account.name, lambda kept: {**kept, **change})
        entity = {**user_entity(visit.app, account), **change}
        return answer.full(self._gate.scene(visit), path=PATH, entities=[entity])

    async def _set_password(self, visit: Visit) -> Answer:
        password = object_of(visit.request).get("newpassword")
        if not isinstance(password, str) or not password:
            raise illegal("newpassword is required")
        check_password(password)
        account = await self._gate.find_account(visit, visit.values[0])
        if account is None:
            raise no_user()
        hashed, store = await self._context.vault.hash_password(password), self._context.store.accounts
        try:
            account = await store.set_password_hash(visit.space, visit.app.key, account.name, hashed)
        except NotFound:
            raise no_user() from None
        await end(self._context, visit.space, await devices_of(self._context, account), KICKED_PASSWORD)
        return answer.bare(self._gate.scene(visit), "set user password")

    async def _deactivate(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        account = await self._context.store.accounts.deactivate(visit.space, visit.app.key, account.name)
        await end(self._context, visit.space, await devices_of(self._context, account), KICKED_REMOVED)
        return answer.bare(self._gate.scene(visit), "Deactivate user", entities=_entities(visit, [account]))

    async def _activate(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        await self._context.store.accounts.activate(visit.space, visit.app.key, account.name)
        return answer.bare(self._gate.scene(visit), "activate user")


def _entities(visit: Visit, accounts: Sequence[Account]) -> list[dict[str, Any]]:
    return [user_entity(visit.app, account) for account in accounts]


def _page(visit: Visit, paging: Paging, page: Sequence[Account], is_more: bool) -> dict[str, Any]:
    more: dict[str, Any] = {"params": paging.params, "entities": _entities(visit, page)}
    if is_more:
        more["cursor"] = cursor_of(page[-1])
    return more
