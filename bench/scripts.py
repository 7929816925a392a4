"""PushPlus beside PushGo, and what preprocess scripts cost their sender and everybody else."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

from bench.accepts import CONNECTIONS, MESSAGE, PUSHPLUS, RUNS, SECONDS, Run, once
from bench.goals import least, most
from bench.load import fire, scratch
from bench.nodes import Node, apply, node

SIGNED = replace(PUSHPLUS, body=PUSHPLUS.body.replace("{", '{"pre":"sign",', 1))
ENDLESS = replace(
    PUSHPLUS, body=PUSHPLUS.body.replace("0123456789abcdef" * 2, "f" * 32).replace("{", '{"pre":"endless",', 1)
)
HEAD = ("what", "figure", "beside", "goal")


def measure() -> list[tuple[str, ...]]:
    """Rows: the ratio of accepts and of their cost, a script's own latency, the others' beside endless scripts."""
    data = scratch()
    apply(data, {})
    with node(data) as server:
        pushgo, pushplus = _runs(server)
        alone, signed, beside = _latencies(server.url)
    rates = [median(run.many.per_second for run in runs) for runs in (pushplus, pushgo)]
    costs = [median(run.cpu_us for run in runs) for runs in (pushgo, pushplus)]
    ratio = median(one.many.per_second / other.many.per_second for one, other in zip(pushplus, pushgo, strict=True))
    added = signed - alone
    return [
        (
            f"PushPlus /send × PushGo /message, {CONNECTIONS} connections",
            f"{ratio:.2f}",
            f"{rates[0]:,.0f} : {rates[1]:,.0f} accepts/s",
            least("×", 0.85).judge(ratio),
        ),
        (
            "the same by processor time, which a busy machine does not blur",
            f"{costs[0] / costs[1]:.2f}",
            f"{costs[1]:.0f} : {costs[0]:.0f} µs an accept",
            "",
        ),
        ("added by a script, p50 ms at 1 connection", f"{added:.2f}", "", most("ms", 10).judge(added)),
        ("others beside endless scripts, p50 ms at 1 connection", f"{beside:.2f}", f"{alone:.2f} without", ""),
    ]


def _runs(server: Node) -> tuple[list[Run], list[Run]]:
    pairs = [(once(server, MESSAGE, SECONDS), once(server, PUSHPLUS, SECONDS)) for _ in range(RUNS)]
    return [pushgo for pushgo, _ in pairs], [pushplus for _, pushplus in pairs]


def _latencies(url: str) -> tuple[float, float, float]:
    """At one connection, in ms: without a script, with one, and without while another sender's never end."""
    fire(url, SIGNED, 1, 1)  # starts the worker
    runs = []
    for _ in range(RUNS):
        alone, signed = (fire(url, shot, 1, SECONDS).p50_ms for shot in (PUSHPLUS, SIGNED))
        with ThreadPoolExecutor(1) as other:
            looping = other.submit(fire, url, ENDLESS, 2, SECONDS)
            beside = fire(url, PUSHPLUS, 1, SECONDS - 1).p50_ms
            looping.result()
        runs.append((alone, signed, beside))
    alone, signed, beside = (median(one) for one in zip(*runs, strict=True))
    return alone, signed, beside
