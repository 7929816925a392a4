"""Our own code failing on a piece of work: logged with a trace, tried a few times, then parked with the reason."""

import secrets

import msgspec
import structlog

log = structlog.get_logger()

DEFECT_ATTEMPTS = 5
"""Work on which our code fails this often is parked: it blocks nobody (RELIABILITY R15)."""


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """Code raised; ``trace`` finds the log line."""

    what: str
    trace: str

    @property
    def why(self) -> str:
        """The reason that stands with the work."""
        return f"{self.what} (trace {self.trace})"


def noted(event: str, what: str, error: Exception, **about: object) -> Defect:
    """Write a defect in ``what`` to the log."""
    trace = secrets.token_hex(8)
    log.error(event, **about, trace=trace, exc_info=error)
    return Defect(what=f"defect in {what}: {type(error).__name__}", trace=trace)
