"""Who gets a submission, over what and when: from the door in to the rows."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes.clock import MovedClock
from tests.writing import HeardBell

from onebell.core.accept import Accept
from onebell.core.bodies import ROW_BYTES, whole
from onebell.core.directory import QuietHours
from onebell.core.events import EventKind
from onebell.core.inbox import unpack
from onebell.core.interceptors import Hold, Pass, Refuse, Verdict
from onebell.core.model import (
    Addresses,
    CallbackTarget,
    Content,
    FeedKind,
    FirstEvent,
    IdempotencyKey,
    Keep,
    Members,
    Part,
    PartyKind,
    People,
    PeopleQuery,
    Sender,
    Severity,
    Submission,
)
from onebell.core.work import Spread
from onebell.errors import Refused
from onebell.ids import IdMint
from onebell.store import spaces
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.files import RowBytes, StoredFiles
from onebell.store.lookups import CachedLookups
from onebell.store.schema import delivery, entry, event, expansion, file, message, plan, recipient, target
from onebell.store.writer import BatchWriter

NIGHT = 1_800_057_600_000  # 2027-01-16 00:00 UTC


class Door:
    """The door in, and a look at what came through."""

    def __init__(self, database: Database, lookups: CachedLookups, space: int) -> None:
        self.database = database
        self.space = space
        self.clock = MovedClock(NIGHT)
        mint = IdMint(self.clock, 0)
        self.lookups = lookups
        self.writer = BatchWriter(database, self.clock, mint, HeardBell())
        self.mint = mint
        self.files = StoredFiles(database, mint, self.clock, RowBytes(database))
        self.accept = Accept(self.writer, lookups, self.files, self.clock, mint)

    def submission(self, *audience: object, carriers: tuple[str, ...] = (), **changes: object) -> Submission:
        fields: dict[str, object] = {
            "space": self.space,
            "dialect": "ums",
            "public_id": f"p{self.mint.mint()}",
            "sender": Sender(party=1, kind=PartyKind.BOT, name="bot"),
            "audience": audience,
            "parts": (Part(content=Content(body="b"), carriers=carriers),),
        }
        return Submission(**{**fields, **changes})  # type: ignore[arg-type]

    async def rows(self, table: sa.Table, *names: str) -> list[tuple[object, ...]]:
        columns = [table.c[name] for name in names]
        return await self.database.read(
            lambda c: [tuple(row) for row in c.execute(sa.select(*columns).order_by(*columns))]
        )

    async def addresses(self) -> list[tuple[str, int, int]]:
        """(address, person, due) of all deliveries."""
        statement = sa.select(target.c.value, delivery.c.person_id, delivery.c.due_at).where(
            target.c.space_id == delivery.c.space_id, target.c.id == delivery.c.target_id
        )
        return await self.database.read(lambda c: sorted(tuple(row) for row in c.execute(statement)))

    async def told(self) -> list[tuple[str, int, dict[str, object]]]:
        """(kind, person, data) of all events, in order."""
        rows = await self.database.read(
            lambda c: c.execute(sa.select(event.c.kind, event.c.person_id, event.c.data).order_by(event.c.id)).all()
        )
        return [(kind, person, msgspec.json.decode(data)) for kind, person, data in rows]


@pytest.fixture
def door(database: Database, lookups: CachedLookups, space: int) -> Door:
    """The door of one node."""
    return Door(database, lookups, space)


@pytest.fixture
def person(store: Store, space: int) -> Callable[[str], Awaitable[int]]:
    """Makes people with an e-mail address and a route to ``mail``."""

    async def make(uid: str, email: str = "", routes: tuple[str, ...] = ("mail",)) -> int:
        made = await store.people.create(space, uid)
        if email:
            await store.belongings.set_address(space, made.id, "email", email)
        if routes:
            await store.belongings.set_routes(space, made.id, routes)
        return made.id

    return make


@pytest.fixture
async def mail(store: Store, space: int) -> int:
    """A mail account."""
    return (await store.carrier_accounts.create(space, "mail", "smtp", {}, ())).id


async def test_members_get_entries_and_their_routes(door: Door, store: Store, person, mail: int) -> None:
    """Without a choice of carriers each member gets an entry, and a delivery to each of his routes."""
    alice, bob = await person("alice", "a@x"), await person("bob", routes=())
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=(alice, bob))

    receipt = await door.accept(door.submission(Members(feed=feed.id)))

    assert await door.rows(entry, "mailbox_id", "feed_id", "seq") == [(alice, feed.id, 1), (bob, feed.id, 1)]
    assert await door.addresses() == [("a@x", alice, NIGHT)]
    assert await door.rows(message, "id", "state", "feed_id") == [(receipt.message, "accepted", feed.id)]


async def test_only_some_members(door: Door, store: Store, person) -> None:
    """``only`` names members who get it; who is named and no member gets nothing."""
    alice, bob = await person("alice"), await person("bob")
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=(alice,))

    await door.accept(door.submission(Members(feed=feed.id, only=(alice, bob))))

    assert await door.rows(entry, "mailbox_id") == [(alice,)]


async def test_a_large_feed_is_expanded_by_the_database(door: Door, store: Store, database: Database) -> None:
    """More members than one batch takes become an expansion, which carries how it is to be sent."""
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=range(1, 1002))
    audience = Members(feed=feed.id)

    await door.accept(door.submission(audience, silent=True, scopes=("key", "all"), mentions=(5,), priority=2))

    ((packed, due, done),) = await door.rows(expansion, "audience", "lease_until", "done")
    assert msgspec.json.decode(packed, type=Spread) == Spread(
        audience=audience, scopes=("key", "all"), priority=2, is_silent=True, mentions=(5,)
    )
    assert (due, done) == (0, 0)
    assert await door.rows(entry, "seq") == []
    assert await door.rows(message, "state") == [("expanding",)]


async def test_a_query_is_expanded_beside_the_rest(door: Door, person) -> None:
    """Each audience goes its own way: a query to the database, named people at once."""
    alice = await person("alice")

    await door.accept(door.submission(PeopleQuery(feed=4), People(feed=5, ids=(alice,))))

    assert await door.rows(expansion, "no") == [(0,)]
    assert await door.rows(entry, "mailbox_id", "feed_id") == [(alice, 5)]


async def test_named_carriers(door: Door, person, mail: int, store: Store) -> None:
    """Named carriers count instead of routes; without "inbox" among them there is no entry."""
    bot = await store.carrier_accounts.create(door.space, "bot", "wecom_bot", {}, ())
    alice = await person("alice", "a@x")

    await door.accept(door.submission(People(feed=1, ids=(alice,)), carriers=("bot",)))

    assert await door.rows(entry, "seq") == []
    assert await door.rows(delivery, "account_id", "person_id") == [(bot.id, alice)]
    assert await door.addresses() == [("bot", alice, NIGHT)]


async def test_inbox_beside_a_carrier(door: Door, person, mail: int) -> None:
    """ "inbox" may be named beside others."""
    alice = await person("alice", "a@x", routes=())

    await door.accept(door.submission(People(feed=1, ids=(alice,)), carriers=("inbox", "mail")))

    assert await door.rows(entry, "mailbox_id") == [(alice,)]
    assert await door.addresses() == [("a@x", alice, NIGHT)]


async def test_an_audience_may_name_its_carriers(door: Door, person, mail: int) -> None:
    """``over`` wins over what the parts name."""
    alice = await person("alice", "a@x")

    await door.accept(door.submission(People(feed=1, ids=(alice,), over=("inbox",)), carriers=("mail",)))

    assert await door.rows(entry, "mailbox_id") == [(alice,)]
    assert await door.addresses() == []


async def test_parts_go_their_own_ways(door: Door, person, mail: int) -> None:
    """Each part is delivered over its own carriers; the entry is one for all of them."""
    alice = await person("alice", "a@x", routes=())
    parts = tuple(Part(content=Content(body=c[0]), carriers=c) for c in (("inbox",), ("mail",), ("inbox", "mail")))

    await door.accept(door.submission(People(feed=1, ids=(alice,)), parts=parts))

    assert await door.rows(entry, "seq") == [(1,)]
    assert await door.rows(delivery, "part") == [(1,), (2,)]


async def test_silent_rings_nowhere(door: Door, person, mail: int) -> None:
    """A silent submission reaches the inbox only."""
    alice = await person("alice", "a@x")

    await door.accept(door.submission(People(feed=1, ids=(alice,)), silent=True))

    assert await door.rows(entry, "mailbox_id") == [(alice,)]
    assert await door.addresses() == []
    assert await door.rows(message, "state", "finished_at") == [("finished", NIGHT)]


async def test_a_shared_address_gets_one_delivery(door: Door, person, mail: int) -> None:
    """People who share an address get it once, and stand behind it as recipients."""
    alice, bob = await person("alice", "team@x"), await person("bob", "team@x")

    await door.accept(door.submission(People(feed=1, ids=(alice, bob))))

    assert await door.addresses() == [("team@x", 0, NIGHT)]
    assert await door.rows(recipient, "person_id") == [(alice,), (bob,)]


async def test_named_twice_is_once(door: Door, person, mail: int) -> None:
    """Who is named twice in one audience gets one entry; in two feeds he gets one each, and one delivery."""
    alice = await person("alice", "a@x")

    await door.accept(door.submission(People(feed=1, ids=(alice, alice)), People(feed=2, ids=(alice,))))

    assert await door.rows(entry, "feed_id") == [(1,), (2,)]
    assert await door.addresses() == [("a@x", alice, NIGHT)]


async def test_quiet_hours_postpone_carriers(door: Door, person, store: Store, mail: int) -> None:
    """In somebody's quiet hours his carriers wait for their end; his inbox does not, and critical ones pass."""
    alice = await person("alice", "a@x")
    quiet = QuietHours(start="23:00", to="07:00", timezone="UTC", through="critical")
    await store.people.set_quiet_hours(door.space, alice, quiet)
    everybody = People(feed=1, ids=(alice,))

    await door.accept(door.submission(everybody))
    await door.accept(door.submission(everybody, severity=Severity.CRITICAL))
    await door.accept(door.submission(everybody, quiet_through=True))

    assert await door.addresses() == [
        ("a@x", alice, NIGHT),
        ("a@x", alice, NIGHT),
        ("a@x", alice, NIGHT + 7 * 3_600_000),
    ]
    assert len(await door.rows(entry, "seq")) == 3


