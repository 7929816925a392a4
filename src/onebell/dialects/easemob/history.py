"""An hour of messages as a file behind a signed link (sheet easemob §1.7)."""

import hmac
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.conversations import HourRecord
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import CORS, Rejected, illegal
from onebell.dialects.easemob.app import DIALECT, App
from onebell.dialects.easemob.bodies import documented
from onebell.dialects.easemob.digits import whole
from onebell.dialects.easemob.parse import DEFAULT_SENDER
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit
from onebell.http.exchange import Answer, StreamAnswer

HISTORY = Rate("history", 10, window_s=60)
LINKS = Rate("history:files", 100)
KEPT_MS = 3 * 86_400_000
HOUR_MS = 3_600_000
LINK_MS = 30 * 60_000
HOUR = re.compile(r"\d{10}")
GZIP = 31
"""zlib's word for a gzip frame."""

_encode = msgspec.json.Encoder().encode


class History:
    """Tells where an hour of messages can be fetched, and gives it out."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The file needs no token: its link is signed and good for half an hour."""
        gate = self._gate
        file = Call(self._file, LINKS)
        return (
            gate.route(Path("/chatmessages/{}", gate.app_token, {"GET": Call(self._link, HISTORY)})),
            gate.route(Path("/chatmessages/{}/{}", gate.anybody, {"GET": file, "HEAD": file})),
        )

    async def _link(self, visit: Visit) -> Answer:
        asked, app, now_ms = visit.values[0], visit.app, self._context.clock.now_ms()
        what = f"illegal arguments: appkey: {app.appkey}, time: {asked}"
        begin = _begin(app, asked)
        if begin is None:
            raise illegal(what)
        if begin + HOUR_MS <= now_ms - KEPT_MS:
            raise illegal(f"{what}, maybe chat message history is expired or unstored")
        if not await self._has_any(visit, begin):
            text = f"Failed to find chat message history download url for appkey: {app.appkey}, time: {asked}"
            raise Rejected(404, "storage_object_not_found", text)
        scene = self._gate.scene(visit)
        ends = now_ms + LINK_MS
        url = f"{scene.uri}/{ends}-{self._signature(app, asked, ends)}.gz"
        return answer.full(scene, data=[{"url": url}])

    async def _has_any(self, visit: Visit, begin: int) -> bool:
        after: tuple[int, int] | None = (0, 0)
        while after is not None:
            page = await self._context.store.easemob.hour(visit.space, visit.app.key, (begin, begin + HOUR_MS), after)
            if page.records:
                return True
            after = page.after
        return False

    def _signature(self, app: App, hour: str, ends: int) -> str:
        return self._context.vault.digest(DIALECT, "history", f"{app.key}:{hour}:{ends}").hex()

    async def _file(self, visit: Visit) -> StreamAnswer:
        asked, name = visit.values
        until, _, signature = name.removesuffix(".gz").partition("-")
        begin, ends = _begin(visit.app, asked), whole(until)
        if begin is None or ends is None or ends < self._context.clock.now_ms():
            raise answer.no_service()
        if not hmac.compare_digest(self._signature(visit.app, asked, ends).encode(), signature.encode()):
            raise answer.no_service()
        headers = [
            (b"content-type", b"application/gzip"),
            (b"content-disposition", f'attachment; filename="{asked}.gz"'.encode()),
            (b"cache-control", b"private, no-store"),
            *CORS.items(),
        ]
        return StreamAnswer(200, self._packed(visit, begin), headers)

    async def _packed(self, visit: Visit, begin: int) -> AsyncIterator[bytes]:
        packer = zlib.compressobj(wbits=GZIP)
        after: tuple[int, int] | None = (0, 0)
        while after is not None:
            page = await self._context.store.easemob.hour(visit.space, visit.app.key, (begin, begin + HOUR_MS), after)
            lines = b"".join(_encode(_record(one)) + b"\n" for one in page.records)
            if packed := packer.compress(lines):
                yield packed
            after = page.after
        yield packer.flush()


def _begin(app: App, asked: str) -> int | None:
    """When an hour of the app's own clock begins, in ms."""
    if not (asked.isascii() and HOUR.fullmatch(asked)):
        return None
    try:
        local = datetime.strptime(asked, "%Y%m%d%H").replace(tzinfo=UTC)
        utc = local - timedelta(minutes=app.history_offset_min)
    except (ValueError, OverflowError):
        return None
    return round(utc.timestamp() * 1000)


def _record(one: HourRecord) -> dict[str, Any]:
    data = one.part.content.data
    sender = str(data.get("from", DEFAULT_SENDER))
    return {
        "msg_id": str(one.public_id),
        "timestamp": one.created_at,
        "direction": "outgoing",
        "to": one.to,
        "from": sender,
        "chat_type": "chat",
        "payload": {
            "bodies": [documented(data.get("body", {}))],
            "ext": data.get("ext", {}),
            "from": sender,
            "to": one.to,
        },
    }
