"""Sign-ins, tickets and sockets: what is found, spent, renewed, kicked and swept."""

import asyncio

import pytest
from tests.mailboxes import NOW, SPACE, DeskBell

from onebell.clock import SystemClock
from onebell.core import presence
from onebell.core.presence import LEASE_S, SIGN_IN, Presence, Session
from onebell.ids import IdMint
from onebell.store.base import Store

ALICE = 11
DIGEST = b"d" * 32


def session(number: int = 1, kind: str = SIGN_IN, space: int = SPACE, mailbox: int = ALICE, until: int = 10) -> Session:
    return Session(space=space, id=number, kind=kind, mailbox=mailbox, lease_until=NOW + until, info={"agent": "test"})


async def test_a_sign_in_is_found_by_its_digest_until_it_ends(store: Store) -> None:
    """Only the right digest and kind find a session, and only before its end."""
    await store.sessions.issue(session(), DIGEST)

    assert await store.sessions.find(SIGN_IN, DIGEST, NOW) == session()
    assert await store.sessions.find(SIGN_IN, b"x" * 32, NOW) is None
    assert await store.sessions.find("ticket", DIGEST, NOW) is None
    assert await store.sessions.find(SIGN_IN, DIGEST, NOW + 10) is None


async def test_a_ticket_is_spent_once(store: Store) -> None:
    """Of many that show the same ticket at the same time, one gets in."""
    await store.sessions.issue(session(kind="ticket"), DIGEST)

    spent = await asyncio.gather(*(store.sessions.spend("ticket", DIGEST, NOW) for _ in range(8)))

    assert sorted(one is not None for one in spent) == [False] * 7 + [True]
    assert await store.sessions.spend("ticket", DIGEST, NOW) is None


async def test_a_late_ticket_is_worth_nothing(store: Store) -> None:
    """An expired ticket is refused, although nobody has used it."""
    await store.sessions.issue(session(kind="ticket"), DIGEST)

    assert await store.sessions.spend("ticket", DIGEST, NOW + 11) is None


async def test_closing_reaches_only_the_owners(store: Store) -> None:
    """Sessions of another space, person or kind stay."""
    issued = (session(1), session(2, "ticket"), session(3, mailbox=12), session(4, space=SPACE + 1))
    for one in issued:
        await store.sessions.issue(one, bytes([one.id]) * 32)

    assert await store.sessions.close_of(SPACE, SIGN_IN, ALICE) == 1
    await store.sessions.close(SPACE + 2, [3])

    left = [await store.sessions.find(one.kind, bytes([one.id]) * 32, NOW) for one in issued]
    assert [one and one.id for one in left] == [None, 2, 3, 4]


async def test_a_kicked_session_is_told_at_its_renewal(store: Store) -> None:
    """A session that somebody wants gone is nobody's at once, is not renewed, and its node learns why."""
    await store.sessions.issue(session(), DIGEST)
    await store.sessions.open_all([session(2)])
    await store.sessions.kick(SPACE, [1], "signed in elsewhere")
    assert [one.id for one in await store.sessions.of_mailbox(SPACE, ALICE, NOW)] == [2]

    renewed = await store.sessions.renew(SPACE, [1, 2, 3], NOW + 99)

    assert sorted((one.id, one.kicked) for one in renewed) == [(1, "signed in elsewhere"), (2, "")]
    assert await store.sessions.find(SIGN_IN, DIGEST, NOW) is None
    alive = await store.sessions.of_mailbox(SPACE, ALICE, NOW + 50)
    assert [one.id for one in alive] == [2]


async def test_ended_sessions_are_swept(store: Store) -> None:
    """What ended before an instant goes, with what it is found by; the rest stays."""
    await store.sessions.issue(session(1), DIGEST)
    await store.sessions.open_all([session(2, until=1000)])

    assert await store.sessions.sweep(NOW + 500, 10) == 1
    assert await store.sessions.sweep(NOW + 500, 10) == 0
    assert [one.id for one in await store.sessions.of_mailbox(SPACE, ALICE, NOW)] == [2]