async def test_a_later_instant(door: Door, person, mail: int) -> None:
    """What is due later is expanded then: no entry and no delivery before."""
    alice = await person("alice", "a@x")
    later = NIGHT + 60_000

    await door.accept(door.submission(People(feed=1, ids=(alice,)), due_ms=later))

    ((packed, due),) = await door.rows(expansion, "audience", "lease_until")
    assert msgspec.json.decode(packed, type=Spread).audience == PeopleQuery(feed=1, include=(alice,))
    assert due == later
    assert await door.rows(entry, "seq") == []


async def test_raw_addresses(door: Door, mail: int) -> None:
    """Raw addresses get deliveries with nobody behind them, and no entries."""
    await door.accept(door.submission(Addresses(carrier="mail", values=("x@y", "z@y", "x@y")), carriers=("mail",)))

    assert await door.addresses() == [("x@y", 0, NIGHT), ("z@y", 0, NIGHT)]
    assert await door.rows(entry, "seq") == []


async def test_watched_messages_tell_who_is_reached(door: Door, person, mail: int) -> None:
    """Of a watched message it is told who has an address on a named carrier, who has none, and who got an entry."""
    alice, bob = await person("alice", "a@x"), await person("bob")
    submission = door.submission(
        People(feed=1, ids=(alice, bob)),
        carriers=("inbox", "mail"),
        watched=True,
        events=(FirstEvent(kind=EventKind.UNRESOLVED, data={"uid": "ghost"}),),
        callback=CallbackTarget(url="https://x/", params={"a": 1}),
    )

    await door.accept(submission)

    told = await door.told()
    assert [(kind, who) for kind, who, _ in told] == [
        ("stored", alice),
        ("stored", bob),
        ("unresolved", 0),
        ("resolved", alice),
        ("resolved", bob),
        ("resolved", alice),
        ("unresolved", bob),
    ]
    assert told[-1][2] == {"uid": "bob", "carrier": "mail", "code": 0, "message": "no address on mail"}
    ((callback,),) = await door.rows(message, "callback")
    assert msgspec.json.decode(callback) == {"url": "https://x/", "params": {"a": 1}}


