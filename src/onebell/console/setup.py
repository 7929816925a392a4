"""The one-time set-up link: whoever started the server sets the owner's password. Nothing is open before that."""

import secrets
from html import escape
from urllib.parse import parse_qsl

from onebell.api import cookies
from onebell.api.callers import DIALECT, SIGN_IN_S, Callers
from onebell.api.errors import explained
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
        "lead_known": "Choose the owner's password. This link works once.",
        "not_owner": "The owner is {owner}.",
        "bad_uid": "A name has 1 to 64 of A-Z a-z 0-9 _ . @ ! # $ & * + = | -",
        "uid": "Name (uid)",
        "go": "Set password and sign in",
        "spent": "This link was used or has expired. The next start of the server prints another, until one was used.",
        "sign_in": "Sign in",
    },
    "zh": {
        "title": "设置 onebell",
        "lead": "设定管理员的名称和密码。此链接只能使用一次。",
        "lead_known": "设定管理员的密码。此链接只能使用一次。",
        "not_owner": "管理员是 {owner}。",
        "bad_uid": "名称由 1 到 64 个字符组成：A-Z a-z 0-9 _ . @ ! # $ & * + = | -",
        "uid": "名称（uid）",
        "go": "设置密码并登录",
        "spent": "此链接已使用或已过期。在链接被使用之前，服务器每次启动都会打印新的链接。",
        "sign_in": "登录",
    },
}
_FORM = """<p>{lead}</p>{error}<form method="post" action="/console/setup">
<input type="hidden" name="code" value="{code}">
<label>{uid}<input name="uid" value="{name}" autocomplete="username" required{fixed}></label>
{passwords}<button>{go}</button></form>"""
_SPENT = '<p>{spent}</p><a class="button" href="/">{sign_in}</a>'


class _BadName(Exception):
    """A name cannot be the owner's; the text says why, in the reader's language."""


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
            owner = await self._owner(await self._space(code))
        except NotFound:
            return _spent(request)
        except OnebellError as error:
            return explained(error).answer()
        return _form(request, 200, code, owner)

    async def finish(self, request: Request, _: tuple[str, ...]) -> Answer:
        """Set the password, use the link up, sign in."""
        given = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        code, uid, lang = given.get("code", ""), given.get("uid", ""), shell.language(request)
        try:
            space = await self._space(code)
            owner = await self._owner(space)
            try:
                known = await self._named(space, uid, owner, lang)
                password = shell.chosen_password(given, lang)
                person = await self._set(space, code, (uid, known), password)
            except (InvalidInput, _BadName, shell.BadPassword) as error:
                return _form(request, 422, code, owner, uid, str(error))
        except NotFound:
            return _spent(request)
        except OnebellError as error:
            return explained(error).answer()
        token, _ends = await self._callers.sign_in(person, request.text_header(b"user-agent"))
        return Answer(303, b"", [(b"location", b"/"), cookies.set_cookie(request, token, SIGN_IN_S)])

    async def _space(self, code: str) -> int:
        session = await self._context.store.sessions.find(KIND, self._digest(code), self._context.clock.now_ms())
        if session is None:
            raise NotFound("code")
        return session.space

    async def _named(self, space: int, uid: str, owner: Person | None, lang: str) -> Person | None:
        """Who has this name; None = nobody yet."""
        known = await self._context.lookups.person_by_uid(space, uid)
        if owner is not None and (known is None or known.role != "owner"):
            raise _BadName(_WORDS[lang]["not_owner"].format(owner=owner.uid))
        if not UID.fullmatch(uid):
            raise _BadName(_WORDS[lang]["bad_uid"])
        return known

    async def _set(self, space: int, code: str, named: tuple[str, Person | None], password: str) -> Person:
        store, clock = self._context.store, self._context.clock
        uid, known = named
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


def _form(
    request: Request, status: int, code: str, owner: Person | None, name: str = "owner", error: str = ""
) -> Answer:
    lang = shell.language(request)
    words = _WORDS[lang]
    form = _FORM.format(
        lead=words["lead"] if owner is None else words["lead_known"],
        error=shell.problem(error),
        code=escape(code),
        uid=words["uid"],
        name=escape(name if owner is None else owner.uid),
        fixed="" if owner is None else " readonly",
        passwords=shell.password_fields(lang),
        go=words["go"],
    )
    return _page(request, status, form)


def _spent(request: Request) -> Answer:
    return _page(request, 404, _SPENT.format(**_WORDS[shell.language(request)]))
