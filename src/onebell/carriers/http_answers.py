"""What an HTTP answer, or none, means for a delivery, where a provider says nothing more precise."""

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

_GONE = 410
_AGAIN = frozenset((408, 425))
_JSON = "application/json"


async def post_json(
    outbound: Outbound, url: str, body: bytes, policy: Policy, headers: dict[str, str] | None = None
) -> HttpAnswer | Outcome:
    """POST; what made an answer impossible is an outcome already."""
    return await _asked(outbound, "POST", url, {"Content-Type": _JSON, **(headers or {})}, body, policy)


async def get(outbound: Outbound, url: str, policy: Policy) -> HttpAnswer | Outcome:
    """GET; what made an answer impossible is an outcome already."""
    return await _asked(outbound, "GET", url, {}, None, policy)


async def _asked(
    outbound: Outbound, method: str, url: str, headers: dict[str, str], body: bytes | None, policy: Policy
) -> HttpAnswer | Outcome:
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
