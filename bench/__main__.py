"""``python -m bench [section …]``: measures and writes ``bench/RESULTS.md``. Without names: everything."""

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.engines import postgres_cluster

from bench import accepts, broadcasts, easemob, msync, scripts, streams, tables
from bench.goals import most
from bench.load import scratch
from bench.nodes import apply, node

RESULTS = Path(__file__).parent / "RESULTS.md"
NOTES = Path(__file__).parent / "NOTES.md"
PARTS = Path(__file__).parent / "out"
Rows = list[tuple[str, ...]]
Fresh = Callable[[], dict[str, str]]
"""Settings of a node on a database that nobody has used."""


def table(head: tuple[str, ...], rows: Rows) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def idle() -> Rows:
    """Start to ready, and memory at rest."""
    data = scratch()
    apply(data, {})
    seen: list[tuple[float, float]] = []
    for _ in range(3):
        with node(data) as server:
            time.sleep(1)
            seen.append((server.started_s, server.memory_mib()))
    started, memory = median(start for start, _ in seen), median(used for _, used in seen)
    goal = f"{most('start s', 2).judge(started)}; {most('MiB', 150).judge(memory)}"
    return [("SQLite", f"{started:.2f}", f"{memory:.0f}", goal)]


def on_postgres(measure: Callable[[Fresh], Rows]) -> Rows:
    """The same on a PostgreSQL of its own, which syncs."""
    with postgres_cluster("on") as cluster:
        return measure(lambda: {"ONEBELL_DATABASE_URL": cluster.empty_database()})


SECTIONS: dict[str, tuple[str, tuple[str, ...], Callable[[], Rows]]] = {
    "accepts": ("Durable accepts, SQLite", accepts.HEAD, lambda: accepts.measure({}, accepts.SQLITE)),
    "accepts-slow": (
        "Durable accepts, SQLite, 10 ms added to every sync",
        accepts.HEAD,
        lambda: accepts.measure({}, accepts.SLOW, latency_ms=10),
    ),
    "accepts-postgres": (
        "Durable accepts, PostgreSQL (the reference is SQLite's)",
        accepts.HEAD,
        lambda: on_postgres(lambda fresh: accepts.measure(fresh(), {})),
    ),
    "scripts": ("PushPlus and its scripts, SQLite", scripts.HEAD, scripts.measure),
    "rows": ("The driver alone", tables.HEAD, tables.measure),
    "streams": ("Readers, SQLite", streams.HEAD, lambda: streams.measure({})),
    "broadcasts": ("Broadcasts, SQLite", broadcasts.HEAD, lambda: broadcasts.measure(dict, 300_000)),
    "broadcasts-postgres": (
        "Broadcasts, PostgreSQL",
        broadcasts.HEAD,
        lambda: on_postgres(lambda fresh: broadcasts.measure(fresh, 60_000, (100_000,))),
    ),
    "easemob": ("Easemob, one call to 600 receivers, SQLite", easemob.HEAD, lambda: easemob.measure({})),
    "msync": ("Easemob, clients' sockets, SQLite", msync.HEAD, lambda: msync.measure({})),
    "idle": ("At rest", ("engine", "start to ready s", "memory MiB", "goal"), idle),
}


def machine() -> str:
    """What it was measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, load average {os.getloadavg()[2]:.0f} (15 minutes). Load and server share "
        "the machine: a ratio to the reference of the same run says more than a figure. Each figure is the median of "
        "three runs or more, but for the broadcast to a million."
    )


def measured(name: str) -> str:
    """A section's text, measured in a directory that goes with it."""
    title, head, measure = SECTIONS[name]
    print(f"measuring: {title}", flush=True)
    place = tempfile.mkdtemp(prefix="onebell-bench-")
    Path(place).chmod(0o755)  # PostgreSQL runs as a user of its own
    tempfile.tempdir = place
    try:
        return f"## {title}\n\n{table(head, measure())}\n"
    finally:
        tempfile.tempdir = None
        shutil.rmtree(place, ignore_errors=True)


def write_results() -> None:
    """All sections that there are, and the notes."""
    parts = [(PARTS / f"{name}.md") for name in SECTIONS]
    texts = [part.read_text() for part in (*parts, NOTES) if part.exists()]
    RESULTS.write_text("\n".join([f"# Results\n\n{machine()}\n", *texts]))


def main() -> None:
    """Measure what is asked for; each section is written as soon as it is measured."""
    PARTS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SECTIONS:
        text = measured(name)
        (PARTS / f"{name}.md").write_text(text)
        print(text, flush=True)
        write_results()


if __name__ == "__main__":
    main()
