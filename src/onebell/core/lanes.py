"""Who may start a call now: one lane per carrier account, so that none of them can take all the room.

A call that takes longer than ``SLOW_S`` leaves its place to others and is counted among the slow ones: a provider that
hangs holds a socket, not a place (RELIABILITY R8).
"""

from collections import deque
from collections.abc import Callable, Iterable

from onebell.core.work import Job

SLOW_S = 1.0
SLOW_FACTOR = 4
"""How many slow calls there may be for each ordinary place."""
LANE_SHARE = 4
"""One account gets at most this fraction of the places."""


class Group:
    """Jobs that go out in one call: one account, one part of one message, at most the manifest's batch."""

    __slots__ = ("jobs", "message", "part")

    def __init__(self, message: int, part: int, jobs: list[Job]) -> None:
        self.message = message
        self.part = part
        self.jobs = jobs

    @property
    def targets(self) -> set[int]:
        """Where it goes."""
        return {job.target for job in self.jobs}

    def halves(self) -> tuple["Group", "Group"]:
        """Two groups of half the size."""
        middle = len(self.jobs) // 2
        return (
            Group(self.message, self.part, self.jobs[:middle]),
            Group(self.message, self.part, self.jobs[middle:]),
        )


class Lane:
    """One account's calls on this node. Its targets are served one at a time, in order."""

    __slots__ = ("busy", "calls", "in_hand", "pending")

    def __init__(self) -> None:
        self.pending: deque[Group] = deque()
        self.busy: set[int] = set()  # targets of calls under way
        self.in_hand: set[int] = set()  # deliveries claimed and not yet stored
        self.calls = 0  # quick ones

    def add(self, groups: Iterable[Group]) -> None:
        """Queue groups behind what waits."""
        for group in groups:
            self.pending.append(group)
            self.in_hand.update(job.id for job in group.jobs)

    def next(self) -> Group | None:
        """The first group that overtakes nothing for its targets."""
        ahead = set(self.busy)
        for position, group in enumerate(self.pending):
            if ahead.isdisjoint(group.targets):
                del self.pending[position]
                return group
            ahead |= group.targets
        return None

    def put_first(self, groups: Iterable[Group]) -> None:
        """Queue groups ahead of what waits."""
        self.pending.extendleft(reversed(list(groups)))

    def ended(self, group: Group) -> None:
        """A group's call has ended; what of it waits again stays in hand."""
        self.busy -= group.targets
        waiting = {job.id for other in self.pending for job in other.jobs}
        self.in_hand.difference_update({job.id for job in group.jobs} - waiting)

    def withdraw(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """Take back what waits and is wanted."""
        taken: list[Job] = []
        kept: deque[Group] = deque()
        for group in self.pending:
            stays = [job for job in group.jobs if not wanted(job)]
            if len(stays) == len(group.jobs):
                kept.append(group)
                continue
            taken.extend(job for job in group.jobs if wanted(job))
            if stays:
                kept.append(Group(group.message, group.part, stays))
        self.pending = kept
        self.in_hand.difference_update(job.id for job in taken)
        return taken

    @property
    def is_idle(self) -> bool:
        """Nothing is claimed any more."""
        return not self.in_hand


class Places:
    """How many calls may be under way."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.share = max(2, places // LANE_SHARE)
        self._slow_limit = places * SLOW_FACTOR
        self._quick = 0
        self._slow = 0

    def room(self, lane: Lane) -> int:
        """How many calls this lane may start now."""
        return max(0, min(self._places - self._quick, self.share - lane.calls))

    def wanted(self, lane: Lane) -> int:
        """How many groups this lane should claim: a little ahead of what it sends, and not before half of that is gone,
        so that a claim is worth its transaction."""
        return 0 if len(lane.pending) > self.share // 2 else 2 * self.share - len(lane.pending)

    def take(self, lane: Lane) -> "Place":
        """One call starts."""
        self._quick += 1
        lane.calls += 1
        return Place(self, lane)

    def slow_down(self, lane: Lane) -> bool:
        """A call turned out slow; False when there are too many of those."""
        if self._slow >= self._slow_limit:
            return False
        self._slow += 1
        self.leave_quick(lane)
        return True

    def leave_quick(self, lane: Lane) -> None:
        """A quick call ended, or is not quick any more."""
        self._quick -= 1
        lane.calls -= 1

    def leave_slow(self) -> None:
        """A slow call ended."""
        self._slow -= 1


class Place:
    """One call's place."""

    __slots__ = ("_is_slow", "_lane", "_places")

    def __init__(self, places: Places, lane: Lane) -> None:
        self._places = places
        self._lane = lane
        self._is_slow = False

    def slow_down(self) -> None:
        """The call takes long: others may use the place."""
        self._is_slow = self._is_slow or self._places.slow_down(self._lane)

    def leave(self) -> None:
        """The call has ended."""
        if self._is_slow:
            self._places.leave_slow()
        else:
            self._places.leave_quick(self._lane)


def grouped(jobs: Iterable[Job], batch_limit: int) -> list[Group]:
    """Jobs of one account in as few calls as the batch limit allows; a target is in one group only once."""
    groups: list[Group] = []
    filling: dict[tuple[int, int], Group] = {}
    for job in jobs:
        key = (job.message, job.part)
        group = filling.get(key)
        if group is None or len(group.jobs) >= batch_limit or job.target in group.targets:
            group = filling[key] = Group(job.message, job.part, [])
            groups.append(group)
        group.jobs.append(job)
    return groups
