"""Conversations as the inbox sees them, on both engines: what is unread, and how the other side took one's own."""

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.contract.queues import ALICE, APP, BOB, ELSEWHERE, WITH_BOB, WITH_CAROL, Desk
from tests.writing import SPACE

from onebell.core.mailbox import Change
from onebell.core.model import Shown
from onebell.core.replies import Unread
from onebell.store.base import Store
from onebell.store.prepared import Box
from onebell.store.schema import entry, message, public_id

NEVER = 2**62


@pytest.fixture
async def desk(store: Store) -> Desk:
    """Alice's conversations."""
    made = Desk(store)
    await made.make()
    return made


def change(desk: Desk, mailbox: int = ALICE, now: int = 0) -> Change:
    """Somebody's mailbox, now."""
    return Change(space=SPACE, mailbox=mailbox, now=now or desk.now)


async def entries(desk: Desk, mailbox: int = ALICE) -> dict[int, Any]:
    """The rows of a mailbox by public id."""
    statement = sa.select(entry).where(entry.c.mailbox_id == mailbox).order_by(entry.c.seq)
    rows = await desk.store.db.read(lambda conn: conn.execute(statement).all())
    return {row.public_id: row for row in rows}


async def numbers(desk: Desk, span: tuple[int, int] = (0, NEVER), only: int = 0) -> list[int]:
    """Public ids of what is unread."""
    return [one.public_id for one in await desk.store.conversations.unread(change(desk), span, only)]


async def test_unread_is_what_came_in_and_nobody_has_read(desk: Desk) -> None:
    """Oldest first, of one conversation or all; one's own messages and signals are nothing to read."""
    first = await desk.send()
    await desk.send(copy=True)
    await desk.send(shown=Shown.SIGNAL)
    carol, elsewhere, last = await desk.send(WITH_CAROL), await desk.send(ELSEWHERE), await desk.send()
    rows = await entries(desk)
    whole = (await desk.store.conversations.unread(change(desk), (0, NEVER)))[0]

    assert whole == Unread(
        seq=rows[first].seq, feed=WITH_BOB, dialect="easemob", code=f"{APP}:11:12",
        message=rows[first].message_id, public_id=first,
    )  # fmt: skip
    assert await numbers(desk) == [first, carol, elsewhere, last]
    assert await numbers(desk, only=WITH_BOB) == [first, last]
    assert await numbers(desk, (rows[first].seq, rows[elsewhere].seq)) == [carol, elsewhere]
    assert await desk.store.conversations.unread(change(desk, BOB), (0, NEVER)) == []

    changes = desk.store.inbox_changes
    await changes.mark_read(change(desk), rows[carol].seq, desk.node.mint)
    assert await numbers(desk) == [first, elsewhere, last]
    await changes.read_up_to(change(desk), rows[elsewhere].seq, desk.node.mint)
    assert await numbers(desk) == [last]
    await changes.delete(change(desk), rows[last].seq)
    assert await numbers(desk) == []


async def test_marks_are_set_once_and_on_ones_own_messages_only(desk: Desk) -> None:
    """Delivered, then seen: each is news once, moves the entry, and says nothing of what came in or is elsewhere."""
    own, came, elsewhere = await desk.send(copy=True), await desk.send(), await desk.send(WITH_CAROL, copy=True)
    before = await entries(desk)
    messages = [row.message_id for row in before.values()]
    marks, bob = desk.store.conversations, change(desk, BOB)

    assert await marks.delivered(change(desk, now=5), WITH_BOB, messages) == 1
    assert await marks.delivered(change(desk, now=6), WITH_BOB, messages) == 0
    first = await entries(desk)
    assert await marks.seen(change(desk, now=7), WITH_BOB, messages) == 1
    assert await marks.seen(change(desk, now=8), WITH_BOB, messages) == await marks.seen(bob, WITH_BOB, messages) == 0
    after = await entries(desk)

    assert (after[own].delivered_at, after[own].seen_at) == (5, 7)
    assert before[own].rev < first[own].rev < after[own].rev
    assert after[came] == before[came]
    assert after[elsewhere] == before[elsewhere]
    assert await marks.seen(change(desk), WITH_BOB, []) == 0


async def test_who_has_seen_a_message_has_got_it(desk: Desk) -> None:
    """The whole of one conversation at once; a message that was taken back is not marked."""
    own = [await desk.send(copy=True) for _ in range(3)]
    carol = await desk.send(WITH_CAROL, copy=True)
    rows = await entries(desk)
    await desk.store.inbox_changes.recall(SPACE, rows[own[2]].message_id, desk.now)

    assert await desk.store.conversations.seen_all(change(desk, now=9), WITH_BOB) == 2
    assert await desk.store.conversations.seen_all(change(desk, now=10), WITH_BOB) == 0
    after = await entries(desk)
    assert [(after[one].delivered_at, after[one].seen_at) for one in own] == [(9, 9), (9, 9), (0, 0)]
    assert after[carol].seen_at == 0
    assert len({row.rev for row in after.values()}) == len(after)


async def test_where_ones_own_message_stands(desk: Desk) -> None:
    """Found by the message, in the writer's mailbox only, and only where he wrote it."""
    own, came = await desk.send(copy=True), await desk.send()
    rows = await entries(desk)
    where = desk.store.conversations.own_seq
    assert await where(SPACE, ALICE, rows[own].message_id) == rows[own].seq
    assert await where(SPACE, ALICE, rows[came].message_id) == 0
    assert await where(SPACE, BOB, rows[own].message_id) == await where(SPACE + 1, ALICE, rows[own].message_id) == 0


async def test_one_receiver_gets_a_message_of_his_own(desk: Desk) -> None:
    """Alike in all but its ids, found by the receiver's; the others keep theirs. Of two at once one does it."""
    item = desk.node.item(boxes=[Box(ALICE, WITH_BOB), Box(BOB, WITH_BOB, slot=1)], slots=2, parts=b"[1]")
    item.stored = msgspec.structs.replace(item.stored, dialect="easemob")
    receipt = await desk.node.writer.accept(item)
    ids = {one.mailbox: int(one.public_id) for one in receipt.entries}
    separate = desk.store.easemob.separate
    await asyncio.gather(*(separate(SPACE, receipt.message, ids[BOB]) for _ in range(2)))
    await separate(SPACE, receipt.message, ids[BOB])

    rows = await desk.store.db.read(lambda conn: conn.execute(sa.select(message)).mappings().all())
    (old,) = [row for row in rows if row["id"] == receipt.message]
    (new,) = [row for row in rows if row["id"] != receipt.message]
    assert {name for name in old if old[name] != new[name]} == {"id", "public_id"}
    assert (await entries(desk))[ids[ALICE]].message_id == old["id"]
    assert (await entries(desk, BOB))[ids[BOB]].message_id == new["id"]
    known = await desk.store.db.read(lambda conn: conn.execute(sa.select(public_id)).all())
    found = {row.public_id: row.message_id for row in known if row.dialect == "easemob"}
    assert (found[str(ids[ALICE])], found[str(ids[BOB])]) == (old["id"], new["id"])
