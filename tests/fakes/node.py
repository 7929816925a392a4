"""One node's doors for the background tasks: a real store and a moved clock; the rest stands still."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from tests.fakes.clock import MovedClock
from tests.rows import SPACE, Rows

from onebell.core.bell import Note
from onebell.core.carriage import Rendered
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount, Space
from onebell.core.work import MessageFacts
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store


@dataclass
class HeardBell:
    """Writes down what was rung and tells those who listen."""

    rung: list[Note] = field(default_factory=list)
    listeners: list[tuple[type[Any], Callable[[Any], None]]] = field(default_factory=list)

    def ring(self, note: Note) -> None:
        self.rung.append(note)
        for kind, heard in self.listeners:
            if isinstance(note, kind):
                heard(note)

    def listen(self, kind: type[Any], heard: Callable[[Any], None]) -> None:
        self.listeners.append((kind, heard))


@dataclass
class RowLookups:
    """The directory, read from the rows each time."""

    rows: Rows
    allow_callbacks: tuple[str, ...] = ()

    async def carrier_by_id(self, space: int, account: int) -> CarrierAccount | None:
        found = await self.rows.all(schema.carrier_account, id=account)
        return _account(found[0]) if found and space == SPACE else None

    async def carrier(self, space: int, code: str) -> CarrierAccount | None:
        found = await self.rows.all(schema.carrier_account, code=code)
        return _account(found[0]) if found and space == SPACE else None

    async def carriers(self, space: int) -> list[CarrierAccount]:
        return [_account(row) for row in await self.rows.all(schema.carrier_account)]

    async def space(self, space: int) -> Space:
        return Space(
            id=space,
            name="test",
            timezone="UTC",
            language="en",
            public_url="https://bell.example",
            allow_callbacks=self.allow_callbacks,
            config_version=1,
        )

    def forget(self, space: int) -> None:
        """Nothing is remembered."""


@dataclass
class CountedLimits:
    """Rates that never refill."""

    used: dict[str, int] = field(default_factory=dict)

    async def take(self, space: int, key: str, limit: int, window_s: int, amount: int = 1) -> bool:
        if self.used.get(key, 0) + amount > limit:
            return False
        self.used[key] = self.used.get(key, 0) + amount
        return True


class OpenVault:
    """Seals with a mark, so that a test sees what was sealed."""

    def seal(self, text: str) -> bytes:
        return b"sealed:" + text.encode()

    def unseal(self, sealed: bytes) -> str:
        return sealed.removeprefix(b"sealed:").decode()


def _account(row: Any) -> CarrierAccount:
    return CarrierAccount(
        id=row.id,
        space=row.space_id,
        code=row.code,
        kind=row.kind,
        name=row.name,
        fields={},
        allow_networks=(),
        owner=0,
        enabled=bool(row.enabled),
        stopped_why=row.stopped_why,
        max_age_s=row.max_age_s,
    )


def context_of(store: Store, rows: Rows, bell: HeardBell | None = None, **settings: Any) -> Context:
    """A node's context."""
    unused = cast(Any, None)
    return Context(
        settings=Settings(**settings),
        clock=rows.clock,
        mint=rows.mint,
        store=store,
        bell=bell or HeardBell(),
        lookups=cast(Any, RowLookups(rows)),
        vault=cast(Any, OpenVault()),
        limits=cast(Any, CountedLimits()),
        files=unused,
        scripts=unused,
        pictures=unused,
        accounts=unused,
        accept=unused,
    )


async def plain_render(message: MessageFacts, part: int, account: CarrierAccount) -> Rendered:
    """The content as it is."""
    content = message.parts[part].content
    native = message.parts[part].native.get(account.kind)
    return Rendered(
        title=content.title, text=content.body, html="", markdown="", content=content, native=native, attachments=()
    )


__all__ = ["CountedLimits", "HeardBell", "MovedClock", "OpenVault", "RowLookups", "context_of", "plain_render"]
