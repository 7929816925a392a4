"""Who calls: app tokens, user tokens, dynamic user tokens (sheet easemob §1.2, §3.1)."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Credential
from onebell.dialects.easemob.answer import (
    CORRUPT_TOKEN,
    EXPIRED_TOKEN,
    NO_TOKEN,
    UNKNOWN_TOKEN,
    bad_token,
    unauthorized,
)
from onebell.dialects.easemob.app import ACCOUNT_NAME, CLIENT, DIALECT, TOKEN, App

PREFIX = "YWMt"  # base64 of "ac-": what every client studied accepts (sheet §1.2)
RANDOM_BYTES = 87  # 116 characters after the prefix, as long as the service's own
WELL_FORMED = re.compile(r"YWMt[A-Za-z0-9_\-]{60,200}={0,2}")
DYNAMIC = b"dt-"
DYNAMIC_CHARS = 2048


@dataclass(frozen=True)
class Caller:
    """Whose token it is."""

    user: str  # account name; empty = an app token, or nobody's
    is_unknown: bool = False  # no token was shown
    ends_at: int = 0  # of the token, ms; 0 = never


UNKNOWN = Caller(user="", is_unknown=True)


class _Dynamic(msgspec.Struct):
    """What a dynamic user token holds."""

    signature: str
    appkey: str
    userId: str  # noqa: N815 - the wire's name
    curTime: int  # noqa: N815
    ttl: int


_dynamics = msgspec.json.Decoder(_Dynamic)


def new_token() -> str:
    """A token value."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def bearer(header: str) -> str:
    """The token of an Authorization header.

    Raises:
        Rejected: there is none.
    """
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized(NO_TOKEN)
    return token.strip()


async def caller_of(context: Context, space: int, app: App, header: str) -> Caller:
    """Whose token the header shows.

    Raises:
        Rejected: 401 in the words of §1.2.
    """
    token = bearer(header)
    if WELL_FORMED.fullmatch(token):
        return await _issued(context, space, app, token)
    dynamic = _decode_dynamic(token)
    if dynamic is None:
        raise bad_token(CORRUPT_TOKEN)
    await _check_dynamic(context, space, app, dynamic)
    return Caller(user=dynamic.userId.lower(), ends_at=(dynamic.curTime + dynamic.ttl) * 1000)


async def _issued(context: Context, space: int, app: App, token: str) -> Caller:
    credential = await context.lookups.credential(DIALECT, TOKEN, token)
    if credential is None or not credential.enabled:
        raise bad_token(UNKNOWN_TOKEN)
    if credential.space != space or credential.settings.get("app") != app.key:
        raise bad_token(CORRUPT_TOKEN)
    if 0 < credential.expires_at <= context.clock.now_ms():
        raise unauthorized(EXPIRED_TOKEN)
    return Caller(user=str(credential.settings.get("user", "")), ends_at=credential.expires_at)


def _decode_dynamic(token: str) -> _Dynamic | None:
    """Padded and unpadded base64 are both in use (sheet §3.1)."""
    if len(token) > DYNAMIC_CHARS or not token.isascii():
        return None
    bare = token.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        raw = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
        return _dynamics.decode(raw.removeprefix(DYNAMIC)) if raw.startswith(DYNAMIC) else None
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return None


async def _check_dynamic(context: Context, space: int, app: App, token: _Dynamic) -> None:
    if token.appkey != app.appkey:
        raise bad_token(CORRUPT_TOKEN)
    client = await client_of(context, space, app)
    if client is None or not hmac.compare_digest(_signature(client, token), token.signature.lower().encode()):
        raise bad_token(UNKNOWN_TOKEN)
    now_s = context.clock.now_ms() // 1000
    if not token.curTime <= now_s <= token.curTime + token.ttl:
        raise unauthorized(EXPIRED_TOKEN)
    name = token.userId.lower()
    account = await context.lookups.account(space, app.key, name) if ACCOUNT_NAME.fullmatch(name) else None
    if account is None or not account.active or token.curTime * 1000 + 999 < account.tokens_from:
        raise bad_token(UNKNOWN_TOKEN)


def _signature(client: Credential, token: _Dynamic) -> bytes:
    text = f"{client.name}{token.appkey}{token.userId}{token.curTime}{token.ttl}{secret_of(client)}"
    return hashlib.sha256(text.encode()).hexdigest().encode()


async def client_of(context: Context, space: int, app: App) -> Credential | None:
    """The app's client credential."""
    found = await context.lookups.credential_named(space, DIALECT, CLIENT, app.client_id)
    return found if found is not None and found.settings.get("app") == app.key else None


def secret_of(client: Credential) -> str:
    """The client secret in clear."""
    return client.value.removeprefix(f"{client.name}:")
