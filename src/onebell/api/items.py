"""Inbox items as JSON. A message's part is encoded once for all its readers; only the small head is an entry's own."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import structlog

from onebell.api.shapes import (
    ActionRef,
    AttachmentRef,
    CustomRef,
    FeedRef,
    LocationRef,
    MessageBody,
    ReadUpToItem,
    RemovedItem,
    SenderRef,
)
from onebell.clock import iso
from onebell.core.bell import Mark, StoredMessage
from onebell.core.bodies import whole
from onebell.core.context import Files
from onebell.core.inbox import Entry, Item, Removed, rev_of, shown_part, unpack
from onebell.core.mailbox import EntryRow
from onebell.core.model import Attachment, Button, Content, Custom, Kind, Location, Part, Severity, Talk
from onebell.core.reader import Tail
from onebell.core.render import render
from onebell.errors import StoreUnavailable
from onebell.http.exchange import Answer

log = structlog.get_logger()

CACHE_BYTES = 8 * 1024 * 1024
"""Encoded messages that are kept for the next reader."""
LOOP_BYTES = 16 * 1024
"""A longer body is rendered on a thread: sanitising it would hold up every reader of this node."""
_BODY_FILE = b'"body_file"'
_DIRECTIONS = ("in", "out")
_Key: TypeAlias = tuple[int, bytes]

_encode = msgspec.json.Encoder().encode
_NOTHING = Content()
_NOTICE = Talk(kind=Kind.MESSAGE)
_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class ItemEncoder:
    """Encodes items (``core.stream.Encoder``)."""

    def __init__(self, file_url: Callable[[int, int], str], files: Files) -> None:
        """``file_url`` gives the address of a stored file from its space and id."""
        self._file_url = file_url
        self._files = files
        self._tails: OrderedDict[_Key, Tail] = OrderedDict()
        self._prepared: dict[_Key, Tail] = {}
        self._cached = 0

    # ------------------------------------------------------------ live

    def message(self, message: StoredMessage) -> Tail | None:
        """The shared part of a new message; None when it is long, or does not let itself be rendered."""
        part = shown_part(message.parts)
        if part is None or part.content.body_file or len(part.content.body) > LOOP_BYTES:
            return None
        try:
            return self._encode_tail(_row_of(message), part)
        except Exception:
            # The stream falls back to the store's copy, where the same defect costs this one message.
            log.exception("message_unreadable", message=message.id)
            return None

    def live(self, mark: Mark, feed: str, tail: Tail) -> str:
        """The frame of a new entry: nobody has read it, nothing has happened to it."""
        entry_id = f'"{mark.public_id}"' if mark.public_id else "null"
        return (
            f'{{"items":[{{"kind":"entry","rev":{mark.rev},"seq":{mark.seq},"feed":{feed},'
            f'"direction":"{_DIRECTIONS[mark.direction]}","mentioned":{"true" if mark.mentioned else "false"},'
            f'"entry_id":{entry_id},"read_at":null,"delivered_at":null,"seen_at":null,"recalled_at":null,"answers":{{}},{tail.text}],"next":{mark.rev},"gap":false}}'
        )

    def feed(self, entry: Entry) -> str:
        """An entry's feed."""
        row = entry.row
        feed = FeedRef(id=str(row.feed), kind=row.feed_kind or "", name=row.feed_name or "", code=row.feed_code or "")
        return _encode(feed).decode()

    # ------------------------------------------------------------ from the store

    def item(self, item: Item) -> str:
        """Any item."""
        if isinstance(item, Entry):
            return self._entry(item)
        if isinstance(item, Removed):
            return _encode(RemovedItem(rev=item.rev, seq=item.seq)).decode()
        return _encode(ReadUpToItem(rev=item.rev, seq=item.seq, at=iso(item.at))).decode()

    def frame(self, item: Item) -> str:
        """An item as a page of its own, which is what streams carry."""
        return f'{{"items":[{self.item(item)}],"next":{rev_of(item)},"gap":false}}'

    def page(self, items: Sequence[Item], position: int, *, gap: bool, more: bool) -> Answer:
        """A page as an answer."""
        inner = ",".join(map(self.item, items))
        said = ("false", "true")
        text = f'{{"items":[{inner}],"next":{position},"gap":{said[gap]},"more":{said[more]}}}'
        return Answer(200, text.encode(), list(_HEADERS))

    def gap(self, rev: int) -> str:
        """The stream begins anew at ``rev``: what was missed is in the history."""
        return f'{{"items":[],"next":{rev},"gap":true}}'

    async def prepare(self, items: Sequence[Item]) -> None:
        """Render what is long on a thread, with the whole of its body. Must be awaited before these items are encoded,
        and nothing else between."""
        rows = {_key(item.row): item.row for item in items if isinstance(item, Entry) and _is_long(item.row)}
        prepared: dict[_Key, Tail] = {}
        for key, row in rows.items():
            prepared[key] = self._tails.get(key) or await self._made(key, row)
        # Not the cache alone: a page may be larger than it.
        self._prepared = prepared

    async def _made(self, key: _Key, row: EntryRow) -> Tail:
        try:
            whole_row = await self._whole(row)
        except (StoreUnavailable, msgspec.MsgspecError):
            # One file that cannot be read must not hold up all readers; the next one tries again.
            log.warning("body_unreadable", message=row.message)
            return await asyncio.to_thread(self._make, row)
        tail = await asyncio.to_thread(self._make, whole_row)
        self._keep(key, tail)
        return tail

    async def _whole(self, row: EntryRow) -> EntryRow:
        parts = _parts_of(row)
        if _BODY_FILE not in parts or (part := shown_part(unpack(parts))) is None:
            return row
        content = await whole(self._files, row.space, part.content)
        packed = _encode((msgspec.structs.replace(part, content=content),))
        return msgspec.structs.replace(row, parts=packed)

    def _entry(self, entry: Entry) -> str:
        row = entry.row
        entry_id = f'"{row.public_id}"' if row.public_id else "null"
        return (
            f'{{"kind":"entry","rev":{row.rev},"seq":{row.seq},"feed":{self.feed(entry)},'
            f'"direction":"{_DIRECTIONS[row.direction]}","mentioned":{"true" if row.mentioned else "false"},'
            f'"entry_id":{entry_id},"read_at":{_instant(entry.read_at)},'
            f'"delivered_at":{_instant(row.delivered_at)},"seen_at":{_instant(row.seen_at)},'
            f'"recalled_at":{_instant(row.recalled_at)},"answers":{_answers(row)},{self._tail(row).text}'
        )

    def _tail(self, row: EntryRow) -> Tail:
        """The shared part of a stored message, from the cache while its parts are the same."""
        key = _key(row)
        known = self._prepared.get(key) or self._tails.get(key)
        if known is None:
            known = self._make(row)
            self._keep(key, known)
        return known

    def _make(self, row: EntryRow) -> Tail:
        try:
            return self._encode_tail(row, shown_part(unpack(_parts_of(row))))
        except Exception:
            log.exception("message_unreadable", message=row.message)
            return self._encode_tail(row, None)

    def _keep(self, key: _Key, tail: Tail) -> None:
        if key in self._tails:
            return
        self._tails[key] = tail
        self._cached += tail.size
        while self._cached > CACHE_BYTES and self._tails:
            _, old = self._tails.popitem(last=False)
            self._cached -= old.size

    def _encode_tail(self, row: EntryRow, part: Part | None) -> Tail:
        content = part.content if part is not None else _NOTHING
        packed = _encode(self._body(row, content))[1:]  # the head has opened the object
        return Tail(packed.decode(), len(packed))

    def _body(self, row: EntryRow, content: Content) -> MessageBody:
        forms = render(content)
        talk = content.talk or _NOTICE
        file = None if talk.file is None else self._attachment(row.space, talk.file)
        pictures = (file.url,) if file is not None and talk.kind is Kind.IMAGE and file.url else ()
        return MessageBody(
            message_id=row.message_id,
            dialect=row.dialect,
            sender=SenderRef(name=row.sender_name, kind=row.sender_kind),
            title=forms.title,
            body=content.body,
            format=content.format.value,
            summary=forms.summary,
            html=forms.html,
            text=forms.text,
            severity=Severity(row.severity).word,
            url=content.url,
            icon=content.icon,
            images=(*content.images, *pictures),
            tags=content.tags,
            extension=content.extension,
            attachments=(
                *(self._attachment(row.space, attachment) for attachment in content.attachments),
                *(() if file is None else (file,)),
            ),
            actions=tuple(_action(button) for button in content.buttons),
            created_at=iso(row.created_at),
            expires_at=iso(row.message_expires_at) if row.message_expires_at else None,
            kind_of=talk.kind.value,
            location=_location(talk.location),
            duration_s=talk.duration_s or None,
            custom=_custom(talk.custom),
            edited_at=iso(talk.edited_ms) if talk.edited_ms else None,
        )

    def _attachment(self, space: int, attachment: Attachment) -> AttachmentRef:
        return AttachmentRef(
            name=attachment.name,
            type=attachment.type,
            size=attachment.size,
            url=self._file_url(space, attachment.file) if attachment.file else attachment.url,
        )


