"""Moving messages in from elsewhere: they are history, nobody is told (sheet easemob §1.5)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.fetching import Fetcher
from onebell.core.model import Keep
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import illegal
from onebell.dialects.easemob.bodies import TYPES, stored_body
from onebell.dialects.easemob.file_access import check_files
from onebell.dialects.easemob.messages import CALLS
from onebell.dialects.easemob.parse import Message, Rules, check_rest, check_size, read_body, size_of
from onebell.dialects.easemob.rehosting import Rehosting
from onebell.dialects.easemob.send import import_message
from onebell.dialects.easemob.visit import Call, Gate, Path, Visit, must_be_json
from onebell.http.exchange import Answer


class _Source(msgspec.Struct):
    """The body; ``msg`` and the type ``text`` are what the Java SDK sends."""

    sender: str | None = msgspec.field(name="from", default=None)
    target: str | None = None
    type: str | None = None
    body: dict[str, Any] | None = None
    msg: dict[str, Any] | None = None
    ext: dict[str, Any] | None = None
    is_ack_read: bool | None = None
    msg_timestamp: int | None = None  # ms
    need_download: bool | None = None


class Imports:
    """The call that imports one message."""

    def __init__(self, context: Context, gate: Gate, fetcher: Fetcher) -> None:
        self._context = context
        self._gate = gate
        self._rehosted = Rehosting(context, fetcher)

    def routes(self) -> Sequence[Route]:
        """One message per call."""
        path = Path("/messages/users/import", self._gate.app_token, {"POST": Call(self._import, CALLS)})
        return (self._gate.route(path),)

    async def _import(self, visit: Visit) -> Answer:
        must_be_json(visit.request)
        check_size(visit.request.body, "target")
        source = read_body(visit.request.body, _Source)
        message = _message(source)
        await check_files(self._context, visit.space, message.body)
        check_rest(message, Rules(message_bytes=visit.app.message_bytes, lenient=True))
        if source.need_download:
            message = msgspec.structs.replace(message, body=await self._rehosted(visit, message.body))
        now_ms = self._context.clock.now_ms()
        happened = min(source.msg_timestamp or now_ms, now_ms)
        keep = Keep.UNREAD_HISTORY if source.is_ack_read is False else Keep.HISTORY
        number = await import_message(self._context, visit.space, visit.app, message, happened, keep)
        return answer.full(self._gate.scene(visit), entities=[], data={"msg_id": number})


def _message(source: _Source) -> Message:
    body = source.body if source.body is not None else source.msg
    if not source.sender:
        raise illegal("from not allow empty")
    if not source.target:
        raise illegal("target not allow empty")
    if not source.type:
        raise illegal("type not allow empty")
    if not body:
        raise illegal("message body not allow empty")
    kind = "txt" if source.type == "text" else source.type
    if kind not in TYPES:
        raise illegal(f"type {kind} is illegal")
    if source.msg_timestamp is not None and source.msg_timestamp <= 0:
        raise illegal("msg_timestamp is illegal")
    ext = source.ext or {}
    fields = {name: value for name, value in body.items() if name != "type"}
    stored = stored_body(kind, fields, lenient=True)
    return Message(
        sender=source.sender,
        receivers=(source.target,),
        kind=kind,
        body=stored,
        ext=ext,
        online_only=False,
        sync_device=True,  # the conversation is his too
        size=size_of(body, ext),
    )
