"""WeCom app messages: a token that is fetched once, then one call for up to a thousand members (sheet wecom §6.2)."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.address_gate import of_account
from onebell.carriers.base import Address, Batch, Carrier
from onebell.carriers.credentials import FreshToken, TokenUnavailable
from onebell.carriers.hiding import without_secrets
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.carriers.wecom_app.answers import ONE_OF_THEM, RENEW, Said, judge, read
from onebell.carriers.wecom_app.messages import message
from onebell.carriers.wecom_app.pace import Pace
from onebell.carriers.wecom_app.receivers import ALL, MEMBERS, calls, members, receivers
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Permanent, Sent, Split, Temporary, Throttled
from onebell.errors import OnebellError

SERVICE = "https://qyapi.weixin.qq.com"
RENEW_EARLY_S = 300.0
TOKEN_BYTES = 512
REMEMBERED = 256
"""Messages taken back lately: all members of one call share its ``msgid``."""

_DEAD = ("invaliduser", "unlicenseduser")


class NoToken(OnebellError):
    """The service gave no token; ``outcome`` says what that means."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the service gave no token")
        self.outcome = outcome


class WecomApp:
    """One application of a corporation."""

    def __init__(self, account: CarrierAccount, tools: CarrierTools) -> None:
        self._account = account
        self._tools = tools
        self._policy = of_account(account)
        self._base = str(account.fields.get("base_url") or SERVICE).rstrip("/")
        self._pace = Pace()
        self._recalled: OrderedDict[str, Outcome] = OrderedDict()

    async def open(self) -> None:
        """Connections are kept by the outbound client, tokens by the store."""

    async def close(self) -> None:
        """Connections are kept by the outbound client, tokens by the store."""

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """One call for all members that can be joined, as a rule one in all."""
        told = message(batch)
        now_ms = self._tools.clock.now_ms()
        outcomes = {one.delivery: self._held_back(one, now_ms) for one in batch.addresses}
        free = [one for one in batch.addresses if outcomes[one.delivery] is None]
        self._pace.count((member for one in free for member in members(one) if member != ALL), now_ms)
        for call in calls(free):
            for address, outcome in zip(call, await self._send(told, call), strict=True):
                outcomes[address.delivery] = outcome
        return [outcome for outcome in outcomes.values() if outcome is not None]

    async def recall(self, provider_ref: str) -> Outcome:
        """Take a message back within 24 h of its sending; from all who got it with the same call."""
        known = self._recalled.get(provider_ref)
        if known is not None:
            return known
        said = await self._call("message/recall", {"msgid": provider_ref})
        if not isinstance(said, Said):
            return said
        outcome: Outcome = Sent(detail=said.text) if said.code == 0 else judge(said)
        if isinstance(outcome, Sent | Permanent):
            self._recalled[provider_ref] = outcome
            while len(self._recalled) > REMEMBERED:
                self._recalled.popitem(last=False)
        return outcome

    async def check(self) -> Outcome:
        """Ask for a token; nothing is sent."""
        asked = await self._ask_for_token()
        return asked if not isinstance(asked, FreshToken) else Sent()

    def _held_back(self, address: Address, now_ms: int) -> Outcome | None:
        """What needs no call: too many members, or too much for one of them already."""
        ids = members(address)
        if len(ids) > MEMBERS:
            return Permanent(why=f"more than {MEMBERS} members in one address")
        wait_s = self._pace.wait_s(ids, now_ms)
        if wait_s:
            return Throttled(why="the service drops what is more for one member", wait_s=wait_s, scope="target")
        return None

    async def _send(self, told: Mapping[str, Any], call: Sequence[Address]) -> Sequence[Outcome]:
        fields = self._account.fields
        said = await self._call("message/send", {**receivers(call, fields), "agentid": fields["agent_id"], **told})
        if not isinstance(said, Said):
            return [said] * len(call)
        if said.code in ONE_OF_THEM and len(call) > 1:
            return [Split(why=said.why)] * len(call)
        return [_outcome(address, said) for address in call]

    async def _call(self, path: str, body: Mapping[str, Any]) -> Said | Outcome:
        """POST with the account's token; with another one, once, when that is not taken."""
        try:
            token = await self._token()
            said = await self._post(path, token, body)
            if isinstance(said, Said) and said.code in RENEW:
                said = await self._post(path, await self._token(refused=token), body)
        except NoToken as error:
            return error.outcome
        except TokenUnavailable as error:
            return Temporary(why=str(error))
        return said

    async def _post(self, path: str, token: str, body: Mapping[str, Any]) -> Said | Outcome:
        url = f"{self._base}/cgi-bin/{path}?{urlencode({'access_token': token})}"
        answer = await http_answers.post_json(self._tools.outbound, url, msgspec.json.encode(body), self._policy)
        return self._read(answer)

    async def _token(self, refused: str = "") -> str:
        # Named after what it was got with: changed credentials never meet an old token.
        fields = self._account.fields
        seed = "\n".join((self._base, str(fields["corp_id"]), str(fields["secret"])))
        name = f"access-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"
        return await self._tools.credentials.token(self._account, name, self._fetch_token, refused)

    async def _fetch_token(self) -> FreshToken:
        asked = await self._ask_for_token()
        if isinstance(asked, FreshToken):
            return asked
        raise NoToken(asked)

    async def _ask_for_token(self) -> FreshToken | Outcome:
        fields = self._account.fields
        asked = urlencode({"corpid": fields["corp_id"], "corpsecret": fields["secret"]})
        url = f"{self._base}/cgi-bin/gettoken?{asked}"
        said = self._read(await http_answers.get(self._tools.outbound, url, self._policy))
        if not isinstance(said, Said):
            return said
        if said.code != 0:
            return judge(said)
        token, lives_s = said.string("access_token"), said.body.get("expires_in")
        if not 0 < len(token.encode()) <= TOKEN_BYTES or not isinstance(lives_s, int):
            return Temporary(why="the service's answer holds no token")
        return FreshToken(value=token, lives_s=max(0.0, lives_s - RENEW_EARLY_S))

    def _read(self, answer: HttpAnswer | Outcome) -> Said | Outcome:
        if not isinstance(answer, HttpAnswer):
            return answer
        return without_secrets(self._account, read(answer, self._tools.clock.now_ms()))


def _outcome(address: Address, said: Said) -> Outcome:
    """What an answer means for one address; one of several members is dead only when they all are."""
    ids = [one.lower() for one in members(address)]
    is_somebody = bool(ids) and ALL not in ids
    if said.code != 0:
        outcome = judge(said)
        # Whoever is meant by "all" may be somebody tomorrow.
        is_dead = isinstance(outcome, Permanent) and outcome.drop_target
        return Permanent(why=said.why, code=said.code) if is_dead and not is_somebody else outcome
    dead = {one: name for name in _DEAD for one in said.ids(name)}
    if is_somebody and all(one in dead for one in ids):
        return Permanent(why=f"{dead[ids[0]]}: {said.text}", drop_target=True)
    return Sent(provider_ref=said.string("msgid"), detail=said.text)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return WecomApp(account, tools)
