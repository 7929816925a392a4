"""Interceptors: asked in order, each with its deadline and its own verdict for when it fails."""

import asyncio

import pytest

from onebell.core.interceptors import Hold, Pass, Refuse, Verdict, intercept
from onebell.core.model import Content, Part, PartyKind, Sender, Submission
from onebell.errors import Reason, Refused, StoreUnavailable

SUBMISSION = Submission(
    space=1,
    dialect="ums",
    public_id="",
    sender=Sender(party=1, kind=PartyKind.BOT),
    audience=(),
    parts=(Part(content=Content(body="b")),),
)


def named(one: Submission, name: str) -> Submission:
    return Submission(**{field: getattr(one, field) for field in one.__struct_fields__} | {"public_id": name})


class Appends:
    """Adds a letter; remembers that it was asked."""

    deadline_s = 5.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    def wants(self, submission: Submission) -> bool:
        return True

    async def judge(self, submission: Submission) -> Verdict:
        self.asked += 1
        return Pass(named(submission, submission.public_id + self.name))

    def default(self, submission: Submission) -> Verdict:
        return Refuse(f"{self.name} failed")


class Fails(Appends):
    """Raises."""

    async def judge(self, submission: Submission) -> Verdict:
        raise ValueError("their script is broken")


class Hangs(Appends):
    """Never answers."""

    deadline_s = 0.01

    async def judge(self, submission: Submission) -> Verdict:
        await asyncio.Event().wait()
        return Pass(submission)


class Holds(Appends):
    """Holds."""

    async def judge(self, submission: Submission) -> Verdict:
        return Hold(submission, "review", 5)


class Uninterested(Appends):
    """Wants nothing."""

    def wants(self, submission: Submission) -> bool:
        return False


async def test_each_sees_what_the_one_before_made() -> None:
    """They are asked in order."""
    verdict = await intercept([Appends("a"), Appends("b")], SUBMISSION)

    assert verdict.submission.public_id == "ab"


async def test_the_first_who_holds_ends_it() -> None:
    """After a hold nobody else is asked."""
    last = Appends("z")

    verdict = await intercept([Appends("a"), Holds("h"), last], SUBMISSION)

    assert isinstance(verdict, Hold)
    assert verdict.submission.public_id == "a"
    assert last.asked == 0


@pytest.mark.parametrize("broken", [Fails("x"), Hangs("x")])
async def test_a_failing_one_counts_by_its_default(broken: Appends) -> None:
    """Who raises or does not answer in time is taken at his default verdict."""
    with pytest.raises(Refused) as refused:
        await intercept([broken], SUBMISSION)

    assert (refused.value.reason, refused.value.detail) == (Reason.VETOED, "x failed")


async def test_our_own_errors_are_not_verdicts() -> None:
    """A store that is away while an interceptor looks something up is no verdict."""

    class Away(Appends):
        async def judge(self, submission: Submission) -> Verdict:
            raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        await intercept([Away("x")], SUBMISSION)


async def test_who_does_not_want_it_is_not_asked() -> None:
    """Most submissions meet no interceptor."""
    one = Uninterested("x")

    assert (await intercept([one], SUBMISSION)).submission is SUBMISSION
    assert one.asked == 0
