"""Small versions of pictures, made where a hostile one does no harm."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from onebell.errors import OnebellError


class NotAPicture(OnebellError):
    """Bytes that are no picture we read."""


class PictureTooLarge(OnebellError):
    """A picture with more pixels than anybody should have to unpack."""


class Thumbnail(msgspec.Struct, frozen=True):
    """A small picture."""

    type: str  # image/jpeg | image/png
    body: bytes


class Pictures(Protocol):
    """Makes them."""

    async def thumbnail(self, pieces: AsyncIterator[bytes], width: int, height: int) -> Thumbnail:
        """The picture within a box, its aspect kept, never larger than it was.

        Raises:
            NotAPicture, PictureTooLarge
        """
        ...
