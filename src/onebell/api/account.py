"""Signing in and out, who one is, tickets."""

import msgspec

from onebell.api import cookies
from onebell.api.callers import SIGN_IN_S, Callers
from onebell.api.errors import ApiError, forbidden
from onebell.api.operations import PUBLIC, SIGNED_IN, Call, Operation, Right
from onebell.clock import iso
from onebell.core.context import Context
from onebell.core.presence import Presence
from onebell.http.exchange import Answer, json_answer

_SIGNED_OUT = "signed out"


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Name and password of a person."""

    uid: str
    password: str
    space: str = ""  # name of the space; the only one, or main, by default

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.space!r}, {self.uid!r})"


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session; a browser has it as a cookie as well."""

    token: str
    expires_at: str


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Good once, for 30 seconds, as ``?ticket=``."""

    ticket: str
    expires_at: str


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is."""

    uid: str  # empty for a token that belongs to nobody
    name: str
    role: str  # of a person; the scope of a token
    rights: tuple[str, ...]
    space: str
    language: str
    timezone: str


class AccountApi:
    """Operations on the caller's own access."""

    def __init__(self, context: Context, callers: Callers, presence: Presence) -> None:
        self._context = context
        self._callers = callers
        self._presence = presence

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="POST", path="/login", rights=PUBLIC, do=self.login, tag="account",
                body=Login, answer=SignedIn, about="Sign in with a name and a password.",
            ),
            Operation(
                method="POST", path="/logout", rights=SIGNED_IN, do=self.logout, tag="account", status=204,
                about="End this session and its open streams.",
            ),
            Operation(
                method="GET", path="/me", rights=SIGNED_IN, do=self.me, tag="account",
                answer=Me, about="Who the caller is and what he may do.",
            ),
            Operation(
                method="POST", path="/ticket", rights=frozenset({Right.INBOX}), do=self.ticket, tag="account",
                answer=Ticket, about="A ticket for EventSource and WebSocket, which cannot send headers.",
            ),
        ]  # fmt: skip

    async def login(self, call: Call) -> Answer:
        """Sign in."""
        request, body = call.request, call.body
        if request.header(b"origin") is not None and not await self._is_own_page(call, body.space):
            raise forbidden("sign in from a page of this server")
        person = await self._callers.check_password(body.space, body.uid, body.password, request.client)
        token, ends = await self._callers.sign_in(person, request.text_header(b"user-agent"))
        headers = dict([cookies.set_cookie(request, token, SIGN_IN_S)]) | {b"cache-control": b"no-store"}
        return json_answer(200, SignedIn(token=token, expires_at=iso(ends)), headers)

    async def _is_own_page(self, call: Call, space: str) -> bool:
        # A login that another site makes a browser send would sign its visitor in to a stranger's inbox.
        where = await self._callers.space_named(space)
        return cookies.is_own_page(call.request, where.public_url)

    async def logout(self, call: Call) -> Answer:
        """Sign out."""
        caller = call.who
        if not caller.session:
            raise ApiError("conflict", "a token is revoked, not signed out")
        await self._callers.sign_out(caller)
        await self._presence.kick_all(caller.space, caller.person, caller.session, _SIGNED_OUT)
        return Answer(204, b"", [cookies.clear_cookie(call.request)])

    async def me(self, call: Call) -> Me:
        """Who one is."""
        caller = call.who
        space = await self._context.lookups.space(caller.space)
        person = await self._context.lookups.person(caller.space, caller.person) if caller.person else None
        return Me(
            uid=person.uid if person is not None else "",
            name=caller.name,
            role=caller.role,
            rights=tuple(sorted(right.value for right in caller.rights)),
            space=space.name,
            language=(person.language if person is not None else "") or space.language,
            timezone=(person.timezone if person is not None else "") or space.timezone,
        )

    async def ticket(self, call: Call) -> Ticket:
        """A ticket."""
        value, ends = await self._callers.ticket(call.who)
        return Ticket(ticket=value, expires_at=iso(ends))
