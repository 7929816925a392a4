"""What an operation of the native API is: its route, who may, what goes in and comes out. One table makes them all."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from onebell.http.exchange import Answer, Request, StreamAnswer


class Right(Enum):
    """What a caller may do. A route names the rights of which its caller needs one."""

    INBOX = "inbox"
    """Read and change one's own mailbox."""
    SEND = "send"
    """Send messages, and see and recall one's own."""
    VIEW = "view"
    """See the space: messages, deliveries, people, carriers."""
    OPERATE = "operate"
    """Recall any message, retry, replay, check carriers."""
    OWN = "own"
    """Make and revoke tokens."""


ROLES: dict[str, frozenset[Right]] = {
    "owner": frozenset(Right),
    "operator": frozenset({Right.INBOX, Right.SEND, Right.VIEW, Right.OPERATE}),
    "sender": frozenset({Right.INBOX, Right.SEND}),
    "reader": frozenset({Right.INBOX}),
}
"""Rights of people (DESIGN §8)."""
SCOPES: dict[str, frozenset[Right]] = {
    "admin": frozenset(Right),
    "send": frozenset({Right.SEND}),
    "read": frozenset({Right.INBOX, Right.VIEW}),
}
"""Rights of tokens. One that belongs to nobody has no mailbox, whatever its scope."""
PUBLIC: frozenset[Right] = frozenset()
SIGNED_IN = frozenset(Right)
"""Any good credential."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request it is."""

    space: int
    rights: frozenset[Right]
    name: str
    person: int = 0  # 0 = a token that belongs to nobody
    credential: int = 0  # of a token; 0 = a sign-in
    session: int = 0  # of a sign-in
    role: str = ""  # a person's role or a token's scope
    by_cookie: bool = False

    def may(self, right: Right) -> bool:
        """Whether the caller has a right."""
        return right in self.rights


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to one operation, with everything checked that the table says."""

    request: Request
    caller: Caller | None  # None only where everybody may
    path: tuple[str, ...] = ()  # decoded values of the pattern's places
    body: Any = None  # of the operation's type

    @property
    def who(self) -> Caller:
        """The caller of an operation that is not public."""
        assert self.caller is not None, "the guard let somebody through without a credential"
        return self.caller


Result: TypeAlias = Answer | StreamAnswer | msgspec.Struct | None
"""A struct becomes a JSON answer, None an empty one."""
Doer: TypeAlias = Callable[[Call], Awaitable[Result]]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter or header."""

    name: str
    about: str
    place: str = "query"  # query | header
    is_number: bool = False


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table."""

    method: str
    path: str  # below /api/v1; ``{}`` is one segment
    names: tuple[str, ...] = ()  # of those segments
    rights: frozenset[Right]
    do: Doer
    about: str
    tag: str
    body: Any = None  # the type of the JSON body; None = there is none
    answer: Any = None  # the type of the JSON answer; None = no body
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    upload: str = ""  # the body is a form, read as it comes, whose file is this part
    takes_ticket: bool = False  # ?ticket= is good here, once

    @property
    def pattern(self) -> str:
        """The path as the router takes it."""
        return f"/api/v1{self.path}"


class Route(msgspec.Struct, frozen=True):
    """A route of the router: an operation's or another of this area."""

    methods: tuple[str, ...]
    pattern: str
    handler: Callable[[Request, tuple[str, ...]], Awaitable[Answer | StreamAnswer]]
