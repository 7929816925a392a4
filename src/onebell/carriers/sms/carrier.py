"""Short messages over any HTTP service: its request is a template, and what its answers mean is data."""

import re
from collections.abc import Sequence

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.address_gate import of_account
from onebell.carriers.base import Address, Batch, Carrier
from onebell.carriers.hiding import without_secrets
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.request_template import percent, read_template, values_of
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.fit import cut
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

TEXT_BYTES = 1500
"""500 Chinese characters, what the large services put into one long message."""
_KEY_REFUSED = frozenset((401, 403))


class Sms:
    """One account at one service."""

    def __init__(self, account: CarrierAccount, tools: CarrierTools) -> None:
        self._account = account
        self._tools = tools
        self._policy = of_account(account)
        self._template = read_template(account.fields, escape_form=percent)

    async def open(self) -> None:
        """Connections are kept by the outbound client."""

    async def close(self) -> None:
        """Connections are kept by the outbound client."""

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """One request for each number."""
        return [await self._send(batch, address) for address in batch.addresses]

    async def _send(self, batch: Batch, address: Address) -> Outcome:
        values = {**values_of(batch, text=_text(batch)), "phone": address.value, "id": f"dlv_{address.delivery}"}
        call = self._template.filled(values)
        answer = await http_answers.asked(
            self._tools.outbound, call.method, call.url, call.headers, call.body, self._policy
        )
        return without_secrets(self._account, self._read(answer)) if isinstance(answer, HttpAnswer) else answer

    def _read(self, answer: HttpAnswer) -> Outcome:
        """The service's own words first: some say what is wrong with a status of 200, some with one of 400."""
        told = http_answers.told(answer)
        why = f"HTTP {answer.status}: {told}"
        if self._says("dead", told):
            return Permanent(why=why, drop_target=True, code=answer.status)
        if self._says("busy", told):
            return Throttled(why=why, wait_s=http_answers.THROTTLED_S, scope="target")
        if answer.status in _KEY_REFUSED or self._says("refused", told):
            return Unauthorized(why=why)
        failed = http_answers.failure(answer, self._tools.clock.now_ms())
        if failed is not None:
            # A service that is gone (410) says nothing of the number.
            return msgspec.structs.replace(failed, drop_target=False) if isinstance(failed, Permanent) else failed
        if self._account.fields.get("ok") and not self._says("ok", told):
            return Temporary(why=why)
        return Sent(provider_ref=self._reference(told), detail=told)

    def _says(self, field: str, told: str) -> bool:
        pattern = str(self._account.fields.get(field) or "")
        return bool(pattern) and re.search(pattern, told) is not None

    def _reference(self, told: str) -> str:
        found = re.search(str(self._account.fields.get("reference") or "(?!)"), told)
        if found is None:
            return ""
        return found[1] or "" if found.re.groups else found[0]


def _text(batch: Batch) -> str:
    rendered = batch.rendered
    return cut("\n".join(filter(None, (rendered.title, rendered.text, rendered.content.url))), TEXT_BYTES)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account.

    Raises:
        InvalidInput: the headers cannot be read.
    """
    return Sms(account, tools)
