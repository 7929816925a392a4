"""nats-server as a process of its own on loopback: stopped and started again, always empty."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import free_port, missing

_PLACES = "/usr/sbin:/usr/local/sbin"


class NatsProcess:
    """One server; its port stays the same over a restart."""

    def __init__(self, program: str, place: Path) -> None:
        self._command = [program, "-a", "127.0.0.1", "-l", str(place / "nats.log")]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where nodes find it."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start; it answers a moment later."""
        self._process = subprocess.Popen([*self._command, "-p", str(self.port)])

    def stop(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def nats_process(place: Path) -> Iterator[NatsProcess]:
    """A running server; skips in one clear line when the program is missing."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path=_PLACES)
    if program is None:
        missing("nats-server is not installed (apt-get install nats-server)")
    place.mkdir(parents=True, exist_ok=True)
    server = NatsProcess(program, place)
    server.start()
    try:
        yield server
    finally:
        server.stop()
