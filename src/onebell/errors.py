"""Errors as types that carry a decision. The caller's words for them belong to the dialects."""

from enum import Enum


class OnebellError(Exception):
    """Root of all errors that onebell raises on purpose."""


class StoreUnavailable(OnebellError):
    """The store cannot take the write now (disk full, database gone); nothing was stored, try again later."""


class Busy(OnebellError):
    """The first request with this idempotency key did not finish within its wait; try again later."""


class NotFound(OnebellError):
    """The object does not exist, or belongs to somebody else."""


class Conflict(OnebellError):
    """The object exists already, or the idempotency key was used with another payload."""


class InvalidInput(OnebellError):
    """What was given breaks a rule; the text names the field and the rule."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class OutOfReach(InvalidInput):
    """An address that whoever gave it may not make this server go to."""


class Reason(Enum):
    """Why the core refuses a submission. A dialect's answer table maps each to its own code and text."""

    GUARD_EXHAUSTED = "guard_exhausted"
    """A quota, window or points balance is used up; ``Refused.detail`` names the guard."""
    VETOED = "vetoed"
    """An interceptor refused it; ``Refused.detail`` is the interceptor's text."""


class Refused(OnebellError):
    """The core does not accept a submission; nothing was stored."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class TooMany(OnebellError):
    """Its owner has as many of these as he may; nothing was stored."""


class TooManyDevices(OnebellError):
    """As many devices of this platform are signed in as may be; nothing was stored."""


class TooManyFailures(OnebellError):
    """A password was guessed wrongly too often; it was not looked at again. Try again in ``wait_s`` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many failures, wait {wait_s:.0f} s")
        self.wait_s = wait_s


class ScriptFault(Enum):
    """Why a script gave no content. A dialect's answer table has the words."""

    ERROR = "error"
    """It threw or cannot be parsed; ``ScriptFailed.text`` is the engine's own text."""
    TIME = "time"
    """It ran too long."""
    MEMORY = "memory"
    """It wanted too much memory."""
    RESULT = "result"
    """It made too long a content."""
    CRASHED = "crashed"
    """Its worker process died."""
    OVERLOADED = "overloaded"
    """It got no worker in time: nothing was run."""


class ScriptFailed(OnebellError):
    """A script gave no content; whoever wanted it goes on with what he has."""

    def __init__(self, fault: ScriptFault, text: str = "") -> None:
        super().__init__(f"{fault.value}: {text}" if text else fault.value)
        self.fault = fault
        self.text = text
