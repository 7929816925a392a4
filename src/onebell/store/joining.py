"""Join links, and whoever comes by one: let in, or refused, in one transaction with the event that tells of him."""

from typing import Any

import msgspec
import sqlalchemy as sa

from onebell.core.directory import Person
from onebell.core.events import EventKind
from onebell.core.joining import LASTING, LINK, Asked, JoinLink, JoinRefused, Newcomer, Refusal, link_of
from onebell.core.work import EventDraft
from onebell.errors import Conflict
from onebell.store import audit, blocks, credentials, feeds, friends, members, people
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.events import write_events
from onebell.store.packed import pack
from onebell.store.people import NewPerson
from onebell.store.schema import credential, feed, person

ENDED_KEPT_MS = 30 * 86_400_000
"""How long an expired link can still say that it has expired."""


class Joining:
    """What links are made for."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def issue(self, dialect: str, link: JoinLink, code: str) -> None:
        """Make a link; those of the same owner that ended long ago go. ``link.id`` is not looked at."""
        await self._changes.write(link.space, lambda connection: self._issue(connection, dialect, link, code, ""))

    async def lasting_code(self, dialect: str, space: int, which: int) -> str:
        """The code of a feed's link that never ends; empty while there is none."""
        return await self._changes.database.read(
            lambda connection: self._lasting(connection, dialect, JoinLink(space=space, feed=which))
        )

    async def make_lasting(self, dialect: str, link: JoinLink, code: str) -> str:
        """Make a feed's link that never ends; the code of the one there is when somebody was faster."""

        def work(connection: sa.Connection) -> str:
            _lock(connection, feed, link.space, link.feed)
            known = self._lasting(connection, dialect, link)
            if not known:
                self._issue(connection, dialect, link, code, LASTING)
            return known or code

        return await self._changes.write(link.space, work)

    def _lasting(self, connection: sa.Connection, dialect: str, link: JoinLink) -> str:
        # By its name: a feed may have any number of links that end.
        row = (
            connection.execute(
                sa.select(credential).where(
                    credential.c.space_id == link.space,
                    credential.c.dialect == dialect,
                    credential.c.kind == LINK,
                    credential.c.owner_id == link.feed,
                    credential.c.name == LASTING,
                )
            )
            .mappings()
            .first()
        )
        return credentials.read_row(row, self._changes.vault).value if row else ""

    def _issue(self, connection: sa.Connection, dialect: str, link: JoinLink, code: str, name: str) -> None:
        owner, now_ms = link.feed or link.owner, self._changes.clock.now_ms()
        ended = sa.select(credential.c.id).where(
            credential.c.space_id == link.space,
            credential.c.dialect == dialect,
            credential.c.kind == LINK,
            credential.c.owner_id == owner,
            credential.c.expires_at.between(1, now_ms - ENDED_KEPT_MS),
        )
        credentials.remove(connection, link.space, list(connection.scalars(ended)))
        new = NewCredential(
            id=self._changes.mint.mint(),
            dialect=dialect,
            kind=LINK,
            name=name,
            owner=owner,
            value=code,
            settings=link.settings(),
            expires_at=link.expires_at,
        )
        credentials.insert(connection, self._changes.vault, link.space, new, now_ms)

    async def refusal(self, dialect: str, asked: Asked) -> Refusal | None:
        """What would stand in the way now; ``who`` 0 is somebody nobody knows yet."""
        now_ms = self._changes.clock.now_ms()
        return await self._changes.database.read(lambda connection: _refusal(connection, dialect, asked, now_ms))

    async def join(self, dialect: str, asked: Asked) -> None:
        """Let a person in. Raises ``JoinRefused``."""
        await self._changes.write(asked.link.space, lambda connection: self._enter(connection, dialect, asked))

    async def register(self, dialect: str, asked: Asked, newcomer: Newcomer) -> Person:
        """Make a person and let him in.

        Raises:
            JoinRefused
            Conflict: his uid is taken.
            InvalidInput: it breaks its rule.
        """
        space = asked.link.space
        new = NewPerson(
            id=self._changes.mint.mint(),
            uid=people.check_uid(newcomer.uid),
            name=newcomer.name,
            password_hash=newcomer.password_hash,
        )

        def work(connection: sa.Connection) -> Person:
            if people.by_uids(connection, space, [new.uid]):
                raise Conflict(f"uid {new.uid} is taken")
            now_ms = self._changes.clock.now_ms()
            people.insert(connection, space, [new], now_ms)
            self._enter(connection, dialect, msgspec.structs.replace(asked, who=new.id))
            number = self._changes.mint.mint()
            audit.write(connection, space, number, now_ms, new.uid, "registered", f"person {new.uid}", {"by": "link"})
            return people.by_ids(connection, space, [new.id])[0]

        return await self._changes.write(space, work)

    def _enter(self, connection: sa.Connection, dialect: str, asked: Asked) -> None:
        now_ms = self._changes.clock.now_ms()
        # Locked in one order: the link, then what it leads to; so two who come at once are counted one by one.
        asked = msgspec.structs.replace(asked, link=self._locked(connection, asked.link))
        space, link, who = asked.link.space, asked.link, asked.who
        if link.feed:
            _lock(connection, feed, space, link.feed)
        else:
            _lock(connection, person, space, link.owner, who)
        why = _refusal(connection, dialect, asked, now_ms)
        if why is not None:
            raise JoinRefused(why)
        event = self._let_into_feed if link.feed else self._befriend
        draft = event(connection, dialect, link, who, now_ms)
        if link.left > 0:
            used = msgspec.structs.replace(link, left=link.left - 1)
            credentials.update(connection, space, link.id, settings=pack(used.settings()))
        write_events(connection, [draft], self._changes.mint)

    def _locked(self, connection: sa.Connection, link: JoinLink) -> JoinLink:
        _lock(connection, credential, link.space, link.id)
        found = credentials.by_id(connection, self._changes.vault, link.space, link.id)
        assert found is not None, "locked just now"
        return link_of(found)

    def _let_into_feed(
        self, connection: sa.Connection, dialect: str, link: JoinLink, who: int, now_ms: int
    ) -> EventDraft:
        feeds.add_members(connection, link.space, [(link.feed, who)], now_ms)
        return _event(dialect, link, EventKind.JOINED, who, now_ms, {"feed": link.feed})

    def _befriend(self, connection: sa.Connection, dialect: str, link: JoinLink, who: int, now_ms: int) -> EventDraft:
        both, mint = (link.owner, who), self._changes.mint
        friends.befriend(connection, self._changes.vault, link.space, dialect, both, mint, now_ms)
        data = {
            "of": link.owner,
            "credential": friends.token_id(connection, link.space, dialect, *both),
            "content": link.content,
        }
        return _event(dialect, link, EventKind.BEFRIENDED, who, now_ms, data)


