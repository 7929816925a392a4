"""Thumbnails by worker processes: fitting, upright, and nothing that a hostile picture can do."""

import asyncio
import io
import zlib
from collections.abc import AsyncIterator

import pytest
from PIL import Image
from tests.pictures import bomb, chunk, picture

from onebell import picture_worker
from onebell.core.pictures import NotAPicture, PictureTooLarge, Thumbnail
from onebell.pictures import PictureWorkers


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


async def made(body: bytes, width: int = 170, height: int = 170) -> tuple[Thumbnail, Image.Image]:
    found = await PictureWorkers().thumbnail(pieces(body), width, height)
    return found, Image.open(io.BytesIO(found.body))


async def test_a_worker_makes_it() -> None:
    """640 × 480 within 170 × 170 keeps its aspect; the picture's content is still there."""
    found, image = await made(picture((640, 480)))
    assert (found.type, image.size) == ("image/jpeg", (170, 128))
    red, black = image.getpixel((20, 60)), image.getpixel((150, 60))
    assert red[0] > 200
    assert black[0] < 60


@pytest.mark.parametrize(
    ("body", "box", "size", "kind"),
    [
        (picture((100, 900)), (170, 170), (19, 170), "JPEG"),
        (picture((60, 40)), (170, 170), (60, 40), "JPEG"),
        (picture((640, 480), "PNG", "RGBA"), (64, 20), (27, 20), "PNG"),
        (picture((640, 480), "GIF"), (64, 64), (64, 48), "JPEG"),
        (picture((640, 480), "WEBP"), (64, 64), (64, 48), "JPEG"),
        (picture((640, 480), "BMP"), (64, 64), (64, 48), "JPEG"),
        (picture((640, 480), "JPEG", "CMYK"), (64, 64), (64, 48), "JPEG"),
        (picture((640, 480), "PNG", "L"), (64, 64), (64, 48), "JPEG"),
    ],
)
def test_every_kind_fits(body: bytes, box: tuple[int, int], size: tuple[int, int], kind: str) -> None:
    """Every format we open and mode it comes in; never larger than it was."""
    found = picture_worker.thumbnail(body, *box)
    assert found is not None
    image = Image.open(io.BytesIO(found))
    assert (image.size, image.format) == (size, kind)


def test_it_stands_upright() -> None:
    """A camera's orientation is applied, because a thumbnail carries no EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    found = picture_worker.thumbnail(picture((640, 480), exif=exif), 170, 170)
    assert found is not None
    assert Image.open(io.BytesIO(found)).size in ((127, 170), (128, 170))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xd8\xff", b"GIF89a", picture((640, 480))[:3000], b"BM" + b"\xff" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 1000,
    ],
)  # fmt: skip
async def test_what_is_no_picture(body: bytes) -> None:
    """Broken, cut off, or of a kind whose decoder is not even asked."""
    with pytest.raises(NotAPicture):
        await PictureWorkers().thumbnail(pieces(body), 170, 170)


async def test_bombs_are_refused() -> None:
    """A file of a few kilobytes that would unpack to gigabytes is refused by its header."""
    body = bomb(40_000)
    assert len(body) < 300_000
    with pytest.raises(PictureTooLarge):
        await PictureWorkers().thumbnail(pieces(body), 170, 170)


async def test_the_largest_that_is_taken() -> None:
    """Just under the limit of pixels a worker's memory is enough."""
    side = 7_000
    assert side * side < picture_worker.MOST_PIXELS
    _, image = await made(bomb(side))
    assert image.size == (170, 170)


async def test_text_bombs_in_pictures() -> None:
    """A compressed comment of a picture is not unpacked without end."""
    packed = zlib.compress(bytes(300 << 20), 9)
    whole = picture((100, 100), "PNG")
    body = whole[:33] + chunk(b"zTXt", b"c\0\0" + packed) + whole[33:]
    try:
        await PictureWorkers().thumbnail(pieces(body), 50, 50)
    except (NotAPicture, PictureTooLarge):
        return


async def test_many_at_once_are_made_one_after_the_other() -> None:
    """One worker at a time; all are served."""
    workers, body = PictureWorkers(), picture((300, 300))
    found = await asyncio.gather(*(workers.thumbnail(pieces(body), 50, 50) for _ in range(3)))
    assert {one.type for one in found} == {"image/jpeg"}
