"""The ``[pushgo]`` table of a directory file (DESIGN §6)."""

import msgspec

from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed
from onebell.dialects.pushgo.channel_id import canonical
from onebell.dialects.pushgo.check import PASSWORD_BYTES
from onebell.dialects.pushgo.gateway import TOKEN_BYTES

NAME_CHARS = 128


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One channel."""

    channel_id: str
    name: str
    password: str
    subscribers: list[str] = []  # uids of people who read it in the inbox


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything PushGo of one space."""

    gateway_token: str = ""  # empty: the channel password is the only secret
    channels: list[Channel] = []


def wanted(section: Section) -> list[Wanted]:
    """What the table asks for.

    Raises:
        Problem: a value breaks a rule of sheet pushgo §1.2, §1.6, §2.4.
    """
    objects: list[Wanted] = []
    if section.gateway_token:
        objects.append(_gateway(section.gateway_token))
    taken: set[str] = set()
    for number, channel in enumerate(section.channels):
        where = f"pushgo.channels[{number}]"
        code = canonical(channel.channel_id)
        if code is None:
            raise Problem(f"{where}.channel_id", "is no channel id: 26 digits of Crockford base32 are needed")
        if code in taken:
            raise Problem(f"{where}.channel_id", "stands here a second time")
        taken.add(code)
        objects.extend(_channel(where, code, channel))
    return objects


def _gateway(token: str) -> WantedCredential:
    if len(token) > TOKEN_BYTES or not token.isascii() or not token.isprintable() or " " in token:
        raise Problem("pushgo.gateway_token", f"must be 1 to {TOKEN_BYTES} ASCII characters without blanks")
    return WantedCredential(dialect="pushgo", kind="gateway", name="gateway", value=token)


def _channel(where: str, code: str, channel: Channel) -> list[Wanted]:
    name = channel.name.strip()
    if not 1 <= len(name) <= NAME_CHARS or not name.isprintable():
        raise Problem(f"{where}.name", f"must have 1 to {NAME_CHARS} printable characters")
    password = channel.password.strip()
    if not PASSWORD_BYTES[0] <= len(password.encode()) <= PASSWORD_BYTES[1]:
        raise Problem(f"{where}.password", "must have 8 to 128 bytes")
    return [
        WantedFeed(dialect="pushgo", kind="channel", code=code, name=name, members=tuple(channel.subscribers)),
        WantedCredential(dialect="pushgo", kind="channel", name=code, password=password, feed=("channel", "", code)),
    ]
