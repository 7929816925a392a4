"""The open API's door: access keys, and who gets in with one (sheet pushplus §2). The calls are in ``manage``."""

import hmac

import msgspec

from onebell.core.context import Context
from onebell.dialects.pushplus import answer, fields, manage
from onebell.dialects.pushplus.answer import OpenFault, OpenRefused
from onebell.dialects.pushplus.lenient import NotJson
from onebell.dialects.pushplus.manage.call import Call
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME, SenderInfo, Senders
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
            body = fields.document(request)
        except NotJson:
            return OpenFault.NOT_JSON.answer
        sender = await self._senders.find(fields.text_of(body.get("token")).strip(), ("user",))
        if sender is None:
            return OpenFault.TOKEN_UNKNOWN.answer
        if not await self._knows_secret(sender, fields.text_of(body.get("secretKey"))):
            return OpenFault.UNAUTHORIZED.answer
        return answer.found(await self._issue(sender))

    async def call(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """Everything that needs an access key; 401 without one comes before all else."""
        sender = await self._senders.find(request.text_header(b"access-key").strip(), ("access",))
        if sender is None:
            return OpenFault.UNAUTHORIZED.answer
        methods = manage.methods_of(in_path[0].rstrip("/"))
        if methods is None:
            return answer.no_route()
        handler = methods.get(request.method)
        if handler is None:
            return answer.wrong_method(tuple(methods))
        try:
            return await handler(Call(self._context, sender, request))
        except OpenRefused as why:
            return why.answer

    async def _knows_secret(self, sender: SenderInfo, shown: str) -> bool:
        record = await self._context.lookups.record(sender.space.id, NAME, "account", ACCOUNT_KEY, sender.person.id)
        secret = record.secrets.get("secret_key", "") if record else ""
        # Without a secret the open API is off for this user.
        return bool(secret) and hmac.compare_digest(secret.encode(), shown.encode("utf-8", "replace"))

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
