"""Carrier accounts and batches for tests of carriers, and the tools they are built with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import Received, Script, http_service

from onebell.carriers import registry
from onebell.carriers.base import Address, Batch, Carrier, Rendered
from onebell.carriers.credentials import Credentials
from onebell.carriers.outbound import Outbound
from onebell.carriers.tools import CarrierTools
from onebell.clock import Clock
from onebell.core import sanitize
from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits, fit
from onebell.core.model import Attachment, Content, Format, Severity
from onebell.core.outcomes import Outcome
from onebell.core.render import render
from onebell.core.tokens import StoredToken


def account(kind: str, *, allow: tuple[str, ...] = ("127.0.0.0/8",), **fields: Any) -> CarrierAccount:
    """An enabled account that may reach loopback."""
    return CarrierAccount(
        id=7, space=1, code="code", kind=kind, name="", fields=fields, allow_networks=allow, owner=0, enabled=True,
        stopped_why="",
    )  # fmt: skip


def rendered(
    title: str = "标题",
    body: str = "正文",
    written_in: Format = Format.TEXT,
    *,
    native: Any = None,
    limits: Limits | None = None,
    files: tuple[tuple[Attachment, bytes], ...] = (),
    **content: Any,
) -> Rendered:
    """A part, rendered and fitted."""
    told = Content(title=title, body=body, format=written_in, **content)
    forms = fit(render(told, sanitized=sanitize.mail), limits or Limits())
    return Rendered(
        title=forms.title, text=forms.text, html=forms.html, markdown=forms.markdown, content=told, native=native,
        attachments=files,
    )  # fmt: skip


def batch(part: Rendered | None = None, *addresses: str, **changed: Any) -> Batch:
    """One part for these addresses, as the core hands it over."""
    fields: dict[str, Any] = {
        "message": "m1", "dialect": "native", "severity": Severity.NORMAL, "created_ms": 1_700_000_000_123,
        "expires_ms": 0, "sender": "alice", "link": "http://bell.test/app/m/1", "rendered": part or rendered(),
        "addresses": tuple(
            Address(delivery=number, value=value, attempt=1) for number, value in enumerate(addresses or ("code",), 100)
        ),
    }  # fmt: skip
    return Batch(**(fields | changed))


@asynccontextmanager
async def opened(kind: str, clock: Clock | None = None, **fields: Any) -> AsyncIterator[Carrier]:
    """An account's carrier, open, that reaches loopback only."""
    outbound = Outbound(resolver=FakeResolver())
    carrier = registry.build(account(kind, **fields), tools(outbound, clock or MovedClock()))
    await carrier.open()
    try:
        yield carrier
    finally:
        await carrier.close()
        await outbound.close()


async def exchange(
    script: Script, kind: str, sent: Batch | None = None, clock: Clock | None = None, **fields: str
) -> tuple[Outcome, list[Received]]:
    """The outcome of one message, and the requests that it took; ``{at}`` in a field is the service's address."""
    async with http_service(script) as service:
        filled = {name: value.replace("{at}", service.base) for name, value in fields.items()}
        async with opened(kind, clock, **filled) as carrier:
            (outcome,) = await carrier.send(sent or batch())
        return outcome, service.received


class TokensInMemory:
    """A token store that forgets with its test."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[int, int, str], StoredToken] = {}
        self._leases: dict[tuple[int, int, str], int] = {}

    async def read(self, space: int, account: int, name: str) -> StoredToken | None:
        return self._tokens.get((space, account, name))

    async def lease(self, space: int, account: int, name: str, now: int, until: int) -> bool:
        key = (space, account, name)
        if self._leases.get(key, 0) > now:
            return False
        self._leases[key] = until
        return True

    async def write(self, space: int, account: int, name: str, token: StoredToken) -> None:
        self._tokens[space, account, name] = token
        await self.release(space, account, name)

    async def release(self, space: int, account: int, name: str) -> None:
        self._leases.pop((space, account, name), None)


def tools(outbound: Outbound, clock: Clock) -> CarrierTools:
    """What a carrier is built with."""
    return CarrierTools(outbound=outbound, credentials=Credentials(TokensInMemory(), clock), clock=clock)
