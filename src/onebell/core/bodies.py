"""Long bodies: a row holds the beginning, a file the whole (DESIGN §4: bytes > 16 KiB never enter a message row)."""

from typing import Any

import msgspec
import structlog

from onebell.core.context import Files
from onebell.core.model import Content, Format, Part, Submission

log = structlog.get_logger()

ROW_BYTES = 16_384
"""Longer texts never enter a message row."""
BODY_BYTES = 1_048_576
"""As much of a body as is shown anywhere."""
LOOP_CHARS = 16_384
"""A longer body is rendered on a thread: sanitising it would hold up everybody else."""
KEEP_S = 86_400
"""Of a file that no message came to name; one that is named stays as long as its message."""
_FILES = {
    Format.HTML: ("body.html", "text/html; charset=utf-8"),
    Format.MARKDOWN: ("body.md", "text/markdown; charset=utf-8"),
}
_TEXT = ("body.txt", "text/plain; charset=utf-8")


async def beside_row(files: Files, submission: Submission) -> Submission:
    """The same submission with its long bodies, and the long texts of its native payloads, in files.

    The files are durable when this returns.

    Raises:
        StoreUnavailable: one cannot be written.
    """
    keep = _Keeper(files, submission.space, submission.credential or submission.sender.party)
    return msgspec.structs.replace(submission, parts=tuple([await keep.part(part) for part in submission.parts]))


async def memory_of(files: Files, space: int, owner: int, text: str) -> str | dict[str, Any]:
    """A text as a dialect's memory (``Submission.extra``) may hold it: itself, or where it is.

    Raises:
        StoreUnavailable: the file cannot be written.
    """
    kept: str | dict[str, Any] = await _Keeper(files, space, owner).payload(text)
    return kept


class _Keeper:
    """Puts what is long into files of one submission."""

    def __init__(self, files: Files, space: int, owner: int) -> None:
        self._files = files
        self._space = space
        self._owner = owner

    async def part(self, part: Part) -> Part:
        content = await self._content(part.content)
        return msgspec.structs.replace(part, content=content, native=await self.payload(part.native))

    async def _content(self, content: Content) -> Content:
        body = content.body.encode("utf-8", "replace")
        if content.body_file or len(body) <= ROW_BYTES:
            return content
        file = await self._put(*_FILES.get(content.format, _TEXT), body)
        return msgspec.structs.replace(content, body=body[:ROW_BYTES].decode("utf-8", "ignore"), body_file=file)

    async def payload(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: await self.payload(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [await self.payload(inner) for inner in value]
        if not isinstance(value, str) or len(text := value.encode("utf-8", "replace")) <= ROW_BYTES:
            return value
        return {"$file": await self._put(*_TEXT, text), "as": "text"}

    async def _put(self, name: str, media_type: str, text: bytes) -> int:
        file = await self._files.put(self._space, name, media_type, text, owner=self._owner, keep_s=KEEP_S)
        return file.id


async def whole(files: Files, space: int, content: Content) -> Content:
    """The content with all of its body; unchanged, and no file looked at, where the row holds it.

    Raises:
        StoreUnavailable: the file cannot be read.
    """
    if not content.body_file:
        return content
    file = await files.find(space, content.body_file)
    if file is None:
        log.warning("body_file_gone", space=space, file=content.body_file)
        return content
    body = b"".join([chunk async for chunk in files.read(file, 0, BODY_BYTES)])
    return msgspec.structs.replace(content, body=body.decode("utf-8", "ignore"), body_file=0)
