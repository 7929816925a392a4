"""The native API behind a real listener, with real store, lookups, files and accept; carriers are stood in for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tests.engines import lay_tables
from tests.fakes.account_checks import account_checks

from onebell.api.callers import Callers
from onebell.api.endpoint import NativeApi
from onebell.api.space import KindWords
from onebell.api.tokens import create_token
from onebell.clock import SystemClock
from onebell.console.pages import Pages
from onebell.console.setup import Setup
from onebell.core.accept import Accept
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount
from onebell.core.expand import Expander
from onebell.core.fit import Limits
from onebell.core.outcomes import Sent, Unauthorized
from onebell.core.wanted import WantedCarrier, WantedFeed, WantedPerson, WantedSpace
from onebell.http.router import Router
from onebell.http.server import HttpServer
from onebell.ids import IdMint
from onebell.metrics import Metrics
from onebell.pictures import PictureWorkers
from onebell.scripts.pool import ScriptPool
from onebell.settings import Settings
from onebell.store.applying.comparison import Target, bring_to
from onebell.store.base import build_store
from onebell.store.bell import LocalBell
from onebell.store.changes import Changes
from onebell.store.engine import Database, open_database
from onebell.store.files import open_files
from onebell.store.limits import SharedLimits
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed
from onebell.store.writer import BatchWriter
from onebell.vault import Argon2, ServerVault

PASSWORD = "correct horse"
PEOPLE = (("alice", "owner"), ("oscar", "operator"), ("sam", "sender"), ("rita", "reader"))


class Steps(SystemClock):
    """The machine's clock, which a test can put forward."""

    ahead_s = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(self.ahead_s * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class MailDesk:
    """A provider that knows one good secret."""

    def __init__(self, account: CarrierAccount) -> None:
        self._account = account

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def send(self, batch: Any) -> list[Any]:
        raise AssertionError("nothing is sent here")

    async def check(self) -> Any:
        good = self._account.fields.get("secret") == "good"
        return Sent(detail="250 ready") if good else Unauthorized(why="535 no" + "!" * 1000)


class MailDesks:
    """Opens mail desks, which nobody's address leads to."""

    def limits(self, kind: str) -> Limits:
        return Limits()

    def max_age_s(self, kind: str) -> float:
        return 60.0

    def address_from(self, kind: str) -> str:
        return ""

    async def open(self, account: CarrierAccount) -> MailDesk:
        return MailDesk(account)


@dataclass
class Native:
    """A running server, its parts, and a client."""

    url: str
    api: NativeApi
    context: Context
    database: Database
    clock: Steps
    setup: Setup
    session: aiohttp.ClientSession
    space: int = 0
    sender: str = ""  # the token that ``send`` uses

    async def call(self, method: str, path: str, token: str = "", body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and decoded body."""
        headers = {**more.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = more.pop("data", None)
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        async with self.session.request(method, self.url + path, data=data, headers=headers, **more) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            return answer.status, msgspec.json.decode(raw) if is_json else raw

    async def sign_in(self, uid: str, password: str = PASSWORD) -> str:
        """A session's token."""
        status, body = await self.call("POST", "/api/v1/login", body={"uid": uid, "password": password})
        assert status == 200, body
        return body["token"]

    async def token(self, scope: str, name: str = "ci", person: int = 0) -> str:
        """A token of the native API."""
        return await create_token(self.context, self.space, name, scope, person)

    async def person(self, uid: str) -> int:
        found = await self.context.lookups.person_by_uid(self.space, uid)
        assert found is not None
        return found.id

    async def send(self, to: str = "rita", title: str = "hello", **more: Any) -> str:
        """A message from the token ``ci``; its id."""
        if not self.sender:
            self.sender = await self.token("send")
        status, body = await self.call("POST", "/api/v1/messages", self.sender, {"to": to, "title": title, **more})
        assert status == 201, body
        return body["message_id"]


def _kinds() -> list[KindWords]:
    return [KindWords(kind="mail_desk", secret_fields=frozenset({"secret"}), manifest={"kind": "mail_desk"})]


@asynccontextmanager
async def native_server(settings: Settings, web: Path, *, apply: bool = True) -> AsyncIterator[Native]:
    """A server on a free port; people of each role, two feeds and two carriers in space ``main``."""
    clock, bell = Steps(), LocalBell()
    lay_tables(Path(settings.data))
    database = await open_database(settings, clock)
    mint = IdMint(clock, 0)
    vault = ServerVault([bytes(32)], clock, Argon2(memory_kib=64, passes=1))
    changes = Changes(database, mint, clock, vault, bell.ring)
    lookups = CachedLookups(database, vault, mint, clock, lambda kind: Addressed.OWN)
    lookups.listen(bell)
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
        accept=Accept(BatchWriter(database, clock, mint, bell), lookups, files, clock, mint),
    )
    callers = Callers(context)
    setup = Setup(context, callers)
    pages = [*Pages(web).routes(), *setup.routes()]
    api = NativeApi(context, callers, MailDesks(), _kinds, Metrics(), pages)
    areas = ("own", "pushplus", "wecom", "ums", "pushgo", "prefixes", "easemob", "rest")
    router = Router(dict.fromkeys(areas, api), api.websockets())
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listening(at: str) -> None:
        ready.set_result(at)

    async def stopping() -> None:
        for task in running:
            task.cancel()

    server = HttpServer(router, msgspec.structs.replace(settings, port=0, drain_s=1), stopping, listening)
    expander = Expander(context, MailDesks(), ("mail_desk",))
    running = [asyncio.create_task(part.run()) for part in (api, expander)]
    serving = asyncio.create_task(server.serve())
    url = await ready
    native = None
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            native = Native(url, api, context, database, clock, setup, session)
            if apply:
                await _people(changes, native)
            yield native
    finally:
        server.should_exit = True
        await serving
        await asyncio.wait(running)
        vault.close()
        await database.close()


async def _people(changes: Changes, native: Native) -> None:
    people = [
        WantedPerson(uid=uid, name=uid.title(), role=role, password=PASSWORD, tags=(("staff", "all"),))
        for uid, role in PEOPLE
    ]
    feeds = [WantedFeed(dialect="native", kind="topic", code="ops", name="Ops", members=("alice", "rita"))]
    carriers = [
        WantedCarrier(code="desk", kind="mail_desk", fields={"host": "mail.test", "secret": "good"}),
        WantedCarrier(code="bad-desk", kind="mail_desk", fields={"host": "mail.test", "secret": "canary-secret"}),
    ]
    await bring_to(changes, Target(space=WantedSpace(name="main"), wanted=[*people, *feeds, *carriers]))
    native.space = (await native.context.lookups.spaces())[0].id
