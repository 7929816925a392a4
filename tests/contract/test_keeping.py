"""The keeper on both engines: what is over goes, in pieces; what is not stays."""

from typing import Any

import pytest
import sqlalchemy as sa
from tests.fakes.node import context_of
from tests.rows import SPACE, Rows

from onebell.core.context import Context, StoredFile
from onebell.core.keeper import Keeper
from onebell.errors import StoreUnavailable
from onebell.ids import IdMint
from onebell.store import keeping, schema, sessions
from onebell.store.base import Store
from onebell.store.engine import Database

DAY_MS = 86_400_000


class RemovedFiles:
    """Where the keeper gives files up."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.removed: list[int] = []
        self.is_out_of_order = False

    async def find(self, space: int, file: int) -> StoredFile | None:
        row = await self.rows.one(schema.file, id=file)
        return StoredFile(
            id=row.id,
            space=space,
            name="",
            type="",
            size=0,
            sha256="",
            owner=0,
            secret="",
            public_id="",
            created_at=0,
            expires_at=row.expires_at,
        )

    async def remove(self, file: StoredFile) -> None:
        if self.is_out_of_order:
            raise StoreUnavailable("no bucket")
        self.removed.append(file.id)


@pytest.fixture
async def rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setattr("onebell.core.keeper.REST_S", 0)
    made = Rows(database)
    await made.space()
    return made


def node(store: Store, rows: Rows, **settings: Any) -> tuple[Keeper, RemovedFiles]:
    files = RemovedFiles(rows)
    plain = context_of(store, rows, **settings)
    names = [name for name in Context.__dataclass_fields__ if name != "files"]
    context = Context(**{name: getattr(plain, name) for name in names}, files=files)
    return Keeper(context), files


async def test_what_has_expired_goes(store: Store, rows: Rows) -> None:
    """Idempotency keys, guards, counts, pauses and sessions go after their time and not before."""
    now = rows.clock.now_ms()
    for end, word in ((now - 61_000, "old"), (now + 1_000, "new")):
        await rows.put(schema.idempotency, [{"space_id": SPACE, "scope": "s", "key": word, "expires_at": end}])
        await rows.put(schema.guard, [{"space_id": SPACE, "key": word, "expires_at": end}])
        await rows.put(schema.counter, [{"space_id": SPACE, "key": word, "bucket": 1, "expires_at": end}])
        await rows.put(schema.carrier_pause, [{"space_id": SPACE, "account_id": end, "target_id": 0, "until": end}])
        await rows.put(schema.session, [{"space_id": SPACE, "id": end, "lease_until": end}])
    await rows.put(schema.guard, [{"space_id": SPACE, "key": "for ever", "expires_at": 0}])

    await node(store, rows)[0].turn()

    assert [row.key for row in await rows.all(schema.idempotency)] == ["new"]
    assert [row.key for row in await rows.all(schema.guard)] == ["for ever", "new"]
    assert [row.key for row in await rows.all(schema.counter)] == ["new"]
    assert [row.until for row in await rows.all(schema.carrier_pause)] == [now + 1_000]
    assert [row.lease_until for row in await rows.all(schema.session)] == [now + 1_000]


async def test_what_is_used_again_meanwhile_stays(store: Store, rows: Rows) -> None:
    """What is over is looked for beside the writers: between look and removal it may have begun a new time."""
    now = rows.clock.now_ms()
    await rows.put(schema.guard, [{"space_id": SPACE, "key": "k", "expires_at": now - 1}])
    await rows.put(schema.session, [{"space_id": SPACE, "id": 1, "lease_until": now - 1}])
    guards = await rows.db.read(lambda connection: keeping._over(connection, now))
    renewed = (sa.update(schema.guard).values(expires_at=now + 1), sa.update(schema.session).values(lease_until=now))
    for statement in renewed:
        await rows.db.write(lambda connection, statement=statement: connection.execute(statement))

    await rows.db.write(lambda connection: keeping._remove_over(connection, guards, now))
    await rows.db.write(lambda connection: sessions.sweep(connection, [(SPACE, 1)], now))

    assert (len(await rows.all(schema.guard)), len(await rows.all(schema.session))) == (1, 1)


async def test_a_defect_in_one_sort_does_not_keep_the_others(
    store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be removed stays, is logged, and everything else goes all the same."""
    now = rows.clock.now_ms()
    await rows.put(schema.session, [{"space_id": SPACE, "id": 1, "lease_until": now - 61_000}])

    async def broken(now_ms: int) -> int:
        raise KeyError(now_ms)

    monkeypatch.setattr(store.keeping, "expired", broken)
    await node(store, rows)[0].turn()

    assert await rows.all(schema.session) == []


