"""Black lists of topics and people, as their owners see them (sheet pushplus §2)."""

from typing import Protocol

import msgspec

from onebell.clock import shanghai_text
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, refuse
from onebell.dialects.pushplus.manage.pages import Page
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import BLOCK, PERSON, nick_name


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on a black list."""

    number: int  # of the entry
    person_number: int
    person: int
    nick_name: str
    since: str


class Entry(Protocol):
    """What the store keeps of him."""

    @property
    def id(self) -> int: ...
    @property
    def owner(self) -> int: ...


async def page_of_list(call: Call, owner: int, page: Page) -> tuple[list[Listed], int]:
    """A page of the black list of a topic or person, and how many are on it."""
    rows, total = await call.context.store.blocks.page(call.space.id, NAME, owner, page.start, page.size)
    parties = [row.party for row in rows]
    numbers, person_numbers = await call.shown(BLOCK, [row.id for row in rows]), await call.shown(PERSON, parties)
    people = await call.context.lookups.people(call.space.id, parties)
    listed = [
        Listed(
            number=numbers[row.id],
            person_number=person_numbers[row.party],
            person=row.party,
            nick_name=nick_name(people.get(row.party)),
            since=shanghai_text(row.created_at),
        )
        for row in rows
    ]
    return listed, total


async def asked_entry(call: Call) -> Entry:
    """The entry whose number is given, whoever's list it stands on.

    Raises:
        OpenRefused: there is none.
    """
    which = await call.meant(BLOCK, "id")
    found = await call.context.store.blocks.one(call.space.id, which) if which else None
    return found or refuse(OpenFault.NOT_LISTED)
