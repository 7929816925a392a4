"""Where a content is kept: in the row, or beside it when it is long (DESIGN §4, sheet pushplus §6)."""

from typing import Any

import msgspec

from onebell.core.bodies import KEEP_S, ROW_BYTES
from onebell.core.context import Context, StoredFile
from onebell.core.model import Format
from onebell.dialects.pushplus.parse import Asked
from onebell.dialects.pushplus.senders import SenderInfo
from onebell.dialects.pushplus.templates import Shown

UTF8_BYTES = 4
"""Of one character at most."""

_FILES = {
    Format.HTML: ("content.html", "text/html; charset=utf-8"),
    Format.MARKDOWN: ("content.md", "text/markdown; charset=utf-8"),
    Format.TEXT: ("content.txt", "text/plain; charset=utf-8"),
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A content as its row keeps it."""

    body: str
    """What is shown; when it is long, its beginning."""
    body_file: int = 0
    """Where the whole is then."""
    raw: str | dict[str, Any] | None = None
    """The content as it was sent, or ``{"$file": id}``; None when the body is it."""

    def text(self, content: str) -> str | dict[str, Any]:
        """The content as it was sent, for a native payload: what is long is named, not repeated in the row."""
        file = self.raw if isinstance(self.raw, dict) else {"$file": self.body_file}
        is_long = isinstance(self.raw, dict) or (self.raw is None and self.body_file)
        return {**file, "as": "text"} if is_long else content


def in_row(shown: Shown, asked: Asked) -> Kept | None:
    """A content that has room in its row whatever its bytes are, and is shown as it was sent."""
    is_short = len(shown.body) <= ROW_BYTES // UTF8_BYTES
    return Kept(body=shown.body) if is_short and shown.body == asked.content else None


async def keep(context: Context, sender: SenderInfo, shown: Shown, asked: Asked) -> Kept:
    """Split a content between its row and files; the files are durable when this returns."""
    raw = None if shown.body == asked.content else await _raw(context, sender, asked.content)
    body = shown.body.encode("utf-8", "replace")
    if len(body) <= ROW_BYTES:
        return Kept(body=shown.body, raw=raw)
    name, media_type = _FILES[shown.format]
    file = await _put(context, sender, name, media_type, body)
    return Kept(body=body[:ROW_BYTES].decode("utf-8", "ignore"), body_file=file.id, raw=raw)


async def _put(context: Context, sender: SenderInfo, name: str, media_type: str, body: bytes) -> StoredFile:
    return await context.files.put(sender.space.id, name, media_type, body, owner=sender.person.id, keep_s=KEEP_S)


async def _raw(context: Context, sender: SenderInfo, content: str) -> str | dict[str, Any]:
    raw = content.encode("utf-8", "replace")
    if len(raw) <= ROW_BYTES:
        return content
    name, media_type = _FILES[Format.TEXT]
    file = await _put(context, sender, name, media_type, raw)
    return {"$file": file.id}
