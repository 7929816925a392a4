"""Files of messages: uploaded in one form, downloaded by whoever has the id and, where asked for, the secret (sheet
easemob §2)."""

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec

from onebell.core.context import Context, StoredFile
from onebell.core.pictures import PictureTooLarge
from onebell.core.sanitize import one_line
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import CORS
from onebell.dialects.easemob.file_access import digest, find, opens, public_id
from onebell.dialects.easemob.file_ids import issued_ms, new_id
from onebell.dialects.easemob.thumbnails import Thumbnails
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit
from onebell.errors import InvalidInput
from onebell.http.downloads import Download, file_answer
from onebell.http.exchange import Answer, BodyTooLarge, StreamAnswer
from onebell.http.multipart import NotMultipart, Part, form_parts
from onebell.http.uploads import Streamed, counted

FILE_BYTES = 10_485_760
FORM_BYTES = FILE_BYTES + 1024 * 1024
"""A file with all that a form has around it."""
KEEP_S = 7 * 86_400
UPLOADS, DOWNLOADS = Rate("uploads", 100), Rate("downloads", 100)
BOX = (170, 170)
"""A thumbnail's width and height unless the upload says otherwise."""
BOX_MOST = 4096
FIELD_BYTES = 256
NAME_CHARS = 255
OUTSIDE = 416
_FIELDS = ("restrict-access", "thumbnail-width", "thumbnail-height")
"""Headers of an upload; the Web SDK sends the last two as fields of the form, behind the file."""
_TYPE = re.compile(r"[a-z0-9.+\-]{1,60}/[a-z0-9.+\-]{1,60}")
_HEADERS = (
    *CORS.items(),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"cache-control", b"private, max-age=3600"),
    # The same URL is another answer with them.
    (b"vary", b"share-secret, thumbnail"),
)


class ChatFiles:
    """Takes files and gives them out."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._thumbnails = Thumbnails(context)

    def routes(self) -> Sequence[Route]:
        """Their paths. An upload needs an app's or a user's token; the secret alone opens a file (D4)."""
        up, down = Call(self._upload, UPLOADS), Call(self._download, DOWNLOADS)
        uploads = self._gate.route(Path("/chatfiles", self._gate.any_token, {"POST": up}))
        return (
            Route(uploads.methods, uploads.pattern, Streamed(uploads.handler)),
            self._gate.route(Path("/chatfiles/{}", self._gate.anybody, {"GET": down, "HEAD": down})),
        )

    async def _upload(self, visit: Visit) -> Answer:
        length = visit.request.header(b"content-length")
        if length is not None and length.isdigit() and int(length) > FORM_BYTES:
            raise answer.file_too_large()
        entity = await self._take(visit)
        return answer.uploaded(self._gate.scene(visit), entity)

    async def _take(self, visit: Visit) -> dict[str, str]:
        file_id, secret = new_id(self._context.vault, visit.app.key, self._context.clock.now_ms()), new_secret()
        form = _Form(visit, digest(self._context.vault, secret))
        try:
            part = await form.file()
            file = await self._context.files.put(
                visit.space,
                file_name(part.filename or ""),
                media_type(part.type),
                form.pieces(part),
                public_id=public_id(visit.app.key, file_id),
                keep_s=KEEP_S,
                limit=FILE_BYTES,
                ended=form.ended,
            )
        except NotMultipart:
            raise answer.illegal(answer.NO_FILE) from None
        except (BodyTooLarge, InvalidInput):
            raise answer.file_too_large() from None
        entity = {"uuid": file_id, "type": "chatfile"}
        return {**entity, "share-secret": secret} if file.secret else entity

    async def _download(self, visit: Visit) -> Answer | StreamAnswer:
        file = await self._find(visit, visit.values[0].lower())
        if not opens(self._context.vault, file, _shown(visit, "share-secret")):
            raise answer.bad_token("share-secret is invalid")
        if _shown(visit, "vframe").lower() == "true":
            # We have no frames of videos; clients send a cover of their own (sheet §2.2).
            raise answer.no_file()
        if _shown(visit, "thumbnail").lower() == "true":
            file = await self._thumbnail(file)
        download = Download(
            name=one_line(file.name),
            type=file.type,
            size=file.size,
            read=partial(self._context.files.read, file),
            headers=_HEADERS,
        )
        given = await file_answer(visit.request, download)
        if given.status == OUTSIDE:
            raise answer.no_range(file.size)
        return given

    async def _thumbnail(self, file: StoredFile) -> StoredFile:
        try:
            return await self._thumbnails.of(file)
        except PictureTooLarge:
            raise answer.illegal("the image has too many pixels") from None

    async def _find(self, visit: Visit, file_id: str) -> StoredFile:
        file = await find(self._context, visit.space, visit.app.key, file_id)
        if file is not None:
            return file
        issued = issued_ms(self._context.vault, visit.app.key, file_id)
        if issued is not None and issued + KEEP_S * 1000 <= self._context.clock.now_ms():
            raise answer.file_expired(file_id)
        raise answer.no_file()


def new_secret() -> str:
    """The share-secret of a new file."""
    return secrets.token_urlsafe(24)


def _shown(visit: Visit, name: str) -> str:
    """A header, or a parameter of the query: ``<img src>`` can send no headers."""
    return visit.request.text_header(name.encode()) or visit.request.query_value(name) or ""


def file_name(text: str) -> str:
    """A name as it is kept."""
    # PostgreSQL's text refuses NUL.
    return text.replace("\0", "")[:NAME_CHARS]


def media_type(text: str) -> str:
    """A media type without its parameters; empty when it is none."""
    kind = text.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) else ""


class _Form:
    """An upload's form: the first part ``file``, and the fields before and behind it."""

    def __init__(self, visit: Visit, secret: str) -> None:
        request = visit.request
        assert request.stream is not None, "this handler is streamed"
        self._parts = form_parts(request.text_header(b"content-type"), counted(request.stream, FORM_BYTES))
        self._secret = secret
        self._fields = {name: request.text_header(name.encode()) for name in _FIELDS}

    async def file(self) -> Part:
        """The file, whose pieces are still to come.

        Raises:
            NotMultipart: there is none.
        """
        async for part in self._parts:
            if part.name == "file":
                return part
            await self._take(part)
        raise NotMultipart("no part is called file")

    async def pieces(self, file: Part) -> AsyncIterator[bytes]:
        """The file's bytes; then the rest of the form is read too."""
        async for piece in file.pieces:
            yield piece
        async for part in self._parts:
            await self._take(part)

    async def _take(self, part: Part) -> None:
        if part.name in self._fields:
            self._fields[part.name] = await part.text(FIELD_BYTES)

    def ended(self, row: StoredFile) -> StoredFile:
        """The row with what the whole form says."""
        # Older documents take the header's presence for a yes.
        is_restricted = self._fields["restrict-access"].strip().lower() not in ("", "false")
        box = [_side(self._fields[f"thumbnail-{side}"], BOX[0]) for side in ("width", "height")]
        return msgspec.structs.replace(row, secret=self._secret if is_restricted else "", data={"box": box})


def _side(text: str, default: int) -> int:
    text = text.strip()
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
    return min(value, BOX_MOST) or default
