"""Requests written byte by byte, as curl writes them: no client library may tidy them up."""

import asyncio
import contextlib
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    """Status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


async def send(
    url: str, method: str, target: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
) -> RawAnswer:
    """One request over its own connection; ``target`` goes out unencoded."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {place.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    try:
        async with asyncio.timeout(20):
            return _parsed(await reader.read())
    finally:
        writer.close()
        # A server that has answered need not read the rest of a body it refuses.
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _parsed(raw: bytes) -> RawAnswer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return RawAnswer(int(first.split(" ")[1]), headers, body)
