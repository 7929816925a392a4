"""Webhook types and the carrier accounts that they stand for (sheet pushplus §2, §5.1)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

Fields: TypeAlias = Mapping[str, Any]

HIDDEN = "******"
"""Stands for what is secret in an address that the operator configured."""
CORP_APP = 6
CUSTOM = 12
"""The type that has a method, headers and a body of its own."""

_KEYED = re.compile(r"(?P<base>https?://[^?#]+?)/(?P<key>[^/?#]+)/?", re.IGNORECASE)
_SERVER_CHAN = re.compile(r"(?P<base>https?://[^?#]+?)(?:/send)?/(?P<key>[^/?#]+)\.send", re.IGNORECASE)
_GOTIFY = re.compile(r"(?P<base>https?://[^?#]+?)/message/?\?[^#]*", re.IGNORECASE)


class BadUrl(ValueError):
    """An address that is not one of the type's."""


class Kind(msgspec.Struct, frozen=True):
    """One webhookType."""

    name: str  # webhookTypeName
    carrier: str
    fields: Callable[[str], dict[str, Any]]
    """The account's fields out of a webhookUrl. Raises: BadUrl."""


def _whole(url: str) -> dict[str, Any]:
    return {"url": url}


def _server_chan(url: str) -> dict[str, Any]:
    found = _matched(_SERVER_CHAN, url)
    # The service's own address follows from the key.
    is_official = (urlsplit(url).hostname or "").endswith((".ftqq.com", ".ft07.com"))
    return {"sendkey": found["key"]} | ({} if is_official else {"base_url": found["base"]})


def _bark(url: str) -> dict[str, Any]:
    found = _matched(_KEYED, url)
    return {"device_key": found["key"], "base_url": found["base"]}


def _gotify(url: str) -> dict[str, Any]:
    found = _matched(_GOTIFY, url)
    tokens = parse_qs(urlsplit(url).query).get("token")
    if not tokens:
        raise BadUrl
    return {"base_url": found["base"], "token": tokens[0]}


def _matched(pattern: re.Pattern[str], url: str) -> re.Match[str]:
    found = pattern.fullmatch(url)
    if found is None:
        raise BadUrl
    return found


KINDS: Mapping[int, Kind] = {
    1: Kind("企业微信机器人", "wecom_bot", _whole),
    2: Kind("钉钉机器人", "dingtalk_bot", _whole),
    3: Kind("飞书机器人", "feishu_bot", _whole),
    4: Kind("Server酱", "serverchan", _server_chan),
    50: Kind("bark", "bark", _bark),
    CORP_APP: Kind("企业微信应用", "wecom_app", _whole),
    7: Kind("腾讯轻联", "hiflow", _whole),
    8: Kind("IFTTT", "ifttt", _whole),
    9: Kind("集简云", "jijyun", _whole),
    10: Kind("Gotify", "gotify", _gotify),
    11: Kind("WxPusher", "wxpusher", _whole),
    CUSTOM: Kind("自定义", "http_template", _whole),
}
_BY_CARRIER = {kind.carrier: number for number, kind in KINDS.items()}


def type_of(carrier: str) -> int:
    """The type that a kind of carrier is shown as; one that PushPlus does not know is of one's own making."""
    return _BY_CARRIER.get(carrier, CUSTOM)


def masked(fields: Fields) -> str:
    """An operator's address without what is secret in it."""
    parts = urlsplit(str(fields.get("url") or fields.get("base_url") or ""))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}" if parts.netloc else HIDDEN
