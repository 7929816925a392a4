"""What inbox items look like in JSON."""

from typing import Literal, TypeAlias

import msgspec

KindOf: TypeAlias = Literal[
    "message", "text", "image", "voice", "video", "file", "location", "custom", "command"
]  # core.model.Kind


class FeedRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message was sent to."""

    id: str
    kind: str
    name: str
    code: str


class SenderRef(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote."""

    name: str
    kind: str


class AttachmentRef(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with a message."""

    name: str
    type: str
    size: int  # bytes; 0 = unknown
    url: str


class ActionRef(msgspec.Struct, frozen=True, kw_only=True):
    """A button: opens ``url``, or reports ``key`` and ``value``."""

    text: str
    url: str
    key: str
    value: str
    replace_text: str  # label after the press


class LocationRef(msgspec.Struct, frozen=True, kw_only=True):
    """A place, in degrees."""

    lat: float
    lng: float
    address: str


class CustomRef(msgspec.Struct, frozen=True, kw_only=True):
    """What the two sides' own programs understand."""

    event: str
    exts: dict[str, str]


class MessageBody(msgspec.Struct, frozen=True, kw_only=True):
    """What all readers of a message share."""

    message_id: str
    dialect: str
    sender: SenderRef
    title: str
    body: str  # as written, in ``format``
    format: str
    summary: str
    html: str  # sanitised
    text: str
    severity: str
    url: str
    icon: str
    images: tuple[str, ...]
    tags: tuple[str, ...]
    extension: bool  # for the browser extension: it shows what carries this
    attachments: tuple[AttachmentRef, ...]
    actions: tuple[ActionRef, ...]
    created_at: str
    expires_at: str | None
    kind_of: KindOf  # what somebody said in a conversation; of all else "message"
    location: LocationRef | None
    duration_s: int | None  # of a recording or film, where it is known
    custom: CustomRef | None
    edited_at: str | None


class EntryItem(MessageBody, frozen=True, kw_only=True, tag_field="kind", tag="entry"):
    """A message in the mailbox, as it is now."""

    rev: int
    seq: int
    feed: FeedRef
    direction: Literal["in", "out"]
    mentioned: bool
    entry_id: str | None  # where the dialect gives every receiver an id of his own
    read_at: str | None
    delivered_at: str | None  # outgoing, in a conversation: a device of the other side has it
    seen_at: str | None  # outgoing, in a conversation: the other side has read it
    recalled_at: str | None  # a recalled message has no content any more
    answers: dict[str, str]  # key → value of the actions that the reader pressed


class RemovedItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="removed"):
    """An entry that is gone."""

    rev: int
    seq: int


class ReadUpToItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="read_up_to"):
    """Every entry up to ``seq`` was read at ``at``."""

    rev: int
    seq: int
    at: str


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a mailbox, and what every frame of a stream is."""

    items: tuple[EntryItem | RemovedItem | ReadUpToItem, ...]
    next: int  # ask for what comes ``after`` this rev
    gap: bool  # changes before this page can no longer be told: load the history anew
    more: bool = False  # another page follows at once (not in streams)
