"""Durable accepts per second at 64 connections, and latency at one, beside the bare reference of the same run.

The reference runs in every round, and a ratio is the median of the rounds': the machine's speed swings by a third
within minutes, so that medians of each server on its own would compare different moments.
"""

from dataclasses import dataclass, replace
from statistics import median

from bench.goals import Goal, least, most
from bench.load import MESSAGE_BODY, Load, Shot, fire, scratch
from bench.nodes import Node, apply, node, reference

SECONDS = 2
RUNS = 5
CONNECTIONS = 64

MESSAGE = Shot(
    "/message",
    MESSAGE_BODY,
    '"accepted":true',
)
REFERENCE = replace(MESSAGE, expect='"ok":true')
WECOM = Shot(
    "/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa",
    '{"msgtype":"text","text":{"content":"%d 备份完成 NAS 每日备份已经完成。"}}',
    '"errcode":0',
)
PUSHPLUS = Shot(
    "/send",
    '{"token":"0123456789abcdef0123456789abcdef","title":"备份完成","content":"NAS 每日备份已经完成。",'
    '"template":"txt"}',
    '"code":200',
)
SHOTS = {"PushGo /message": MESSAGE, "WeCom send": WECOM, "PushPlus /send": PUSHPLUS}


@dataclass(frozen=True)
class Run:
    """What was seen of one server."""

    many: Load
    one: Load
    """The same on a single connection."""
    cpu_us: float
    """Processor time for one accept, all threads: it says what waits for a busy machine do not blur."""


Goals = dict[str, dict[str, Goal]]
_OF_EACH = {"ratio": least("× reference", 0.6), "p99": most("p99 ms", 40)}
SQLITE: Goals = {
    "PushGo /message": {"rate": least("accepts/s", 9_000), **_OF_EACH},
    "WeCom send": _OF_EACH,
    "PushPlus /send": _OF_EACH,
}
SLOW: Goals = {name: {"ratio": least("× reference", 0.5)} for name in SHOTS}


def measure(
    environment: dict[str, str], goals: Goals, latency_ms: float = 0, seconds: int = SECONDS
) -> list[tuple[str, ...]]:
    """Rows: what, accepts/s, × reference, p50 and p99 at 64 connections, p50 at one, goals."""
    data = scratch()
    apply(data, environment)
    slow = {"ONEBELL_STORE_LATENCY_MS": str(latency_ms)} if latency_ms else {}
    runs: dict[str, list[Run]] = {}
    with node(data, {**environment, **slow}) as server, reference(scratch(), latency_ms) as bare:
        for _ in range(RUNS):
            runs.setdefault("reference", []).append(once(bare, REFERENCE, seconds))
            for name, shot in SHOTS.items():
                runs.setdefault(name, []).append(once(server, shot, seconds))
    return [_row(name, some, runs["reference"], goals.get(name, {})) for name, some in runs.items()]


def once(server: Node, shot: Shot, seconds: int) -> Run:
    """One run, after a second of warming up."""
    fire(server.url, shot, CONNECTIONS, 1)
    before = server.cpu_s()
    many = fire(server.url, shot, CONNECTIONS, seconds)
    cpu_us = (server.cpu_s() - before) / (many.per_second * seconds) * 1e6
    return Run(many, fire(server.url, shot, 1, 1), cpu_us)


def _row(name: str, runs: list[Run], bares: list[Run], goals: dict[str, Goal]) -> tuple[str, ...]:
    rate = median(run.many.per_second for run in runs)
    p99 = median(run.many.p99_ms for run in runs)
    ratio = median(run.many.per_second / bare.many.per_second for run, bare in zip(runs, bares, strict=True))
    figures = {"rate": rate, "ratio": ratio, "p99": p99}
    return (
        name,
        f"{rate:,.0f}",
        f"{figures['ratio']:.2f}",
        f"{median(run.many.p50_ms for run in runs):.1f}",
        f"{p99:.1f}",
        f"{median(run.one.p50_ms for run in runs):.2f}",
        f"{median(run.cpu_us for run in runs):.0f}",
        "; ".join(goal.judge(figures[figure]) for figure, goal in goals.items()),
    )


HEAD = ("what", "accepts/s", "× reference", "p50 ms", "p99 ms", "p50 ms at 1 connection", "CPU µs an accept", "goal")
