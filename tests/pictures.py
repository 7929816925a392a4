"""Pictures for tests: fair ones and hostile ones."""

import io
import struct
import zlib

from PIL import Image


def picture(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **saved: object) -> bytes:
    """A picture whose left half is red."""
    image = Image.new(mode, size, 0)
    image.paste("red" if mode != "L" else 200, (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **saved)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A piece of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that unpacks to ``side`` × ``side`` pixels."""
    packer = zlib.compressobj(9)
    line = b"\0" + bytes(side // 8)
    packed = b"".join([*(packer.compress(line) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
