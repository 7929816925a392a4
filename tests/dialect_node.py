"""A node with real store, lookups, limits and files that answers dialects' requests, without sockets and carriers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from tests.fakes.account_checks import account_checks
from tests.fakes.clock import MovedClock

from onebell.core.accept import Accept
from onebell.core.context import Context
from onebell.core.model import Content, Part
from onebell.core.wanted import Wanted, WantedPerson, WantedSpace
from onebell.dialects.pushgo.compat import Compat
from onebell.dialects.pushgo.routes import PushGo, Rest
from onebell.dialects.wecom.routes import WeCom
from onebell.http.router import Router
from onebell.ids import IdMint
from onebell.pictures import PictureWorkers
from onebell.scripts.pool import ScriptPool
from onebell.settings import Settings
from onebell.store.applying.comparison import Target, bring_to
from onebell.store.base import build_store
from onebell.store.bell import LocalBell
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.files import open_files
from onebell.store.limits import SharedLimits
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed
from onebell.store.schema import entry, feed, message, person
from onebell.store.writer import BatchWriter
from onebell.vault import Argon2, ServerVault

_parts = msgspec.json.Decoder(tuple[Part, ...]).decode


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Got:
    """A message in somebody's mailbox."""

    public_id: str
    feed: str  # its code
    feed_kind: str
    mentioned: bool
    parent: int
    message: int
    expires_at: int
    severity: int
    part: Part
    extra: dict[str, Any]

    @property
    def content(self) -> Content:
        """What it says."""
        return self.part.content


class DialectNode:
    """Answers requests and shows what was stored."""

    def __init__(self, context: Context, changes: Changes, clock: MovedClock) -> None:
        self.context = context
        self.clock = clock
        self._changes = changes
        rest = Rest()
        own = {"wecom": WeCom(context), "pushgo": PushGo(context), "prefixes": Compat(context)}
        others = dict.fromkeys(("own", "pushplus", "ums", "easemob", "rest"), rest)
        self._router = Router({**others, **own}, {})

    async def apply(self, name: str, wanted: Sequence[Wanted], people: Mapping[str, Mapping[str, str]]) -> None:
        """Bring a space to what is wanted."""
        persons = [WantedPerson(uid=uid, **fields) for uid, fields in people.items()]
        await bring_to(self._changes, Target(space=WantedSpace(name=name), wanted=[*persons, *wanted]))

    async def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Said:
        """One request through the router."""
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("203.0.113.9", 1),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            sent.append(event)

        await self._router(scope, receive, send)
        names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Said(sent[0]["status"], names, sent[1]["body"])

    async def inbox(self, uid: str) -> list[Got]:
        """A person's entries, oldest first."""
        statement = (
            sa.select(entry.c.mentioned, message, feed.c.code, feed.c.kind.label("feed_kind"))
            .join(person, sa.and_(person.c.space_id == entry.c.space_id, person.c.id == entry.c.mailbox_id))
            .join(message, sa.and_(message.c.space_id == entry.c.space_id, message.c.id == entry.c.message_id))
            .join(feed, sa.and_(feed.c.space_id == entry.c.space_id, feed.c.id == entry.c.feed_id))
            .where(person.c.uid == uid)
            .order_by(entry.c.seq)
        )
        rows = await self._changes.database.read(lambda connection: connection.execute(statement).all())
        return [_got(row) for row in rows]

    async def messages(self) -> int:
        """How many messages are stored."""
        statement = sa.select(sa.func.count()).select_from(message)
        return await self._changes.database.read(lambda connection: connection.execute(statement).scalar_one())


def _got(row: Any) -> Got:
    return Got(
        public_id=row.public_id,
        feed=row.code,
        feed_kind=row.feed_kind,
        mentioned=bool(row.mentioned),
        parent=row.parent_id,
        message=row.id,
        expires_at=row.expires_at,
        severity=row.severity,
        part=_parts(row.parts)[0],
        extra=msgspec.json.decode(row.extra) if row.extra else {},
    )


@asynccontextmanager
async def dialect_node(database: Database, data: Path) -> AsyncIterator[DialectNode]:
    """A node on an open, empty store."""
    clock, bell = MovedClock(), LocalBell()
    mint = IdMint(clock, 0)
    vault = ServerVault([bytes(32)], clock, Argon2(memory_kib=64, passes=1))
    changes = Changes(database, mint, clock, vault, bell.ring)
    lookups = CachedLookups(database, vault, mint, clock, lambda kind: Addressed.OWN)
    lookups.listen(bell)
    settings = Settings(data=str(data))
    writer = BatchWriter(database, clock, mint, bell)
    files = open_files(settings, database, mint, clock)
    context = Context(
        settings=settings,
        clock=clock,
        mint=mint,
        store=build_store(database, changes),
        bell=bell,
        lookups=lookups,
        vault=vault,
        limits=SharedLimits(database, clock),
        files=files,
        scripts=ScriptPool(),
        pictures=PictureWorkers(),
        accounts=account_checks(clock),
        accept=Accept(writer, lookups, files, clock, mint),
    )
    try:
        yield DialectNode(context, changes, clock)
    finally:
        vault.close()
