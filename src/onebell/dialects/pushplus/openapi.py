"""The open API: access keys, and what is built of the rest (sheet pushplus §2)."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from onebell.clock import shanghai_text
from onebell.core.context import Context
from onebell.core.sent import SentMessage
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import NO_RECIPIENT, OpenFault
from onebell.dialects.pushplus.callback import FAILED, SENT
from onebell.dialects.pushplus.fields import text_of
from onebell.dialects.pushplus.lenient import NotJson, loads
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME, SenderInfo, Senders
from onebell.http.exchange import Answer, Request
from onebell.ids import HEX32, hex32

KEY_LIFE_S = 7200
OVERLAP_S = 300
"""How long a replaced access key still works."""

SENDING = 1  # status 发送中

_Call = Callable[[Request, SenderInfo], Awaitable[Answer]]


class _AccessKey(msgspec.Struct, rename="camel"):
    access_key: str
    expires_in: int


class _Result(msgspec.Struct, rename="camel"):
    status: int
    error_message: str
    update_time: str


class OpenApi:
    """``/api/open/*`` and ``/api/common/*``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._senders = Senders(context)
        self._calls: dict[tuple[str, str], _Call] = {
            ("GET", "message/sendMessageResult"): self._send_message_result,
            ("GET", "user/token"): self._user_token,
        }

    async def access_key(self, request: Request, _in_path: tuple[str, ...]) -> Answer:
        """``getAccessKey``: by user token and secretKey; a message token never gets one."""
        body = _object(request.body)
        if body is None:
            return OpenFault.NOT_JSON.answer
        sender = await self._senders.find(text_of(body.get("token")).strip(), ("user",))
        if sender is None:
            return OpenFault.TOKEN_UNKNOWN.answer
        if not await self._knows_secret(sender, text_of(body.get("secretKey"))):
            return OpenFault.UNAUTHORIZED.answer
        return answer.found(await self._issue(sender))

    async def call(self, request: Request, in_path: tuple[str, ...]) -> Answer:
        """Everything that needs an access key; 401 without one comes before all else."""
        sender = await self._senders.find(request.text_header(b"access-key").strip(), ("access",))
        if sender is None:
            return OpenFault.UNAUTHORIZED.answer
        call = self._calls.get((request.method, in_path[0].rstrip("/")))
        return await call(request, sender) if call else OpenFault.NOT_BUILT.answer

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

    async def _user_token(self, _request: Request, sender: SenderInfo) -> Answer:
        owned = await self._context.lookups.credentials(sender.space.id, NAME, "user", sender.person.id)
        return answer.found(owned[0].value if owned else "")

    async def _send_message_result(self, request: Request, sender: SenderInfo) -> Answer:
        code = request.query_value("shortCode") or ""
        found = await self._context.store.pushplus.message(code) if HEX32.match(code) else None
        if found is None or found.space != sender.space.id:
            return OpenFault.NO_MESSAGE.answer
        if found.sender != sender.person.id:
            return OpenFault.NOT_YOURS.answer
        return answer.found(_result(found))


def _result(found: SentMessage) -> _Result:
    if not found.finished_at:
        return _Result(SENDING, "", shanghai_text(found.created_at))
    if found.is_reached:
        return _Result(SENT, "", shanghai_text(found.finished_at))
    return _Result(FAILED, found.why or NO_RECIPIENT, shanghai_text(found.finished_at))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = loads(body)
    except NotJson:
        return None
    return value if isinstance(value, dict) else None