async def test_a_watched_message_in_the_inbox_only_is_finished(door: Door, person) -> None:
    """Nothing is left to be done for it, so its end is told in the same transaction."""
    alice = await person("alice", routes=())

    await door.accept(door.submission(People(feed=1, ids=(alice,)), watched=True))

    assert (await door.told())[-1] == ("finished", 0, {"ok": True, "message": ""})


async def test_a_watched_message_that_reaches_nobody_is_finished(door: Door) -> None:
    """With no address and no mailbox the end is a failure."""
    missing = Addresses(carrier="nowhere", values=("x",))

    await door.accept(door.submission(missing, carriers=("nowhere",), watched=True))

    assert [(kind, data.get("ok", data.get("target"))) for kind, _, data in await door.told()] == [
        ("unresolved", "x"),
        ("finished", False),
    ]


async def test_while_online_uses_no_carrier(door: Door, person, mail: int) -> None:
    """What is kept while online goes to live sessions and nowhere else."""
    alice = await person("alice", "a@x")

    await door.accept(door.submission(People(feed=1, ids=(alice,)), keep=Keep.WHILE_ONLINE))

    assert await door.addresses() == []
    assert await door.rows(entry, "seq") == []


async def test_mentions_and_the_sender_s_copy(door: Door, person) -> None:
    """Who is mentioned is marked; the sender's copy goes out under the receiver's number, once per audience."""
    alice, bob, me = await person("alice", routes=()), await person("bob", routes=()), await person("me", routes=())
    submission = door.submission(
        People(feed=1, ids=(alice,)),
        People(feed=2, ids=(bob,)),
        mentions=(bob,),
        numbered=True,
        copy_to_sender=True,
        sender=Sender(party=me, kind=PartyKind.PERSON),
    )

    receipt = await door.accept(submission)

    assert await door.rows(entry, "feed_id", "direction", "mailbox_id", "mentioned") == [
        (1, 0, alice, 0),
        (1, 1, me, 0),
        (2, 0, bob, 1),
        (2, 1, me, 0),
    ]
    assert [ref.mailbox for ref in receipt.entries] == [alice, bob]
    assert len({public for _, public in await door.rows(entry, "feed_id", "public_id")}) == 2


