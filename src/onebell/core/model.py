"""The words of the core as frozen structs: what a dialect hands in, what a carrier gets.

A dialect's parser returns a :class:`Submission`: complete, in these words, never asked about again.
"""

from enum import Enum, IntEnum
from typing import Any, TypeAlias

import msgspec

from onebell.core.events import EventKind


class Severity(IntEnum):
    """The one severity scale (DESIGN §5)."""

    MIN = 1
    LOW = 2
    NORMAL = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        """``min low normal high critical``."""
        return self.name.lower()


class Keep(Enum):
    """How long a message lives."""

    STORED = "stored"
    """Until its retention ends."""
    WHILE_ONLINE = "while_online"
    """Entries only for mailboxes with a live session; expires after 60 s; no history, no carriers."""
    HISTORY = "history"
    """It happened before: it waits for no device, goes over no carrier, and counts as delivered and read."""
    UNREAD_HISTORY = "unread_history"
    """Likewise, but nobody has read it yet."""


class Shown(IntEnum):
    """Whom an entry is for."""

    PERSON = 0
    """A person reads it in his inbox."""
    PROGRAM = 1
    """Only programs that speak the dialect's client protocol get it (Easemob commands); no inbox shows it."""
    SIGNAL = 2
    """Likewise, and it is no message itself: it tells what became of one (Easemob acks, recalls, edits)."""


class Format(Enum):
    """What ``Content.body`` is written in."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"
    """CommonMark with tables and inline HTML; a single newline breaks the line."""
    WECOM_MARKDOWN = "wecom-md"
    """WeCom's subset: headings, bold, links, inline code, quotes, ``<font color>`` (sheet wecom §2.3)."""


class FeedKind(Enum):
    """Kinds of places that messages go to (DESIGN §1)."""

    TOPIC = "topic"
    CHANNEL = "channel"
    GROUP = "group"
    BLACKBOARD = "blackboard"
    DIRECT = "direct"


class PartyKind(Enum):
    """Kinds of writers and readers (DESIGN §1)."""

    PERSON = "person"
    BOT = "bot"
    SYSTEM = "system"
    NAME = "name"
    """A name that nobody has claimed yet (Easemob)."""
    DEVICE = "device"
    """A device that nobody owns (PushGo)."""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A file that goes with a message: either stored here or at a URL."""

    name: str = ""  # file name as shown, without directories
    type: str = ""  # media type
    url: str = ""  # where it is when it is not stored here
    file: int = 0  # id of a stored file; 0 = none
    size: int = 0  # bytes; 0 = unknown


class Kind(Enum):
    """What a message is to its reader."""

    MESSAGE = "message"
    """A notice with a title and a body, as APIs send it."""
    TEXT = "text"
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"
    LOCATION = "location"
    CUSTOM = "custom"
    """Something that the two sides' own programs understand."""
    COMMAND = "command"


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the earth, in degrees."""

    lat: float
    lng: float
    address: str


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """What the sides' own programs understand."""

    event: str
    exts: dict[str, str]


