"""The one-time set-up link: whoever started the server sets the owner's password. Nothing is open before that."""

import secrets
from html import escape
from urllib.parse import parse_qsl

from onebell.api import cookies
from onebell.api.callers import DIALECT, SIGN_IN_S, Callers
from onebell.api.errors import ApiError, explained
from onebell.api.operations import Route
from onebell.console.pages import SECURITY
from onebell.core.context import Context
from onebell.core.directory import Person
from onebell.core.presence import SIGN_IN, Session
from onebell.errors import InvalidInput, NotFound, OnebellError
from onebell.http.exchange import Answer, Request
from onebell.ids import UID

KIND = "setup"
KEEP_S = 7 * 86_400
LEAST_CHARACTERS = 8
MOST_CHARACTERS = 200
_WORDS = {
    "en": {
        "title": "Set up onebell",
        "lead": "Choose the owner's name and password. This link works once.",
        "uid": "Name (uid)",
        "password": "Password",
        "again": "Password, again",
        "go": "Set password and sign in",
        "spent": "This link was used or has expired. The next start of the server prints another, until one was used.",
    },
    "zh": {
        "title": "设置 onebell",
        "lead": "设定管理员的名称和密码。此链接只能使用一次。",
        "uid": "名称（uid）",
        "password": "密码",
        "again": "再次输入密码",
        "go": "设置密码并登录",
        "spent": "此链接已使用或已过期。在链接被使用之前，服务器每次启动都会打印新的链接。",
    },
}
_PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<style>:root{{color-scheme:light dark;--line:light-dark(#e6e8eb,#2a2f37);--soft:light-dark(#626a76,#9aa3af)}}
*{{box-sizing:border-box}}body{{margin:0;min-height:100vh;display:grid;place-items:center;padding:16px;
font:16px/1.5 Inter,system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
color:light-dark(#1c1f23,#e7e9ec);background:light-dark(#f6f7f9,#0f1114)}}
main{{width:min(24rem,100%);padding:32px 28px;border:1px solid var(--line);border-radius:18px;
background:light-dark(#fff,#16191e)}}img{{display:block;margin:0 auto}}
h1{{margin:12px 0 0;font-size:22px;text-align:center}}
p{{margin:4px 0 20px;color:var(--soft);text-align:center}}
label{{display:block;margin:14px 0}}
input,button{{font:inherit;width:100%;padding:10px 12px;border-radius:9px;border:1px solid var(--line)}}
input{{margin-top:4px;background:light-dark(#fff,#1f242b);color:inherit}}
button{{margin-top:8px;border:0;font-weight:600;color:#fff;background:#c2410c;cursor:pointer}}
:focus-visible{{outline:2px solid #e8590c;outline-offset:1px}}p.error{{color:light-dark(#c92a2a,#ff8787)}}
</style><main><img src="/assets/icon.svg" alt="" width="56" height="56"><h1>{title}</h1>{inner}</main></html>"""
_FORM = """<p>{lead}</p>{error}<form method="post" action="/console/setup">
<input type="hidden" name="code" value="{code}">
<label>{uid}<input name="uid" value="{known}" autocomplete="username" required></label>
<label>{password}<input name="password" type="password" minlength="8" autocomplete="new-password" required></label>
<label>{again}<input name="again" type="password" minlength="8" autocomplete="new-password" required></label>
<button>{go}</button></form>"""


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
            password = _password(given)
            person = await self._set(code, uid, password)
        except NotFound:
            return _spent(request)
        except (InvalidInput, ApiError) as error:
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


def _password(given: dict[str, str]) -> str:
    password = given.get("password", "")
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ApiError("invalid", f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters", "password")
    if password != given.get("again"):
        raise ApiError("invalid", "the two passwords differ", "again")
    return password


def _language(request: Request) -> str:
    return "zh" if request.text_header(b"accept-language").lower().startswith("zh") else "en"


def _page(request: Request, status: int, inner: str) -> Answer:
    lang = _language(request)
    text = _PAGE.format(lang=lang, title=_WORDS[lang]["title"], inner=inner)
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"), *SECURITY.items()]
    return Answer(status, text.encode(), headers)


def _form(request: Request, status: int, code: str, known: str, error: str) -> Answer:
    shown = f'<p class="error">{escape(error)}</p>' if error else ""
    words = _WORDS[_language(request)]
    return _page(request, status, _FORM.format(**words, code=escape(code), known=escape(known), error=shown))


def _spent(request: Request) -> Answer:
    return _page(request, 404, f"<p>{_WORDS[_language(request)]['spent']}</p>")
