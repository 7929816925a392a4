"""Conversations as devices read them, on both engines (sheet easemob-msync §6)."""

import pytest
from tests.contract.queues import ALICE, APP, BOB, ELSEWHERE, KEPT, OTHER, WITH_BOB, WITH_CAROL, Desk
from tests.writing import SPACE

from onebell.core.mailbox import Change
from onebell.errors import NotFound, TooManyDevices
from onebell.store.base import Store

DAY_MS = 86_400_000


@pytest.fixture
async def desk(store: Store) -> Desk:
    """Alice's conversations."""
    made = Desk(store)
    await made.make()
    return made


async def test_a_device_gets_what_it_has_not_acknowledged(desk: Desk) -> None:
    """Oldest first, again and again until it is acknowledged, then never again."""
    web = desk.reader(await desk.sign_in())
    sent = [await desk.send() for _ in range(3)]
    first = await desk.pull(web, limit=2)
    assert sent == await desk.ids(web)
    await desk.ack(web, first.rows[-1])

    assert sent[:2] == [row.public_id for row in first.rows]
    assert sent[2:] == await desk.ids(web)
    assert await desk.waiting(web) == {WITH_BOB: 1}


async def test_conversations_have_places_of_their_own(desk: Desk) -> None:
    """What one conversation acknowledges says nothing about another; the one that waits longest comes first."""
    web = desk.reader(await desk.sign_in())
    bob, carol = await desk.send(), await desk.send(WITH_CAROL)
    await desk.ack(web, (await desk.pull(web, WITH_CAROL)).rows[0], WITH_CAROL)
    late = await desk.send(WITH_CAROL)

    assert bob < carol < late
    assert [bob] == await desk.ids(web)
    assert list(await desk.waiting(web)) == [WITH_BOB, WITH_CAROL]


async def test_another_apps_conversations_do_not_wait_here(desk: Desk) -> None:
    """Two apps share nothing, though the person and his mailbox are one."""
    web, there = desk.reader(await desk.sign_in()), await desk.sign_in(realm=OTHER)
    await desk.send(ELSEWHERE)

    assert await desk.waiting(web) == {}
    assert there.session.device != web.device
    assert await desk.store.queues.undelivered(web, desk.now) == 0


async def test_an_acknowledgement_never_goes_back(desk: Desk) -> None:
    """A late repeat of an older one changes nothing."""
    web = desk.reader(await desk.sign_in())
    for _ in range(3):
        await desk.send()
    rows = (await desk.pull(web)).rows
    await desk.ack(web, rows[2])
    await desk.ack(web, rows[0])

    assert await desk.ids(web) == []


async def test_delivered_means_any_device(desk: Desk) -> None:
    """One device's acknowledgement counts for the person; the other devices still get the message."""
    web, phone = desk.reader(await desk.sign_in()), desk.reader(await desk.sign_in("phone"))
    sent = await desk.send()
    assert await desk.store.queues.undelivered(phone, desk.now) == 1
    await desk.ack(web, (await desk.pull(web)).rows[0])
    found = await desk.store.queues.find(SPACE, ALICE, "easemob", sent)

    assert found is not None
    assert found.taken_at == desk.now
    assert await desk.store.queues.undelivered(phone, desk.now) == 0
    assert [sent] == await desk.ids(phone)
    assert await desk.store.queues.find(SPACE, ALICE, "easemob", sent + 1) is None


async def test_a_new_device_starts_behind_what_others_have(desk: Desk) -> None:
    """Once: at what no device has acknowledged. From then on it has places of its own."""
    web = desk.reader(await desk.sign_in())
    await desk.send()
    await desk.ack(web, (await desk.pull(web)).rows[0])
    second = await desk.send()
    phone = desk.reader(await desk.sign_in("phone"))
    await desk.ack(web, (await desk.pull(web)).rows[0])

    assert [second] == await desk.ids(phone)
    assert [second] == await desk.ids(desk.reader(await desk.sign_in("phone")))


async def test_a_device_gets_no_copy_of_what_it_wrote(desk: Desk) -> None:
    """The sender's other devices do."""
    web, phone = desk.reader(await desk.sign_in()), desk.reader(await desk.sign_in("phone"))
    await desk.send(device=web.device, copy=True)

    assert await desk.ids(web) == []
    assert await desk.waiting(web) == {}
    assert len(await desk.ids(phone)) == 1


async def test_who_is_gone_is_known_by_the_last_messages(desk: Desk) -> None:
    """A conversation whose other side has no row any more has no name; the newest each way may still tell it."""
    for copy in (False, True, False, True):
        last = await desk.send(copy=copy)
    await desk.send(ELSEWHERE)
    queues = desk.store.queues

    assert await queues.peers(SPACE, "easemob", APP, ALICE, [WITH_BOB, ELSEWHERE]) == {WITH_BOB: ""}
    newest = await queues.newest_each_way(SPACE, ALICE, [WITH_BOB, WITH_CAROL])
    assert {(which, one.is_copy) for which, one in newest} == {(WITH_BOB, False), (WITH_BOB, True)}
    assert max(one.public_id for _, one in newest) == last
    assert await queues.newest_each_way(SPACE, BOB, [WITH_BOB]) == []


