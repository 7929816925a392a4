"""Who may start a call: lanes, groups, places."""

from onebell.core.lanes import Group, Lane, Places, grouped
from onebell.core.work import Job


def job(number: int, target: int = 0, message: int = 1, part: int = 0) -> Job:
    return Job(
        space=1,
        id=number,
        message=message,
        part=part,
        account=1,
        target=target or number,
        address=str(target or number),
        person=0,
        attempt=1,
        was_due_at=0,
        expires_at=0,
        created_at=0,
        lease_until=0,
    )


def ids(group: Group | None) -> list[int]:
    return [] if group is None else [one.id for one in group.jobs]


def test_groups_hold_one_part_up_to_the_limit() -> None:
    """Jobs of one part fill a group to the limit; another part or message has its own."""
    jobs = [job(1), job(2), job(3, message=2), job(4), job(5, part=1), job(6)]

    assert [ids(group) for group in grouped(jobs, 3)] == [[1, 2, 4], [3], [5], [6]]


def test_a_target_is_in_a_group_once() -> None:
    """Two deliveries to one address never share a call."""
    assert [ids(group) for group in grouped([job(1, 9), job(2, 9), job(3)], 10)] == [[1], [2, 3]]


def test_a_lane_serves_each_target_in_order() -> None:
    """What waits behind a busy target is passed over, but nothing overtakes for the same target."""
    lane = Lane()
    lane.add(grouped([job(1, 7), job(2, 7), job(3, 8), job(4, 7)], 1))
    first = lane.next()
    assert ids(first) == [1]
    assert first is not None
    lane.busy |= first.targets

    assert ids(lane.next()) == [3]
    assert lane.next() is None

    lane.ended(first)
    assert ids(lane.next()) == [2]


def test_a_group_waits_for_all_its_targets() -> None:
    """A group with one busy target waits, and holds its other targets' place."""
    lane = Lane()
    lane.add([Group(1, 0, [job(1, 7), job(2, 8)]), Group(2, 0, [job(3, 8)])])
    lane.busy = {7}

    assert lane.next() is None


def test_withdrawn_jobs_are_no_longer_in_hand() -> None:
    """Taking back what waits for one target leaves the rest of its groups."""
    lane = Lane()
    lane.add([Group(1, 0, [job(1, 7), job(2, 8)]), Group(2, 0, [job(3, 7)])])

    assert [one.id for one in lane.withdraw(lambda one: one.target == 7)] == [1, 3]
    assert lane.in_hand == {2}
    assert ids(lane.next()) == [2]


def test_withdrawing_all_empties_the_lane() -> None:
    """Without a target everything that waits is taken back."""
    lane = Lane()
    lane.add(grouped([job(1), job(2)], 1))

    assert len(lane.withdraw(lambda _: True)) == 2
    assert lane.is_idle


def test_halves_go_first_and_stay_in_hand() -> None:
    """A split group's halves are next, and their deliveries are not claimed meanwhile."""
    lane = Lane()
    lane.add(grouped([job(1), job(2), job(3, message=2)], 2))
    whole = lane.next()
    assert whole is not None
    lane.put_first(whole.halves())
    lane.ended(whole)

    assert lane.in_hand == {1, 2, 3}
    assert [ids(lane.next()) for _ in range(3)] == [[1], [2], [3]]


def test_one_account_gets_a_quarter_of_the_places() -> None:
    """However much waits for an account, three quarters are left for others."""
    places, lane, other = Places(16), Lane(), Lane()
    for _ in range(4):
        assert places.room(lane) > 0
        places.take(lane)

    assert places.room(lane) == 0
    assert places.room(other) == 4


def test_all_places_together_are_bounded() -> None:
    """The last places are given to whoever comes, then there are none."""
    places = Places(4)
    lanes = [Lane() for _ in range(3)]
    for lane in lanes[:2]:
        places.take(lane)
        places.take(lane)

    assert places.room(lanes[2]) == 0


def test_a_slow_call_leaves_its_place() -> None:
    """Once slow it is counted apart, so that another may start; ended, it frees nothing twice."""
    places, lane = Places(4), Lane()
    first, second = places.take(lane), places.take(lane)
    assert places.room(lane) == 0

    first.slow_down()
    first.slow_down()
    assert places.room(lane) == 1

    first.leave()
    second.leave()
    assert places.room(lane) == 2
    assert lane.calls == 0


def test_slow_calls_are_bounded_too() -> None:
    """Beyond four for each place a slow call keeps the place it has."""
    places, lane = Places(1), Lane()
    slow = []
    for _ in range(4):
        slow.append(places.take(lane))
        slow[-1].slow_down()
    kept = places.take(lane)

    kept.slow_down()

    assert places.room(lane) == 0
    slow[0].leave()
    kept.slow_down()
    assert places.room(lane) == 1


def test_a_claim_is_worth_its_transaction() -> None:
    """A lane claims ahead of what it sends, and only when half of that is gone."""
    places, lane = Places(16), Lane()
    assert places.wanted(lane) == 8
    lane.add(grouped([job(number) for number in range(1, 4)], 1))
    assert places.wanted(lane) == 0

    lane.next()

    assert places.wanted(lane) == 6
