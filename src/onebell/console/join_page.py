"""How a join page looks: who invites to what, then a button, the ways to sign in, or why there is neither."""

from collections.abc import Mapping
from html import escape

import msgspec

from onebell.console import shell
from onebell.console.join_words import STATUSES, words_of
from onebell.core.directory import Person
from onebell.core.joining import Invitation, Refusal
from onebell.core.sanitize import one_line
from onebell.http.exchange import Answer, Request

_INVITED = "<p>{lead}</p>{topic}{about}<p>{effect}</p>{problem}"
_PRESS = """<form method="post" action="/j/{code}"><button>{go}</button></form>
<p style="margin:16px 0 0">{as_whom} · <a href="/j/{code}?other">{other}</a></p>"""
_SIGN_IN = """<form method="post" action="/j/{code}/sign-in" aria-label="{sign_in}">
<label>{uid}<input name="uid" value="{known_uid}" autocomplete="username" autocapitalize="off" spellcheck="false"
 required></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required></label>
<button>{sign_in}</button></form>"""
_REGISTER = """<details{is_open}><summary>{first_time}</summary>{problem}
<form method="post" action="/j/{code}/register" aria-label="{register}">
<label>{new_uid}<input name="uid" value="{known_uid}" autocomplete="username" autocapitalize="off" spellcheck="false"
 maxlength="64" required></label>
<label>{name}<input name="name" value="{known_name}" autocomplete="name" maxlength="64" required></label>
{passwords}<button>{register}</button></form></details>"""
_OPEN = '<a class="button" href="/">{open}</a>'


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong with a form, and what it held."""

    form: str = ""  # sign-in | register
    text: str = ""
    status: int = 200
    uid: str = ""
    name: str = ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one page shows."""

    code: str  # of the link: hex digits
    language: str  # zh | en
    invitation: Invitation
    person: Person | None  # who is signed in and would join
    told: Told = Told()
    has_just_joined: bool = False

    @property
    def words(self) -> Mapping[str, str]:
        """In the reader's language."""
        return words_of(self.language, self.invitation)


def nowhere(request: Request, status: int, word: str) -> Answer:
    """The page of a link that leads nowhere."""
    lang = shell.language(request)
    words = words_of(lang, None)
    return shell.page(lang, status, words["title"], f'<p class="words">{words[word]}</p>')


def show(view: View) -> Answer:
    """The page."""
    words, why = view.words, view.invitation.refusal
    if why is not None:
        return shell.page(view.language, STATUSES[why], words["title"], _refusal(view, why))
    if view.person is None:
        return shell.page(view.language, view.told.status, words["title"], _doors(view))
    name = one_line(view.person.name or view.person.uid)
    as_whom = escape(words["signed_in_as"].format(name=name))
    press = _PRESS.format(code=view.code, go=words["go"], as_whom=as_whom, other=words["other"])
    return shell.page(view.language, 200, words["title"], _invited(view, "") + press)


def _invited(view: View, problem: str) -> str:
    invitation, words = view.invitation, view.words
    about = [invitation.introduction]
    if invitation.contact:
        about.append(words["contact"].format(contact=invitation.contact))
    return _INVITED.format(
        lead=escape(words["lead"].format(inviter=one_line(invitation.inviter))),
        topic=f"<h2>{escape(one_line(invitation.topic))}</h2>" if invitation.topic else "",
        about="".join(f'<p class="words">{escape(text)}</p>' for text in about if text),
        effect=words["own"] if invitation.is_own else words["effect"],
        problem=shell.problem(problem),
    )


def _doors(view: View) -> str:
    """The ways in for somebody who is not signed in; a form that went wrong comes back with what it held."""
    told, words = view.told, view.words
    is_new = told.form == "register"
    in_new, in_known = (told.text, "") if is_new else ("", told.text)
    sign_in = _SIGN_IN.format(**words, code=view.code, known_uid="" if is_new else escape(told.uid))
    register = ""
    if view.invitation.takes_new:
        register = _REGISTER.format(
            **words,
            code=view.code,
            is_open=" open" if is_new else "",
            problem=shell.problem(in_new),
            known_uid=escape(told.uid) if is_new else "",
            known_name=escape(told.name),
            passwords=shell.password_fields(view.language),
        )
    elif is_new:
        register = shell.problem(in_new)
    return _invited(view, in_known) + sign_in + register


def _refusal(view: View, why: Refusal) -> str:
    """Why there is nothing to press; who is in already may go and read."""
    invitation, words = view.invitation, view.words
    is_new = why is Refusal.ALREADY and view.has_just_joined
    name = escape(one_line(invitation.topic or invitation.inviter))
    said = words["done"] if is_new else words[why.value]
    greeting = f'<p class="words">{escape(invitation.greeting)}</p>' if is_new and invitation.greeting else ""
    way_on = _OPEN.format(open=words["open"]) if why is Refusal.ALREADY else ""
    return f'<h2>{name}</h2><p class="words" role="status">{said}</p>{greeting}{way_on}'