async def full_message(rows: Rows, person: int, rev: int, **values: Any) -> int:
    """A message with everything that can hang on it."""
    message = await rows.message(**values)
    delivery = await rows.delivery(message, 1, 1, state="sent")
    row: dict[str, Any] = {"space_id": SPACE, "message_id": message}
    await rows.put(schema.entry, [{**row, "mailbox_id": person, "seq": rev, "rev": rev}])
    await rows.put(schema.event, [{**row, "id": rows.mint.mint(), "kind": "sent"}])
    await rows.put(schema.expansion, [{**row, "no": 0, "done": 1}])
    await rows.put(schema.interaction, [{**row, "party_id": person, "key": "k"}])
    await rows.put(schema.plan, [{**row, "id": rows.mint.mint(), "done": 1}])
    await rows.put(schema.callback, [{**row, "id": rows.mint.mint(), "state": "done"}])
    await rows.put(schema.public_id, [{**row, "dialect": "test", "public_id": f"p{message}"}])
    hanging = {"space_id": SPACE, "delivery_id": delivery}
    await rows.put(schema.attempt, [{**hanging, "no": 1}])
    await rows.put(schema.receipt, [{**hanging, "account_id": 1, "provider_ref": f"r{delivery}"}])
    await rows.put(schema.recipient, [{**hanging, "person_id": person}])
    return message


HANGING = (
    schema.entry, schema.event, schema.expansion, schema.interaction, schema.plan, schema.callback, schema.public_id,
    schema.delivery, schema.attempt, schema.receipt, schema.recipient,
)  # fmt: skip


async def test_old_messages_go_with_all_that_hangs_on_them(store: Store, rows: Rows) -> None:
    """After the retention nothing of a message is left; younger ones are whole; readers learn of the gap."""
    (person,) = await rows.people(["a"])
    await full_message(rows, person, 1)
    rows.clock.move(86_400 * 2)
    young = await full_message(rows, person, 2)
    rows.clock.move(86_400 * 9)

    await node(store, rows, retention_days=10)[0].turn()

    assert [row.id for row in await rows.all(schema.message)] == [young]
    assert [len(await rows.all(table)) for table in HANGING] == [1] * len(HANGING)
    assert (await rows.one(schema.mailbox)).floor == 1


async def test_no_retention_keeps_everything(store: Store, rows: Rows) -> None:
    """Zero days mean for ever."""
    (person,) = await rows.people(["a"])
    await full_message(rows, person, 1)
    rows.clock.move(86_400 * 4_000)

    await node(store, rows, retention_days=0)[0].turn()

    assert len(await rows.all(schema.message)) == 1