async def test_the_newest_replace_the_oldest(desk: Desk) -> None:
    """Only so many wait; signals are not counted among them."""
    web = desk.reader(await desk.sign_in())
    sent = [await desk.send() for _ in range(KEPT + 1)]
    await desk.send(WITH_CAROL, shown=2)

    assert sent[1:] == await desk.ids(web)
    assert await desk.waiting(web) == {WITH_BOB: KEPT, WITH_CAROL: 1}
    assert await desk.store.queues.undelivered(web, desk.now) == KEPT


async def test_what_is_imported_replaces_nothing(desk: Desk) -> None:
    """It waits for nobody, and what waits goes on waiting, however much is imported behind it."""
    web = desk.reader(await desk.sign_in())
    sent = [await desk.send() for _ in range(KEPT - 1)]
    for keep in ("history", "unread_history") * 2:
        await desk.send(keep=keep)

    assert sent == await desk.ids(web)
    assert await desk.store.queues.undelivered(web, desk.now) == len(sent)


async def test_what_is_old_recalled_or_deleted_does_not_wait(desk: Desk) -> None:
    """None of these is delivered any more."""
    signed_in = await desk.sign_in()
    web = desk.reader(signed_in)
    sent = [await desk.send() for _ in range(3)]
    one = await desk.store.queues.find(SPACE, ALICE, "easemob", sent[0])
    two = await desk.store.queues.find(SPACE, ALICE, "easemob", sent[1])
    assert one is not None
    assert two is not None
    await desk.store.inbox_changes.recall(SPACE, one.message, desk.now)
    await desk.store.inbox_changes.delete(Change(space=SPACE, mailbox=ALICE, now=desk.now), two.seq)

    assert sent[2:] == await desk.ids(web)
    assert await desk.ids(desk.reader(signed_in, since=desk.now + 60_000)) == []


async def test_a_place_is_found_by_a_public_id(desk: Desk) -> None:
    """Also by one in between, or beyond the end; before the first there is none."""
    web = desk.reader(await desk.sign_in())
    first, second = await desk.send(), await desk.send()
    rows = (await desk.pull(web)).rows
    place_of = desk.store.queues.place_of

    assert (rows[0].seq, first) == await place_of(web, WITH_BOB, second - 1)
    assert (rows[1].seq, second) == await place_of(web, WITH_BOB, 2**62)
    assert await place_of(web, WITH_BOB, first - 1) == (0, 0)


async def test_the_same_device_replaces_itself(desk: Desk) -> None:
    """Its earlier session is told to end, wherever it is; its place stays."""
    first = await desk.sign_in()
    again = await desk.sign_in()
    kicked = await desk.store.sessions.renew(SPACE, [first.session.id], desk.now + 1)

    assert (first.session.id,) == again.replaced
    assert [one.kicked for one in kicked] == ["replaced"]
    assert first.session.device == again.session.device


async def test_only_so_many_devices_of_a_platform(desk: Desk) -> None:
    """One more is refused and nothing is stored; another platform and a device that is there already are not."""
    await desk.sign_in("a")
    await desk.sign_in("b")
    with pytest.raises(TooManyDevices):
        await desk.sign_in("c")
    await desk.sign_in("b")
    await desk.sign_in("c", platform="ios")

    assert len(await desk.store.sessions.of_mailbox(SPACE, ALICE, desk.now)) == 3


async def test_a_device_not_seen_for_long_is_forgotten(desk: Desk) -> None:
    """With its places; one that is signed in stays, however long ago that was."""
    gone = await desk.sign_in("gone", at=desk.now - 8 * DAY_MS)
    here = await desk.sign_in("here", at=desk.now - 8 * DAY_MS)
    await desk.store.sessions.close(SPACE, [gone.session.id])
    forgotten = await desk.store.devices.forget(SPACE, "easemob", desk.now - 7 * DAY_MS, desk.now)

    assert forgotten == 1
    assert (await desk.sign_in("here")).session.device == here.session.device
    assert (await desk.sign_in("gone", platform="x")).session.device != gone.session.device


async def test_reading_a_conversation_marks_its_messages_only(desk: Desk) -> None:
    """Each gets a new rev, so that the inbox shows it; other conversations and later messages stay unread."""
    sent = [await desk.send(), await desk.send(WITH_CAROL), await desk.send()]
    found = [await desk.store.queues.find(SPACE, ALICE, "easemob", number) for number in sent]
    seqs = [one.seq for one in found if one is not None]
    change = Change(space=SPACE, mailbox=ALICE, now=desk.now)
    count = await desk.store.inbox_changes.read_feed(change, WITH_BOB, seqs[1], desk.node.mint)
    again = await desk.store.inbox_changes.read_feed(change, WITH_BOB, seqs[1], desk.node.mint)
    read = [await desk.store.queues.find(SPACE, ALICE, "easemob", number) for number in sent]

    assert (count, again) == (1, 0)
    assert [desk.now, 0, 0] == [one.read_at for one in read if one is not None]
    with pytest.raises(NotFound):
        await desk.store.inbox_changes.read_feed(Change(space=SPACE, mailbox=99, now=1), WITH_BOB, 1, desk.node.mint)