async def test_a_repeat_reads_as_the_first(door: Door, person) -> None:
    """The dialect gets its own memory of the first request back."""
    alice = await person("alice")
    key = IdempotencyKey(scope="s", key="k", keep_s=60)

    first = await door.accept(door.submission(People(feed=1, ids=(alice,)), idempotency=key, extra={"n": 1}))
    again = await door.accept(door.submission(People(feed=1, ids=(alice,)), idempotency=key, extra={"n": 2}))

    assert (again.message, again.repeated, again.extra) == (first.message, True, {"n": 1})


async def test_a_name_with_nul(door: Door, person) -> None:
    """A NUL in a display name, which PostgreSQL refuses, does not cost the message."""
    alice = await person("alice")

    await door.accept(
        door.submission(People(feed=1, ids=(alice,)), sender=Sender(party=1, kind=PartyKind.BOT, name="a\0b"))
    )

    assert await door.rows(message, "sender_name") == [("ab",)]


async def test_nothing_is_read_when_the_lookups_are_warm(door: Door, store: Store, person, mail: int) -> None:
    """The second submission to the same feed asks the database for nothing before it is written."""
    alice = await person("alice", "a@x")
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=(alice,))
    await door.accept(door.submission(Members(feed=feed.id)))
    reads = 0
    read = door.database.read

    async def counted(work):
        nonlocal reads
        reads += 1
        return await read(work)

    door.database.read = counted  # type: ignore[method-assign]
    await door.accept(door.submission(Members(feed=feed.id)))

    assert reads == 0


