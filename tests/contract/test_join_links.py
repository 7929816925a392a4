"""Join links, friends and black lists in the store, on both engines."""

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from onebell.core.directory import Feed
from onebell.core.joining import LINK, Asked, JoinLink, JoinRefused, Newcomer, Refusal, link_of
from onebell.core.model import FeedKind
from onebell.errors import Conflict, InvalidInput, NotFound
from onebell.store import feeds, schema
from onebell.store.base import Store
from onebell.store.changes import Origin
from onebell.store.engine import Database
from onebell.store.joining import ENDED_KEPT_MS
from onebell.store.lookups import CachedLookups

PP = "pushplus"


class Circle:
    """People, their links, and what the store says to them."""

    def __init__(self, store: Store, lookups: CachedLookups, space: int) -> None:
        self.store = store
        self.lookups = lookups
        self.space = space
        self._codes = 0

    async def person(self, uid: str) -> int:
        return (await self.store.people.create(self.space, uid)).id

    async def topic(self, owner: int, code: str = "ops") -> Feed:
        return await self.store.feeds.create(self.space, PP, FeedKind.TOPIC, code, owner=owner)

    async def link(self, **given: Any) -> JoinLink:
        """A link as it stands in the store."""
        self._codes += 1
        code = f"code-{self._codes}"
        await self.store.joining.issue(PP, JoinLink(space=self.space, **given), code)
        found = await self.lookups.credential(PP, LINK, code)
        assert found is not None
        return link_of(found)

    async def join(self, link: JoinLink, who: int, room: int = 0) -> Refusal | None:
        """Why he was not let in; what was foreseen is what happens."""
        asked = Asked(link=await self.again(link), room=room, who=who)
        foreseen = await self.store.joining.refusal(PP, asked)
        said = await attempt(self, asked.link, who, room)
        assert said is foreseen
        return said

    async def join_gone(self, link: JoinLink, who: int) -> bool:
        """Whether the link is known no more, neither by its code nor to who has it still open."""
        known = await self.lookups.credential_by_id(self.space, link.id)
        return known is None and await attempt(self, link, who, 0) is Refusal.UNKNOWN

    async def again(self, link: JoinLink) -> JoinLink:
        """The link as it stands now."""
        found = await self.lookups.credential_by_id(self.space, link.id)
        return link if found is None else link_of(found)

    async def friends(self, who: int) -> list[int]:
        rows, total = await self.store.friends.page(self.space, PP, who, 0, 50)
        assert total == len(rows)
        return [row.owner for row in rows]


@pytest.fixture
def circle(store: Store, lookups: CachedLookups, space: int) -> Circle:
    """The space and what it takes to join."""
    return Circle(store, lookups, space)


async def events(database: Database) -> list[tuple[str, int, int, dict[str, Any]]]:
    """(kind, person, packed, data) of all events, oldest first."""
    statement = sa.select(schema.event).order_by(schema.event.c.id)
    rows = await database.read(lambda connection: connection.execute(statement).all())
    return [(row.kind, row.person_id, row.packed, msgspec.json.decode(row.data)) for row in rows]


async def test_a_topic_is_joined_once_and_told_once(circle: Circle, database: Database):
    """The member's row and its event are one transaction; a second press changes nothing."""
    owner, bob = await circle.person("owner"), await circle.person("bob")
    topic = await circle.topic(owner)
    link = await circle.link(feed=topic.id)

    assert (link.feed, link.owner, link.left) == (topic.id, 0, -1)
    assert await circle.join(link, bob) is None
    assert await circle.join(link, bob) is Refusal.ALREADY
    (member,) = await circle.store.feeds.members(circle.space, topic.id)
    assert (member.party, member.origin) == (bob, Origin.API.value)
    assert await events(database) == [("joined", bob, 0, {"feed": topic.id})]


async def test_the_maker_may_join_his_own_topic(circle: Circle):
    """He is no member unless he joins (sheet §1.6)."""
    owner = await circle.person("owner")
    topic = await circle.topic(owner)

    assert await circle.join(await circle.link(feed=topic.id), owner) is None


