"""The checks that need nothing but the request: E6 to E9, E12, E13, E16 of the sheet (pushplus §1.5)."""

import re
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.dialects.pushplus.fields import Fields
from onebell.dialects.pushplus.limits import Profile
from onebell.dialects.pushplus.templates import CANONICAL, FORMS

DEFAULT_CHANNEL = "wechat"
MAX_CHANNELS = 5  # of one /batchSend
URL_CHARS = 4096
"""Of callbackUrl and icon: a longer one is as good as none, and a message's row has no room for it."""
ID_CHARS = 128
"""Of one receiver in ``to``: nobody's token or WeCom user id is as long, so its beginning tells as much."""

# Lua and PHP write a number of milliseconds as 1.632993318e+12.
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,19})?(?:[eE]\+?[0-9]{1,2})?")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way that PushPlus knows (sheet §5)."""

    name: str
    inbox_only: bool = False
    kinds: frozenset[str] | None = frozenset()
    """Kinds of carrier accounts that its config code may name; empty = it takes no code; None = any but mail."""
    code_required: bool = False
    site: str = ""
    """Key of the site's own account, which serves when no code is named."""
    points: int = 0  # what each message costs where points are kept
    takes_friends: bool = True
    """Whether ``to`` holds friend tokens; else it is void, or means something else."""
    to_account: bool = False
    """The message goes to the account's own receivers: a topic is void."""


CHANNELS = {
    channel.name: channel
    for channel in (
        Channel(name="wechat"),
        Channel(name="extension", inbox_only=True),
        Channel(name="app", inbox_only=True),
        Channel(name="mail", kinds=frozenset({"smtp"}), site="default_mail"),
        Channel(name="webhook", kinds=None, code_required=True, takes_friends=False, to_account=True),
        Channel(name="cp", kinds=frozenset({"wecom_app"}), code_required=True, takes_friends=False, to_account=True),
        # The seed names the channels of ``to``: wechat, mail and cp; text messages are not among them.
        Channel(name="sms", site="default_sms", points=10, takes_friends=False),
    )
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What all channels of one request share, checked as far as the request alone allows."""

    title: str
    content: str
    template: str  # canonical
    topic: str
    to: tuple[str, ...]  # friend tokens, WeCom user ids under cp; cut to the profile's cap
    pre: str
    callback_url: str  # an http(s) URL or empty
    has_callback: bool  # the request named one, usable or not
    timestamp: str
    icon: str  # an http(s) URL or empty


def asked(fields: Fields, profile: Profile) -> Asked:
    """Check content, lengths and template.

    Raises:
        Rejected: E6, E7, E8, E16, in this order.
    """
    if not fields.content:
        raise Rejected(Fault.CONTENT_ABSENT)
    if len(fields.title) > profile.title_chars:
        raise Rejected(Fault.TITLE_TOO_LONG, profile.title_chars)
    if len(fields.content) > profile.content_chars:
        raise Rejected(Fault.CONTENT_TOO_LONG, profile.content_chars)
    return Asked(
        title=fields.title.strip(),
        content=fields.content,
        template=_template(fields),
        topic=fields.topic.strip(),
        to=_friends(fields.to, profile.to_friends) if fields.to else (),
        pre=fields.pre.strip(),
        callback_url=_http_url(fields.callback_url.strip()) if fields.callback_url else "",
        has_callback=bool(fields.callback_url),
        timestamp=fields.timestamp.strip(),
        icon=_http_url(fields.icon.strip()) if fields.icon else "",
    )


def channel_of(name: str) -> Channel:
    """A channel by its name, matched without case.

    Raises:
        Rejected: E9.
    """
    channel = CHANNELS.get(_canonical(name))
    if channel is None:
        raise Rejected(Fault.CHANNEL_UNKNOWN)
    return channel


def check_time(timestamp: str, now_ms: int) -> None:
    """A message whose time has passed is not sent; ``timestamp`` is milliseconds as text, empty = no limit.

    Raises:
        Rejected: E13, E12.
    """
    if not timestamp:
        return
    at_ms = Decimal(timestamp) if _NUMBER.fullmatch(timestamp) else None
    if at_ms is None or at_ms != at_ms.to_integral_value():
        raise Rejected(Fault.TIMESTAMP_MALFORMED)
    if at_ms < now_ms:
        raise Rejected(Fault.TIMESTAMP_PAST)


def batch_channels(fields: Fields) -> list[tuple[str, str]]:
    """The (channel, config code) pairs of ``/batchSend``, matched by position; codes may be missing.

    Raises:
        Rejected: more than five channels.
    """
    names = [name.strip() for name in fields.channel.split(",")]
    codes = [code.strip() for code in (fields.option or fields.webhook).split(",")]
    # A comma too many is no channel: the default one would get the message a second time.
    pairs = [(_canonical(name), codes[no] if no < len(codes) else "") for no, name in enumerate(names) if name]
    if len(pairs) > MAX_CHANNELS:
        raise Rejected(Fault.TOO_MANY_CHANNELS)
    return pairs or [(DEFAULT_CHANNEL, codes[0])]


def _canonical(name: str) -> str:
    known = name.strip().lower()
    return known if known in CHANNELS else name.strip()


def _template(fields: Fields) -> str:
    name = fields.template.strip()
    if name.lower() in FORMS:
        if not fields.push_id:
            raise Rejected(Fault.FORM_WITHOUT_ID, name.lower())
        raise Rejected(Fault.FORM_NOT_BUILT)
    # An unknown template is shown as html: a script that works must not break.
    return CANONICAL.get(name.lower(), "html")


def _friends(to: str, cap: int) -> tuple[str, ...]:
    # Trim, drop empties, merge duplicates, cut: the rest is silently dropped (sheet §1.5).
    tokens = dict.fromkeys(token.strip()[:ID_CHARS] for token in to.split(","))
    tokens.pop("", None)
    return tuple(tokens)[:cap]


def _http_url(text: str) -> str:
    if not text or len(text) > URL_CHARS:
        return ""
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        return ""
    return text if usable else ""