async def test_a_known_audience_is_forgotten_with_its_space(door: Door, store: Store, person) -> None:
    """Who joins, or gets a route, between two messages to one feed is reached by the second."""
    alice, bob = await person("alice", routes=()), await person("bob", routes=())
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=(alice,))
    await door.accept(door.submission(Members(feed=feed.id)))
    await store.carrier_accounts.create(door.space, "mail", "smtp", {}, ())
    await store.feeds.join(door.space, feed.id, (bob,))
    await door.accept(door.submission(Members(feed=feed.id)))
    await store.belongings.set_address(door.space, bob, "email", "b@x")
    await store.belongings.set_routes(door.space, bob, ("mail",))
    await door.accept(door.submission(Members(feed=feed.id)))

    assert await door.rows(entry, "mailbox_id", "seq") == [(alice, 1), (alice, 2), (alice, 3), (bob, 1), (bob, 2)]
    assert await door.addresses() == [("b@x", bob, NIGHT)]


@pytest.mark.parametrize(
    ("fields", "entries"),
    [
        ({}, 2),
        ({"audience": "only"}, 1),
        ({"keep": Keep.WHILE_ONLINE}, 0),
        ({"due_ms": NIGHT + 1}, 0),
        ({"copy_to_sender": True}, 3),
        ({"silent": True}, 2),
    ],
)
async def test_a_known_audience_answers_only_its_like(
    door: Door, store: Store, person, fields: dict[str, object], entries: int
) -> None:
    """What was found for a plain message is not taken for one that reaches others, or later."""
    alice, bob = await person("alice", routes=()), await person("bob", routes=())
    feed = await store.feeds.create(door.space, "ums", FeedKind.CHANNEL, "f", members=(alice, bob))
    await door.accept(door.submission(Members(feed=feed.id)))
    before = len(await door.rows(entry, "seq"))
    audience = Members(feed=feed.id, only=(alice,)) if fields.get("audience") else Members(feed=feed.id)

    await door.accept(door.submission(**{**fields, "audience": (audience,)}))

    assert len(await door.rows(entry, "seq")) - before == entries


async def test_a_mention_is_marked_in_a_known_audience(door: Door, store: Store, person) -> None:
    """Marks belong to a message, not to its audience."""
    alice = await person("alice", routes=())
    for mentions in ((), (alice,), ()):
        await door.accept(door.submission(People(feed=1, ids=(alice,)), mentions=mentions))

    assert await door.rows(entry, "seq", "mentioned") == [(1, 0), (2, 1), (3, 0)]


class Judge:
    """An interceptor that says what it is told to."""

    name = "judge"
    deadline_s = 5.0

    def __init__(self, verdict: Callable[[Submission], Verdict]) -> None:
        self._verdict = verdict

    def wants(self, submission: Submission) -> bool:
        return submission.dialect == "ums"

    async def judge(self, submission: Submission) -> Verdict:
        return self._verdict(submission)

    def default(self, submission: Submission) -> Verdict:
        return Pass(submission)


def behind(door: Door, verdict: Callable[[Submission], Verdict]) -> Accept:
    return Accept(door.writer, door.lookups, door.files, door.clock, door.mint, [Judge(verdict)])


async def test_an_interceptor_changes_a_submission(door: Door, person) -> None:
    """What is stored is what the interceptor made of it."""
    alice = await person("alice")
    accept = behind(door, lambda one: Pass(msgspec.structs.replace(one, extra={"changed": True})))

    await accept(door.submission(People(feed=1, ids=(alice,))))

    assert await door.rows(message, "extra") == [(b'{"changed":true}',)]


