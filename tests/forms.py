"""``multipart/form-data`` as clients write it, for tests that need its very bytes."""

from typing import NamedTuple

BOUNDARY = "----onebell-7MA4YWxkTrZu0gW"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


class Field(NamedTuple):
    """One part."""

    name: str
    value: bytes
    filename: str | None = None
    type: str = ""


def form(*fields: Field, end: bytes = b"--\r\n") -> bytes:
    """The body."""
    written = []
    for field in fields:
        filename = "" if field.filename is None else f'; filename="{field.filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field.name}"{filename}\r\n'
        head += f"Content-Type: {field.type}\r\n" if field.type else ""
        written.append(head.encode() + b"\r\n" + field.value + b"\r\n")
    return b"".join(written) + f"--{BOUNDARY}".encode() + end
