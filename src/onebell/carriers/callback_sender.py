"""Sends the core's callbacks through the one HTTP client, by the gate that fits who named the address."""

from collections.abc import Mapping, Sequence

from onebell.carriers.address_gate import AddressForbidden, Policy, origin_of, strict
from onebell.carriers.outbound import Outbound, Unreachable
from onebell.core.callbacks import NoAnswer, NotAllowed
from onebell.core.events import CallbackAnswer, CallbackRequest
from onebell.errors import InvalidInput

READ_BYTES = 65_536


class OutboundCallbacks:
    """The core's ``CallbackSender``."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def post(
        self, request: CallbackRequest, headers: Mapping[str, str], allow: Sequence[str], timeout_s: float
    ) -> CallbackAnswer:
        """Send one request; see ``CallbackSender``."""
        try:
            answer = await self._outbound.request(
                "POST",
                request.url,
                headers=headers,
                body=request.body,
                policy=_policy(request, allow),
                timeout_s=timeout_s,
                limit_bytes=READ_BYTES,
            )
        except (AddressForbidden, InvalidInput) as error:
            raise NotAllowed(f"refused: {error}") from error
        except Unreachable as error:
            raise NoAnswer(str(error)) from error
        return CallbackAnswer(status=answer.status, headers=answer.headers, body=answer.body)


def _policy(request: CallbackRequest, allow: Sequence[str]) -> Policy:
    if not request.verified:
        return strict(allow)
    # The operator named this very address, so it may be a private one; redirects still lead nowhere.
    return Policy(origins=frozenset(filter(None, [origin_of(request.url)])))
