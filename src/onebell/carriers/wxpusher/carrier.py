"""WxPusher: messages to WeChat users by UID and to topics; ``code`` 1000 is success (sheet wecom §6.10)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.address_gate import of_account
from onebell.carriers.base import Address, Batch, Carrier
from onebell.carriers.hiding import without_secrets
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.carriers.wxpusher.messages import Receivers, message, receivers, with_query
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Unauthorized
from onebell.core.work import words

_OK = 1000
_BUSINESS = 1001
# Not signed in, signature refused, no such call: nothing of this account will work.
_REFUSED = frozenset((1002, 1003, 1004))

_Item = dict[str, Any]


class WxPusher:
    """One application, with the receivers that its address names."""

    def __init__(self, account: CarrierAccount, tools: CarrierTools) -> None:
        self._account = account
        self._tools = tools
        self._policy = of_account(account)
        self._url: str = account.fields["url"]
        self._own: Receivers = receivers(self._url)

    async def open(self) -> None:
        """Connections are kept by the outbound client."""

    async def close(self) -> None:
        """Connections are kept by the outbound client."""

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """Everybody in one call; the empty address is who stands in the account's own."""
        answer = await self._asked(batch)
        if not isinstance(answer, HttpAnswer):
            return [answer] * len(batch.addresses)
        return [without_secrets(self._account, one) for one in self._read(answer, batch.addresses)]

    async def _asked(self, batch: Batch) -> HttpAnswer | Outcome:
        native = batch.rendered.native
        uids = [address.value for address in batch.addresses if address.value]
        if native is not None and not uids:
            return await http_answers.get(self._tools.outbound, with_query(self._url, native), self._policy)
        to = self._own.joined(uids) if len(uids) < len(batch.addresses) else Receivers(uids=tuple(uids))
        body = {
            "appToken": self._own.app_token,
            **(native if native is not None else message(batch)),
            "uids": list(to.uids),
            "topicIds": list(to.topics),
        }
        return await http_answers.post_json(
            self._tools.outbound, self._own.endpoint, msgspec.json.encode(body), self._policy
        )

    def _read(self, answer: HttpAnswer, addresses: Sequence[Address]) -> list[Outcome]:
        said = http_answers.said(answer, "code", "msg")
        if said is None:
            return [http_answers.not_theirs(answer, self._tools.clock.now_ms())] * len(addresses)
        if said.code != _OK:
            return [judge(said.code, said.why)] * len(addresses)
        items = _by_receiver((http_answers.json_of(answer) or {}).get("data"))
        return [_outcome(address, items, said.text) for address in addresses]


def _outcome(address: Address, items: dict[str, _Item], text: str) -> Outcome:
    """An address's own item; of the account's receivers one that was reached is enough."""
    if not address.value:
        outcomes = [_of_item(item) for item in items.values()]
        reached = [one for one in outcomes if isinstance(one, Sent)]
        return next(iter(reached or outcomes), Sent(detail=text))
    outcome = _of_item(items[address.value]) if address.value in items else Sent(detail=text)
    # A refusal of one among many is about him: he does not follow, or blocked the application.
    return msgspec.structs.replace(outcome, drop_target=True) if isinstance(outcome, Permanent) else outcome


def judge(code: int, why: str) -> Outcome:
    """What a ``code`` other than 1000 means; 1005 to 1009 are the service's own trouble, an unknown one may heal."""
    if code in _REFUSED:
        return Unauthorized(why=why)
    if code == _BUSINESS:
        return Permanent(why=why, code=code)
    return Temporary(why=why)


def _of_item(item: _Item) -> Outcome:
    code, status = item.get("code"), words(str(item.get("status", "")))
    if code == _OK:
        return Sent(provider_ref=str(item.get("sendRecordId") or ""), detail=status)
    return judge(code if isinstance(code, int) else 0, f"{code} {status}")


def _by_receiver(data: object) -> dict[str, _Item]:
    items = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return {str(item.get("uid") or item.get("topicId")): item for item in items}


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return WxPusher(account, tools)
