"""Who may change, refuse or hold a submission before it is stored: pre-send callbacks, scripts, review (DESIGN §3).

They run outside any transaction, one after the other, each with its own deadline and its own verdict for when it
fails; they hold no lock.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec
import structlog

from onebell.core.model import Submission
from onebell.errors import OnebellError, Reason, Refused

log = structlog.get_logger()


class Pass(msgspec.Struct, frozen=True):
    """Go on with this submission, changed or not."""

    submission: Submission


class Refuse(msgspec.Struct, frozen=True):
    """Store nothing; the dialect words it."""

    why: str


class Hold(msgspec.Struct, frozen=True):
    """Store it, reach nobody, and let a plan decide later."""

    submission: Submission
    kind: str  # of the plan
    next_at: int  # when the plan is looked at


Verdict: TypeAlias = Pass | Refuse | Hold


class Interceptor(Protocol):
    """One of them."""

    name: str
    deadline_s: float

    def wants(self, submission: Submission) -> bool:
        """Whether it is asked at all; called for every submission, so it only looks."""
        ...

    async def judge(self, submission: Submission) -> Verdict: ...

    def default(self, submission: Submission) -> Verdict:
        """The verdict when ``judge`` fails or takes longer than ``deadline_s``."""
        ...


async def intercept(interceptors: Sequence[Interceptor], submission: Submission) -> Pass | Hold:
    """Ask everybody who wants to be asked; the first who holds ends it.

    Raises:
        Refused: one of them said no.
    """
    for interceptor in interceptors:
        if not interceptor.wants(submission):
            continue
        verdict = await _ask(interceptor, submission)
        if isinstance(verdict, Refuse):
            raise Refused(Reason.VETOED, verdict.why)
        if isinstance(verdict, Hold):
            return verdict
        submission = verdict.submission
    return Pass(submission)


async def _ask(interceptor: Interceptor, submission: Submission) -> Verdict:
    try:
        async with asyncio.timeout(interceptor.deadline_s):
            return await interceptor.judge(submission)
    except OnebellError:
        raise
    except Exception as error:
        # A stranger's script or server must not stop the message: that is what the default is for.
        log.warning("interceptor_failed", interceptor=interceptor.name, why=repr(error))
        return interceptor.default(submission)