def _event(dialect: str, link: JoinLink, kind: EventKind, who: int, now_ms: int, data: dict[str, Any]) -> EventDraft:
    return EventDraft(
        space=link.space, dialect=dialect, message=0, kind=kind.value, at=now_ms, person=who, data=data, watched=True
    )


def _lock(connection: sa.Connection, table: sa.Table, space: int, *ids: int) -> None:
    """Raises: JoinRefused: one of these rows is gone."""
    rows = connection.execute(
        sa.select(table.c.id)
        .where(table.c.space_id == space, table.c.id.in_(ids))
        .order_by(table.c.id)
        .with_for_update()
    ).all()
    if len(rows) != len(set(ids)):
        raise JoinRefused(Refusal.UNKNOWN)


def _refusal(connection: sa.Connection, dialect: str, asked: Asked, now_ms: int) -> Refusal | None:
    link = asked.link
    return (
        (_standing(connection, dialect, link, asked.who) if asked.who else None)
        or _ended(link, now_ms)
        or _listed(connection, dialect, asked)
        or (Refusal.FULL if asked.room and _is_full(connection, dialect, asked) else None)
    )


def _standing(connection: sa.Connection, dialect: str, link: JoinLink, who: int) -> Refusal | None:
    """What somebody is already."""
    if link.feed:
        return Refusal.ALREADY if members.find(connection, link.space, link.feed, who) else None
    if who == link.owner:
        return Refusal.OWN
    ways = ((link.owner, who), (who, link.owner))
    known = all(friends.token_id(connection, link.space, dialect, *pair) for pair in ways)
    return Refusal.ALREADY if known else None


def _ended(link: JoinLink, now_ms: int) -> Refusal | None:
    if 0 < link.expires_at <= now_ms:
        return Refusal.EXPIRED
    return Refusal.USED_UP if link.left == 0 else None


def _listed(connection: sa.Connection, dialect: str, asked: Asked) -> Refusal | None:
    link = asked.link
    if blocks.is_blocked(connection, link.space, dialect, link.feed or link.owner, asked.who):
        return Refusal.BLOCKED
    if link.owner and blocks.is_blocked(connection, link.space, dialect, asked.who, link.owner):
        return Refusal.BLOCKING
    return None


def _is_full(connection: sa.Connection, dialect: str, asked: Asked) -> bool:
    link = asked.link
    if link.feed:
        return members.count(connection, link.space, link.feed) >= asked.room
    both = (link.owner, asked.who)
    return any(friends.count(connection, link.space, dialect, one) >= asked.room for one in both if one)
