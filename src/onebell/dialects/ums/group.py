"""A channel group and what hangs on it, as the directory keeps them (sheet jpush-ums §0, §1.5, §3, §4, §5.1).

Credential ``channel_group``: name = ChannelKey, value = ``ChannelKey:MasterSecret``, settings = :class:`Group`.
Credential ``access``: value = ``AccessKey:secret``. Feed ``channel``: code = ChannelKey. Records: ``segment``,
``black_list``, ``white_list``, ``strategy``, keyed by their id.
"""

import base64
import binascii

import msgspec

CALLS_PER_MINUTE = 600
BROADCASTS_PER_DAY = 10
STATUSES = (0, 1, 2, 3, 4, 5, 6, 7, 8)
DIALECT = "ums"
CHANNEL_GROUP = "channel_group"
ACCESS = "access"
SEGMENT = "segment"
BLACK_LIST = "black_list"
WHITE_LIST = "white_list"
STRATEGY = "strategy"
INBOX = "inbox"


class CarrierUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A carrier that the group may use."""

    type: str  # carrier type of UMS
    carrier: str  # code of the carrier account; "inbox" = the inbox is the app channel
    channel_code: str = ""  # binding id in user data; empty = the carrier's code


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of Asia/Shanghai in which nothing is taken; ``to`` before ``from`` means the next morning."""

    start: str = msgspec.field(name="from")  # "HH:MM"
    to: str

    def holds(self, minute: str) -> bool:
        """Whether a minute ("HH:MM") lies in it."""
        if self.start <= self.to:
            return self.start <= minute < self.to
        return minute >= self.start or minute < self.to


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of a channel group."""

    carriers: tuple[CarrierUse, ...] = ()
    callback_urls: tuple[str, ...] = ()  # verified; the first is the default
    callback_statuses: tuple[int, ...] = STATUSES
    enabled: bool = True
    expires_ms: int = 0  # 0 = never
    calls_per_minute: int = CALLS_PER_MINUTE  # 0 = off
    broadcasts_per_day: int = BROADCASTS_PER_DAY  # a day of Asia/Shanghai; 0 = off
    sensitive_words: tuple[str, ...] = ()
    do_not_disturb: Window | None = None
    black_lists: bool = True
    white_lists: bool = True

    def use(self, kind: str) -> CarrierUse | None:
        """The carrier of a type: the first one where there are several (sheet §3.2)."""
        return next((use for use in self.carriers if use.type == kind), None)

    def kind_of(self, account_code: str) -> str:
        """The carrier type that an account serves; empty = none."""
        return next((use.type for use in self.carriers if use.carrier == account_code), "")


class Segment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored set of users: a saved query, evaluated when a message is sent."""

    name: str = ""
    any_tags: tuple[str, ...] = ()
    attributes: dict[str, str] = {}


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """A black or white list."""

    people: tuple[str, ...]  # uids


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a strategy."""

    carriers: tuple[str, ...]  # carrier types
    wait_s: int = 0  # before the next step; 0 on the last one
    advance_if: str = ""  # not_delivered | not_clicked; empty on the last one


class Strategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``rule_id`` names."""

    channel_key: str
    steps: tuple[Step, ...]
    name: str = ""
    enabled: bool = True

    @property
    def kinds(self) -> frozenset[str]:
        """All carrier types of its steps."""
        return frozenset(kind for step in self.steps for kind in step.carriers)


def basic_pair(header: str) -> str:
    """``user:password`` of a Basic header; empty when it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return pair if ":" in pair else ""


def basic_header(pair: str) -> str:
    """The Basic header of ``user:password``."""
    return "Basic " + base64.b64encode(pair.encode()).decode()
