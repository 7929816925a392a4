"""Messages that carry a number, and when their frames came in."""

import asyncio
import json
import time

from bench.load import MESSAGE_BODY

_MARK = b'"title":"n'
_DIGITS = 7


def numbered(number: int, size: int = 0) -> bytes:
    """A message whose title tells its number; filled up to ``size`` bytes with a field that nobody knows."""
    message = {**json.loads(MESSAGE_BODY), "title": f"n{number:0{_DIGITS}d}"}
    body = _encoded(message)
    return body if len(body) >= size else _encoded({**message, "fill": "x" * (size - len(body))})


def _encoded(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


class Arrivals:
    """When frames came in, by the number in their title."""

    def __init__(self) -> None:
        self.at: dict[int, list[float]] = {}
        self.frames = 0
        self.frame_bytes = 0
        """How long the last one was."""

    def __call__(self, frame: bytes) -> None:
        place = frame.find(_MARK) + len(_MARK)
        if place < len(_MARK):
            return
        self.frames += 1
        self.frame_bytes = len(frame)
        self.at.setdefault(int(frame[place : place + _DIGITS]), []).append(time.perf_counter())

    async def until(self, frames: int, limit_s: float = 60) -> None:
        """Wait for so many frames.

        Raises:
            TimeoutError: they do not come.
        """
        ends = time.monotonic() + limit_s
        while self.frames < frames:
            if time.monotonic() > ends:
                raise TimeoutError(f"{frames - self.frames} of {frames} frames are missing")
            await asyncio.sleep(0.005)


async def post(port: int, path: str, bodies: list[bytes], pause_s: float = 0) -> list[float]:
    """Send bodies one after the other on one connection; when each was sent.

    Raises:
        RuntimeError: an answer was not 200.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent: list[float] = []
    begin = time.perf_counter()
    for number, body in enumerate(bodies):
        if pause_s:
            await asyncio.sleep(max(0.0, begin + number * pause_s - time.perf_counter()))
        head = f"POST {path} HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        sent.append(time.perf_counter())
        writer.write(head.encode() + b"\r\n\r\n" + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode("latin-1"))
        await reader.readexactly(int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()
    return sent
