"""Wires everything once; the only file that knows all parts."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType

import structlog

from onebell import directory
from onebell.api.callers import Callers
from onebell.api.endpoint import NativeApi
from onebell.api.receipts import ReceiptsApi
from onebell.api.space import KindWords
from onebell.carriers import registry
from onebell.carriers.accounts import Accounts
from onebell.carriers.callback_client import CallbackClient
from onebell.carriers.credentials import Credentials
from onebell.carriers.file_client import FileClient
from onebell.carriers.object_client import ObjectClient
from onebell.carriers.outbound import Outbound
from onebell.carriers.rendering import PartRenderer
from onebell.carriers.tools import CarrierTools
from onebell.clock import Clock, SystemClock
from onebell.commands import Tools
from onebell.console.join import JoinPages
from onebell.console.pages import Pages
from onebell.console.setup import Setup
from onebell.core.accept import Accept
from onebell.core.callbacks import Callbacks
from onebell.core.clock_watch import ClockWatch
from onebell.core.context import Context
from onebell.core.dispatch import Dispatcher
from onebell.core.expand import Expander
from onebell.core.keeper import Keeper
from onebell.core.plans import Plans
from onebell.core.recall import TakeBack
from onebell.core.receipts import Receipts
from onebell.core.standing import Standing, kept
from onebell.core.work import TAKE_BACK
from onebell.dialects.base import Dialect
from onebell.dialects.easemob import app as easemob_app
from onebell.dialects.easemob import directory as easemob
from onebell.dialects.easemob.msync.service import Msync
from onebell.dialects.easemob.page import PageReplies
from onebell.dialects.easemob.presend import PreSend
from onebell.dialects.easemob.routes import Easemob
from onebell.dialects.pushgo import directory as pushgo
from onebell.dialects.pushgo.compat import Compat
from onebell.dialects.pushgo.routes import PushGo, Rest
from onebell.dialects.pushplus import directory as pushplus
from onebell.dialects.pushplus.joining import Joining
from onebell.dialects.pushplus.routes import PushPlus
from onebell.dialects.ums import directory as ums
from onebell.dialects.ums.routes import Ums
from onebell.dialects.wecom import directory as wecom
from onebell.dialects.wecom.routes import WeCom
from onebell.http.router import Endpoint, Router
from onebell.ids import IdMint
from onebell.metrics import Metrics
from onebell.pictures import PictureWorkers
from onebell.scripts.pool import ScriptPool
from onebell.settings import Settings
from onebell.store.base import build_store
from onebell.store.bell import build_bell
from onebell.store.carrier_tokens import CarrierTokens
from onebell.store.changes import Changes
from onebell.store.engine import open_database
from onebell.store.files import open_files
from onebell.store.limits import SharedLimits
from onebell.store.lookups import CachedLookups
from onebell.store.nodes import NodeLost, take_number
from onebell.store.routing import Addressed
from onebell.store.writer import BatchWriter
from onebell.vault import ServerVault, server_keys

log = structlog.get_logger()

SECTIONS: directory.Sections = {
    "pushplus": (pushplus.Section, pushplus.wanted),
    "wecom": (wecom.Section, wecom.wanted),
    "pushgo": (pushgo.Section, pushgo.wanted),
    "ums": (ums.Section, ums.wanted),
    "easemob": (easemob.Section, easemob.wanted),
}
"""The directory file's tables of the dialects that are built."""
DRAIN_SHARE = 0.8
"""Of a graceful stop's time, for calls under way; the rest is for requests, the store and the listener to close."""


