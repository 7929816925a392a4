"""Servers under measurement: onebell and the bare references, each a process of its own on a free port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPACE = ROOT / "bench" / "space.toml"
START_S = 60.0


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended afterwards."""
    with tempfile.NamedTemporaryFile(prefix="onebell-bench-", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **(environment or {})},
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def wait_for(url: str) -> None:
    """Until something answers there.

    Raises:
        TimeoutError: nothing does.
    """
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        try:
            urllib.request.urlopen(url, timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(url)


def wait_for_port(port: int) -> None:
    """Until somebody listens there.

    Raises:
        TimeoutError: nobody does.
    """
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"port {port}")


class Node:
    """A running onebell."""

    def __init__(self, url: str, port: int, pid: int, data: Path, started_s: float) -> None:
        self.url = url
        self.port = port
        self.pid = pid
        self.data = data
        self.started_s = started_s

    def cpu_s(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Resident memory now."""
        return _status(self.pid, "VmRSS") / 1024

    def peak_mib(self) -> float:
        """The most there ever was."""
        return _status(self.pid, "VmHWM") / 1024


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)


def apply(data: Path, environment: dict[str, str], file: Path = SPACE) -> None:
    """Prepare a space."""
    command = [sys.executable, "-m", "onebell", "apply", str(file), "--data", str(data)]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )


@contextmanager
def node(data: Path, environment: dict[str, str] | None = None) -> Iterator[Node]:
    """onebell on a prepared data directory."""
    port = free_port()
    command = ["-m", "onebell", "serve", "--port", str(port), "--data", str(data)]
    began = time.monotonic()
    with running(command, {"ONEBELL_LOG_LEVEL": "error", **(environment or {})}) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/healthz")
        yield Node(url, port, process.pid, data, time.monotonic() - began)


@contextmanager
def reference(data: Path, latency_ms: float = 0) -> Iterator[Node]:
    """The bare reference."""
    port = free_port()
    arguments = [str(port), str(data / "reference.db"), str(latency_ms)]
    began = time.monotonic()
    with running(["-m", "bench.reference", *arguments]) as process:
        wait_for_port(port)
        yield Node(f"http://127.0.0.1:{port}", port, process.pid, data, time.monotonic() - began)


@contextmanager
def bare_sockets() -> Iterator[int]:
    """The bare WebSocket server; its port."""
    port = free_port()
    with running(["-m", "bench.bare_sockets", str(port)]):
        wait_for_port(port)
        yield port