@pytest.fixture
def bell() -> DeskBell:
    return DeskBell()


async def until_rows(store: Store, count: int) -> list[Session]:
    async with asyncio.timeout(10):
        # The rows are written by a task of their own, which nobody can wait for.
        while len(found := await store.sessions.of_mailbox(SPACE, ALICE, SystemClock().now_ms())) != count:
            await asyncio.sleep(0.005)
    return found


async def test_open_sockets_are_rows_until_they_close(store: Store, bell: DeskBell) -> None:
    """A socket's row appears soon after it opens, goes when it closes, and all go when the node stops."""
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 3))
    running = asyncio.create_task(here.run())
    first = here.enter(SPACE, "inbox", ALICE, lambda why: None)
    here.enter(SPACE, "inbox", ALICE, lambda why: None)
    rows = await until_rows(store, 2)
    assert {row.node for row in rows} == {3}
    assert all(row.lease_until > SystemClock().now_ms() + (LEASE_S - 10) * 1000 for row in rows)

    here.leave(first)
    await until_rows(store, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await until_rows(store, 0)


async def test_a_socket_that_closes_at_once_leaves_no_row(store: Store, bell: DeskBell) -> None:
    """Opening and closing before the row was written writes none."""
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 3))
    here.leave(here.enter(SPACE, "inbox", ALICE, lambda why: None))
    kept = here.enter(SPACE, "inbox", ALICE, lambda why: None)
    running = asyncio.create_task(here.run())

    assert [row.id for row in await until_rows(store, 1)] == [kept.id]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_kick_from_another_node_ends_the_socket(store: Store, bell: DeskBell) -> None:
    """The bell wakes the node that holds the socket, and the row says why."""
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 1))
    there = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 2))
    running = asyncio.create_task(here.run())
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    socket = here.enter(SPACE, "inbox", ALICE, ended.set_result)
    await until_rows(store, 1)

    await there.kick(SPACE, socket.id, "password changed")

    assert await asyncio.wait_for(ended, 10) == "password changed"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_kick_that_comes_while_the_row_is_written(
    store: Store, bell: DeskBell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node may see the row before its own node hears that it is there: the kick is not put off."""
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 1))
    there = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 2))
    stored = store.sessions.open_all

    async def stored_and_seen(new: list[Session]) -> None:
        await stored(new)
        await there.kick(SPACE, new[0].id, "password changed")
        await asyncio.sleep(0.05)  # whoever looks at once finds nothing written

    monkeypatch.setattr(store.sessions, "open_all", stored_and_seen)
    running = asyncio.create_task(here.run())
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.enter(SPACE, "inbox", ALICE, ended.set_result)

    assert await asyncio.wait_for(ended, 10) == "password changed"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_lost_kick_is_found_by_the_renewal(
    store: Store, bell: DeskBell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bell a kick waits for the next renewal, and no longer."""
    monkeypatch.setattr(presence, "RENEW_S", 0.02)
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 1))
    running = asyncio.create_task(here.run())
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    socket = here.enter(SPACE, "inbox", ALICE, lambda why: ended.done() or ended.set_result(why))
    await until_rows(store, 1)
    bell.lost = True

    await here.kick(SPACE, socket.id, "away")

    assert await asyncio.wait_for(ended, 10) == "away"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_socket_whose_row_was_swept_ends(store: Store, bell: DeskBell, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long absence of the store a keeper may take its row away: the client comes back and is seen again."""
    monkeypatch.setattr(presence, "RENEW_S", 0.02)
    here = Presence(store.sessions, bell, SystemClock(), IdMint(SystemClock(), 1))
    running = asyncio.create_task(here.run())
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.enter(SPACE, "inbox", ALICE, lambda why: ended.done() or ended.set_result(why))
    await until_rows(store, 1)

    await store.sessions.sweep(SystemClock().now_ms() + 61_000, 10)

    assert await asyncio.wait_for(ended, 10) == presence.LOST
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
