"""The ``[wecom]`` table of a directory file (DESIGN §6)."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.wecom.bot import PROFILES, TEXT_BYTES, Rates

_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CHATID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")


class Chat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group or a blackboard."""

    chatid: str
    name: str
    members: list[str] = []  # uids


class Callback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the owner of a bot is told what people do (sheet wecom §5.1)."""

    url: str
    token: str
    aes_key: str
    format: Literal["xml", "json"] = "xml"


class BotTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One bot."""

    key: str
    name: str
    groups: list[str] = []
    blackboards: list[str] = []
    subscription_scope: list[str] = []  # uids it may message one to one
    callback: Callback | None = None


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything WeCom of one space."""

    profile: Literal["beta", "public"] = "beta"  # whose rates hold (sheet wecom §3.3)
    rates: Rates | None = None  # instead of the profile's
    text_bytes: int = TEXT_BYTES  # of text.content
    groups: list[Chat] = []
    blackboards: list[Chat] = []
    bots: list[BotTable] = []


def wanted(section: Section) -> list[Wanted]:
    """What the table asks for.

    Raises:
        Problem: a value breaks a rule of sheet wecom §1, §5.1, or a bot names a chat that is not in the file.
    """
    if section.text_bytes < 1:
        raise Problem("wecom.text_bytes", "must be at least 1")
    _check_chats(section)
    objects: list[Wanted] = []
    for kind, chats in (("group", section.groups), ("blackboard", section.blackboards)):
        objects.extend(
            WantedFeed(dialect="wecom", kind=kind, code=chat.chatid, name=chat.name, members=tuple(chat.members))
            for chat in chats
        )
    for number, bot in enumerate(section.bots):
        objects.extend(_bot(f"wecom.bots[{number}]", bot, section))
    _check_once("wecom.bots", "name", [bot.name for bot in section.bots])
    _check_once("wecom.bots", "key", [bot.key for bot in section.bots])
    return objects


def _check_chats(section: Section) -> None:
    taken: set[str] = set()
    for table, chats in (("groups", section.groups), ("blackboards", section.blackboards)):
        for number, chat in enumerate(chats):
            if not _CHATID.fullmatch(chat.chatid):
                raise Problem(f"wecom.{table}[{number}].chatid", "must be 1 to 64 of A-Z a-z 0-9 _ -")
            if chat.chatid in taken:
                raise Problem(f"wecom.{table}[{number}].chatid", "stands here a second time")
            taken.add(chat.chatid)


def _check_once(where: str, field: str, values: Sequence[str]) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise Problem(f"{where}[{number}].{field}", "stands here a second time")


def _bot(where: str, bot: BotTable, section: Section) -> list[Wanted]:
    if not _KEY.fullmatch(bot.key):
        raise Problem(f"{where}.key", "must be 16 to 64 of A-Z a-z 0-9 _ -; clients want a UUID")
    if not bot.name.strip():
        raise Problem(f"{where}.name", "must not be empty")
    _check_known(f"{where}.groups", bot.groups, section.groups)
    _check_known(f"{where}.blackboards", bot.blackboards, section.blackboards)
    settings = {
        "groups": bot.groups,
        "blackboards": bot.blackboards,
        "subscription_scope": bot.subscription_scope,
        "text_bytes": section.text_bytes,
        "rates": msgspec.structs.asdict(section.rates or PROFILES[section.profile]),
    }
    credential = WantedCredential(dialect="wecom", kind="bot", name=bot.name, value=bot.key, settings=settings)
    return [credential] if bot.callback is None else [credential, _callback(where, bot.name, bot.callback)]


def _check_known(where: str, codes: Iterable[str], chats: Sequence[Chat]) -> None:
    known = {chat.chatid for chat in chats}
    for number, code in enumerate(codes):
        if code not in known:
            raise Problem(f"{where}[{number}]", f"{code} is not in this file")


def _callback(where: str, bot: str, callback: Callback) -> WantedRecord:
    if not callback.url.startswith(("http://", "https://")):
        raise Problem(f"{where}.callback.url", "must begin with http:// or https://")
    if not _TOKEN.fullmatch(callback.token):
        raise Problem(f"{where}.callback.token", "must be 3 to 32 letters and digits")
    if not _AES_KEY.fullmatch(callback.aes_key):
        raise Problem(f"{where}.callback.aes_key", "must be 43 letters and digits")
    return WantedRecord(
        dialect="wecom",
        kind="callback",
        key=bot,
        data={"url": callback.url, "format": callback.format},
        secrets={"token": callback.token, "aes_key": callback.aes_key},
    )
