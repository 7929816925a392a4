"""UMS' verbs of the store, on both engines."""

from onebell.store.base import Store

KEY, OTHER = "7d431e42dfa6a6d693ac2d04", "aaaa00000000000000000002"


async def test_bound_tags(store: Store, space: int) -> None:
    """A tag is bound as soon as one person holds it under the key; global holders and other keys do not count."""
    first, second = [await store.people.create(space, uid) for uid in ("user1", "user2")]
    await store.belongings.add_tag(space, first.id, "vip", KEY)
    await store.belongings.add_tag(space, second.id, "vip")
    await store.belongings.add_tag(space, second.id, "sz")

    assert {"vip"} == await store.ums.bound_tags(space, KEY, ["vip", "sz", "none"])
    assert frozenset() == await store.ums.bound_tags(space, OTHER, ["vip", "sz"])
    assert frozenset() == await store.ums.bound_tags(space + 1, KEY, ["vip"])
