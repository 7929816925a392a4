"""What an HTTP answer, or none, means for a delivery, where a provider says nothing more precise."""

from collections.abc import Mapping

import msgspec

from onebell.carriers.address_gate import AddressForbidden, Policy
from onebell.carriers.outbound import HttpAnswer, Outbound, Unreachable
from onebell.core.outcomes import Outcome, Permanent, Temporary, Throttled
from onebell.core.retry_after import retry_after_s
from onebell.core.work import words

TIMEOUT_S = 10.0
"""In all, connecting included (sheet wecom §6)."""
THROTTLED_S = 60.0
"""How long "too many requests" lasts when the provider does not say."""
BUSY_S = 5.0
"""Least wait after "system busy", and after a code that the provider does not explain."""

CODE_LIMIT = 2**31
"""No provider has codes of more digits, and no row room for them."""

_GONE = 410
_AGAIN = frozenset((408, 425))


async def post_json(outbound: Outbound, url: str, body: bytes, policy: Policy) -> HttpAnswer | Outcome:
    """POST; what made an answer impossible is an outcome already."""
    return await asked(outbound, "POST", url, {"Content-Type": "application/json"}, body, policy)


async def get(outbound: Outbound, url: str, policy: Policy) -> HttpAnswer | Outcome:
    """GET; what made an answer impossible is an outcome already."""
    return await asked(outbound, "GET", url, {}, None, policy)


async def asked(
    outbound: Outbound, method: str, url: str, headers: Mapping[str, str], body: bytes | None, policy: Policy
) -> HttpAnswer | Outcome:
    """Any request; what made an answer impossible is an outcome already."""
    try:
        return await outbound.request(method, url, headers=headers, body=body, policy=policy, timeout_s=TIMEOUT_S)
    except AddressForbidden as error:
        return Permanent(why=f"address refused: {error}")
    except Unreachable as error:
        return Temporary(why=str(error))


def failure(answer: HttpAnswer, now_ms: int) -> Outcome | None:
    """What a status other than 2xx means; None for success. A redirect is a failure: nobody follows it."""
    status = answer.status
    if 200 <= status < 300:
        return None
    why = f"HTTP {status}" + (f": {said}" if (said := told(answer)) else "")
    wait_s = retry_after_s(answer.headers.get("retry-after", ""), now_ms)
    if status == 429 or (status == 503 and wait_s is not None):
        return Throttled(why=why, wait_s=THROTTLED_S if wait_s is None else wait_s)
    if status >= 500 or status in _AGAIN:
        return Temporary(why=why, not_before_s=wait_s or 0)
    return Permanent(why=why, drop_target=status == _GONE, code=status)


def told(answer: HttpAnswer) -> str:
    """The provider's words, as many as are kept."""
    return words(answer.body.decode(errors="replace")).strip()


def json_of(answer: HttpAnswer) -> dict[str, object] | None:
    """The body as a JSON object; None when it is something else."""
    try:
        return msgspec.json.decode(answer.body, type=dict[str, object])
    except msgspec.DecodeError:
        return None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the provider's own JSON: its code and its words."""

    code: int
    text: str

    @property
    def why(self) -> str:
        """Code and words, for the timeline."""
        return words(f"{self.code} {self.text}".strip())


def said(answer: HttpAnswer, code: str, text: str) -> Said | None:
    """What the provider said under these names; None when the answer is not its JSON."""
    body = json_of(answer)
    number = None if body is None else body.get(code)
    if body is None or not isinstance(number, int) or abs(number) >= CODE_LIMIT:
        return None
    return Said(code=number, text=words(str(body.get(text, ""))))


def not_theirs(answer: HttpAnswer, now_ms: int) -> Outcome:
    """What an answer means that is not the provider's JSON: a proxy's, or an outage."""
    return failure(answer, now_ms) or Temporary(why="the answer is not the service's JSON")


def unlisted(said: Said, answer: HttpAnswer, now_ms: int) -> Outcome:
    """What a code means that the provider does not document: by the status where that refuses, else it may heal."""
    failed = failure(answer, now_ms)
    return Temporary(why=said.why, not_before_s=BUSY_S) if failed is None else failed
