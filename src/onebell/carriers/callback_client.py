"""The way out of callbacks: the one HTTP client, under the policy that the URL's origin asks for."""

from collections.abc import Mapping, Sequence

from onebell.carriers.address_gate import AddressForbidden, strict
from onebell.carriers.outbound import Outbound, Unreachable
from onebell.core.callbacks import NoAnswer, NotAllowed
from onebell.core.events import CallbackAnswer, CallbackRequest
from onebell.errors import InvalidInput


class CallbackClient:
    """The core's ``CallbackSender``."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def post(
        self, request: CallbackRequest, headers: Mapping[str, str], allow: Sequence[str], timeout_s: float
    ) -> CallbackAnswer:
        """Send one request; a verified URL may reach its own origin wherever that is, any other what ``allow`` names.

        Raises:
            NoAnswer: nobody answered in time.
            NotAllowed: the gate refuses the URL, or it cannot be sent at all.
        """
        policy = strict((request.url,) if request.verified else allow)
        try:
            answer = await self._outbound.request(
                "POST", request.url, headers=headers, body=request.body, policy=policy, timeout_s=timeout_s
            )
        except (AddressForbidden, InvalidInput) as error:
            raise NotAllowed(str(error)) from error
        except Unreachable as error:
            raise NoAnswer(str(error)) from error
        return CallbackAnswer(status=answer.status, headers=dict(answer.headers), body=answer.body)
