"""``POST /{org}/{app}/token``: three grants (sheet easemob §3.1)."""

import hmac
from typing import Any

import msgspec

from onebell.core.accounts import NewToken
from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.dialects.easemob.answer import (
    INVALID_REQUEST,
    NO_TOKEN,
    Rejected,
    bad_grant,
    illegal,
    no_user,
    too_fast,
    unauthorized,
)
from onebell.dialects.easemob.app import ACCOUNT_NAME, NEVER_S, App
from onebell.dialects.easemob.auth import caller_of, client_of, new_token, secret_of
from onebell.dialects.easemob.registration import new_account, owner_of
from onebell.dialects.easemob.userdata import token_user
from onebell.errors import NotFound, TooManyFailures
from onebell.http.exchange import NotJson, read_json


class Asked(msgspec.Struct, frozen=True):
    """A token request, read."""

    source: dict[str, Any]
    authorization: str  # header
    client: str  # address of the caller, for the throttle of guesses

    def text(self, name: str) -> str:
        """A text field; empty when it is anything else."""
        value = self.source.get(name)
        return value if isinstance(value, str) else ""


def read(body: bytes, authorization: str, client: str) -> Asked:
    """The body of a token request.

    Raises:
        Rejected: it is not JSON, or not an object.
    """
    try:
        source = read_json(body)
    except NotJson as error:
        raise Rejected(400, "json_parse", str(error)) from None
    if not isinstance(source, dict):
        raise illegal(INVALID_REQUEST)
    return Asked(source, authorization, client)


class Grants:
    """Issues tokens."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def grant(self, space: int, app: App, asked: Asked) -> dict[str, Any]:
        """The answer to a token request.

        Raises:
            Rejected: in the words of §3.1.
        """
        match asked.source.get("grant_type"):
            case "client_credentials":
                return await self._to_app(space, app, asked)
            case "password":
                return await self._by_password(space, app, asked)
            case "inherit":
                return await self._by_name(space, app, asked)
        raise illegal(INVALID_REQUEST)

    async def _to_app(self, space: int, app: App, asked: Asked) -> dict[str, Any]:
        client_id, client_secret = asked.text("client_id"), asked.text("client_secret")
        if not client_id:
            raise illegal("client_id must be provided.")
        if not client_secret:
            raise illegal("client_secret must be provided")
        client = await client_of(self._context, space, app)
        if client is None or not _same(client.name, client_id):
            raise bad_grant("client_id does not match")
        if not client.enabled or not _same(secret_of(client), client_secret):
            raise bad_grant("client_secret does not match")
        issued = await self._issue(space, NewToken(app=app.key), _ttl(asked, app))
        assert issued is not None, "an app's own token depends on no account"
        return {**issued, "application": app.uuid}

    async def _by_password(self, space: int, app: App, asked: Asked) -> dict[str, Any]:
        ttl_s, name = _ttl(asked, app), asked.text("username").lower()
        account = await self._account(space, app, name)
        if account is None:
            raise bad_grant("user not found", 404)
        if not account.active:
            raise bad_grant("user not activated")
        if not await self._is_password(account, asked):
            raise bad_grant("invalid password")
        token = NewToken(app=app.key, user=name, person=account.person, password_hash=account.password_hash)
        if (issued := await self._issue(space, token, ttl_s)) is None:  # changed between the look and the token
            raise bad_grant("invalid password")
        return {**issued, "user": token_user(app, account)}

    async def _is_password(self, account: Account, asked: Asked) -> bool:
        password = asked.text("password")
        throttle = f"easemob:{account.app}:{account.name}:{asked.client}"
        if not password or not account.password_hash:
            return False
        try:
            return await self._context.vault.check_password(account.password_hash, password, throttle)
        except TooManyFailures:
            raise too_fast() from None

    async def _by_name(self, space: int, app: App, asked: Asked) -> dict[str, Any]:
        if (await caller_of(self._context, space, app, asked.authorization)).user:
            raise unauthorized(NO_TOKEN)
        ttl_s, name = _ttl(asked, app), asked.text("username")
        account = await self._account(space, app, name.lower())
        if account is None and asked.source.get("autoCreateUser") is True:
            account = await self._open(space, app, name)
        if account is None:
            raise no_user()
        if not account.active:
            raise bad_grant("user not activated")
        issued = await self._issue(space, NewToken(app=app.key, user=account.name, person=account.person), ttl_s)
        if issued is None:  # deactivated or deleted at this very moment
            raise bad_grant("user not activated")
        return {**issued, "user": token_user(app, account)}

    async def _account(self, space: int, app: App, name: str) -> Account | None:
        if not ACCOUNT_NAME.fullmatch(name):
            return None
        return await self._context.lookups.account(space, app.key, name)

    async def _open(self, space: int, app: App, name: str) -> Account | None:
        new = new_account(app, name)
        try:
            return await self._context.store.accounts.open(space, new, owner_of(app))
        except NotFound:
            return None

    async def _issue(self, space: int, token: NewToken, ttl_s: int) -> dict[str, Any] | None:
        value = new_token()
        expires_at = self._context.clock.now_ms() + ttl_s * 1000 if ttl_s else 0
        complete = msgspec.structs.replace(token, expires_at=expires_at)
        if not await self._context.store.easemob.issue_token(space, value, complete):
            return None
        return {"access_token": value, "expires_in": ttl_s or NEVER_S}


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode())


def _ttl(asked: Asked, app: App) -> int:
    """Seconds; 0 = never expires. A number or numeric text (the printed samples send text)."""
    value = asked.source.get("ttl")
    if value is None:
        return app.token_ttl_s
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise illegal(INVALID_REQUEST)
    return min(value, NEVER_S)
