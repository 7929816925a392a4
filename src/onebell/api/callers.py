"""Who calls: a token, a sign-in (as bearer or cookie), or a ticket. One function for every route and socket."""

import secrets

from onebell.api import cookies
from onebell.api.errors import ApiError, forbidden, unauthorized
from onebell.api.operations import ROLES, SCOPES, Caller, Right
from onebell.bounded import Bounded
from onebell.core.context import Context
from onebell.core.directory import Credential, Person, Space
from onebell.core.presence import SIGN_IN, Session
from onebell.errors import NotFound
from onebell.http.exchange import Request

DIALECT = "native"
TOKEN = "token"
TICKET = "ticket"
TICKET_S = 30
SIGN_IN_S = 30 * 86_400
FRESH_S = 1.0
"""How long a sign-in is believed without looking again: a sign-out elsewhere is seen within this time."""
_REMEMBERED = 10_000


class Callers:
    """Finds the caller of a request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sessions: Bounded[bytes, tuple[float, Session] | None] = Bounded(_REMEMBERED)
        self._decoy = ""

    async def of(self, request: Request, *, takes_ticket: bool = False) -> Caller:
        """The caller.

        Raises:
            ApiError: unauthorized; or forbidden, for a cookie that another site made the browser send.
        """
        bearer = _bearer(request)
        if bearer:
            return await self._of_bearer(bearer)
        if takes_ticket and (ticket := request.query_value("ticket")):
            return await self._of_ticket(ticket)
        cookie = cookies.token_of(request)
        if not cookie:
            raise unauthorized()
        caller = await self._of_session(cookie, by_cookie=True)
        is_socket = request.scheme in {"ws", "wss"}
        if (cookies.is_write(request) or is_socket) and not await self._is_own_page(request, caller.space):
            raise forbidden("a request with the session cookie must come from a page of this server")
        return caller

    async def _is_own_page(self, request: Request, space: int) -> bool:
        return cookies.is_own_page(request, (await self._context.lookups.space(space)).public_url)

    async def _of_bearer(self, value: str) -> Caller:
        credential = await self._context.lookups.credential(DIALECT, TOKEN, value)
        if credential is not None:
            return await self._of_token(credential)
        return await self._of_session(value, by_cookie=False)

    async def _of_token(self, credential: Credential) -> Caller:
        now = self._context.clock.now_ms()
        if not credential.enabled or 0 < credential.expires_at <= now:
            raise unauthorized()
        scope = str(credential.settings.get("scope", ""))
        if credential.owner and await self._context.lookups.person(credential.space, credential.owner) is None:
            raise unauthorized()
        return Caller(
            space=credential.space,
            rights=SCOPES.get(scope, frozenset()),
            name=credential.name,
            person=credential.owner,
            credential=credential.id,
            role=scope,
        )

    async def _of_session(self, token: str, *, by_cookie: bool) -> Caller:
        digest = self._context.vault.digest(DIALECT, SIGN_IN, token)
        known = self._sessions.get(digest, None)
        now = self._context.clock.monotonic()
        if known is None or known[0] < now - FRESH_S:
            session = await self._context.store.sessions.find(SIGN_IN, digest, self._context.clock.now_ms())
            if session is None:
                self._sessions.drop(digest)
                raise unauthorized()
            known = (now, session)
            self._sessions.put(digest, known)
        return await self._of_person(known[1].space, known[1].mailbox, known[1].id, by_cookie=by_cookie)

    async def _of_person(self, space: int, who: int, session: int, *, by_cookie: bool) -> Caller:
        person = await self._context.lookups.person(space, who)
        if person is None:
            raise unauthorized()
        return Caller(
            space=space,
            rights=ROLES.get(person.role, frozenset()),
            name=person.name or person.uid,
            person=person.id,
            session=session,
            role=person.role,
            by_cookie=by_cookie,
        )

    async def _of_ticket(self, value: str) -> Caller:
        digest = self._context.vault.digest(DIALECT, TICKET, value)
        ticket = await self._context.store.sessions.spend(TICKET, digest, self._context.clock.now_ms())
        if ticket is None:
            raise unauthorized()
        if credential := int(ticket.info.get("credential", "0")):
            known = await self._context.lookups.credential_by_id(ticket.space, credential)
            if known is None:
                raise unauthorized()
            return await self._of_token(known)
        return await self._of_person(ticket.space, ticket.mailbox, int(ticket.info["session"]), by_cookie=False)

    # ------------------------------------------------------------ signing in

    async def space_named(self, name: str) -> Space:
        """The space somebody signs in to: by its name, else the only one, else ``main``.

        Raises:
            NotFound: there is none.
        """
        spaces = await self._context.lookups.spaces()
        wanted = [space for space in spaces if space.name == (name or "main")]
        if not wanted and not name and len(spaces) == 1:
            wanted = list(spaces)
        if not wanted:
            raise NotFound("space")
        return wanted[0]

    async def check_password(self, space: str, uid: str, password: str, client: str) -> Person:
        """The person who signs in. An unknown uid takes as long as a wrong password.

        Raises:
            ApiError: unauthorized.
            TooManyFailures: guessed too often; nothing was hashed.
        """
        name: object = space
        try:
            where = await self.space_named(space)
            name = where.id  # a space that goes without its name is not another one to guess in
            person = await self._context.lookups.person_by_uid(where.id, uid)
        except NotFound:
            person = None
        throttle = f"{name}:{uid.lower()}:{client}"
        known = person.password_hash if person is not None else ""
        good = await self._context.vault.check_password(known or await self._decoy_hash(), password, throttle)
        if person is None or not known or not good:
            raise ApiError("unauthorized", "the name or the password is wrong")
        return person

    async def _decoy_hash(self) -> str:
        if not self._decoy:
            self._decoy = await self._context.vault.hash_password(secrets.token_hex(16))
        return self._decoy

    async def sign_in(self, person: Person, agent: str) -> tuple[str, int]:
        """A new session: its token and when it ends, in ms."""
        context = self._context
        now = context.clock.now_ms()
        token = f"obs_{secrets.token_urlsafe(32)}"
        session = Session(
            space=person.space,
            id=context.mint.mint(),
            kind=SIGN_IN,
            mailbox=person.id,
            lease_until=now + SIGN_IN_S * 1000,
            info={"agent": agent[:200]},
            created_at=now,
        )
        await context.store.sessions.issue(session, context.vault.digest(DIALECT, SIGN_IN, token))
        return token, session.lease_until

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's own session."""
        await self._context.store.sessions.close(caller.space, [caller.session])
        self._sessions = Bounded(_REMEMBERED)

    async def ticket(self, caller: Caller) -> tuple[str, int]:
        """Something to show once, in a URL, within 30 s: its value and when it ends, in ms."""
        context = self._context
        now = context.clock.now_ms()
        value = f"obt_{secrets.token_urlsafe(32)}"
        ticket = Session(
            space=caller.space,
            id=context.mint.mint(),
            kind=TICKET,
            mailbox=caller.person,
            lease_until=now + TICKET_S * 1000,
            info={"credential": str(caller.credential), "session": str(caller.session)},
            created_at=now,
        )
        await context.store.sessions.issue(ticket, context.vault.digest(DIALECT, TICKET, value))
        return value, ticket.lease_until


def _bearer(request: Request) -> str:
    scheme, _, value = request.text_header(b"authorization").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def mailbox_of(caller: Caller) -> int:
    """The caller's mailbox.

    Raises:
        ApiError: forbidden, for a token that belongs to nobody.
    """
    if not caller.person or not caller.may(Right.INBOX):
        raise forbidden("this token belongs to nobody: it has no inbox")
    return caller.person