async def test_friends_are_made_in_both_directions(circle: Circle, database: Database):
    """Each holds a token for the other; the maker is told which is his, and what his code said."""
    alice, bob = await circle.person("alice"), await circle.person("bob")
    link = await circle.link(owner=alice, content="from the fair")

    assert await circle.join(link, alice) is Refusal.OWN
    assert await circle.join(link, bob) is None
    assert await circle.join(link, bob) is Refusal.ALREADY
    assert await circle.join(await circle.link(owner=bob), alice) is Refusal.ALREADY
    assert (await circle.friends(alice), await circle.friends(bob)) == ([bob], [alice])
    his = await circle.store.friends.token_id(circle.space, PP, alice, bob)
    assert await events(database) == [
        ("befriended", bob, 0, {"of": alice, "credential": his, "content": "from the fair"})
    ]


async def test_a_one_way_friendship_is_completed(circle: Circle):
    """A file may make one direction; the link makes the other and leaves the first token as it is."""
    alice, bob = await circle.person("alice"), await circle.person("bob")
    await circle.store.credentials.issue(circle.space, PP, "friend", "t" * 32, owner=bob, holder=alice)

    assert await circle.join(await circle.link(owner=alice), bob) is None
    rows, _ = await circle.store.friends.page(circle.space, PP, alice, 0, 9)
    assert [row.value for row in rows] == ["t" * 32]
    assert await circle.friends(bob) == [alice]


async def test_an_ended_link_lets_nobody_in(circle: Circle):
    """Expired, and used up by as many as it was for; who is in already hears that instead."""
    owner, bob, carol = [await circle.person(uid) for uid in ("owner", "bob", "carol")]
    topic = await circle.topic(owner)
    now_ms = circle.store.changes.clock.now_ms()
    once = await circle.link(feed=topic.id, left=1)

    assert await circle.join(once, bob) is None
    assert (await circle.again(once)).left == 0
    assert await circle.join(once, carol) is Refusal.USED_UP
    assert await circle.join(once, bob) is Refusal.ALREADY
    assert await circle.join(await circle.link(feed=topic.id, expires_at=now_ms), carol) is Refusal.EXPIRED
    assert await circle.join(await circle.link(feed=topic.id, expires_at=now_ms + 60_000), carol) is None


async def test_long_ended_links_leave_no_rows(circle: Circle):
    """A link can say for a month that it has expired; then the next one takes it away."""
    owner = await circle.person("owner")
    topic = await circle.topic(owner)
    now_ms = circle.store.changes.clock.now_ms()
    for ended in (ENDED_KEPT_MS + 60_000, 60_000):
        await circle.link(feed=topic.id, expires_at=now_ms - ended)
    await circle.link(feed=topic.id)

    assert len(await circle.lookups.credentials(circle.space, PP, LINK, topic.id)) == 2


async def test_one_scan_of_many_at_once(circle: Circle):
    """However many press at the same moment, a link for one lets in one, and a topic with one place takes one."""
    owner = await circle.person("owner")
    people = [await circle.person(f"p{no}") for no in range(6)]
    once, roomy = await circle.topic(owner, "once"), await circle.topic(owner, "roomy")
    one = await circle.link(feed=once.id, left=1)
    many = [await circle.link(feed=roomy.id) for _ in people]

    said = await asyncio.gather(
        *(attempt(circle, one, who, 0) for who in people),
        *(attempt(circle, link, who, 1) for link, who in zip(many, people, strict=True)),
    )

    assert sorted(map(str, said[:6])) == sorted(["None", *["Refusal.USED_UP"] * 5])
    assert sorted(map(str, said[6:])) == sorted(["None", *["Refusal.FULL"] * 5])


async def test_two_befriend_each_other_at_once(circle: Circle):
    """Each opens the other's link at the same moment: one friendship, not two."""
    alice, bob = await circle.person("alice"), await circle.person("bob")
    links = [await circle.link(owner=alice), await circle.link(owner=bob)]

    said = await asyncio.gather(attempt(circle, links[0], bob, 0), attempt(circle, links[1], alice, 0))

    assert sorted(map(str, said)) == ["None", "Refusal.ALREADY"]
    assert (await circle.friends(alice), await circle.friends(bob)) == ([bob], [alice])


