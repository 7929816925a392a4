"""Carriers in this process: they take what they get, and do what the test scripted for a message or an address."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from onebell.core.carriage import Batch, Carrier, CarrierReceipt
from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits
from onebell.core.outcomes import Outcome, Permanent, ReceiptMode, Sent
from onebell.http.exchange import Answer, Request, json_answer

Step = Outcome | Exception | asyncio.Event
"""What one address gets: an outcome, an error that carrier code raises, or nothing until the event is set."""


@dataclass(kw_only=True)
class FakeCarrier:
    """Takes everything at once; scripts are by message (public id) or by address, the address first."""

    receipt_mode: ReceiptMode = ReceiptMode.NONE
    batches: list[Batch] = field(default_factory=list)
    scripts: defaultdict[str, deque[Step]] = field(default_factory=lambda: defaultdict(deque))
    is_open: bool = False

    def script(self, key: str, *steps: Step) -> None:
        """The next tries of a message or an address go like this; afterwards all is well."""
        self.scripts[key].extend(steps)

    @property
    def received(self) -> list[str]:
        """Addresses in the order of the calls."""
        return [address.value for batch in self.batches for address in batch.addresses]

    async def called(self, times: int) -> None:
        """Wait until so many calls have come in."""
        async with asyncio.timeout(30):
            while len(self.batches) < times:
                await asyncio.sleep(0.002)

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        self.batches.append(batch)
        return [await self._step(batch, address.value, address.delivery) for address in batch.addresses]

    async def _step(self, batch: Batch, address: str, delivery: int) -> Outcome:
        queue = self.scripts.get(address) or self.scripts.get(batch.message)
        step: Step = queue.popleft() if queue else self._taken(delivery)
        if isinstance(step, asyncio.Event):
            await step.wait()
            return self._taken(delivery)
        if isinstance(step, Exception):
            raise step
        return step

    def _taken(self, delivery: int) -> Sent:
        return Sent(provider_ref=f"ref-{delivery}", receipt=self.receipt_mode, poll_after_s=10)


@dataclass(kw_only=True)
class PollingCarrier(FakeCarrier):
    """Is asked for its receipts."""

    receipt_mode: ReceiptMode = ReceiptMode.POLL
    states: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def poll(self, refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        self.asked.append(tuple(refs))
        return [CarrierReceipt(provider_ref=ref, state=self.states.get(ref, "pending")) for ref in refs]


@dataclass(kw_only=True)
class CallingCarrier(FakeCarrier):
    """Its receipts come in by HTTP: ``{"ref","state"}`` under the header ``x-key: good``."""

    receipt_mode: ReceiptMode = ReceiptMode.INBOUND

    async def receipt(self, request: Request) -> tuple[Answer, Sequence[CarrierReceipt]]:
        if request.text_header(b"x-key") != "good":
            return json_answer(401, {"error": "key"}), ()
        said = json.loads(request.body)
        return json_answer(200, {"ok": True}), (CarrierReceipt(provider_ref=said["ref"], state=said["state"]),)


@dataclass(kw_only=True)
class RecallingCarrier(FakeCarrier):
    """Can take messages back."""

    recalled: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def recall(self, provider_ref: str) -> Outcome:
        self.recalled.append(provider_ref)
        if provider_ref in self.refused:
            return Permanent(why="too late")
        return Sent(provider_ref=provider_ref)


@dataclass(kw_only=True)
class FakeCarriers:
    """The registry: one carrier per account code, limits and age for all."""

    by_code: dict[str, Carrier] = field(default_factory=dict)
    batch: int = 1
    per_minute: int = 0
    age_s: float = 86_400

    async def open(self, account: CarrierAccount) -> Carrier:
        return self.by_code[account.code]

    def limits(self, kind: str) -> Limits:
        return Limits(batch=self.batch, per_minute=self.per_minute)

    def max_age_s(self, kind: str) -> float:
        return self.age_s

    def address_from(self, kind: str) -> str:
        return {"mail": "email", "sms": "phone"}.get(kind, "")
