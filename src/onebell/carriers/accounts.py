"""Carriers of configured accounts, opened once per node and configuration: the core's ``Carriers``."""

import asyncio
from collections.abc import Callable

import msgspec

from onebell.carriers import registry
from onebell.carriers.address_gate import AddressForbidden, of_account, require_reachable
from onebell.carriers.base import Carrier
from onebell.carriers.manifest import AddressKind, FieldType
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits
from onebell.errors import NotFound, OutOfReach

RETIRED_S = 60.0
"""An account's old carrier is closed this long after its configuration changed: calls under way have ended then."""

IDLE_S = 3_600.0
"""A carrier that nobody has asked for so long is closed: its account may be gone. If it is not, another is opened."""

_DEFAULT_AGE_S = 86_400.0


class _Opened(msgspec.Struct):
    """A carrier, and the configuration that it was opened for."""

    account: CarrierAccount
    carrier: Carrier
    used_at: float


class Accounts:
    """One per node."""

    def __init__(
        self,
        tools: CarrierTools,
        build: Callable[[CarrierAccount, CarrierTools], Carrier] = registry.build,
    ) -> None:
        self._tools = tools
        self._build = build
        self._open: dict[tuple[int, int], _Opened] = {}
        self._locks: dict[tuple[int, int], asyncio.Lock] = {}
        self._retired: list[tuple[float, Carrier]] = []

    async def open(self, account: CarrierAccount) -> Carrier:
        """This account's carrier, opened once per configuration.

        Raises:
            InvalidInput: the account's fields do not fit the manifest.
            NotFound: no carrier of this kind is built in.
        """
        key, now = (account.space, account.id), self._tools.clock.monotonic()
        known = self._known(key, account, now)
        if known is not None:
            return known
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._known(key, account, now)
            if known is not None:
                return known
            carrier = self._build(account, self._tools)
            await carrier.open()
            self._retire(key, now)
            self._open[key] = _Opened(account, carrier, now)
        for idle in [key for key, opened in self._open.items() if now - opened.used_at > IDLE_S]:
            self._retire(idle, now)
        await self._close_retired(now)
        return carrier

    def _known(self, key: tuple[int, int], account: CarrierAccount, now: float) -> Carrier | None:
        opened = self._open.get(key)
        if opened is None or not _same(opened.account, account):
            return None
        opened.used_at = now
        return opened.carrier

    def _retire(self, key: tuple[int, int], now: float) -> None:
        opened = self._open.pop(key, None)
        if opened is not None:
            self._retired.append((now + RETIRED_S, opened.carrier))

    def secret_fields(self, account: CarrierAccount) -> frozenset[str]:
        """The names of an account's secret fields, after a look at all of them; nothing is opened or asked.

        Raises:
            InvalidInput: the fields do not fit the manifest.
            OutOfReach: one names an address that this account may not reach.
            NotFound: no carrier of this kind is built in.
        """
        self._build(account, self._tools)
        manifest = registry.manifest(account.kind)
        for field in manifest.fields:
            if field.type is FieldType.URL and account.fields.get(field.name):
                _check_reachable(account, field.name)
        return manifest.secret_fields

    async def close(self) -> None:
        """Close all carriers."""
        for opened in self._open.values():
            await opened.carrier.close()
        self._open.clear()
        await self._close_retired(float("inf"))

    async def _close_retired(self, now: float) -> None:
        due = [entry for entry in self._retired if entry[0] <= now]
        self._retired = [entry for entry in self._retired if entry[0] > now]
        for _, carrier in due:
            await carrier.close()

    def limits(self, kind: str) -> Limits:
        """What one call takes; the defaults for an unknown kind."""
        try:
            return registry.manifest(kind).limits
        except NotFound:
            return Limits()

    def max_age_s(self, kind: str) -> float:
        """How long a delivery is worth trying."""
        try:
            return registry.manifest(kind).max_age_s
        except NotFound:
            return _DEFAULT_AGE_S

    def address_from(self, kind: str) -> str:
        """``email`` or ``phone``: a person's own serves; ``account``: it is its only address; else empty."""
        try:
            address = registry.manifest(kind).address
        except NotFound:
            return ""
        return "" if address is AddressKind.OWN else address.value


def _check_reachable(account: CarrierAccount, name: str) -> None:
    try:
        require_reachable(account.fields[name], of_account(account))
    except AddressForbidden as error:
        raise OutOfReach(f"{name}: {error}", name) from None


def _same(one: CarrierAccount, other: CarrierAccount) -> bool:
    return _configuration(one) == _configuration(other)


def _configuration(account: CarrierAccount) -> tuple[object, ...]:
    return account.kind, account.fields, account.allow_networks, account.is_foreign, account.allow_origins
