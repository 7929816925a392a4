"""Content cut to what a carrier takes. Limits are bytes of UTF-8, because that is what providers count."""

import sys

import msgspec

from onebell.core.render import Forms, as_paragraph

ELLIPSIS = "…"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a carrier takes; 0 = no limit. Stands in its manifest."""

    title_bytes: int = 0
    body_bytes: int = 0  # of the plain text; of the other forms too where they have no limit of their own
    markdown_bytes: int = 0
    html_bytes: int = 0
    total_bytes: int = 0  # title and body together
    attachment_bytes: int = 0  # of one attachment
    attachments_bytes: int = 0  # of all of a message
    batch: int = 1  # addresses in one call of ``send``
    per_minute: int = 0  # calls of one account


def fit(forms: Forms, limits: Limits) -> Forms:
    """The same content within the limits; what is cut ends in ``…``, which is counted in."""
    total = _bound(limits.total_bytes)
    title = cut(forms.title, min(_bound(limits.title_bytes), total))
    room = total - size(title)
    text = cut(forms.text, min(_bound(limits.body_bytes), room))
    markdown = cut(forms.markdown, min(_bound(limits.markdown_bytes or limits.body_bytes), room))
    html = _cut_html(forms, min(_bound(limits.html_bytes or limits.body_bytes), room))
    return msgspec.structs.replace(forms, title=title, text=text, markdown=markdown, html=html)


def _bound(limit_bytes: int) -> int:
    return limit_bytes or sys.maxsize


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode())


def cut(text: str, limit_bytes: int) -> str:
    """At most ``limit_bytes`` bytes, never inside a character, with ``…`` where something is missing."""
    raw = text.encode()
    if len(raw) <= limit_bytes:
        return text
    room = limit_bytes - size(ELLIPSIS)
    if room < 0:
        return raw[:limit_bytes].decode(errors="ignore")
    return raw[:room].decode(errors="ignore") + ELLIPSIS


def split(text: str, limit_bytes: int) -> tuple[str, ...]:
    """The whole text in pieces of at most ``limit_bytes`` (4 or more) bytes, broken after a line where one ends.

    For carriers that may send one message as several. Joined, the pieces are the text.
    """
    pieces: list[str] = []
    raw = text.encode()
    while len(raw) > limit_bytes:
        head = raw[:limit_bytes].decode(errors="ignore").encode()
        line_end = head.rfind(b"\n") + 1
        piece = head[:line_end] if line_end else head
        pieces.append(piece.decode())
        raw = raw[len(piece) :]
    return (*pieces, raw.decode())


def _cut_html(forms: Forms, limit_bytes: int) -> str:
    """Markup cannot be cut like text: what is too long goes as the beginning of its plain text."""
    if size(forms.html) <= limit_bytes:
        return forms.html
    room = limit_bytes
    while size(html := as_paragraph(cut(forms.text, room))) > limit_bytes and room > 0:
        # Escaping made it longer: give back what it took.
        room = max(0, room - max(1, (size(html) - limit_bytes) // 2))
    return html if size(html) <= limit_bytes else ""