class Talk(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What somebody says in a conversation, besides the words that stand in the body."""

    kind: Kind
    file: Attachment | None = None  # the picture, recording, film or file; carriers send only the words
    location: Location | None = None
    duration_s: int = 0  # of a recording or film; 0 = unknown
    custom: Custom | None = None
    edited_ms: int = 0  # when it was changed last; 0 = never


class Button(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something to press: opens a URL, or reports ``key``/``value`` as an interaction."""

    text: str
    url: str = ""
    key: str = ""
    value: str = ""
    replace_text: str = ""  # label after the press, for the person who pressed


class Content(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The neutral form of a message, which every carrier can render."""

    title: str = ""
    body: str = ""
    format: Format = Format.TEXT
    body_file: int = 0  # id of a stored file with the whole body, of which ``body`` is the beginning; 0 = body is all
    summary: str = ""  # plain text for notifications; empty = derived from body
    url: str = ""  # opened by a click
    icon: str = ""  # URL
    images: tuple[str, ...] = ()  # URLs
    attachments: tuple[Attachment, ...] = ()
    buttons: tuple[Button, ...] = ()
    tags: tuple[str, ...] = ()
    extension: bool = False  # its readers' browser extensions show it too
    card: dict[str, Any] | None = None  # a structured card, kept as the sender wrote it
    talk: Talk | None = None  # what was said in a conversation; None = a notice
    data: dict[str, Any] = {}  # what else the sender gave, for the dialect's own readers and for webhooks


class Part(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Content and the carriers it is for."""

    content: Content
    carriers: tuple[str, ...] = ()  # codes of carrier accounts, and "inbox"; empty = inbox and each person's routes
    native: dict[str, Any] = {}  # carrier kind → payload that this kind sends as it is instead of rendering
    only: tuple[int, ...] = ()  # when not empty: of the people named at acceptance, only these get it over carriers


class Members(msgspec.Struct, frozen=True, tag="members", kw_only=True):
    """Everyone who belongs to a feed."""

    feed: int
    only: tuple[int, ...] = ()  # when not empty: these of them (WeCom visible_to_user)
    exclude: tuple[int, ...] = ()  # and none of these (PushPlus: who receives nothing)


class People(msgspec.Struct, frozen=True, tag="people", kw_only=True):
    """These parties (person ids, or ids of names and devices: a mailbox has its owner's id)."""

    feed: int
    ids: tuple[int, ...]
    over: tuple[str, ...] = ()  # when not empty: only over these carriers, whatever the parts name (UMS aud_app)


class Addresses(msgspec.Struct, frozen=True, tag="addresses", kw_only=True):
    """Raw addresses on one carrier account, with nobody known behind them."""

    carrier: str  # code of the carrier account
    values: tuple[str, ...]


class PeopleQuery(msgspec.Struct, frozen=True, tag="query", kw_only=True, omit_defaults=True):
    """People found by the database at acceptance: broadcasts, tags, segments, lists.

    All given conditions must hold (intersection); each is a union of its own values.
    """

    feed: int
    uids: tuple[str, ...] | None = None  # compared without case
    any_tags: tuple[tuple[str, str], ...] | None = None  # (tag, scope): scope decided by the dialect
    more_tags: tuple[tuple[tuple[str, str], ...], ...] = ()  # further unions like any_tags; each must hold too
    attributes: tuple[tuple[str, str], ...] = ()  # (key, value): every one must be equal
    exclude: tuple[int, ...] = ()  # person ids (black list)
    include: tuple[int, ...] | None = None  # person ids (white list)


Audience: TypeAlias = Members | People | Addresses | PeopleQuery


class Sender(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who writes. ``party`` is the id of a row in ``party``."""

    party: int
    kind: PartyKind
    name: str = ""  # as shown


class IdempotencyKey(msgspec.Struct, frozen=True, kw_only=True):
    """A repeat with the same key gets the first one's receipt and stores nothing."""

    scope: str  # the dialect, its credential and whatever else the sheet scopes it by
    key: str
    keep_s: int  # how long it is remembered
    fingerprint: str = ""  # hash of the payload; when both are given and differ: Conflict (native API only)


class GuardUse(msgspec.Struct, frozen=True, kw_only=True):
    """An exact limit that is checked and charged in the accepting transaction: a quota, a window, points."""

    key: str  # names the guard in the space, e.g. "ums:broadcast:<key>:2026-11-21"
    amount: int = 1
    limit: int  # used + amount must not exceed it
    keep_s: int = 172_800  # how long the row is kept after its last use


class CallbackTarget(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who is told about this message's events, besides what the dialect knows by itself."""

    url: str = ""  # from the request: public addresses and space.allow_callbacks only
    params: dict[str, Any] = {}  # echoed by the dialect


class FirstEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is true of a watched message from the start and only the dialect knows (UMS: a userid that nobody has)."""

    kind: EventKind
    person: int = 0  # 0 = none
    data: dict[str, Any] = {}


IN_THE_PAGE = -1
"""Stands for the device where a person wrote in his inbox: he did it himself, on none that needs no copy."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A complete message as a dialect's parser returns it."""

    space: int
    dialect: str
    public_id: str  # unique in the dialect
    sender: Sender
    audience: tuple[Audience, ...]
    parts: tuple[Part, ...]
    credential: int = 0  # id of the credential that was shown
    severity: Severity = Severity.NORMAL
    keep: Keep = Keep.STORED
    parent: int = 0  # message id of what it replies to
    mentions: tuple[int, ...] = ()  # person ids
    due_ms: int = 0  # not before this instant; 0 = now
    happened_ms: int = 0  # when, for what is kept as history; 0 = now
    expires_ms: int = 0  # deliveries that have not started by then are skipped; 0 = the carriers' max_age
    idempotency: IdempotencyKey | None = None
    guards: tuple[GuardUse, ...] = ()
    callback: CallbackTarget | None = None
    watched: bool = False  # events of this message are packed into callbacks by the dialect
    inbox_suffices: bool = False  # FINISHED is told once it is in an inbox, whatever else is on its way (PushPlus)
    events: tuple[FirstEvent, ...] = ()  # stored with the message when it is watched
    scopes: tuple[str, ...] = ("all",)  # whose addresses of a person count, the best first (UMS: ChannelKey, all)
    priority: int = 0  # place in the delivery queue, 1 … 5 as Severity; 0 = by severity
    numbered: bool = False  # each entry gets a public id that increases in its mailbox (Easemob)
    copy_to_sender: bool = False  # an outgoing entry in the sender's own mailbox, unless he is a receiver himself
    silent: bool = False  # inbox only, no carrier (Easemob em_ignore_notification)
    shown: Shown = Shown.PERSON
    device: int = 0  # it was written on this device, which needs no copy of it; 0 = on none, or ``IN_THE_PAGE``
    quiet_through: bool = False  # comes through quiet hours (Easemob em_force_notification)
    extra: dict[str, Any] = {}  # the dialect's own memory of the request, for answers, lists and callbacks


class EntryRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message landed."""

    mailbox: int  # = the owner's party id
    seq: int  # 0 = nowhere: its owner was not online, and it was only for who is
    public_id: str = ""  # only for numbered submissions


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that a message is stored; only a committed transaction makes one."""

    message: int  # internal id
    public_id: str
    repeated: bool = False  # the first one's receipt, under the same idempotency key
    entries: tuple[EntryRef, ...] = ()  # only for numbered submissions, in audience order
    extra: dict[str, Any] = {}  # the first submission's ``extra`` when repeated
