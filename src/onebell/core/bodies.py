"""Long bodies: a row holds the beginning, a file the whole (DESIGN §4: bytes > 16 KiB never enter a message row)."""

import msgspec
import structlog

from onebell.core.context import Files
from onebell.core.model import Content

log = structlog.get_logger()

BODY_BYTES = 1_048_576
"""As much of a body as is shown anywhere."""
LOOP_CHARS = 16_384
"""A longer body is rendered on a thread: sanitising it would hold up everybody else."""


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
