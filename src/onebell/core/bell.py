"""Wake-ups between tasks and nodes. The bell may lose everything and costs only a delay: a poll finds the rest."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from onebell.core.model import Part


class Due(msgspec.Struct, frozen=True, tag="due", kw_only=True):
    """Work is due now: deliveries, callbacks, plans or pages of an expansion."""

    space: int
    queue: str  # deliveries | callbacks | plans | expansions | events


class ConfigChanged(msgspec.Struct, frozen=True, tag="config", kw_only=True):
    """A space's directory changed: caches follow its new version."""

    space: int
    version: int


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What all readers of one message share; encoded once for all of them."""

    id: int
    space: int
    dialect: str
    public_id: str
    sender: int
    sender_kind: str
    sender_name: str
    parent: int
    severity: int
    parts: tuple[Part, ...]
    created_ms: int
    expires_ms: int
    device: int = 0  # Submission.device


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a message stands in one mailbox."""

    mailbox: int
    feed: int
    seq: int
    rev: int
    public_id: int = 0
    direction: int = 0
    mentioned: int = 0
    shown: int = 0


class NewEntries(msgspec.Struct, frozen=True, tag="entries", kw_only=True):
    """A message was committed into these mailboxes: a reader that stands at ``rev - 1`` can take it from here."""

    message: StoredMessage
    marks: tuple[Mark, ...]


class Changed(msgspec.Struct, frozen=True, tag="changed", kw_only=True):
    """Mailboxes have something new (read, recalled, deleted, expanded): readers catch up from the store."""

    space: int
    mailboxes: tuple[int, ...]  # empty = any mailbox of the space


class Kick(msgspec.Struct, frozen=True, tag="kick", kw_only=True):
    """A session must end; its row says why."""

    space: int
    session: int


Note: TypeAlias = Due | ConfigChanged | NewEntries | Changed | Kick
N = TypeVar("N", Due, ConfigChanged, NewEntries, Changed, Kick)


class Bell(Protocol):
    """Rings on this node at once and on the others when there is a way to them."""

    def ring(self, note: Note) -> None:
        """Tell everybody; never blocks, never raises. Called on the event loop."""
        ...

    def listen(self, kind: type[N], heard: Callable[[N], None]) -> None:
        """Hear every note of a kind, from here and from other nodes, on the event loop."""
        ...

    async def reaches_others(self) -> bool:
        """Whether the other nodes hear it now; waits a moment for a connection that is being made."""
        ...
