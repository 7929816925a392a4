"""Makes one thumbnail: the picture comes in on standard input, the thumbnail goes out on standard output.

A process of its own for each, so that a hostile picture can take neither the server's time nor its memory: what a
decoder does to this process ends with it. It knows nothing of onebell and opens nothing.
"""

import io
import resource
import sys

from PIL import Image, ImageOps

DONE, UNREADABLE, TOO_LARGE = 0, 3, 4
"""Exit statuses."""
MOST_BYTES = 16 << 20
MOST_PIXELS = 50_000_000
"""A camera's largest; four bytes each are a quarter of the memory allowed."""
MEMORY_BYTES = 1 << 30
CPU_S = 10
QUALITY = 82
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
"""No others are opened: each decoder is a way in."""
_OPAQUE = ("RGB", "L")


def main(arguments: list[str]) -> int:
    """``WIDTH HEIGHT``; the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    Image.MAX_IMAGE_PIXELS = None  # counted here, for both ways of saying no
    source = sys.stdin.buffer.read(MOST_BYTES)
    try:
        made = thumbnail(source, int(arguments[0]), int(arguments[1]))
    except MemoryError:
        return TOO_LARGE
    except Exception:
        return UNREADABLE
    if made is None:
        return TOO_LARGE
    sys.stdout.buffer.write(made)
    return DONE


def thumbnail(source: bytes, width: int, height: int) -> bytes | None:
    """The first frame, upright, within the box; a JPEG, or a PNG where it is transparent. None = too many pixels."""
    with Image.open(io.BytesIO(source), formats=FORMATS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            return None
        picture.draft("RGB", (width * 2, height * 2))  # a JPEG is decoded no larger than is needed
        small = ImageOps.exif_transpose(picture)
        if small.mode not in _OPAQUE:
            small = small.convert("RGBA" if small.has_transparency_data else "RGB")
        small.thumbnail((width, height), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        if small.mode == "RGBA":
            small.save(out, "PNG", optimize=True)
        else:
            small.save(out, "JPEG", quality=QUALITY)
        return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
