"""The bell of this process: tells every listener at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from onebell.core.bell import Changed, ConfigChanged, Due, Kick, N, NewEntries, Note

if TYPE_CHECKING:
    from onebell.store.nats_bell import NatsBell

log = structlog.get_logger()

KINDS: tuple[type[Note], ...] = (Due, ConfigChanged, NewEntries, Changed, Kick)


class LocalBell:
    """Rings on this node."""

    def __init__(self) -> None:
        self._listeners: dict[type[Note], list[Callable[[Any], None]]] = {kind: [] for kind in KINDS}

    def ring(self, note: Note) -> None:
        """Tell every listener; one that raises does not keep it from the others."""
        for heard in self._listeners[type(note)]:
            try:
                heard(note)
            except Exception:
                log.exception("bell_listener_failed", note=type(note).__name__)

    def listen(self, kind: type[N], heard: Callable[[N], None]) -> None:
        """Hear every note of a kind."""
        self._listeners[kind].append(heard)

    async def reaches_others(self) -> bool:
        """There are none."""
        return True

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to disconnect from."""


def build_bell(nats_url: str) -> "LocalBell | NatsBell":
    """The bell that the settings name, not yet open."""
    if not nats_url:
        return LocalBell()
    # Imported when chosen: a server that runs alone need not load a client.
    from onebell.store.nats_bell import NatsBell  # noqa: PLC0415

    return NatsBell(nats_url)
