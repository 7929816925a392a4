"""The open API's door: access keys, and who gets in with one (sheet pushplus §2). The calls are in ``manage``."""

import hmac
import ipaddress
from collections.abc import Sequence
from functools import partial

import msgspec

from onebell.core.context import Context
from onebell.dialects.pushplus import answer, fields, manage
from onebell.dialects.pushplus.answer import OpenFault, OpenRefused, Rejected
from onebell.dialects.pushplus.lenient import NotJson
from onebell.dialects.pushplus.manage.call import Call
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME, SenderInfo, Senders
from onebell.errors import Conflict, NotFound, TooMany
from onebell.http.exchange import Answer, Request
from onebell.ids import hex32

KEY_LIFE_S = 7200
OVERLAP_S = 300
"""How long a replaced access key still works."""


class _AccessKey(msgspec.Struct, rename="camel"):
    access_key: str
    expires_in: int


class OpenApi:
    """``/api/open/*`` and ``/api/common/*``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._senders = Senders(context)

    async def access_key(self, request: Request, _in_path: tuple[str, ...]) -> Answer:
        """``getAccessKey``: by user token and secretKey; a message token never gets one."""
        try:
            return answer.found(await self._issue(await self._admitted(request)))
        except NotJson:
            return OpenFault.NOT_JSON.answer
        except Rejected as why:
            return answer.rejected(why)
        except OpenRefused as why:
            return why.answer

    async def _admitted(self, request: Request) -> SenderInfo:
        """Whoever shows a user token and its secret. Raises: NotJson, Rejected (E19), OpenRefused."""
        body, address = await fields.aside(request, fields.document), request.client
        # Guessing secrets is counted with guessing tokens.
        await self._senders.counters.check_address(address)
        sender = await self._senders.find(fields.text_of(body.get("token")).strip(), ("user",))
        if sender is None:
            await self._senders.counters.bad_token(address)
            raise OpenRefused(OpenFault.TOKEN_UNKNOWN)
        secret, shown = await self._secret(sender, address), fields.text_of(body.get("secretKey"))
        if not hmac.compare_digest(secret.encode(), shown.encode("utf-8", "replace")):
            await self._senders.counters.bad_token(address)
            raise OpenRefused(OpenFault.UNAUTHORIZED)
        return sender

    async def _secret(self, sender: SenderInfo, address: str) -> str:
        """The secret of a user for whom the open API is on, from an address that he allows. Raises: OpenRefused."""
        account = await self._context.lookups.record(sender.space.id, NAME, "account", ACCOUNT_KEY, sender.person.id)
        if account is None or not account.secrets.get("secret_key"):
            raise OpenRefused(OpenFault.UNAUTHORIZED)
        if not is_allowed(account.data.get("allow_ips", ()), address):
            raise OpenRefused(OpenFault.ADDRESS_NOT_ALLOWED)
        return account.secrets["secret_key"]

    async def caller(self, request: Request) -> SenderInfo:
        """Whoever shows a valid access key. Raises: OpenRefused."""
        sender = await self._senders.find(request.text_header(b"access-key").strip(), ("access",))
        if sender is None:
            raise OpenRefused(OpenFault.UNAUTHORIZED)
        await self._secret(sender, request.client)
        return sender

    async def call(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """Everything that needs an access key; 401 without one comes before all else."""
        try:
            sender = await self.caller(request)
            return await self._answer(in_path[0].rstrip("/"), sender, request)
        except OpenRefused as why:
            return why.answer
        except Conflict:
            return OpenFault.CODE_TAKEN.answer
        except TooMany:
            return OpenFault.TOO_MANY.answer
        except NotFound:
            # Removed by somebody since it was looked up.
            return OpenFault.GONE.answer

    async def _answer(self, path: str, sender: SenderInfo, request: Request) -> Answer:
        methods = manage.methods_of(path)
        if methods is None:
            return answer.no_route()
        handler = methods.get(request.method)
        if handler is None:
            return answer.wrong_method(tuple(methods))
        return await handler(await fields.aside(request, partial(Call, self._context, sender)))

    async def _issue(self, sender: SenderInfo) -> _AccessKey:
        now_ms = self._context.clock.now_ms()
        key = hex32()
        await self._context.store.pushplus.issue_access_key(
            sender.space.id,
            sender.person.id,
            key,
            expires_at=now_ms + KEY_LIFE_S * 1000,
            old_until=now_ms + OVERLAP_S * 1000,
        )
        return _AccessKey(key, KEY_LIFE_S)


def is_allowed(allow_ips: Sequence[str], address: str) -> bool:
    """Whether an address stands in a user's list of addresses and networks; an empty list names all."""
    if not allow_ips:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in ipaddress.ip_network(one, strict=False) for one in allow_ips)