async def test_large_messages_go_in_pieces(store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction takes a bounded piece; the message itself goes last."""
    monkeypatch.setattr(keeping, "PIECE", 3)
    ids = await rows.people([f"p{n}" for n in range(7)])
    message = await rows.message()
    await rows.put(
        schema.entry,
        [{"space_id": SPACE, "mailbox_id": box, "seq": 1, "rev": 1, "message_id": message} for box in ids],
    )
    rows.clock.move(86_400)

    pieces = [await store.keeping.old_messages(SPACE, rows.clock.now_ms()) for _ in range(5)]

    assert pieces == [3, 3, 1, 1, 0]
    assert await rows.all(schema.message) == []


async def test_passing_messages_go_after_two_minutes(store: Store, rows: Rows) -> None:
    """What was only for who was online leaves no gap behind."""
    (person,) = await rows.people(["a"])
    await full_message(rows, person, 1, keep="while_online")
    stored = await full_message(rows, person, 2)
    keeper, _ = node(store, rows)
    await keeper.turn()
    assert len(await rows.all(schema.message)) == 2

    rows.clock.move(121)
    await keeper.turn()

    assert [row.id for row in await rows.all(schema.message)] == [stored]
    assert (await rows.one(schema.mailbox)).floor == 0


async def test_callbacks_outlive_a_passing_message(store: Store, rows: Rows) -> None:
    """What waits to be told keeps the message; what is packed is sent or parked without it."""
    message = await rows.message(keep="while_online")
    row = {"space_id": SPACE, "message_id": message}
    await rows.put(schema.event, [{**row, "id": rows.mint.mint(), "kind": "missed", "packed": 0}])
    rows.clock.move(121)
    keeper, _ = node(store, rows)
    await keeper.turn()
    assert len(await rows.all(schema.message)) == 1

    await rows.put(schema.callback, [{**row, "id": rows.mint.mint(), "state": "due"}])
    await rows.db.write(lambda connection: connection.execute(sa.update(schema.event).values(packed=1)))
    await keeper.turn()

    assert (await rows.all(schema.message), await rows.all(schema.event)) == ([], [])
    left = await rows.one(schema.callback)
    assert (left.message_id, left.state) == (0, "due")


async def test_tombstones_go_after_thirty_days(store: Store, rows: Rows) -> None:
    """A deleted entry is remembered for thirty days."""
    (person,) = await rows.people(["a"])
    message = await rows.message()
    now = rows.clock.now_ms()
    entry = {"space_id": SPACE, "mailbox_id": person, "message_id": message}
    await rows.put(
        schema.entry,
        [
            {**entry, "seq": 1, "rev": 3, "deleted_at": now - 30 * DAY_MS - 1},
            {**entry, "seq": 2, "rev": 2, "deleted_at": now - 29 * DAY_MS},
        ],
    )

    await node(store, rows)[0].turn()

    assert [row.seq for row in await rows.all(schema.entry)] == [2]
    assert (await rows.one(schema.mailbox)).floor == 3


async def test_open_callbacks_outlive_the_retention(store: Store, rows: Rows) -> None:
    """Old callbacks and loose events go; a callback that is still due does not."""
    row = {"space_id": SPACE}
    await rows.put(schema.callback, [{**row, "id": rows.mint.mint(), "state": "parked"}])
    due = rows.mint.mint()
    await rows.put(schema.callback, [{**row, "id": due, "state": "due", "due_at": 1}])
    await rows.put(schema.event, [{**row, "id": rows.mint.mint(), "kind": "sent"}])
    rows.clock.move(86_400 * 11)

    await node(store, rows, retention_days=10)[0].turn()

    assert [row.id for row in await rows.all(schema.callback)] == [due]
    assert await rows.all(schema.event) == []


async def test_expired_files_are_given_up(store: Store, rows: Rows) -> None:
    """A file goes when its own time is over; one without an end stays."""
    now = rows.clock.now_ms()
    rows_of_files = [(1, now - 1), (2, now + 60_000), (3, 0)]
    await rows.put(schema.file, [{"space_id": SPACE, "id": one, "expires_at": end} for one, end in rows_of_files])
    keeper, files = node(store, rows)

    await keeper.turn()

    assert files.removed == [1]


async def test_files_that_cannot_be_removed_keep_nothing_else(store: Store, rows: Rows) -> None:
    """Where files lie elsewhere and that is out of order, the rest of the round is made, and they go in a later one."""
    await rows.put(schema.file, [{"space_id": SPACE, "id": 1, "expires_at": rows.clock.now_ms() + 1}])
    await rows.message()
    rows.clock.move(86_400 * 40)
    keeper, files = node(store, rows, retention_days=30)

    files.is_out_of_order = True
    await keeper.turn()
    assert (files.removed, await rows.all(schema.message)) == ([], [])

    files.is_out_of_order = False
    await keeper.turn()
    assert files.removed == [1]


async def test_a_file_lives_as_long_as_its_message(store: Store, rows: Rows) -> None:
    """What a message names stays, whatever its own time; when the message is gone it goes, but not before its time."""
    gone = await rows.message()
    rows.clock.move(86_400 * 11)
    now, here = rows.clock.now_ms(), await rows.message()
    files_of = [(1, here, now - 1), (2, here, 0), (3, gone, now - 1), (4, gone, 0), (5, gone, now + 60_000)]
    await rows.put(
        schema.file,
        [{"space_id": SPACE, "id": one, "message_id": whose, "expires_at": end} for one, whose, end in files_of],
    )
    keeper, files = node(store, rows, retention_days=10)

    await keeper.turn()
    assert files.removed == []
    await keeper.turn()

    assert sorted(files.removed) == [3, 4]


async def test_the_oldest_id_of_an_instant_divides(rows: Rows) -> None:
    """Ids minted before an instant are below its first id, whatever node minted them; later ones are not."""
    before = IdMint(rows.clock, 1023).mint()
    rows.clock.move(0.001)
    bound = IdMint.first_at(rows.clock.now_ms())

    assert before < bound <= IdMint(rows.clock, 0).mint()


async def test_the_keeper_stops_when_told(store: Store, rows: Rows) -> None:
    """The task ends after the piece under way."""
    keeper, _ = node(store, rows)
    keeper.stop()

    await keeper.run()
