"""From accept to a reader's socket: latency at a steady rate, and fan-out of one feed beside a bare server."""

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

import uvloop

from bench.frames import Arrivals, numbered, post
from bench.goals import least, most
from bench.load import scratch
from bench.nodes import Node, bare_sockets, node
from bench.people import readers
from bench.sockets import CountingReader, connect

RUNS = 3
RATE = 500
SECONDS = 4
LANES = 8
FRAMES = 50_000
"""Of a burst over ``LANES``, to all readers together."""
ALONE = 6
"""Messages that are sent when the one before has reached everybody."""
PAUSE_S = 0.05
REST_S = 0.5
REST_SHARE = 0.05
"""A server rests that uses less of a processor. Who comes back has taken what came before: that is stored first."""
WARM = 1
"""Messages before them, which find everything cold."""


@dataclass(frozen=True)
class Server:
    """Where readers connect, and who tells them."""

    port: int
    post_path: str
    socket_path: str
    cpu_s: Callable[[], float]
    """Its processor time so far."""
    frame_bytes: int = 0
    """How long its frames are made; 0 when it makes them itself."""


@dataclass(frozen=True)
class FanOut:
    """What one run saw."""

    frames_per_second: float
    """Of a burst, until its last frame has come."""
    p50_ms: float
    """Of messages sent alone: from the request to each reader's frame."""
    p99_ms: float
    frame_bytes: int
    open_mib: float
    """The server's memory when all sockets are open and have seen messages."""


def onebell(server: Node, position: int) -> Server:
    """Readers begin where the mailbox stands: what earlier runs sent is not replayed to them."""
    return Server(server.port, "/message", f"/api/v1/inbox/ws?after={position}", server.cpu_s)


async def latency(server: Server, token: str) -> list[float]:
    """Milliseconds from a request's first byte to its frame, at ``RATE`` messages a second over ``LANES``."""
    arrivals = Arrivals()
    reader = await connect(server.port, server.socket_path, token, arrivals)
    bodies = [numbered(number) for number in range(RATE * SECONDS)]
    lanes = [bodies[lane::LANES] for lane in range(LANES)]
    sent = await asyncio.gather(*(post(server.port, server.post_path, lane, LANES / RATE) for lane in lanes))
    await arrivals.until(len(bodies))
    reader.close()
    return [
        (arrivals.at[lane + LANES * place][0] - at) * 1000
        for lane, times in enumerate(sent)
        for place, at in enumerate(times)
    ]


async def fan_out(server: Server, tokens: list[str], memory_mib: Callable[[], float]) -> FanOut:
    """Let all readers connect; then send messages one by one, then a burst of several senders."""
    arrivals = Arrivals()
    opened = await _connected(server, tokens, arrivals)
    spans: list[float] = []
    for number in range(WARM + ALONE):
        [sent] = await post(server.port, server.post_path, [numbered(number, server.frame_bytes)])
        await arrivals.until((number + 1) * len(tokens))
        if number >= WARM:
            spans += [(at - sent) * 1000 for at in arrivals.at[number]]
        await asyncio.sleep(PAUSE_S)
    open_mib = memory_mib()
    rate = await _burst(server, len(tokens), arrivals)
    for reader in opened:
        reader.close()
    return FanOut(rate, median(spans), quantiles(spans, n=100)[98], arrivals.frame_bytes, open_mib)


async def _connected(server: Server, tokens: list[str], arrivals: Arrivals) -> list[CountingReader]:
    opened: list[CountingReader] = []
    for start in range(0, len(tokens), 100):
        group = (connect(server.port, server.socket_path, token, arrivals) for token in tokens[start : start + 100])
        opened += await asyncio.gather(*group)
    before = float("-inf")
    while (now := server.cpu_s()) - before > REST_S * REST_SHARE:
        before = now
        await asyncio.sleep(REST_S)
    gc.collect()
    return opened


async def _burst(server: Server, sockets: int, arrivals: Arrivals) -> float:
    messages = FRAMES // sockets
    bodies = [numbered(WARM + ALONE + number, server.frame_bytes) for number in range(messages)]
    began = time.perf_counter()
    await asyncio.gather(*(post(server.port, server.post_path, bodies[lane::LANES]) for lane in range(LANES)))
    await arrivals.until((WARM + ALONE + messages) * sockets)
    return messages * sockets / (max(max(arrivals.at[number]) for number in arrivals.at) - began)


def measure(environment: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows: what, frames/s, × bare server, p50 ms, p99 ms, KiB a socket, goal."""
    return [*_latency(environment), *_fan_out(1000, environment), *_fan_out(5000, environment)]


def _latency(environment: dict[str, str]) -> list[tuple[str, ...]]:
    data = scratch()
    [token] = readers(data, 1, environment)
    with node(data, environment) as server:
        runs = [uvloop.run(latency(onebell(server, run * RATE * SECONDS), token)) for run in range(RUNS)]
    p50, p99 = (median(quantiles(spans, n=100)[cut - 1] for spans in runs) for cut in (50, 99))
    goal = f"{most('p50', 5).judge(p50)}; {most('p99', 30).judge(p99)}"
    return [(f"accept → frame at {RATE} messages/s", "", "", f"{p50:.1f}", f"{p99:.1f}", "", goal)]


def _fan_out(count: int, environment: dict[str, str]) -> list[tuple[str, ...]]:
    data = scratch()
    tokens = readers(data, count, environment)
    messages = WARM + ALONE + FRAMES // count
    runs: list[FanOut] = []
    bares: list[FanOut] = []
    with node(data, environment) as server, bare_sockets() as bare:
        idle = server.memory_mib()
        for run in range(RUNS):  # interleaved, so that what else the machine does hits both alike
            runs.append(uvloop.run(fan_out(onebell(server, run * messages), tokens, server.memory_mib)))
            length = runs[0].frame_bytes
            bares.append(uvloop.run(fan_out(Server(bare, "/", "/", lambda: 0.0, length), tokens, lambda: 0.0)))
    ratio = median(run.frames_per_second / bare.frames_per_second for run, bare in zip(runs, bares, strict=True))
    each = (runs[0].open_mib - idle) * 1024 / count
    p99 = median(run.p99_ms for run in runs)
    goals = {
        1000: least("× bare", 0.5).judge(ratio),
        5000: f"{most('p99', 100).judge(p99)}; {most('KiB', 30).judge(each)}",
    }
    return [
        _row(f"one feed, {count:,} readers", runs, f"{ratio:.2f}", f"{each:.0f}", goals[count]),
        _row(f"— the bare server, {count:,} readers", bares, "1.00", "", ""),
    ]


def _row(what: str, runs: list[FanOut], ratio: str, each: str, goal: str) -> tuple[str, ...]:
    rate = median(run.frames_per_second for run in runs)
    p50, p99 = median(run.p50_ms for run in runs), median(run.p99_ms for run in runs)
    return (what, f"{rate:,.0f}", ratio, f"{p50:.1f}", f"{p99:.1f}", each, goal)


HEAD = ("what", "frames/s in a burst", "× bare", "p50 ms, alone", "p99 ms, alone", "KiB a socket", "goal")