class Application:
    """One node: its doors open inside ``async with``, its work begins with :meth:`start`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._stopped = False
        self.lost: NodeLost | None = None
        """Why this node must end: another one writes under its number."""

    async def __aenter__(self) -> "Application":
        settings, clock, stack = self._settings, self._clock, self._stack
        database = await open_database(settings, clock)
        stack.push_async_callback(database.close)
        self._node = await take_number(database, clock, settings.node_name or f"{socket.gethostname()}-{os.getpid()}")
        stack.push_async_callback(self._node.release)
        mint = IdMint(clock, self._node.no)
        vault = ServerVault(server_keys(settings), clock)
        bell = build_bell(settings.nats_url)
        await bell.open()
        stack.push_async_callback(bell.close)
        outbound = Outbound(clock=clock)
        stack.push_async_callback(outbound.close)
        self.outbound = outbound
        tokens = Credentials(CarrierTokens(database, vault), clock)
        self.carriers = Accounts(CarrierTools(outbound=outbound, credentials=tokens, clock=clock))
        stack.push_async_callback(self.carriers.close)
        self._lookups = CachedLookups(database, vault, mint, clock, self._addressed)
        self._lookups.listen(bell)
        self._limits = SharedLimits(database, clock)
        scripts = ScriptPool()
        stack.push_async_callback(scripts.close)
        interceptors = (PreSend(self._lookups, CallbackClient(outbound), clock),)
        files = open_files(settings, database, mint, clock, ObjectClient(outbound))
        writer = BatchWriter(database, clock, mint, bell)
        self.context = Context(
            settings=settings,
            clock=clock,
            mint=mint,
            store=build_store(database, Changes(database, mint, clock, vault, bell.ring)),
            bell=bell,
            lookups=self._lookups,
            vault=vault,
            limits=self._limits,
            files=files,
            scripts=scripts,
            pictures=PictureWorkers(),
            accounts=self.carriers,
            accept=Accept(writer, self._lookups, files, clock, mint, interceptors),
        )
        self.tools = Tools(sections=SECTIONS, carriers=self.carriers)
        self._wire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        await self._stack.aclose()

    def _addressed(self, kind: str) -> Addressed:
        return Addressed(self.carriers.address_from(kind) or Addressed.OWN.value)

    def _wire(self) -> None:
        context = self.context
        metrics = Metrics()
        callers = Callers(context)
        self._setup = Setup(context, callers)
        self._receipts = Receipts(context, self.carriers)
        heard = ReceiptsApi(context, self._receipts)
        joins = JoinPages(context, callers, Joining(context))
        pages = [*self._setup.routes(), *Pages().routes(), *joins.routes(), *heard.routes()]
        replies = {easemob_app.DIALECT: PageReplies(context)}
        self.native = NativeApi(context, callers, self.carriers, _kinds, metrics, pages, replies)
        easemob_im = Easemob(context, FileClient(self.outbound))
        self.dialects: Mapping[str, Dialect] = {
            dialect.name: dialect
            for dialect in (PushPlus(context), WeCom(context), Ums(context), PushGo(context), easemob_im)
        }
        self.endpoints: Mapping[str, Endpoint] = {
            **self.dialects,
            "own": self.native,
            "prefixes": Compat(context),
            "rest": Rest(),
        }
        self._msync = Msync(context, self.native.presence)
        metrics.gauge("msync_devices", "Easemob devices signed in on this node", lambda: self._msync.count)
        self.router = Router(self.endpoints, {**self.native.websockets(), **self._msync.websockets()})
        self._dispatcher = Dispatcher(context, self.carriers, PartRenderer(context, self.outbound))
        self._callbacks = Callbacks(context, self.dialects, CallbackClient(self.outbound))
        self._expander = Expander(context, self.carriers, registry.kinds())
        self._plans = Plans(context, {TAKE_BACK: TakeBack(context, self.carriers)})
        self._keeper = Keeper(context)

    def start(self, on_lost: Callable[[], None] = lambda: None) -> None:
        """Begin to dispatch, stream, keep; the listener may accept from now on.

        ``on_lost`` is called when this node must end (:attr:`lost`).
        """
        parts: Sequence[Standing] = (
            self._lookups,
            self._limits,
            self._dispatcher,
            self._expander,
            self._callbacks,
            self._plans,
            self._receipts,
            self._keeper,
            ClockWatch(self.context),
            self.native,
            self._msync,
        )
        self._tasks = {part: asyncio.create_task(kept(part), name=type(part).__name__) for part in parts}
        self._tasks[self._node] = asyncio.create_task(self._hold_number(on_lost), name="node")

    async def _hold_number(self, on_lost: Callable[[], None]) -> None:
        try:
            await self._node.keep()
        except NodeLost as error:
            # Two nodes that mint under one number make the same ids: what this one still accepted could be refused.
            log.exception("node_lost", node=self._node.no)
            self.lost = error
            on_lost()

    async def setup_link(self, base: str) -> str | None:
        """The one-time set-up link; None once it was used."""
        return await self._setup.link(base)

    async def stop(self) -> None:
        """Let what is under way end, for as long as the settings allow; then everything stops."""
        if self._stopped or not self._tasks:
            return
        self._stopped = True
        ending = (self._expander, self._plans, self._receipts, self._keeper)
        for part in ending:
            part.stop()
        drain_s = self._settings.drain_s * DRAIN_SHARE
        await asyncio.gather(
            self._dispatcher.drain(drain_s),
            self._callbacks.stop(drain_s),
            # They end after a page or a piece, and give back what they hold: cut off, it would wait for its lease.
            asyncio.wait([self._tasks[part] for part in ending], timeout=drain_s),
        )
        tasks = self._tasks.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _kinds() -> list[KindWords]:
    manifests = [registry.manifest(kind) for kind in registry.kinds()]
    return [
        KindWords(kind=manifest.kind, secret_fields=manifest.secret_fields, manifest=manifest) for manifest in manifests
    ]
