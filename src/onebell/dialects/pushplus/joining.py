"""What join links of topics and friends lead to (sheet pushplus §2 ``qrCode`` and ``getQrCode``)."""

import msgspec

from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.core.directory import Feed, Person, Record
from onebell.core.joining import LINK, Asked, Invitation, JoinLink, JoinRefused, Newcomer, Refusal, link_of
from onebell.dialects.pushplus.limits import profile_of
from onebell.dialects.pushplus.senders import NAME, SITE_KEY
from onebell.dialects.pushplus.showing import nick_name
from onebell.errors import NotFound
from onebell.ids import HEX32


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    link: JoinLink
    inviter: Person
    topic: Feed | None  # None = to be friends
    site: Record | None

    @property
    def room(self) -> int:
        """How many members or friends there may be; 0 = no limit."""
        profile = profile_of(self.site.data if self.site else None)
        return profile.members if self.topic else profile.friends


class Joining:
    """``core.joining.Joins`` for this dialect."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lookups = context.lookups
        self._store = context.store.joining

    async def space_of(self, code: str) -> int:
        """Where a link leads into. Raises ``NotFound``."""
        return (await self._find(code)).link.space

    async def invitation(self, code: str, reader: int) -> Invitation:
        """What the page says. Raises ``NotFound``."""
        found = await self._find(code)
        topic = found.topic
        settings = topic.settings if topic else {}
        return Invitation(
            space=found.link.space,
            inviter=nick_name(found.inviter),
            topic=topic.name if topic else "",
            introduction=str(settings.get("introduction", "")),
            contact=str(settings.get("contact", "")),
            greeting=str(settings.get("receiptMessage", "")),
            is_own=topic is not None and reader == found.inviter.id,
            takes_new=_takes_new(found),
            refusal=await self._store.refusal(NAME, _asked(found, reader)),
        )

    async def join(self, code: str, reader: int) -> None:
        """Let a person in. Raises ``NotFound``, ``JoinRefused``."""
        found = await self._find(code)
        await self._store.join(NAME, _asked(found, reader))
        self._ring(found)

    async def register(self, code: str, newcomer: Newcomer) -> Person:
        """Make a person and let him in, both or neither. Raises: see ``Joins``."""
        found = await self._find(code)
        if not _takes_new(found):
            raise JoinRefused(Refusal.UNKNOWN)
        person = await self._store.register(NAME, _asked(found, 0), newcomer)
        self._ring(found)
        return person

    async def _find(self, code: str) -> _Found:
        credential = await self._lookups.credential(NAME, LINK, code) if HEX32.match(code) else None
        if credential is None or not credential.enabled:
            raise NotFound("link")
        link = link_of(credential)
        topic = await self._lookups.feed(link.space, link.feed) if link.feed else None
        inviter = await self._lookups.person(link.space, topic.owner if topic else link.owner)
        if inviter is None:
            raise NotFound("whoever invites is gone")
        site = await self._lookups.record(link.space, NAME, "site", SITE_KEY)
        return _Found(link=link, inviter=inviter, topic=topic, site=site)

    def _ring(self, found: _Found) -> None:
        self._context.bell.ring(Due(space=found.link.space, queue="events"))


def _asked(found: _Found, who: int) -> Asked:
    return Asked(link=found.link, room=found.room, who=who)


def _takes_new(found: _Found) -> bool:
    return bool(found.site.data.get("open_join", True)) if found.site else True