async def test_a_vetoed_submission_is_not_stored(door: Door) -> None:
    """A refusal carries the interceptor's words and stores nothing."""
    with pytest.raises(Refused, match="no swearing"):
        await behind(door, lambda one: Refuse("no swearing"))(door.submission(People(feed=1, ids=(5,))))

    assert await door.rows(message, "id") == []


async def test_a_held_submission_reaches_nobody_yet(door: Door, person) -> None:
    """A held submission is stored whole beside its message, with a plan that looks at it later."""
    alice = await person("alice")
    submission = door.submission(People(feed=1, ids=(alice,)), extra={"n": 1})

    receipt = await behind(door, lambda one: Hold(one, "review", NIGHT + 5))(submission)

    assert await door.rows(message, "id", "state") == [(receipt.message, "held")]
    assert await door.rows(entry, "seq") == []
    ((kind, at, data),) = await door.rows(plan, "kind", "next_at", "data")
    assert (kind, at) == ("review", NIGHT + 5)
    assert msgspec.json.decode(data, type=Submission) == submission


async def test_spaces_do_not_mix(door: Door, database: Database, lookups: CachedLookups, person) -> None:
    """The same mailbox number in another space is another mailbox."""
    other = await lookups.space(door.space)
    await database.write(lambda c: spaces.insert(c, msgspec.structs.replace(other, id=8, name="other"), 1))
    alice = await person("alice")
    people = People(feed=1, ids=(alice,))

    await door.accept(door.submission(people))
    await door.accept(door.submission(people, space=8))

    assert await door.rows(entry, "space_id", "mailbox_id", "seq") == [(7, alice, 1), (8, alice, 1)]


# ---------------------------------------------------------------- what is long


async def kept(door: Door) -> Part:
    """The only message's part as its row holds it, which is short."""
    ((parts,),) = await door.rows(message, "parts")
    assert isinstance(parts, bytes)
    assert len(parts) < ROW_BYTES + 1024
    return unpack(parts)[0]


async def text_of(door: Door, number: int) -> str:
    """What a stored file says."""
    file = await door.files.find(door.space, number)
    assert file is not None
    return b"".join([chunk async for chunk in door.files.read(file)]).decode()


@pytest.mark.parametrize("is_held", [False, True])
async def test_what_is_long_lies_beside_its_row(door: Door, person, is_held: bool) -> None:
    """A body and a native payload's text above 16 KiB become files of the message; all of them can be had back."""
    body, article = "中" * 20_000, "é" * 10_000
    native = {"wecom_app": {"mpnews": {"articles": [{"title": "t", "content": article}]}}}
    part = Part(content=Content(title="t", body=body), carriers=("mail",), native=native)
    one = door.submission(People(feed=9, ids=(await person("alice"),)), parts=(part,))
    accept = behind(door, lambda one: Hold(one, "pre", 5)) if is_held else door.accept

    receipt = await accept(one)

    row = await kept(door)
    assert (row.content.title, body.startswith(row.content.body)) == ("t", True)
    assert (await whole(door.files, door.space, row.content)).body == body
    (said,) = row.native["wecom_app"]["mpnews"]["articles"]
    assert (said["title"], said["content"]["as"]) == ("t", "text")
    assert await text_of(door, said["content"]["$file"]) == article
    assert await door.rows(file, "message_id") == [(receipt.message,)] * 2


async def test_what_is_short_asks_for_no_file(door: Door, person) -> None:
    """16 KiB fit, also where the whole part is longer than that."""
    part = Part(content=Content(body="x" * ROW_BYTES), native={"k": {"a": "y" * ROW_BYTES}})

    await door.accept(door.submission(People(feed=9, ids=(await person("alice"),)), parts=(part,)))

    ((parts,),) = await door.rows(message, "parts")
    assert isinstance(parts, bytes)
    assert unpack(parts) == (part,)
    assert await door.rows(file, "id") == []
