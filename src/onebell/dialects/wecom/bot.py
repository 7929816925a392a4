"""A bot as the directory knows it (sheet wecom §1)."""

from typing import Any

import msgspec

from onebell.core.directory import Credential

TEXT_BYTES = 2048
"""Of ``text.content`` (seed 003); the live server of 2022 let 5120 through, so it is a setting."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages a minute; 0 = no limit (sheet wecom §3.3)."""

    calls: int = 10_000  # (d) calls with a valid key
    broadcast: int = 100  # (b) messages to all
    feed: int = 100  # (a) messages to each group or blackboard
    person: int = 100  # (c) single-chat messages to each person
    messages: int = 0  # messages of the bot altogether: what the public bot is limited by


BETA = Rates()
PUBLIC = Rates(calls=0, broadcast=0, feed=0, person=0, messages=20)
PROFILES = {"beta": BETA, "public": PUBLIC}


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """What a key opens. Lists hold chat ids and uids as the directory file wrote them."""

    id: int  # of the credential
    space: int
    name: str
    party: str  # name of the party that writes
    groups: tuple[str, ...] = ()
    blackboards: tuple[str, ...] = ()
    subscribers: frozenset[str] = frozenset()  # lower-cased uids it may message one to one
    text_bytes: int = TEXT_BYTES
    rates: Rates = BETA


def bot_of(credential: Credential) -> Bot:
    """The bot behind a key."""
    settings: dict[str, Any] = credential.settings
    return Bot(
        id=credential.id,
        space=credential.space,
        name=credential.name,
        party=f"wecom/{credential.name or credential.id}",
        groups=tuple(settings.get("groups", ())),
        blackboards=tuple(settings.get("blackboards", ())),
        subscribers=frozenset(uid.lower() for uid in settings.get("subscription_scope", ())),
        text_bytes=settings.get("text_bytes", TEXT_BYTES),
        rates=msgspec.convert(settings.get("rates", {}), Rates),
    )
