"""Thumbnails of uploaded pictures: made when they are first asked for, then kept beside the picture (sheet §2.2)."""

import asyncio

from onebell.bounded import Bounded
from onebell.core.context import Context, StoredFile
from onebell.core.pictures import NotAPicture, PictureTooLarge
from onebell.dialects.easemob.file_access import thumbnail_id
from onebell.errors import OnebellError

SMALL_BYTES = 10 * 1024
"""What is no larger is its own thumbnail."""
REMEMBERED = 1000
_HEAD = 16
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM")


class Thumbnails:
    """One per node."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._one = asyncio.Lock()
        self._hopeless: Bounded[int, type[OnebellError] | None] = Bounded(REMEMBERED)
        """Why, by files of which there is no thumbnail, so that asking again costs no worker."""

    async def of(self, file: StoredFile) -> StoredFile:
        """The file's thumbnail; the file itself when it is small, or no picture that we read.

        Raises:
            PictureTooLarge
        """
        if file.size <= SMALL_BYTES or not await self._is_picture(file):
            return file
        try:
            return await self._kept(file) or await self._made(file)
        except NotAPicture:
            return file

    async def _is_picture(self, file: StoredFile) -> bool:
        """By its first bytes, not by what the uploader said."""
        head = b"".join([piece async for piece in self._context.files.read(file, 0, _HEAD)])
        return head.startswith(_SIGNATURES)

    async def _kept(self, file: StoredFile) -> StoredFile | None:
        if (why := self._hopeless.get(file.id, None)) is not None:
            raise why
        return await self._context.files.find_public(thumbnail_id(file))

    async def _made(self, file: StoredFile) -> StoredFile:
        # Whoever else asks for it meanwhile finds it made.
        async with self._one:
            return await self._kept(file) or await self._make(file)

    async def _make(self, file: StoredFile) -> StoredFile:
        files = self._context.files
        width, height = file.data.get("box", (0, 0))
        try:
            made = await self._context.pictures.thumbnail(files.read(file), width, height)
        except (NotAPicture, PictureTooLarge) as error:
            self._hopeless.put(file.id, type(error))
            raise
        left_s = max(1, -(-(file.expires_at - self._context.clock.now_ms()) // 1000))
        return await files.put(
            file.space,
            file.name,
            made.type,
            made.body,
            secret=file.secret,
            public_id=thumbnail_id(file),
            keep_s=left_s,
        )
