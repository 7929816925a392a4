"""The operator's log of changes, on both engines."""

from onebell.store.base import Store


async def test_changes_are_listed_newest_first(store: Store, space: int):
    """A page continues before the last id of the one before; another space's changes are not in it."""
    for number in range(5):
        await store.audit.note(space, "alice", "changed", f"person p{number}", {"n": number})
    await store.audit.note(space + 1, "bob", "removed", "person x")
    first = await store.audit.page(space, limit=2)
    rest = await store.audit.page(space, before=first[-1].id)
    assert [row.object for row in [*first, *rest]] == [f"person p{number}" for number in (4, 3, 2, 1, 0)]
    assert (rest[-1].who, rest[-1].what, rest[-1].detail) == ("alice", "changed", {"n": 0})
    assert [row.detail for row in await store.audit.page(space + 1)] == [{}]
