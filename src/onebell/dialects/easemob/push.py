"""Offline pushes: for whom a message rings over his routes, and what that says (sheet easemob §6)."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.core.model import Content, Part
from onebell.dialects.easemob.app import DIALECT, TEMPLATE, App
from onebell.dialects.easemob.bodies import text_of
from onebell.dialects.easemob.devices import online
from onebell.dialects.easemob.disturb import is_quiet
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.push_text import (
    DEFAULT_TEMPLATE,
    TEMPLATE_NAME,
    Said,
    Template,
    Words,
    named_template,
    native,
)

BINDINGS, CHOSEN = "push_bindings", "push_template"
"""In an account's settings: its devices' push addresses, and the template it has chosen."""
IGNORED, QUIET, UNBOUND = "message ignore push", "user ignore push", "no push binding"
NOBODY, NO_NOTIFIER = "no user exist", "no notifier exist"
"""Why somebody gets no push, in the callback's words (sheet §4.3)."""
KEPT = ("em_apns_ext", "em_push_ext", "em_android_push_ext", "em_harmony_push_ext")
"""Of a message's ext: what a carrier of the vendor's own needs."""


class Pushes(msgspec.Struct, frozen=True):
    """What goes out besides the inbox, and for whom nothing does."""

    parts: tuple[Part, ...] = ()
    unpushed: dict[str, str] = {}  # reason by party
    words: tuple[Words, ...] = ()  # of each part, without the message's text


async def pushes(
    context: Context, space: int, app: App, message: Message, parties: Mapping[str, int], sender: str
) -> Pushes:
    """Work out the pushes of a message; ``parties`` by lower-case name of the receivers."""
    if message.online_only or message.kind == "cmd":
        return Pushes()
    if message.ext.get("em_ignore_notification") is True:
        return Pushes((), {str(party): IGNORED for party in parties.values()})
    return await _Plan(context, space, app, message, sender).made(parties)


class _Plan:
    """One message's pushes."""

    def __init__(self, context: Context, space: int, app: App, message: Message, sender: str) -> None:
        self._context = context
        self._space = space
        self._app = app
        self._message = message
        self._sender = sender
        self._unpushed: dict[str, str] = {}

    async def made(self, parties: Mapping[str, int]) -> Pushes:
        accounts = await self._context.lookups.accounts(self._space, self._app.key, list(parties))
        self._unpushed = {str(party): NOBODY for name, party in parties.items() if name not in accounts}
        ways = await self._ways(accounts)
        ringing = {name: accounts[name] for name in ways if not await self._is_quiet(accounts[name])}
        if not ringing:
            return Pushes((), self._unpushed)
        there = await online(self._context, self._space, list(ringing.values()))
        said = await self._said([account for name, account in ringing.items() if name not in there])
        groups: dict[tuple[Words, tuple[str, ...]], list[int]] = {}
        for name, account in ringing.items():
            if name not in there:
                words = said.words(account.settings, str(account.settings.get(CHOSEN, "")))
                groups.setdefault((words, ways[name]), []).append(account.person)
        parts = tuple(self._part(*group, people) for group, people in groups.items())
        return Pushes(parts, self._unpushed, tuple(words for words, _ in groups))

    async def _ways(self, accounts: Mapping[str, Account]) -> dict[str, tuple[str, ...]]:
        """Codes of the carriers that each is reached over; who has none is left out."""
        people = [account.person for account in accounts.values()]
        routes = await self._context.lookups.routes_of(self._space, people)
        ways: dict[str, tuple[str, ...]] = {}
        for name, account in accounts.items():
            codes = [await self._code(route.account) for route in routes.get(account.person, ())]
            if wanted := tuple(dict.fromkeys(code for code in codes if code and _accepts(self._message.ext, code))):
                ways[name] = wanted
            else:
                self._unpushed[str(account.person)] = NO_NOTIFIER if account.settings.get(BINDINGS) else UNBOUND
        return ways

    async def _code(self, account: int) -> str:
        found = await self._context.lookups.carrier_by_id(self._space, account)
        return "" if found is None else found.code

    async def _is_quiet(self, account: Account) -> bool:
        ext = self._message.ext
        if ext.get("em_force_notification") is True or not account.settings:
            return False
        zone = await self._zone_of(account)
        now_ms, peer = self._context.clock.now_ms(), self._message.sender.lower()
        quiet = is_quiet(account.settings, account.name, peer, ext, now_ms, zone)
        if quiet:
            self._unpushed[str(account.person)] = QUIET
        return quiet

    async def _zone_of(self, account: Account) -> ZoneInfo:
        """The clock that his hours are read on: his own, else the space's."""
        person = await self._context.lookups.person(self._space, account.person)
        own = "" if person is None else person.timezone
        return _zone(own or (await self._context.lookups.space(self._space)).timezone)

    async def _said(self, accounts: Sequence[Account]) -> Said:
        message = self._message
        names = {str(account.settings.get(CHOSEN, "")) for account in accounts}
        names |= {DEFAULT_TEMPLATE, named_template(message.ext)}
        templates: dict[str, Template] = {}
        for name in names - {""}:
            if (found := await template(self._context, self._space, self._app, name)) is not None:
                templates[name] = found
        return Said(ext=message.ext, sender=self._sender, templates=templates)

    def _part(self, unfilled: Words, carriers: tuple[str, ...], people: Sequence[int]) -> Part:
        message, ext = self._message, self._message.ext
        words = unfilled.saying(text_of(message.kind, message.body))
        data = {name: ext[name] for name in KEPT if name in ext}
        return Part(
            content=Content(title=words.title, body=words.body, data={"from": message.sender, **data}),
            carriers=carriers,
            only=tuple(people),
            native=native(ext, words),
        )


def _accepts(ext: Mapping[str, Any], code: str) -> bool:
    """``em_push_filter``; a notifier's name is a carrier account's code here."""
    wanted = ext.get("em_push_filter")
    if not isinstance(wanted, dict):
        return True
    accepted, ignored = wanted.get("accept_notifier_name"), wanted.get("ignore_notifier_name")
    if isinstance(accepted, list) and accepted and code not in accepted:
        return False
    return not (isinstance(ignored, list) and code in ignored)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


async def template(context: Context, space: int, app: App, name: str) -> Template | None:
    """A template of the app. The name may be a message's, and anything: there is none of a name that none can have."""
    if not TEMPLATE_NAME.fullmatch(name):
        return None
    record = await context.lookups.record(space, DIALECT, TEMPLATE, f"{app.key}/{name}")
    return None if record is None else msgspec.convert(record.data, Template)
