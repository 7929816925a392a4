"""What each outcome means for a delivery."""

import pytest

from onebell.core.defects import Defect
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
from onebell.core.verdict import Judge
from onebell.core.work import Job, Pause, Result

NOW = 1_000_000
AGE_S = 86_400.0


def job(attempt: int = 1, expires_at: int = 0) -> Job:
    return Job(
        space=1,
        id=2,
        message=3,
        part=0,
        account=4,
        target=5,
        address="a",
        person=6,
        attempt=attempt,
        was_due_at=NOW - 10,
        expires_at=expires_at,
        created_at=NOW - 10,
        lease_until=NOW + 45_000,
    )


def result(outcome: Outcome | Defect, attempt: int = 1, expires_at: int = 0, age_s: float = AGE_S) -> Result:
    return Judge(jitter=lambda: 0.5).result(job(attempt, expires_at), outcome, age_s, NOW)


def test_sent_without_a_receipt_is_the_end() -> None:
    """Nothing is asked or awaited."""
    got = result(Sent(provider_ref="7", detail="250 ok"))

    assert (got.state, got.provider_ref, got.why) == ("sent", "7", "250 ok")
    assert (got.poll_at, got.expects_receipt) == (0, False)


def test_receipts_to_ask_for_and_to_wait_for() -> None:
    """A polled receipt has its time; an inbound one only has to be found."""
    polled = result(Sent(provider_ref="7", receipt=ReceiptMode.POLL, poll_after_s=30))
    called = result(Sent(provider_ref="7", receipt=ReceiptMode.INBOUND))

    assert (polled.poll_at, polled.expects_receipt) == (NOW + 30_000, True)
    assert (called.poll_at, called.expects_receipt) == (0, True)


def test_temporary_comes_back_by_the_back_off() -> None:
    """It stays due, and from the first failure on its end is fixed."""
    got = result(Temporary(why="503"))

    assert (got.state, got.due_at, got.why) == ("due", NOW + 5_000, "503")
    assert got.expires_at == NOW - 10 + 86_400_000


def test_the_end_does_not_move() -> None:
    """Later failures keep the end that the first one fixed, whatever the due time was meanwhile."""
    assert result(Temporary(why="503"), attempt=3, expires_at=NOW + 60_000).expires_at == NOW + 60_000


def test_temporary_past_its_end_has_failed() -> None:
    """When the next try would come too late this was the last."""
    got = result(Temporary(why="503"), attempt=2, expires_at=NOW + 15_000)

    assert (got.state, got.outcome, got.why) == ("failed", "temporary", "503")


def test_permanent_says_what_the_provider_said() -> None:
    """Code and words are kept; the address is buried only when the provider means the address."""
    alive = result(Permanent(why="bad content", code=400))
    dead = result(Permanent(why="gone", code=410, drop_target=True))

    assert (alive.state, alive.code, alive.target_is_dead) == ("failed", 400, False)
    assert (dead.state, dead.code, dead.target_is_dead) == ("failed", 410, True)


@pytest.mark.parametrize(("scope", "target"), [("account", 0), ("target", 5)])
def test_throttled_pauses_its_scope_and_keeps_the_place(scope: str, target: int) -> None:
    """The delivery is due as before; nothing goes to the scope until the pause ends."""
    got = result(Throttled(why="429", wait_s=20, scope=scope))

    assert got.pause == Pause(space=1, account=4, target=target, until=NOW + 20_000, why="429")
    assert (got.state, got.due_at) == ("due", 0)


def test_a_throttle_without_a_time_still_pauses() -> None:
    """A provider that says "too fast" and "at once" gets a second."""
    got = result(Throttled(why="429", wait_s=0))

    assert got.pause is not None
    assert got.pause.until == NOW + 1_000


def test_unauthorized_stops_the_account_and_spares_the_delivery() -> None:
    """It waits as it was."""
    got = result(Unauthorized(why="401"))

    assert (got.state, got.due_at, got.expires_at, got.stops_account) == ("due", 0, 0, True)


def test_a_split_of_one_has_found_the_culprit() -> None:
    """A single delivery cannot be divided further."""
    assert result(Split(why="bad address")).state == "failed"


def test_defects_are_tried_a_few_times() -> None:
    """The fifth defect parks the delivery with its trace."""
    defect = Defect(what="defect in carrier x: ValueError", trace="abc")

    assert result(defect, attempt=4).state == "due"
    parked = result(defect, attempt=5)
    assert (parked.state, parked.why) == ("failed", "defect in carrier x: ValueError (trace abc)")
