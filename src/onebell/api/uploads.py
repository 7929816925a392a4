"""Files that people upload to send them in a conversation."""

import re
from collections.abc import AsyncIterator, Callable

import msgspec

from onebell.api.callers import mailbox_of
from onebell.api.errors import ApiError
from onebell.api.operations import Call, Operation, Right
from onebell.api.talks import may_write
from onebell.core.context import Context
from onebell.core.sanitize import one_line
from onebell.errors import InvalidInput
from onebell.http.exchange import BodyTooLarge
from onebell.http.multipart import NotMultipart, Part, form_parts
from onebell.http.uploads import counted

FILE_BYTES = 10 * 1024 * 1024
FORM_BYTES = FILE_BYTES + 64 * 1024
"""A file with all that a form has around it."""
KEEP_S = 86_400
"""How long a file waits to be sent."""
PER_MINUTE = 60
NAME_CHARACTERS = 255
_PART = "file"
_TYPE = re.compile(r"[a-z0-9.+\-]{1,60}/[a-z0-9.+\-]{1,60}")


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """A file that can be sent once."""

    id: str
    name: str
    type: str
    size: int  # bytes
    url: str


class UploadsApi:
    """Takes files; no more of one is held than a piece."""

    def __init__(self, context: Context, file_url: Callable[[int, int], str]) -> None:
        self._context = context
        self._file_url = file_url

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="POST",
                path="/files",
                rights=frozenset({Right.INBOX}),
                do=self.upload,
                tag="inbox",
                answer=Uploaded,
                status=201,
                upload=_PART,
                about="Upload a file of up to 10 MiB, to send it in a conversation within a day.",
            )
        ]

    async def upload(self, call: Call) -> Uploaded:
        """Take a file."""
        caller, me = call.who, mailbox_of(call.who)
        may_write(caller)
        if not await self._context.limits.take(caller.space, f"native:uploads:{me}", PER_MINUTE, 60):
            raise ApiError("too_many", "too many files within a minute", retry_after_s=60)
        assert call.request.stream is not None, "this operation is streamed"
        try:
            parts = form_parts(call.request.text_header(b"content-type"), counted(call.request.stream, FORM_BYTES))
            part = await _file_of(parts)
            name = one_line((part.filename or "").replace("\0", ""))[:NAME_CHARACTERS]
            pieces = _all(part, parts)
            file = await self._context.files.put(
                caller.space, name, _type(part), pieces, owner=me, keep_s=KEEP_S, limit=FILE_BYTES
            )
        except NotMultipart as error:
            raise ApiError("bad_request", f"the body is multipart/form-data with one part {_PART}") from error
        except (BodyTooLarge, InvalidInput) as error:
            raise ApiError("too_large", f"a file has at most {FILE_BYTES} bytes", _PART) from error
        url = self._file_url(caller.space, file.id)
        return Uploaded(id=str(file.id), name=file.name, type=file.type, size=file.size, url=url)


async def _file_of(parts: AsyncIterator[Part]) -> Part:
    async for part in parts:
        if part.name == _PART:
            return part
    raise NotMultipart(f"no part is called {_PART}")


async def _all(file: Part, parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """The file's bytes; then the form is read to its end, so that a broken one stores nothing."""
    async for piece in file.pieces:
        yield piece
    async for _ in parts:
        pass


def _type(part: Part) -> str:
    kind = part.type.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) else ""
