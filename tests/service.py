"""A dialect over a real store, without sockets and background tasks: requests in, answers out, rows to look at."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from tests.fakes.account_checks import account_checks

from onebell import directory
from onebell.core.accept import Accept
from onebell.core.context import Context
from onebell.dialects.base import Dialect
from onebell.http.router import Router
from onebell.ids import IdMint
from onebell.pictures import PictureWorkers
from onebell.scripts.pool import ScriptPool
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.bell import LocalBell
from onebell.store.files import open_files
from onebell.store.limits import SharedLimits
from onebell.store.lookups import CachedLookups
from onebell.store.writer import BatchWriter

ENGINES = ("sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.all]))
"""A dialect's own rules do not depend on the engine: the short run proves them on one."""

_proven: set[str] = set()
"""Directory files that were seen to change nothing when applied again."""


@dataclass(frozen=True)
class Said:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> int:
        """The business code of UMS."""
        return int(self.json["code"])

    @property
    def text(self) -> str:
        """``error_description`` of Easemob."""
        return str(self.json["error_description"])


def context_over(store: Store, settings: Settings, lookups: CachedLookups) -> Context:
    """The core's doors over a store that is open."""
    changes, bell = store.changes, LocalBell()
    mint = IdMint(changes.clock, 1)
    writer = BatchWriter(store.db, changes.clock, mint, bell)
    files = open_files(settings, store.db, mint, changes.clock)
    return Context(
        settings=settings,
        clock=changes.clock,
        mint=mint,
        store=store,
        bell=bell,
        lookups=lookups,
        vault=changes.vault,
        limits=SharedLimits(store.db, changes.clock),
        files=files,
        scripts=ScriptPool(),
        pictures=PictureWorkers(),
        accounts=account_checks(changes.clock),
        accept=Accept(writer, lookups, files, changes.clock, mint),
    )


@dataclass
class Service:
    """One dialect, asked in process."""

    context: Context
    dialect: Dialect
    section: tuple[Any, Any]  # the dialect's ``Section`` and ``wanted``
    space: int = 0
    headers: dict[str, str] = field(default_factory=dict)  # sent with every request

    async def apply(self, text: str) -> None:
        """Make the space what a directory file says."""
        sections = {self.dialect.name: self.section}
        report = await directory.apply(self.context.store, sections, text, dry_run=False)
        if text not in _proven:
            again = await directory.apply(self.context.store, sections, text, dry_run=True)
            assert not again.changed, again.lines
            _proven.add(text)
        self.space = report.space
        self.context.lookups.forget(report.space)

    async def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Said:
        """One request; a body that is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        asked = {**self.headers, **(headers or {})}
        target, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "raw_path": target.encode(),
            "path": target,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in asked.items()],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await Router({self.dialect.name: self.dialect}, {})(scope, receive, send)
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Said(sent[0]["status"], head, b"".join(part.get("body", b"") for part in sent[1:]))

    # ------------------------------------------------------------ what was stored

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """All rows of a table, oldest first."""
        statement = sa.select(table).order_by(*table.primary_key.columns)
        return await self.context.store.db.read(
            lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
        )

    async def person(self, uid: str) -> int:
        """A person's id."""
        found = await self.context.lookups.person_by_uid(self.space, uid)
        assert found is not None, uid
        return found.id

    async def readers(self) -> set[str]:
        """Uids of those who have an entry of the newest message."""
        newest = max(row["id"] for row in await self.rows(schema.message))
        people = {row["id"]: row["uid"] for row in await self.rows(schema.person)}
        entries = await self.rows(schema.entry)
        return {people[row["mailbox_id"]] for row in entries if row["message_id"] == newest}

    async def addresses(self) -> list[str]:
        """Addresses that the newest message goes to, sorted."""
        newest = max(row["id"] for row in await self.rows(schema.message))
        targets = {row["id"]: row["value"] for row in await self.rows(schema.target)}
        deliveries = await self.rows(schema.delivery)
        return sorted(targets[row["target_id"]] for row in deliveries if row["message_id"] == newest)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Data of the newest message's events of a kind, with the person's uid."""
        newest = max(row["id"] for row in await self.rows(schema.message))
        return [
            {"person": row["person_id"], **json.loads(row["data"])}
            for row in await self.rows(schema.event)
            if row["message_id"] == newest and row["kind"] == kind
        ]


def basic(pair: str) -> dict[str, str]:
    """A Basic header."""
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}