def _action(button: Button) -> ActionRef:
    return ActionRef(
        text=button.text, url=button.url, key=button.key, value=button.value, replace_text=button.replace_text
    )


def _location(place: Location | None) -> LocationRef | None:
    return None if place is None else LocationRef(lat=place.lat, lng=place.lng, address=place.address)


def _custom(custom: Custom | None) -> CustomRef | None:
    return None if custom is None else CustomRef(event=custom.event, exts=custom.exts)


def _row_of(message: StoredMessage) -> EntryRow:
    """A message that is nobody's entry yet."""
    return EntryRow(
        mailbox=0,
        seq=0,
        rev=0,
        message=message.id,
        feed=0,
        direction=0,
        public_id=0,
        mentioned=0,
        expires_at=0,
        read_at=0,
        recalled_at=0,
        deleted_at=0,
        dialect=message.dialect,
        message_id=message.public_id,
        sender_kind=message.sender_kind,
        sender_name=message.sender_name,
        severity=message.severity,
        parts=b"",
        created_at=message.created_ms,
        message_expires_at=message.expires_ms,
        feed_kind="",
        feed_name="",
        feed_code="",
        space=message.space,
    )


def _parts_of(row: EntryRow) -> bytes:
    return b"" if row.recalled_at else row.parts or b""


def _is_long(row: EntryRow) -> bool:
    parts = row.parts or b""
    return len(parts) > LOOP_BYTES or _BODY_FILE in parts


def _key(row: EntryRow) -> _Key:
    """Edited and recalled messages have other parts, and so another key."""
    return row.message, hashlib.blake2b(_parts_of(row), digest_size=16).digest()


def _answers(row: EntryRow) -> str:
    return _encode(dict(row.answers)).decode() if row.answers else "{}"


def _instant(at_ms: int) -> str:
    return f'"{iso(at_ms)}"' if at_ms else "null"
