"""From accept to a reader's socket: latency at a steady rate, and fan-out of one feed beside a bare server."""

import asyncio
import gc
import json
import time
from statistics import median, quantiles

import uvloop

from bench.load import MESSAGE_BODY, scratch
from bench.nodes import Node, bare_sockets, node
from bench.people import readers
from bench.sockets import CountingReader, connect

PATH = "/api/v1/inbox/ws?after={}"
"""Readers begin where the mailbox stands: what earlier runs sent is not replayed to them."""
RATE = 500
SECONDS = 6
BURST = 100


async def post(port: int, path: str, bodies: list[bytes], pause_s: float = 0) -> list[float]:
    """Send bodies one after the other on one connection; when each was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent: list[float] = []
    begin = time.perf_counter()
    for number, body in enumerate(bodies):
        if pause_s:
            await asyncio.sleep(max(0.0, begin + number * pause_s - time.perf_counter()))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sent.append(time.perf_counter())
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    return sent


def numbered(number: int) -> bytes:
    """A message whose title tells its number."""
    return json.dumps({**json.loads(MESSAGE_BODY), "title": f"n{number:07d}"}).encode()


class Arrivals:
    """When frames came in, by the number in their title."""

    def __init__(self) -> None:
        self.at: dict[int, list[float]] = {}
        self.frames = 0

    def __call__(self, frame: bytes) -> None:
        place = frame.find(b'"title":"n')
        if place < 0:
            return
        self.frames += 1
        self.at.setdefault(int(frame[place + 10 : place + 17]), []).append(time.perf_counter())


async def latency(server: Node, token: str, begun: int) -> tuple[str, ...]:
    """p50 and p99 from the request's first byte to the frame, at ``RATE`` messages a second over 8 connections."""
    arrivals = Arrivals()
    reader = await connect(server.port, PATH.format(begun), token, arrivals)
    bodies = [numbered(number) for number in range(RATE * SECONDS)]
    lanes = [bodies[lane::8] for lane in range(8)]
    sent = await asyncio.gather(*(post(server.port, "/message", lane, 8 / RATE) for lane in lanes))
    await _until(lambda: arrivals.frames >= len(bodies))
    reader.close()
    spans = [
        (arrivals.at[lane + 8 * place][0] - at) * 1000
        for lane, times in enumerate(sent)
        for place, at in enumerate(times)
    ]
    cuts = quantiles(spans, n=100)
    return ("latency at 500 msg/s", f"{median(spans):.1f}", f"{cuts[98]:.1f}")


async def fan_out(port: int, path: str, socket_path: str, tokens: list[str], messages: int) -> tuple[float, float]:
    """Frames a second and p99 ms of a burst to all readers."""
    arrivals = Arrivals()
    opened: list[CountingReader] = []
    for start in range(0, len(tokens), 100):
        group = (connect(port, socket_path, token, arrivals) for token in tokens[start : start + 100])
        opened += await asyncio.gather(*group)
    await asyncio.sleep(1)
    gc.collect()
    began = time.perf_counter()
    sent = await post(port, path, [numbered(number) for number in range(messages)])
    await _until(lambda: arrivals.frames >= messages * len(tokens))
    took = max(max(times) for times in arrivals.at.values()) - began
    spans = [(at - sent[number]) * 1000 for number, times in arrivals.at.items() for at in times]
    for reader in opened:
        reader.close()
    return messages * len(tokens) / took, quantiles(spans, n=100)[98]


async def _until(done: object, limit_s: float = 60) -> None:
    assert callable(done)
    ends = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > ends:
            raise TimeoutError("frames are missing")
        await asyncio.sleep(0.01)


def measure(environment: dict[str, str], counts: tuple[int, ...] = (1000, 5000)) -> list[tuple[str, ...]]:
    """Rows: what, frames/s, × bare server, p50 ms, p99 ms, KiB a socket."""
    rows: list[tuple[str, ...]] = []
    for count in counts:
        data = scratch()
        tokens = readers(data, count, environment)
        messages = BURST if count <= 1000 else 20
        begun = 0
        with node(data, environment) as server, bare_sockets() as bare:
            idle = server.memory_mib()
            runs = []
            for _ in range(3):
                runs.append(uvloop.run(fan_out(server.port, "/message", PATH.format(begun), tokens, messages)))
                begun += messages
            each = (server.peak_mib() - idle) * 1024 / count
            if count == counts[0]:
                name, p50, p99 = uvloop.run(latency(server, tokens[0], begun))
                rows.append((name, "", "", p50, p99, ""))
            bares = [uvloop.run(fan_out(bare, "/", "/", tokens, messages)) for _ in range(3)]
        rate, p99_ms = median(rate for rate, _ in runs), median(p99 for _, p99 in runs)
        ratio = rate / median(rate for rate, _ in bares)
        rows.append(
            (f"fan-out to {count:,} readers", f"{rate:,.0f}", f"{ratio:.2f}", "", f"{p99_ms:.0f}", f"{each:.0f}")
        )
    return rows


HEAD = ("what", "frames/s", "× bare server", "p50 ms", "p99 ms", "KiB a socket")
