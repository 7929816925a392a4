"""What a carrier's outcome means for a delivery: closed, or when it is tried again."""

import random

from onebell.core.backoff import Jitter, ends_at, next_due
from onebell.core.defects import DEFECT_ATTEMPTS, Defect
from onebell.core.outcomes import (
    Outcome,
    Permanent,
    ReceiptMode,
    Sent,
    Split,
    Temporary,
    Throttled,
    Unauthorized,
)
from onebell.core.work import Job, Pause, Result

SHORTEST_PAUSE_S = 1.0
"""A provider that throttles and asks for less would be asked again at once."""


class Judge:
    """Turns outcomes into results. Pure but for the jitter."""

    def __init__(self, jitter: Jitter = random.random) -> None:
        self._jitter = jitter

    def result(self, job: Job, outcome: Outcome | Defect, max_age_s: float, now_ms: int) -> Result:
        """What the store writes for this job."""
        ends = _ends(job, max_age_s)
        match outcome:
            case Sent():
                return _sent(job, outcome, now_ms)
            case Temporary():
                due = next_due(now_ms, job.attempt, ends, outcome.not_before_s, self._jitter)
                return _again(job, "temporary", outcome.why, due, ends)
            case Defect():
                is_over = job.attempt >= DEFECT_ATTEMPTS
                due = None if is_over else next_due(now_ms, job.attempt, ends, 0, self._jitter)
                return _again(job, "defect", outcome.why, due, ends)
            case Throttled():
                return _throttled(job, outcome, ends, now_ms)
            case Unauthorized():
                # It keeps its place and its time: it is not the delivery's fault.
                return Result(job=job, outcome="unauthorized", state="due", why=outcome.why, stops_account=True)
            case Permanent() | Split():
                return _failed(job, outcome)


def _ends(job: Job, max_age_s: float) -> int:
    """When its tries end; fixed with its first failure, because later due times are ours."""
    if job.attempt > 1 and job.expires_at:
        return job.expires_at
    return ends_at(job.was_due_at, job.expires_at, max_age_s)


def _sent(job: Job, outcome: Sent, now_ms: int) -> Result:
    polls = outcome.receipt is ReceiptMode.POLL
    return Result(
        job=job,
        outcome="sent",
        state="sent",
        why=outcome.detail,
        provider_ref=outcome.provider_ref,
        poll_at=now_ms + round(outcome.poll_after_s * 1000) if polls else 0,
        expects_receipt=outcome.receipt is not ReceiptMode.NONE,
    )


def _failed(job: Job, outcome: Permanent | Split) -> Result:
    if isinstance(outcome, Split):
        # Nothing is left to divide: the one that is alone is the one at fault.
        return Result(job=job, outcome="permanent", state="failed", why=outcome.why)
    return Result(
        job=job,
        outcome="permanent",
        state="failed",
        why=outcome.why,
        code=outcome.code,
        target_is_dead=outcome.drop_target,
    )


def _again(job: Job, outcome: str, why: str, due: int | None, ends: int) -> Result:
    if due is None:
        return Result(job=job, outcome=outcome, state="failed", why=why)
    return Result(job=job, outcome=outcome, state="due", why=why, due_at=due, expires_at=ends)


def _throttled(job: Job, outcome: Throttled, ends: int, now_ms: int) -> Result:
    pause = Pause(
        space=job.space,
        account=job.account,
        target=job.target if outcome.scope == "target" else 0,
        until=now_ms + round(max(outcome.wait_s, SHORTEST_PAUSE_S) * 1000),
        why=outcome.why,
    )
    # Due as before: when the pause ends it goes out ahead of what came after it.
    return Result(job=job, outcome="throttled", state="due", why=outcome.why, expires_at=ends, pause=pause)
