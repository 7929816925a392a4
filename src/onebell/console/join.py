"""Join pages: who opens a topic's or person's link reads who invites to what, and presses once.

A GET changes nothing. Whoever is not signed in signs in here and comes back, or, where the operator lets him, makes
an account and is in with the same press.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
import segno

from onebell.api import cookies
from onebell.api.callers import SIGN_IN_S, Callers
from onebell.api.errors import ApiError
from onebell.api.operations import Route
from onebell.console import shell
from onebell.console.join_page import Told, View, nowhere, show
from onebell.console.join_words import words_of
from onebell.core.context import Context
from onebell.core.directory import Person, Space
from onebell.core.joining import JoinRefused, Joins, Newcomer, Refusal
from onebell.core.sanitize import one_line
from onebell.errors import Conflict, InvalidInput, NotFound, StoreUnavailable, TooManyFailures
from onebell.http.exchange import Answer, Request
from onebell.ids import UID

REGISTRATIONS = ((10, 3600), (200, 3600))
"""How many new accounts in how many seconds: from one address, and in one space."""
NAME_CHARS = 64
_PICTURE_KEPT = b"public, max-age=86400"
_MODULE_PIXELS = 8
Do = Callable[["_Visit"], Awaitable[Answer]]


class _No(Exception):
    """A form is not taken; told with a word of the pages, or with a text of its own."""

    def __init__(self, word: str, status: int = 422, text: str = "") -> None:
        super().__init__(word)
        self.word = word
        self.status = status
        self.text = text


class _Visit:
    """One request for one link."""

    def __init__(self, request: Request, code: str, space: Space, person: Person | None) -> None:
        self.request = request
        self.code = code
        self.space = space
        self.person = person
        self.language = shell.language(request, person.language if person else "")

    @property
    def reader(self) -> int:
        """Who is signed in; 0 = nobody."""
        return self.person.id if self.person else 0

    @property
    def is_own_page(self) -> bool:
        """Whether the form that was sent is one of ours (RELIABILITY S9)."""
        return cookies.is_own_page(self.request, self.space.public_url)

    def form(self) -> dict[str, str]:
        """Its fields."""
        return dict(parse_qsl(self.request.body.decode("utf-8", "replace"), keep_blank_values=True))


class JoinPages:
    """Serves ``/j/…``."""

    def __init__(self, context: Context, callers: Callers, joins: Joins) -> None:
        self._context = context
        self._callers = callers
        self._joins = joins

    def routes(self) -> list[Route]:
        """Their paths."""
        return [
            Route(("GET",), "/j/{}", self._visited(self._show)),
            Route(("POST",), "/j/{}", self._visited(self._join)),
            Route(("POST",), "/j/{}/sign-in", self._visited(self._sign_in)),
            Route(("POST",), "/j/{}/register", self._visited(self._register)),
            Route(("GET",), "/j/{}/qr.png", self.picture),
        ]

    async def picture(self, request: Request, path: tuple[str, ...]) -> Answer:
        """The QR code of a link, for whoever has its address."""
        try:
            space = await self._context.lookups.space(await self._joins.space_of(path[0]))
        except NotFound:
            return ApiError("not_found", "there is no such link").answer()
        base = space.public_url or f"{request.scheme}://{request.text_header(b'host')}"
        image = await asyncio.to_thread(_drawn, f"{base}/j/{path[0]}")
        # What the caller says our name is must not reach others out of a shared cache.
        caching = _PICTURE_KEPT if space.public_url else b"no-store"
        headers = [(b"content-type", b"image/png"), (b"cache-control", caching)]
        return Answer(200, image, [*headers, (b"x-content-type-options", b"nosniff")])

    # ------------------------------------------------------------ what a visitor does

    def _visited(self, do: Do) -> Callable[[Request, tuple[str, ...]], Awaitable[Answer]]:
        async def handle(request: Request, path: tuple[str, ...]) -> Answer:
            try:
                space = await self._context.lookups.space(await self._joins.space_of(path[0]))
                return await do(_Visit(request, path[0], space, await self._reader(request, space.id)))
            except NotFound:
                return nowhere(request, 404, "unknown")
            except StoreUnavailable:
                return nowhere(request, 503, "not_now")

        return handle

    async def _reader(self, request: Request, space: int) -> Person | None:
        """Who is signed in, by the cookie alone, and belongs to the space."""
        if not cookies.token_of(request):
            return None
        try:
            caller = await self._callers.of(request)
        except ApiError:
            return None
        return await self._context.lookups.person(space, caller.person) if caller.space == space else None

    async def _show(self, visit: _Visit) -> Answer:
        is_other = visit.request.query == b"other"
        person = None if is_other else visit.person
        invitation = await self._joins.invitation(visit.code, person.id if person else 0)
        has_joined = visit.request.query == b"done"
        return show(
            View(
                code=visit.code,
                language=visit.language,
                invitation=invitation,
                person=person,
                has_just_joined=has_joined,
            )
        )

    async def _join(self, visit: _Visit) -> Answer:
        try:
            _check_form(visit)
            await self._joins.join(visit.code, _signed_in(visit).id)
        except _No as no:
            return await self._told(visit, "sign-in", no)
        except JoinRefused as refused:
            return await self._refused(visit, refused.why)
        return _again(visit, "?done")

    async def _sign_in(self, visit: _Visit) -> Answer:
        form, client = visit.form(), visit.request.client
        try:
            _check_form(visit)
            person = await self._callers.check_password(visit.space.name, _uid(form), form.get("password", ""), client)
        except _No as no:
            return await self._told(visit, "sign-in", no)
        except ApiError:
            return await self._told(visit, "sign-in", _No("wrong", 401))
        except TooManyFailures:
            return await self._told(visit, "sign-in", _No("too_often", 429))
        return await self._signed_in(visit, person, "")

    async def _register(self, visit: _Visit) -> Answer:
        try:
            person = await self._joins.register(visit.code, await self._newcomer(visit))
        except _No as no:
            return await self._told(visit, "register", no)
        except InvalidInput:
            return await self._told(visit, "register", _No("bad_uid"))
        except Conflict:
            return await self._told(visit, "register", _No("taken", 409))
        except JoinRefused as refused:
            return await self._refused(visit, refused.why)
        return await self._signed_in(visit, person, "?done")

    async def _newcomer(self, visit: _Visit) -> Newcomer:
        """Who wants to register, checked as far as it goes without the store.

        Raises:
            _No, JoinRefused
        """
        _check_form(visit)
        invitation = await self._joins.invitation(visit.code, 0)
        if invitation.refusal is not None:
            raise JoinRefused(invitation.refusal)
        if not invitation.takes_new:
            raise _No("closed", 403)
        form = visit.form()
        try:
            password = shell.chosen_password(form, visit.language)
        except shell.BadPassword as error:
            raise _No("", text=str(error)) from error
        if not UID.fullmatch(_uid(form)):
            raise _No("bad_uid")
        if not await self._may_register(visit):
            raise _No("too_often", 429)
        hashed = await self._context.vault.hash_password(password)
        return Newcomer(uid=_uid(form), name=_name(form), password_hash=hashed)

    async def _may_register(self, visit: _Visit) -> bool:
        keys = (f"register:{visit.request.client}", "register")
        for key, (limit, window_s) in zip(keys, REGISTRATIONS, strict=True):
            if not await self._context.limits.take(visit.space.id, key, limit, window_s):
                return False
        return True

    async def _signed_in(self, visit: _Visit, person: Person, query: str) -> Answer:
        token, _ends = await self._callers.sign_in(person, visit.request.text_header(b"user-agent"))
        answer = _again(visit, query)
        answer.headers.append(cookies.set_cookie(visit.request, token, SIGN_IN_S))
        return answer

    async def _told(self, visit: _Visit, form: str, no: _No) -> Answer:
        # Shown as to nobody: a form that was not ours learns nothing of who is signed in here.
        invitation, given = await self._joins.invitation(visit.code, 0), visit.form()
        text = no.text or words_of(visit.language, invitation)[no.word]
        told = Told(form=form, text=text, status=no.status, uid=_uid(given), name=_name(given))
        return show(View(code=visit.code, language=visit.language, invitation=invitation, person=None, told=told))

    async def _refused(self, visit: _Visit, why: Refusal) -> Answer:
        invitation = await self._joins.invitation(visit.code, visit.reader)
        refused = msgspec.structs.replace(invitation, refusal=why)
        return show(View(code=visit.code, language=visit.language, invitation=refused, person=visit.person))


def _check_form(visit: _Visit) -> None:
    """Raises: _No: another site made the browser send this."""
    if not visit.is_own_page:
        raise _No("foreign", 403)


def _signed_in(visit: _Visit) -> Person:
    """Raises: _No: nobody is."""
    if visit.person is None:
        raise _No("known", 401)
    return visit.person


def _uid(form: Mapping[str, str]) -> str:
    return form.get("uid", "").strip()


def _name(form: Mapping[str, str]) -> str:
    return one_line(form.get("name", ""))[:NAME_CHARS]


def _drawn(address: str) -> bytes:
    image = io.BytesIO()
    segno.make_qr(address).save(image, kind="png", scale=_MODULE_PIXELS)
    return image.getvalue()


def _again(visit: _Visit, query: str) -> Answer:
    """Back to the link's own page."""
    location = f"/j/{visit.code}{query}".encode()
    return Answer(303, b"", [(b"location", location), (b"cache-control", b"no-store")])
