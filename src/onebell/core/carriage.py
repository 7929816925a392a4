"""What the core hands to a carrier and what it asks of it; ``carriers/base.py`` gives these words to the folders.

They stand here because the dispatcher speaks them, and the core never imports a carrier.
Required: ``open``, ``close``, ``send``. The rest is found with ``isinstance`` on the small protocols below, so a
carrier implements only what its provider can do.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits
from onebell.core.model import Attachment, Content, Severity
from onebell.core.outcomes import Outcome
from onebell.http.exchange import Answer, Request


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A part as this carrier sends it: made once per part and account, already cut to the manifest's limits."""

    title: str
    text: str  # plain text
    html: str  # sanitised
    markdown: str
    content: Content  # the neutral form, uncut
    native: Any = None  # the payload for this carrier's kind; sent instead of the rendered form when not None
    attachments: tuple[tuple[Attachment, bytes], ...] = ()  # bytes of stored attachments that fit the limits


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery of a batch."""

    delivery: int  # the same on every attempt: carriers derive their provider's duplicate-merging id from it
    value: str  # the target's address on this account
    attempt: int  # 1 = first


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One part for at most ``limits.batch`` targets of one account."""

    message: str  # the message's public id
    dialect: str
    severity: Severity
    created_ms: int
    expires_ms: int  # 0 = never
    sender: str  # name as shown
    link: str  # the message's page on this server
    rendered: Rendered
    addresses: tuple[Address, ...]


class CarrierReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says about a message it took earlier."""

    provider_ref: str
    state: str  # delivered | undelivered | clicked | pending
    address: str = ""  # when the ref covers many targets
    why: str = ""
    code: int = 0
    drop_target: bool = False


class Carrier(Protocol):
    """One account of one kind, open for business."""

    async def open(self) -> None:
        """Open sessions. Called once before the first send."""
        ...

    async def close(self) -> None:
        """Close sessions."""
        ...

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """Send; one outcome per address, in order. Anything raised counts as a defect: Temporary, with a trace."""
        ...


@runtime_checkable
class Polls(Protocol):
    """The provider is asked for receipts."""

    async def poll(self, refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        """What the provider knows about these messages."""
        ...


@runtime_checkable
class HearsReceipts(Protocol):
    """The provider calls ``/r/{account code}/…``."""

    async def receipt(self, request: Request) -> tuple[Answer, Sequence[CarrierReceipt]]:
        """Authenticate and read one call; the answer the provider wants."""
        ...


@runtime_checkable
class Recalls(Protocol):
    """The provider can take a message back."""

    async def recall(self, provider_ref: str) -> Outcome:
        """Take it back."""
        ...


@runtime_checkable
class Updates(Protocol):
    """The provider can replace a message."""

    async def update(self, provider_ref: str, rendered: Rendered) -> Outcome:
        """Replace it."""
        ...


@runtime_checkable
class Checks(Protocol):
    """The account can be tried before it is saved."""

    async def check(self) -> Outcome:
        """Ask the provider whether the credentials are good, without sending anything."""
        ...


class Carriers(Protocol):
    """The carriers as the core finds them, by account; ``carriers/registry.py`` is the real one."""

    async def open(self, account: CarrierAccount) -> Carrier:
        """This account's carrier, opened once per node and configuration.

        Raises:
            InvalidInput: the account's fields do not fit the manifest.
            NotFound: no carrier of this kind is built in.
        """
        ...

    def limits(self, kind: str) -> Limits:
        """What one call takes (manifest ``limits``); the defaults for an unknown kind."""
        ...

    def max_age_s(self, kind: str) -> float:
        """How long a delivery is worth trying (manifest ``max_age``)."""
        ...

    def address_from(self, kind: str) -> str:
        """``email`` or ``phone``: a person's own serves when he has none for the account; ``account``: the account is
        the only place; else empty."""
        ...
