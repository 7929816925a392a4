"""Tokens of the native API: made, listed, revoked."""

import secrets

import msgspec

from onebell.api.callers import DIALECT, TOKEN
from onebell.api.errors import ApiError
from onebell.api.guard import number_in
from onebell.api.operations import SCOPES, Call, Operation, Right
from onebell.clock import iso
from onebell.core.context import Context

_OWN = frozenset({Right.OWN})


async def create_token(context: Context, space: int, name: str, scope: str, person: int = 0) -> str:
    """A new token of the native API; its value is shown this once.

    Raises:
        ApiError: no such scope, or no name.
    """
    if scope not in SCOPES:
        raise ApiError("invalid", f"a scope is one of {', '.join(SCOPES)}", "scope")
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise ApiError("invalid", "a token has a name of 1 to 100 printable characters", "name")
    value = f"ob_{secrets.token_urlsafe(32)}"
    await context.store.credentials.issue(
        space, DIALECT, TOKEN, value, name=name, owner=person, settings={"scope": scope}
    )
    return value


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a token is for."""

    name: str
    scope: str = "send"  # admin | send | read
    person: str = ""  # uid of whom it belongs to; with the scope read it opens his inbox


class TokenItem(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its value."""

    id: str
    name: str
    scope: str
    person: str
    enabled: bool
    created_at: str
    expires_at: str | None


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens of the space."""

    items: tuple[TokenItem, ...]


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token; its value is shown this once."""

    token: str


class TokensApi:
    """Operations on tokens."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="GET", path="/tokens", rights=_OWN, do=self.tokens, tag="tokens",
                answer=TokenList, about="Tokens of the space.",
            ),
            Operation(
                method="POST", path="/tokens", rights=_OWN, do=self.new_token, tag="tokens", status=201,
                body=NewToken, answer=IssuedToken, about="Make a token.",
            ),
            Operation(
                method="DELETE", path="/tokens/{}", names=("token",), rights=_OWN, do=self.revoke, tag="tokens",
                status=204, about="Revoke a token.",
            ),
        ]  # fmt: skip

    async def tokens(self, call: Call) -> TokenList:
        """All tokens."""
        space = call.who.space
        items = []
        for known in await self._context.lookups.credentials(space, DIALECT, TOKEN):
            person = await self._context.lookups.person(space, known.owner) if known.owner else None
            items.append(
                TokenItem(
                    id=str(known.id),
                    name=known.name,
                    scope=str(known.settings.get("scope", "")),
                    person=person.uid if person is not None else "",
                    enabled=known.enabled,
                    created_at=iso(known.created_at),
                    expires_at=iso(known.expires_at) if known.expires_at else None,
                )
            )
        return TokenList(items=tuple(items))

    async def new_token(self, call: Call) -> IssuedToken:
        """Make a token."""
        body: NewToken = call.body
        space = call.who.space
        owner = 0
        if body.person:
            person = await self._context.lookups.person_by_uid(space, body.person)
            if person is None:
                raise ApiError("invalid", "there is no such person", "person")
            owner = person.id
        return IssuedToken(token=await create_token(self._context, space, body.name, body.scope, owner))

    async def revoke(self, call: Call) -> None:
        """Revoke a token."""
        space = call.who.space
        which = number_in(call.path[0], "token")
        known = await self._context.lookups.credential_by_id(space, which)
        if known is None or (known.dialect, known.kind) != (DIALECT, TOKEN):
            raise ApiError("not_found", "there is no such token")
        await self._context.store.credentials.remove(space, which)
