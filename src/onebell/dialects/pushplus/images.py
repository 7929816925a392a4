"""Pictures for messages: taken in a form, kept for 30 days with a small version, open to who knows the address (§2)."""

import hmac
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from onebell.core.context import Context
from onebell.core.directory import Person, Record
from onebell.core.pictures import NotAPicture, PictureTooLarge
from onebell.core.sanitize import one_line
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import PERSON, number
from onebell.errors import NotFound, OnebellError
from onebell.http.exchange import BodyTooLarge, Request
from onebell.http.multipart import NotMultipart, Part, form_parts
from onebell.http.uploads import counted
from onebell.ids import hex32

IMAGE = "image"
"""Kind of the records of pictures, and of their numbers."""
IMAGE_BYTES = 5 * 1024 * 1024
FORM_BYTES = IMAGE_BYTES + 64 * 1024
"""A picture with all that a form has around it."""
KEEP_S = 30 * 86_400
TOKEN_S = 600
IMAGES = 500
"""That one user may keep at once; the sheet leaves this number and the bytes to us."""
_BOX = (300, 300)
_NAME_CHARS = 100
_TOKEN_BYTES = 256
_TOKEN = re.compile(r"(\d{1,19})\.(\d{1,9})\.(\d{1,15})\.[0-9a-f]{64}")
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png", ".png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg", ".jpg"),
    (re.compile(rb"GIF8[79]a"), "image/gif", ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp", ".webp"),
    (re.compile(rb"BM"), "image/bmp", ".bmp"),
)


class BadUpload(OnebellError):
    """A form without a picture; the text says what is wrong with it."""


class TooManyImages(OnebellError):
    """The owner keeps as many as he may."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it was stored."""

    name: str  # as its owner called it
    type: str
    extension: str  # ".png"
    size: int
    sha256: str
    public_id: str
    thumbnail: str  # public id of the small version


class Images:
    """Takes and forgets them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # ------------------------------------------------------------ who may upload

    async def token(self, owner: Person) -> str:
        """What lets its bearer upload for ``owner`` for ten minutes."""
        ends_s = self._context.clock.now_ms() // 1000 + TOKEN_S
        who = await number(self._context, owner.space, PERSON, owner.id)
        plain = f"{owner.space}.{who}.{ends_s}"
        return f"{plain}.{self._signature(plain)}"

    async def bearer(self, token: str) -> Person | None:
        """For whom a token lets upload; None when it is nobody's or over."""
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(self._signature(token[:-65]), token[-64:]):
            return None
        if int(found[3]) * 1000 <= self._context.clock.now_ms():
            return None
        space = int(found[1])
        who = await self._context.store.numbers.meant(space, PERSON, int(found[2]))
        return await self._context.lookups.person(space, int(who)) if who else None

    def _signature(self, plain: str) -> str:
        return self._context.vault.digest(NAME, "upload", plain).hex()

    # ------------------------------------------------------------ keeping

    async def keep(self, owner: Person, part: Part) -> Kept:
        """Store the picture of a form's part.

        Raises:
            BadUpload, TooManyImages
            BodyTooLarge: more than ``IMAGE_BYTES``.
        """
        await self._make_room(owner)
        body = await _whole(part)
        kind = next(((media, ending) for sign, media, ending in _SIGNATURES if sign.match(body)), None)
        if kind is None:
            raise BadUpload("file is no picture")
        name = one_line(part.filename or "").replace("\0", "")[:_NAME_CHARS] or f"image{kind[1]}"
        return await self._stored(owner, name, kind, body)

    async def _stored(self, owner: Person, name: str, kind: tuple[str, str], body: bytes) -> Kept:
        context, media_type, ending = self._context, *kind
        try:
            small = await context.pictures.thumbnail(_once(body), *_BOX)
        except (NotAPicture, PictureTooLarge) as error:
            raise BadUpload(str(error)) from None
        one, other = f"{hex32()}{ending}", f"{hex32()}{_ending_of(small.type)}"
        thumbnail = await context.files.put(
            owner.space, name, small.type, small.body, owner=owner.id, public_id=other, keep_s=KEEP_S
        )
        file = await context.files.put(
            owner.space, name, media_type, body, owner=owner.id, public_id=one, keep_s=KEEP_S
        )
        data = {"name": name, "files": [one, thumbnail.public_id], "expires_at": file.expires_at}
        await context.store.records.create(owner.space, NAME, IMAGE, one, owner=owner.id, data=data)
        return Kept(
            name=name,
            type=media_type,
            extension=ending,
            size=file.size,
            sha256=file.sha256,
            public_id=one,
            thumbnail=other,
        )

    async def of(self, owner: Person) -> list[Record]:
        """An owner's pictures, oldest first."""
        now_ms = self._context.clock.now_ms()
        records = await self._context.lookups.records(owner.space, NAME, IMAGE, owner.id)
        return [one for one in records if int(one.data["expires_at"]) > now_ms]

    async def forget(self, owner: Person, image: Record) -> None:
        """Remove a picture: nobody finds it any more."""
        await self._context.store.records.discard(owner.space, owner.id, image.id)
        for public_id in image.data["files"]:
            file = await self._context.files.find_public(str(public_id))
            if file is not None and file.space == owner.space and file.owner == owner.id:
                await self._context.files.remove(file)

    async def _make_room(self, owner: Person) -> None:
        records = await self._context.lookups.records(owner.space, NAME, IMAGE, owner.id)
        live = await self.of(owner)
        if len(live) >= IMAGES:
            raise TooManyImages
        # The keeper has taken their files already.
        for over in [one for one in records if one not in live]:
            with suppress(NotFound):  # another upload was faster
                await self._context.store.records.discard(owner.space, owner.id, over.id)


async def read_form(request: Request) -> tuple[str, Part]:
    """An upload's token, if it stands before the file, and the file, whose bytes are still to come.

    Raises:
        BadUpload: the body is no form, or has no part called ``file``.
        BodyTooLarge
    """
    assert request.stream is not None, "this handler is streamed"
    token = ""
    try:
        async for part in form_parts(request.text_header(b"content-type"), counted(request.stream, FORM_BYTES)):
            if part.name == "file":
                return token, part
            if part.name == "token":
                token = (await part.text(_TOKEN_BYTES)).strip()
    except NotMultipart as error:
        raise BadUpload(str(error)) from None
    raise BadUpload("no part is called file")


async def _whole(part: Part) -> bytes:
    body = bytearray()
    try:
        async for piece in part.pieces:
            body += piece
            if len(body) > IMAGE_BYTES:
                raise BodyTooLarge
    except NotMultipart as error:
        raise BadUpload(str(error)) from None
    return bytes(body)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _ending_of(media_type: str) -> str:
    return next(ending for _, kind, ending in _SIGNATURES if kind == media_type)
