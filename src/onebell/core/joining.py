"""Join links: who invites to what, what may stand in the way, and what a dialect does with whoever opens one."""

from enum import Enum
from typing import Any, Protocol

import msgspec

from onebell.core.directory import Credential, Person
from onebell.errors import OnebellError

LINK = "join"
"""Kind of the credential whose value is a link's code. It belongs to the feed it leads to, or to the person."""
LASTING = "lasting"
"""Name of a feed's one link that neither expires nor is used up."""


class Refusal(Enum):
    """Why a link does not let somebody in."""

    UNKNOWN = "unknown"
    """There is no such link, or what it led to is gone."""
    ALREADY = "already"
    """He is in already."""
    OWN = "own"
    """Nobody is his own friend."""
    EXPIRED = "expired"
    USED_UP = "used_up"
    BLOCKED = "blocked"
    """Whoever invites has him on the black list."""
    BLOCKING = "blocking"
    """He has whoever invites on his own black list."""
    FULL = "full"
    """No more members or friends are allowed."""


class JoinRefused(OnebellError):
    """A link does not let somebody in; nothing was changed."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why.value)
        self.why = why


class JoinLink(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the code of a link."""

    space: int
    id: int = 0  # of its credential; 0 = not made yet
    feed: int = 0  # it leads into; 0 = it makes friends with ``owner``
    owner: int = 0  # person
    content: str = ""  # what the maker wants to be told of whoever came by this link
    expires_at: int = 0  # 0 = never
    left: int = -1  # how many may still use it; -1 = everybody

    def settings(self) -> dict[str, Any]:
        """What its credential remembers."""
        given = {"feed": bool(self.feed), "content": self.content, "left": self.left}
        return {key: value for key, value in given.items() if value != _USUAL[key]}


_USUAL: dict[str, Any] = {"feed": False, "content": "", "left": -1}


def link_of(found: Credential) -> JoinLink:
    """The link of a credential."""
    remembered = {**_USUAL, **found.settings}
    owner = {"feed": found.owner} if remembered["feed"] else {"owner": found.owner}
    return JoinLink(
        space=found.space,
        id=found.id,
        **owner,
        content=remembered["content"],
        expires_at=found.expires_at,
        left=remembered["left"],
    )


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants in where, and how many fit in (0 = no limit)."""

    link: JoinLink
    room: int
    who: int  # person; 0 = nobody knows him yet


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What a page tells somebody who opens a link."""

    space: int
    inviter: str  # name of the person
    topic: str = ""  # name of the feed; empty = to be friends
    introduction: str = ""
    contact: str = ""
    greeting: str = ""  # said once he is in
    is_own: bool = False  # the reader invites himself, into his own topic
    takes_new: bool = False  # somebody new may register here
    refusal: Refusal | None = None  # None = one press lets him in


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who registers at a link."""

    uid: str
    name: str
    password_hash: str

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Newcomer({self.uid!r})"


class Joins(Protocol):
    """What a dialect does with its links; ``reader`` is a person's id, 0 for somebody who is not signed in."""

    async def space_of(self, code: str) -> int:
        """Where a link leads into. Raises ``NotFound``."""
        ...

    async def invitation(self, code: str, reader: int) -> Invitation:
        """What the page says. Raises ``NotFound``."""
        ...

    async def join(self, code: str, reader: int) -> None:
        """Let a person in. Raises ``NotFound``, ``JoinRefused``."""
        ...

    async def register(self, code: str, newcomer: Newcomer) -> Person:
        """Make a person and let him in, both or neither.

        Raises:
            NotFound, JoinRefused
            Conflict: the uid is taken.
            InvalidInput: the uid breaks its rule.
        """
        ...
