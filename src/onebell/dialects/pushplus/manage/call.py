"""One call of the open API: who asks for what, and how its values are read (sheet pushplus §2)."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Person, Space
from onebell.dialects.pushplus.answer import OpenFault, OpenRefused
from onebell.dialects.pushplus.fields import document, text_of
from onebell.dialects.pushplus.lenient import NotJson
from onebell.dialects.pushplus.senders import SenderInfo
from onebell.http.exchange import Answer, Request

NAME_CHARS = 100
"""Of a name or a code; the sheet leaves the number to us."""

_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0+)?")


class Call:
    """A request with a valid access key."""

    def __init__(self, context: Context, sender: SenderInfo, request: Request) -> None:
        """Raises: OpenRefused (the body is no JSON object)."""
        self.context = context
        self.sender = sender
        self.request = request
        self.values = _values(request)
        """The body's fields over the query's: each row's parameters stand in one of them."""

    @property
    def space(self) -> Space:
        """Where the caller lives."""
        return self.sender.space

    @property
    def me(self) -> Person:
        """The caller."""
        return self.sender.person

    @property
    def base(self) -> str:
        """What the addresses that the caller is given begin with."""
        return base_of(self.space, self.request)

    @property
    def now_ms(self) -> int:
        """The server's time."""
        return self.context.clock.now_ms()

    def has(self, name: str) -> bool:
        """Whether a parameter was given at all; null counts as not."""
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        """A parameter as text without blanks around it; empty when absent."""
        return stored(text_of(self.values.get(name))).strip()

    def whole_text(self, name: str) -> str:
        """A parameter as text exactly as it was given."""
        return stored(text_of(self.values.get(name)))

    def required(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            OpenRefused: it is absent or blank.
        """
        return self.text(name) or refuse(OpenFault.ABSENT, name)

    def name(self, name: str) -> str:
        """A name or code that must be there and is not too long.

        Raises:
            OpenRefused: it is absent, blank or too long.
        """
        return self.at_most(NAME_CHARS, name, self.required(name))

    def at_most(self, limit: int, name: str, text: str) -> str:
        """``text`` itself.

        Raises:
            OpenRefused: it has more characters.
        """
        return text if len(text) <= limit else refuse(OpenFault.TOO_LONG, name)

    def number(self, name: str, default: int = 0) -> int:
        """A whole number, given as number or as text.

        Raises:
            OpenRefused: something else was given.
        """
        return number_of(name, self.values.get(name), default)

    def amount(self, name: str) -> float:
        """An amount, given as number or as text; whole ones without a fraction.

        Raises:
            OpenRefused: something else was given.
        """
        text = self.text(name)
        if _AMOUNT.fullmatch(text) is None:
            refuse(OpenFault.MALFORMED, name)
        return float(text) if float(text) % 1 else int(float(text))

    def choice(self, name: str, choices: Sequence[int]) -> int:
        """One of these numbers; the parameter must be there.

        Raises:
            OpenRefused: it is absent or another.
        """
        value = number_of(name, self.required(name))
        return value if value in choices else refuse(OpenFault.MALFORMED, name)

    # ------------------------------------------------------------ objects by their numbers

    async def shown(self, kind: str, ids: Sequence[int]) -> dict[int, int]:
        """The small number under which each of these rows is shown."""
        found = await self.context.store.numbers.shown(self.space.id, kind, [str(one) for one in ids])
        return {int(one): number for one, number in found.items()}

    async def shown_one(self, kind: str, which: int) -> int:
        """The small number of one row."""
        return (await self.shown(kind, (which,)))[which]

    async def meant(self, kind: str, name: str) -> int:
        """The row whose number a parameter gives; 0 when there is none.

        Raises:
            OpenRefused: the parameter is absent or no number.
        """
        found = await self.context.store.numbers.meant(self.space.id, kind, number_of(name, self.required(name)))
        return int(found) if found else 0

    async def note(self, what: str, thing: str, detail: Mapping[str, Any] | None = None) -> None:
        """Tell the operator's log of a change that has been made."""
        await self.context.store.audit.note(self.space.id, self.me.uid, what, thing, detail)


Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
Calls: TypeAlias = Mapping[tuple[str, str], Handler]
"""By method and path below ``/api/open/``."""


def base_of(space: Space, request: Request) -> str:
    """The server's address as callers reach it; no trailing slash."""
    return space.public_url or f"{request.scheme}://{request.text_header(b'host')}"


def refuse(fault: OpenFault, insert: object = "") -> NoReturn:
    """Raises: OpenRefused."""
    raise OpenRefused(fault, insert)


def number_of(name: str, value: object, default: int = 0) -> int:
    """A whole number, given as number or as text; absent or blank = the default.

    Raises:
        OpenRefused: something else was given.
    """
    text = text_of(value).strip()
    if not text:
        return default
    if _WHOLE.fullmatch(text) is None:
        refuse(OpenFault.MALFORMED, name)
    return int(text.partition(".")[0])


def stored(text: str) -> str:
    """Text that both engines take: PostgreSQL's refuses NUL and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _values(request: Request) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in request.query_pairs():
        query.setdefault(name, value)
    try:
        return query | document(request)
    except NotJson:
        raise OpenRefused(OpenFault.NOT_JSON) from None


class Row(msgspec.Struct, rename="camel"):
    """What the open API shows of an object: keys in camel case, in the order of the fields."""
