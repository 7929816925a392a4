"""Renders each part of a message once per carrier account, however many targets it has."""

from collections import OrderedDict
from typing import Protocol

from onebell.core.carriage import Rendered
from onebell.core.directory import CarrierAccount
from onebell.core.work import MessageFacts
from onebell.errors import OnebellError

KEPT = 256
"""Rendered parts that are kept: enough for all that is in flight at once."""


class NeverRendered(OnebellError):
    """A part can never be made into what the carrier sends: no later try would do better."""


class Renderer(Protocol):
    """Makes what a carrier sends: rendered, sanitised, cut to its manifest's limits. May raise ``NeverRendered``."""

    async def __call__(self, message: MessageFacts, part: int, account: CarrierAccount) -> Rendered: ...


class RenderedOnce:
    """Remembers the last parts that were rendered."""

    def __init__(self, render: Renderer) -> None:
        self._render = render
        self._kept: OrderedDict[tuple[int, int, int, int], Rendered] = OrderedDict()

    async def __call__(self, message: MessageFacts, part: int, account: CarrierAccount) -> Rendered:
        """The part as this account sends it."""
        key = (message.space, message.id, part, account.id)
        rendered = self._kept.get(key)
        if rendered is None:
            rendered = self._kept[key] = await self._render(message, part, account)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return rendered
