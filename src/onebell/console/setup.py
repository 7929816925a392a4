"""The one-time set-up link: whoever started the server sets the owner's password. Nothing is open before that."""

import secrets
from html import escape
from urllib.parse import parse_qsl

from onebell.api import cookies
from onebell.api.callers import DIALECT, SIGN_IN_S, Callers
from onebell.api.errors import ApiError, explained
from onebell.api.operations import Route
from onebell.console import shell
from onebell.core.context import Context
from onebell.core.directory import Person
from onebell.core.presence import SIGN_IN, Session
from onebell.errors import InvalidInput, NotFound, OnebellError
from onebell.http.exchange import Answer, Request
from onebell.ids import UID

KIND = "setup"
KEEP_S = 7 * 86_400
_WORDS = {
    "en": {
        "title": "Set up onebell",
        "lead": "Choose the owner's name and password. This link works once.",
        "uid": "Name (uid)",
        "go": "Set password and sign in",
        "spent": "This link was used or has expired. The next start of the server prints another, until one was used.",
        "sign_in": "Sign in",
    },
    "zh": {
        "title": "设置 onebell",
        "lead": "设定管理员的名称和密码。此链接只能使用一次。",
        "uid": "名称（uid）",
        "go": "设置密码并登录",
        "spent": "此链接已使用或已过期。在链接被使用之前，服务器每次启动都会打印新的链接。",
        "sign_in": "登录",
    },
}
_FORM = """<p>{lead}</p>{error}<form method="post" action="/console/setup">
<input type="hidden" name="code" value="{code}">
<label>{uid}<input name="uid" value="{known}" autocomplete="username" required></label>
{passwords}<button>{go}</button></form>"""
_SPENT = '<p>{spent}</p><a class="button" href="/">{sign_in}</a>'


class Setup:
    """Makes the link and serves its page."""

    def __init__(self, context: Context, callers: Callers) -> None:
        self._context = context
        self._callers = callers

    def routes(self) -> list[Route]:
        """Its path."""
        return [Route(("GET",), "/console/setup", self.show), Route(("POST",), "/console/setup", self.finish)]

    async def link(self, base: str) -> str | None:
        """A new link below ``base``; None when one was used, or there is no space yet. Older links stop working."""
        spaces = await self._context.lookups.spaces()
        if not spaces:
            return None
        space = spaces[0].id
        sessions = self._context.store.sessions
        if await sessions.is_set_up(space):
            return None
        await sessions.close_of(space, KIND, 0)
        now = self._context.clock.now_ms()
        code = secrets.token_urlsafe(32)
        ticket = Session(
            space=space,
            id=self._context.mint.mint(),
            kind=KIND,
            lease_until=now + KEEP_S * 1000,
            created_at=now,
        )
        await sessions.issue(ticket, self._digest(code))
        return f"{base.rstrip('/')}/console/setup?code={code}"

    def _digest(self, code: str) -> bytes:
        return self._context.vault.digest(DIALECT, KIND, code)

    async def show(self, request: Request, _: tuple[str, ...]) -> Answer:
        """The form, if the code is good."""
        code = request.query_value("code") or ""
        try:
            session = await self._context.store.sessions.find(KIND, self._digest(code), self._context.clock.now_ms())
            if session is None:
                return _spent(request)
            owner = await self._owner(session.space)
        except OnebellError as error:
            return explained(error).answer()
        return _form(request, 200, code, owner.uid if owner is not None else "owner", "")

    async def finish(self, request: Request, _: tuple[str, ...]) -> Answer:
        """Set the password, use the link up, sign in."""
        given = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        code, uid = given.get("code", ""), given.get("uid", "")
        try:
            password = shell.chosen_password(given, shell.language(request))
            person = await self._set(code, uid, password)
        except NotFound:
            return _spent(request)
        except (InvalidInput, ApiError, shell.BadPassword) as error:
            return _form(request, 422, code, uid, str(error))
        except OnebellError as error:
            return explained(error).answer()
        token, _ends = await self._callers.sign_in(person, request.text_header(b"user-agent"))
        return Answer(303, b"", [(b"location", b"/"), cookies.set_cookie(request, token, SIGN_IN_S)])

    async def _set(self, code: str, uid: str, password: str) -> Person:
        store, clock = self._context.store, self._context.clock
        session = await store.sessions.find(KIND, self._digest(code), clock.now_ms())
        if session is None:
            raise NotFound("code")
        space = session.space
        known = await self._context.lookups.person_by_uid(space, uid)
        if (known is None or known.role != "owner") and await self._owner(space) is not None:
            raise ApiError("invalid", f"{uid or 'nobody'} is not the owner", "uid")
        if not UID.fullmatch(uid):
            raise ApiError("invalid", "a name has 1 to 64 of A-Z a-z 0-9 _ . @ ! # $ & * + = | -", "uid")
        password_hash = await self._context.vault.hash_password(password)
        if await store.sessions.spend(KIND, self._digest(code), clock.now_ms()) is None:
            raise NotFound("code")
        person = await self._write(space, uid, known, password_hash)
        await store.sessions.finish_setup(space, clock.now_ms())
        return person

    async def _write(self, space: int, uid: str, known: Person | None, password_hash: str) -> Person:
        people = self._context.store.people
        if known is None:
            return await people.create(space, uid, role="owner", password_hash=password_hash)
        if known.role != "owner":
            await people.set_role(space, known.id, "owner")
        await people.set_password_hash(space, known.id, password_hash)
        await self._context.store.sessions.close_of(space, SIGN_IN, known.id)
        return known

    async def _owner(self, space: int) -> Person | None:
        after = 0
        while page := await self._context.store.people.page(space, after):
            for person in page:
                if person.role == "owner":
                    return person
            after = page[-1].id
        return None


def _page(request: Request, status: int, inner: str) -> Answer:
    lang = shell.language(request)
    return shell.page(lang, status, _WORDS[lang]["title"], inner)


def _form(request: Request, status: int, code: str, known: str, error: str) -> Answer:
    lang = shell.language(request)
    form = _FORM.format(
        **_WORDS[lang],
        code=escape(code),
        known=escape(known),
        error=shell.problem(error),
        passwords=shell.password_fields(lang),
    )
    return _page(request, status, form)


def _spent(request: Request) -> Answer:
    return _page(request, 404, _SPENT.format(**_WORDS[shell.language(request)]))
