"""The way to the object store: the one HTTP client, which may go wherever the operator's endpoint is."""

from collections.abc import Mapping

from onebell.carriers.address_gate import AddressForbidden, Policy, origin_of
from onebell.carriers.outbound import Outbound, Unreachable
from onebell.core.objects import ObjectAnswer, ObjectsOutOfReach, Upload
from onebell.errors import InvalidInput


class ObjectClient:
    """The core's ``Objects``."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Upload | None, limit_bytes: int
    ) -> ObjectAnswer:
        """Send one request. Raises ``ObjectsOutOfReach``."""
        try:
            answer = await self._outbound.request(
                method, url, headers=headers, body=body, policy=_endpoint(url), limit_bytes=limit_bytes
            )
        except (AddressForbidden, InvalidInput, Unreachable) as error:
            raise ObjectsOutOfReach(str(error)) from error
        return ObjectAnswer(answer.status, answer.body)


def _endpoint(url: str) -> Policy:
    """The endpoint stands in the operator's settings: he may have it on his own network, on any port."""
    return Policy(origins=frozenset({origin_of(url)}))
