"""How people and topics are shown to each other: small numbers, open ids, what is known of a person (sheet §2, §3)."""

import base64
import hashlib

from onebell.core.context import Context
from onebell.core.directory import Person

TOPIC, MEMBER, PERSON, FRIEND, BLOCK = "topic", "member", "person", "friend", "block"
"""Kinds of small numbers: of feeds, of (feed, person), of people, of friend tokens, of entries of a black list."""

UNVERIFIED, VERIFIED = 0, 2
"""``emailStatus``: an address that is kept for a person is one that he may be written to."""
FOLLOWS = 1
"""``isFollow``: everybody has an inbox, which is what an official account is here."""
NO_SEX = 0
_OPEN_ID_CHARS = 27


def open_id(space: int, person: int) -> str:
    """An opaque id that stays a person's (sheet §3); 28 characters, as WeChat's."""
    digest = hashlib.sha256(f"pushplus openId {space} {person}".encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest).decode()[:_OPEN_ID_CHARS]


def nick_name(person: Person | None) -> str:
    """As others see him; empty for somebody who is gone."""
    return (person.name or person.uid) if person else ""


def has_phone(person: Person | None) -> int:
    """``havePhone``."""
    return int(bool(person and person.phone))


def email_status(person: Person | None) -> int:
    """``emailStatus``."""
    return VERIFIED if person and person.email else UNVERIFIED


async def number(context: Context, space: int, kind: str, *ids: int) -> int:
    """The small number of one object; its ids are one, or two where it has none of its own."""
    which = ":".join(map(str, ids))
    return (await context.store.numbers.shown(space, kind, (which,)))[which]
