"""Who may write: the holder of ``DATA/onebell.lock`` (DESIGN §8)."""

import fcntl
from pathlib import Path
from types import TracebackType

from onebell.errors import OnebellError


class AlreadyRunning(OnebellError):
    """Another process holds this data directory; go through its control socket."""


class Unusable(OnebellError):
    """The data directory cannot be made, or nothing can be written there."""


class DataLock:
    """An advisory lock on a data directory, held until closed or until the process ends."""

    def __init__(self, data: Path) -> None:
        """Raises ``Unusable``."""
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = (data / "onebell.lock").open("a")
        except OSError as error:
            raise Unusable(f"the data directory {data} cannot be used: {error.strerror}") from error

    def __enter__(self) -> "DataLock":
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise AlreadyRunning(f"another onebell runs here: it holds {self._file.name}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