async def attempt(circle: Circle, link: JoinLink, who: int, room: int) -> Refusal | None:
    """One press, whatever was foreseen."""
    try:
        await circle.store.joining.join(PP, Asked(link=link, room=room, who=who))
    except JoinRefused as refused:
        return refused.why
    return None


async def test_limits_of_friends_count_for_both(circle: Circle):
    """Neither of the two may have more than the limit."""
    alice, bob, carol = [await circle.person(uid) for uid in ("alice", "bob", "carol")]
    assert await circle.join(await circle.link(owner=alice), bob, room=1) is None

    assert await circle.join(await circle.link(owner=alice), carol, room=1) is Refusal.FULL
    assert await circle.join(await circle.link(owner=carol), bob, room=1) is Refusal.FULL
    assert await circle.join(await circle.link(owner=carol), bob, room=2) is None


async def test_black_lists(circle: Circle):
    """Listed: out at once and not back in, until it is lifted, which lets nobody in by itself."""
    alice, bob = await circle.person("alice"), await circle.person("bob")
    topic = await circle.topic(alice)
    to_topic, to_alice, to_bob = [
        await circle.link(**to) for to in ({"feed": topic.id}, {"owner": alice}, {"owner": bob})
    ]
    assert [await circle.join(link, bob) for link in (to_topic, to_alice)] == [None, None]

    await circle.store.members.block(circle.space, PP, topic.id, bob)
    await circle.store.friends.block(circle.space, PP, alice, bob)

    assert await circle.store.feeds.members(circle.space, topic.id) == []
    assert (await circle.friends(alice), await circle.friends(bob)) == ([], [])
    assert await circle.join(to_topic, bob) is Refusal.BLOCKED
    assert await circle.join(to_alice, bob) is Refusal.BLOCKED
    assert await circle.join(to_bob, alice) is Refusal.BLOCKING
    for owner in (topic.id, alice):
        (entry,), total = await circle.store.blocks.page(circle.space, PP, owner, 0, 9)
        assert (entry.party, total) == (bob, 1)
        assert await circle.store.blocks.one(circle.space, entry.id) == entry
        await circle.store.blocks.lift(circle.space, bob, entry.id)
        assert (await circle.store.blocks.page(circle.space, PP, owner, 0, 9))[1] == 1
        await circle.store.blocks.lift(circle.space, owner, entry.id)
        assert await circle.store.blocks.one(circle.space, entry.id) is None
    assert await circle.store.feeds.members(circle.space, topic.id) == []
    assert [await circle.join(link, bob) for link in (to_topic, to_alice)] == [None, None]


async def test_a_newcomer_is_made_and_let_in_together(circle: Circle, database: Database):
    """Both or neither: a link that refuses leaves no person behind, and neither does a taken uid."""
    owner = await circle.person("owner")
    topic = await circle.topic(owner)
    link = await circle.link(feed=topic.id, left=1)
    asked = Asked(link=link, room=0, who=0)
    nina = Newcomer(uid="Nina", name="Nina N", password_hash="$h")

    with pytest.raises(Conflict):
        await circle.store.joining.register(PP, asked, msgspec.structs.replace(nina, uid="OWNER"))
    with pytest.raises(InvalidInput):
        await circle.store.joining.register(PP, asked, msgspec.structs.replace(nina, uid="a b"))
    made = await circle.store.joining.register(PP, asked, nina)
    with pytest.raises(JoinRefused):
        await circle.store.joining.register(PP, asked, msgspec.structs.replace(nina, uid="otto"))

    assert (made.uid, made.name, made.role, made.password_hash) == ("Nina", "Nina N", "reader", "$h")
    assert [one.party for one in await circle.store.feeds.members(circle.space, topic.id)] == [made.id]
    assert await circle.lookups.person_by_uid(circle.space, "otto") is None
    assert [(kind, who) for kind, who, _, _ in await events(database)] == [("joined", made.id)]
    (note,) = await circle.store.audit.page(circle.space)
    assert (note.who, note.what, note.object) == ("Nina", "registered", "person Nina")


