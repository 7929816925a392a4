"""Registering users: by the app, one or many, and by themselves (sheet easemob §3.2)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from onebell.core.accounts import NewAccount, Owner, Refusal
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.easemob.answer import Rejected, duplicate, illegal, taken
from onebell.dialects.easemob.app import ACCOUNT_NAME, RESERVED_NAME, App, user_uuid

AT_ONCE = 60
NAME_BYTES = 64
PASSWORD_CHARS = 64
NICKNAME_CHARS = 100


class Wanted(msgspec.Struct, frozen=True):
    """One user of a request, checked."""

    account: NewAccount
    password: str

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Wanted({self.account.name!r})"


def owner_of(app: App) -> Owner:
    """Whose accounts an app token may make."""
    return Owner.ANYBODY if app.create_people else Owner.KNOWN


def new_account(app: App, name: str, nickname: str = "") -> NewAccount:
    """An account to be.

    Raises:
        Rejected: nobody can have that name (sheet §3.2).
    """
    if len(name.encode()) > NAME_BYTES:
        raise illegal("USERNAME_TOO_LONG")
    lower = name.lower()
    if not ACCOUNT_NAME.fullmatch(lower) or lower == RESERVED_NAME:
        raise illegal_name(name)
    return NewAccount(app=app.key, name=lower, person=0, uuid=user_uuid(app, lower), nickname=nickname)


def illegal_name(name: object) -> Rejected:
    """A name that nobody can have here."""
    return illegal(f"username [{name}] is not legal")


def check_password(password: str) -> None:
    """Raises ``Rejected``: it is too long."""
    if len(password) > PASSWORD_CHARS:
        raise illegal("PASSWORD_TOO_LONG")


def check_nickname(nickname: object) -> str | None:
    """A nickname, None when there is none.

    Raises:
        Rejected: it is too long, no text, or holds NUL.
    """
    if nickname is None:
        return None
    if not isinstance(nickname, str) or "\x00" in nickname:
        raise illegal("nickname is not legal")
    if len(nickname) > NICKNAME_CHARS:
        raise illegal("NICKNAME_TOO_LONG")
    return nickname


def _wanted(app: App, source: Mapping[str, Any]) -> Wanted:
    name, password = source.get("username"), source.get("password")
    if name is None or name == "":
        raise illegal("Entity user requires a property named username")
    if not isinstance(name, str):
        raise illegal_name(name)
    nickname = check_nickname(source.get("nickname")) or ""
    account = new_account(app, name, nickname)
    if not isinstance(password, str) or not password:
        raise illegal("password or pin must provided")
    check_password(password)
    return Wanted(account, password)


class Registration:
    """Makes accounts."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def by_app(self, space: int, app: App, body: Mapping[str, Any]) -> Account:
        """One user, with the app's token. Raises ``Rejected``."""
        return await self._one(space, app, _wanted(app, body), owner_of(app))

    async def by_himself(self, space: int, app: App, body: Mapping[str, Any]) -> Account:
        """Whoever comes, where registration is open: never into the mailbox of a person who is there.

        Raises:
            Rejected: also when the app makes no people.
        """
        wanted = _wanted(app, body)
        if not app.create_people:
            raise illegal_name(wanted.account.name)
        return await self._one(space, app, wanted, Owner.NEW)

    async def several(
        self, space: int, app: App, body: Sequence[Any]
    ) -> tuple[Sequence[Account], list[dict[str, str]]]:
        """Up to 60 users; who was made, and who was not and why.

        Raises:
            Rejected: one of them breaks a rule; nobody is made.
        """
        if len(body) >= AT_ONCE + 1:
            text = f"Request body array size[{len(body)}] had almost reached or been greater than the upper range value"
            raise illegal(f"{text}[{AT_ONCE}]")
        by_name = _by_name([_wanted(app, source if isinstance(source, dict) else {}) for source in body])
        if not by_name:
            raise illegal("Entity user requires a property named username")
        # Who is there already costs no hash.
        there = await self._context.store.accounts.find(space, app.key, list(by_name))
        hashed = await asyncio.gather(*(self._hashed(one) for name, one in by_name.items() if name not in there))
        refused = dict.fromkeys(there, Refusal.TAKEN)
        made: tuple[Account, ...] = ()
        if hashed:
            result = await self._context.store.accounts.register(space, hashed, owner_of(app))
            made, refused = result.made, refused | result.refused
        failed = [{"username": name, "registerUserFailReason": _why(name, why)} for name, why in refused.items()]
        return made, failed

    async def _one(self, space: int, app: App, wanted: Wanted, owner: Owner) -> Account:
        name = wanted.account.name
        if await self._context.store.accounts.find(space, app.key, [name]):
            raise taken(app.uuid, name)
        result = await self._context.store.accounts.register(space, [await self._hashed(wanted)], owner)
        if not result.made:
            raise taken(app.uuid, name) if result.refused[name] is Refusal.TAKEN else illegal_name(name)
        return result.made[0]

    async def _hashed(self, wanted: Wanted) -> NewAccount:
        hashed = await self._context.vault.hash_password(wanted.password)
        return msgspec.structs.replace(wanted.account, password_hash=hashed)


def _by_name(several: Sequence[Wanted]) -> dict[str, Wanted]:
    found: dict[str, Wanted] = {}
    for one in several:
        name = one.account.name
        if found.setdefault(name, one).password != one.password:
            # The service prints the passwords; they are in no text of ours.
            raise duplicate(f"the same user {name} has a different password, the passwords are [***]")
    return found


def _why(name: str, refusal: Refusal) -> str:
    return f"the {name} already exists" if refusal is Refusal.TAKEN else f"username [{name}] is not legal"
