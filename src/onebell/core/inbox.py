"""What a reader sees of his mailbox: entries, removals and the read marker, in order of ``rev``."""

from typing import TypeAlias

import msgspec

from onebell.core.mailbox import EntryRow, Marker, Page
from onebell.core.model import Part

_INBOX = "inbox"
_parts = msgspec.json.Decoder(tuple[Part, ...])


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a mailbox as it is now."""

    row: EntryRow
    read_at: int  # by itself or by the marker; 0 = unread


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that its reader deleted, that expired, or that was never for people to read."""

    rev: int
    seq: int


class ReadUpTo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to ``seq`` was read."""

    rev: int
    seq: int
    at: int


Item: TypeAlias = Entry | Removed | ReadUpTo


def rev_of(item: Item) -> int:
    """An item's place in the order of changes."""
    return item.row.rev if isinstance(item, Entry) else item.rev


def changes(page: Page, after: int, now: int) -> list[Item]:
    """A page's items in order of rev, for a reader that stands at ``after``."""
    items = [_item(row, page.marker, now) for row in page.rows if row.rev > after]
    if after < page.marker.rev <= page.position:
        items.append(ReadUpTo(rev=page.marker.rev, seq=page.marker.seq, at=page.marker.at))
        items.sort(key=rev_of)
    return items


def _item(row: EntryRow, marker: Marker, now: int) -> Item:
    gone = row.shown or row.deleted_at or 0 < row.expires_at <= now or not row.message_id
    return Removed(rev=row.rev, seq=row.seq) if gone else entry_of(row, marker)


def entry_of(row: EntryRow, marker: Marker) -> Entry:
    """An entry with the marker taken into account."""
    return Entry(row=row, read_at=row.read_at or (marker.at if row.seq <= marker.seq else 0))


def has_gap(page: Page, after: int) -> bool:
    """Whether a reader at ``after`` can no longer learn of every change: he begins anew.

    Removed rows were never shown to him, or his position is from another history (a restored backup).
    """
    return 0 < after < page.floor or after > page.last


def shown_part(parts: tuple[Part, ...]) -> Part | None:
    """The part of a message that the inbox shows: the first that is for it, else the first."""
    for part in parts:
        if not part.carriers or _INBOX in part.carriers:
            return part
    return parts[0] if parts else None


def unpack(parts: bytes) -> tuple[Part, ...]:
    """A message's parts as stored."""
    return _parts.decode(parts) if parts else ()


def says(row: EntryRow, text: str) -> bool:
    """Whether a message's words hold ``text``, without case. What was taken back has no words any more."""
    part = shown_part(unpack(row.parts))
    if part is None or row.recalled_at:
        return False
    content = part.content
    words = (content.title, content.body, content.summary, content.url, row.sender_name, *content.tags)
    wanted = text.casefold()
    return any(wanted in word.casefold() for word in words)