async def test_a_lasting_link_is_made_once(circle: Circle):
    """Two who ask at once get the same code."""
    topic = await circle.topic(await circle.person("owner"))
    link = JoinLink(space=circle.space, feed=topic.id)

    assert await circle.store.joining.lasting_code(PP, circle.space, topic.id) == ""
    codes = await asyncio.gather(*(circle.store.joining.make_lasting(PP, link, code) for code in ("one", "two")))

    assert codes[0] == codes[1] == await circle.store.joining.lasting_code(PP, circle.space, topic.id)


async def test_links_and_lists_go_with_what_they_belong_to(circle: Circle, database: Database):
    """No link leads to a topic or person who is gone, and no row stays of him on a black list."""
    owner, bob = await circle.person("owner"), await circle.person("bob")
    topic = await circle.topic(owner)
    to_topic, to_owner = await circle.link(feed=topic.id), await circle.link(owner=owner)
    await circle.store.members.block(circle.space, PP, topic.id, bob)
    await circle.store.friends.block(circle.space, PP, bob, owner)

    await circle.store.feeds.remove(circle.space, topic.id)
    assert await circle.join_gone(to_topic, bob)
    await circle.store.people.remove(circle.space, owner)
    assert await circle.join_gone(to_owner, bob)
    statement = sa.select(sa.func.count()).select_from(schema.block)
    assert await database.read(lambda connection: connection.scalar(statement)) == 0


async def test_pages_are_newest_first(circle: Circle, database: Database):
    """Topics by when they were made, joined ones and members by when somebody came; each page has its part."""
    owner, bob = await circle.person("owner"), await circle.person("bob")
    topics = [await circle.topic(owner, f"t{no}") for no in range(3)]
    for at, topic in enumerate((topics[1], topics[0], topics[2])):
        await database.write(
            lambda connection, topic=topic, at=at: feeds.add_members(connection, circle.space, [(topic.id, bob)], at)
        )
    await circle.store.feeds.create(circle.space, "wecom", FeedKind.GROUP, "g", members=[bob])
    members = circle.store.members

    owned, total = await members.owned(circle.space, PP, "topic", owner, 1, 2)
    assert ([row.feed.code for row in owned], [row.members for row in owned], total) == (["t1", "t0"], [1, 1], 3)
    joined, total = await members.joined(circle.space, PP, "topic", bob, 0, 2)
    assert ([(row.feed.code, row.joined_at) for row in joined], total) == ([("t2", 2), ("t0", 1)], 3)

    late = await circle.person("late")
    await circle.store.feeds.join(circle.space, topics[0].id, [late])
    rows, total = await members.page(circle.space, topics[0].id, 0, 9)
    assert ([row.party for row in rows], total) == ([late, bob], 2)


async def test_remarks_belong_to_one_who_is_there(circle: Circle):
    """A remark is kept with the member or the friend's token; for anybody else there is none."""
    alice, bob = await circle.person("alice"), await circle.person("bob")
    topic = await circle.topic(alice)
    await circle.store.feeds.join(circle.space, topic.id, [bob])
    await circle.join(await circle.link(owner=alice), bob)
    token = await circle.store.friends.token_id(circle.space, PP, alice, bob)

    await circle.store.members.remark(circle.space, topic.id, bob, "buyer")
    await circle.store.friends.remark(circle.space, PP, alice, token, "Bob")
    with pytest.raises(NotFound):
        await circle.store.members.remark(circle.space, topic.id, alice, "x")
    with pytest.raises(NotFound):
        await circle.store.friends.remark(circle.space, PP, bob, token, "x")

    found = await circle.store.members.one(circle.space, topic.id, bob)
    assert found is not None
    assert found.remark == "buyer"
    rows, _ = await circle.store.friends.page(circle.space, PP, alice, 0, 9)
    assert rows[0].settings == {"remark": "Bob"}
