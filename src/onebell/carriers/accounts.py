"""Carriers of configured accounts, opened once per node and configuration: the core's ``Carriers``."""

import asyncio
from collections.abc import Callable

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

_DEFAULT_AGE_S = 86_400.0


class Accounts:
    """One per node."""

    def __init__(
        self,
        tools: CarrierTools,
        build: Callable[[CarrierAccount, CarrierTools], Carrier] = registry.build,
    ) -> None:
        self._tools = tools
        self._build = build
        self._open: dict[tuple[int, int], tuple[CarrierAccount, Carrier]] = {}
        self._locks: dict[tuple[int, int], asyncio.Lock] = {}
        self._retired: list[tuple[float, Carrier]] = []

    async def open(self, account: CarrierAccount) -> Carrier:
        """This account's carrier, opened once per configuration.

        Raises:
            InvalidInput: the account's fields do not fit the manifest.
            NotFound: no carrier of this kind is built in.
        """
        key = (account.space, account.id)
        known = self._open.get(key)
        if known is not None and _same(known[0], account):
            return known[1]
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._open.get(key)
            if known is not None and _same(known[0], account):
                return known[1]
            carrier = self._build(account, self._tools)
            await carrier.open()
            if known is not None:
                self._retired.append((self._tools.clock.monotonic() + RETIRED_S, known[1]))
            self._open[key] = (account, carrier)
        await self._close_retired(self._tools.clock.monotonic())
        return carrier

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
        for _, carrier in self._open.values():
            await carrier.close()
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
