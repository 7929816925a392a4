"""Buttons of messages in the store: one answer per message, person and key."""

import pytest
import sqlalchemy as sa
from tests.mailboxes import NOW, SPACE, Mailboxes

from onebell.clock import SystemClock
from onebell.core.mailbox import Change, EntryRow, Place, Wanted
from onebell.core.model import Button, Content
from onebell.errors import Conflict, NotFound
from onebell.ids import IdMint
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.schema import event

ALICE = 11
BOB = 12
MINT = IdMint(SystemClock(), 0)
YES, NO = ("answer", "yes"), ("answer", "no")
QUESTION = Content(
    title="Deploy?",
    buttons=(Button(text="Yes", key="answer", value="yes"), Button(text="No", key="answer", value="no")),
)


@pytest.fixture
async def asked(database: Database) -> Mailboxes:
    """Both were asked; it is the first entry of each."""
    made = Mailboxes(database)
    await made.make(ALICE, BOB)
    await made.send([ALICE, BOB], content=QUESTION)
    return made


def change(mailbox: int = ALICE, space: int = SPACE) -> Change:
    return Change(space=space, mailbox=mailbox, now=NOW)


async def entry_of(store: Store, mailbox: int = ALICE) -> EntryRow:
    page = await store.inbox.one(SPACE, mailbox, 1)
    assert page is not None
    return page.rows[0]


async def test_an_answer_is_the_persons_own(store: Store, asked: Mailboxes) -> None:
    """It shows at his entry however that is read, and at nobody else's."""
    rev = await store.pressing.press(change(), 1, YES, MINT)

    mine = Wanted(space=SPACE, mailbox=ALICE)
    after = await store.inbox.after(mine, 1)
    before = await store.inbox.before(mine, 1 << 62, NOW)
    caught = await store.inbox.catch_up(SPACE, [Place(ALICE, 1), Place(BOB, 0)])
    assert after is not None
    assert before is not None
    assert [row.answers for row in (*after.rows, *before.rows, await entry_of(store))] == [(YES,)] * 3
    assert after.rows[0].rev == rev == 2
    assert {row.mailbox: row.answers for page in caught.pages for row in page.rows} == {ALICE: (YES,), BOB: ()}


async def test_the_first_answer_stands(store: Store, asked: Mailboxes) -> None:
    """The same press again changes nothing; another answer under the same key is refused."""
    await store.pressing.press(change(), 1, YES, MINT)

    assert await store.pressing.press(change(), 1, YES, MINT) == 0
    with pytest.raises(Conflict):
        await store.pressing.press(change(), 1, NO, MINT)
    assert (await entry_of(store)).answers == (YES,)


async def test_a_sender_learns_who_answered_what(store: Store, asked: Mailboxes, database: Database) -> None:
    """One event per answer, written with it."""
    for mailbox, answer in ((ALICE, YES), (BOB, NO), (BOB, NO)):
        await store.pressing.press(change(mailbox), 1, answer, MINT)

    columns = (event.c.kind, event.c.person_id, event.c.data)
    rows = await database.read(lambda conn: conn.execute(sa.select(*columns).order_by(event.c.id)).all())
    assert [(kind, person) for kind, person, _ in rows] == [("pressed", ALICE), ("pressed", BOB)]
    assert [bytes(data) for *_, data in rows] == [b'{"key":"answer","value":"yes"}', b'{"key":"answer","value":"no"}']


async def test_what_was_taken_back_cannot_be_answered(store: Store, asked: Mailboxes) -> None:
    """A recalled entry refuses; a deleted one, another space's and another's are not there."""
    await store.inbox_changes.delete(change(BOB), 1)
    for there in (change(BOB), change(space=SPACE + 1), change(mailbox=99)):
        with pytest.raises(NotFound):
            await store.pressing.press(there, 1, YES, MINT)
    await store.inbox_changes.recall(SPACE, (await entry_of(store)).message, NOW)
    with pytest.raises(Conflict):
        await store.pressing.press(change(), 1, YES, MINT)
