"""A carrier that is one HTTP call: its folder says what is asked and what the answer means; the rest stands here."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.address_gate import of_account
from onebell.carriers.base import Batch
from onebell.carriers.hiding import without_secrets
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.fit import cut, size
from onebell.core.outcomes import Outcome

JSON = "application/json"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    url: str
    body: bytes | None
    method: str = "POST"
    headers: dict[str, str] = {}  # a body is JSON unless they say what it is


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Ask once more, from the beginning; an answer that says so twice means ``then``."""

    then: Outcome


Ask: TypeAlias = Callable[[CarrierAccount, Batch, int], Call]
"""What is asked for a part; the last argument is now, in milliseconds."""
Read: TypeAlias = Callable[[HttpAnswer, int], Outcome | Again]
"""What an answer means, whatever its status; the last argument is now, in milliseconds."""


class OneCall:
    """One account, whose only target is the account itself."""

    def __init__(self, account: CarrierAccount, tools: CarrierTools, ask: Ask, read: Read) -> None:
        self._account = account
        self._tools = tools
        self._ask = ask
        self._read = read
        self._policy = of_account(account)

    async def open(self) -> None:
        """Connections are kept by the outbound client."""

    async def close(self) -> None:
        """Connections are kept by the outbound client."""

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """One call, however many addresses: they all mean the account."""
        said = await self._said(batch)
        if isinstance(said, Again):
            said = await self._said(batch)
        outcome = said.then if isinstance(said, Again) else said
        return [without_secrets(self._account, outcome)] * len(batch.addresses)

    async def _said(self, batch: Batch) -> Outcome | Again:
        call = self._ask(self._account, batch, self._tools.clock.now_ms())
        headers = call.headers if call.body is None else {"Content-Type": JSON, **call.headers}
        answer = await http_answers.asked(self._tools.outbound, call.method, call.url, headers, call.body, self._policy)
        return self._read(answer, self._tools.clock.now_ms()) if isinstance(answer, HttpAnswer) else answer


def fitted(make: Callable[[str], Any], text: str, limit_bytes: int, weigh: Callable[[bytes], int] = len) -> bytes:
    """What ``make`` makes of a text, as JSON of at most ``limit_bytes``: the text is cut as far as it must be.

    ``weigh`` says what a body counts where the provider counts more than its bytes.
    """

    def made(room: int) -> bytes:
        return msgspec.json.encode(make(cut(text, room)))

    whole = size(text)
    if weigh(made(whole)) <= limit_bytes:
        return made(whole)
    fit = bisect_right(range(whole), limit_bytes, key=lambda room: weigh(made(room))) - 1
    return made(max(0, fit))
