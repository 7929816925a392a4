"""Changing what a message says after it was sent (sheet easemob-msync §6, §7)."""

from typing import Any

import msgspec

from onebell.core.bell import Changed
from onebell.core.context import Context
from onebell.core.inbox import unpack
from onebell.core.model import Part, Talk
from onebell.dialects.easemob.bodies import text_of
from onebell.dialects.easemob.talks import talk_of

MOST_EDITS = 10
LIMIT = "Sorry, edit limit reached"
_encode = msgspec.json.Encoder().encode


class TooManyEdits(Exception):
    """It was changed as often as it may be."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be said instead."""

    operator: str  # account name
    sender: str  # account name
    sent_at: int  # ms
    body: dict[str, Any]
    ext: dict[str, Any] | None  # None = stays
    adds_ext: bool = False  # what there is and not named stays too

    def ext_after(self, before: dict[str, Any]) -> dict[str, Any]:
        """What becomes of the ``ext`` that there is."""
        if self.ext is None:
            return before
        return {**before, **self.ext} if self.adds_ext else self.ext


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message."""

    told: dict[str, Any]  # ``edit_msg`` for clients
    ext: dict[str, Any]  # as it is now

    def words(self, change: Edit) -> dict[str, Any]:
        """What a signal of it says besides."""
        scope = "body" if change.ext is None else "body_and_ext"
        return {"body": change.body, "ext": self.ext, "edited": self.told, "scope": scope}


async def edit(context: Context, space: int, message: int, change: Edit) -> Edited:
    """Change a message in all its mailboxes.

    Raises:
        TooManyEdits: nothing is changed.
        NotFound: there is no such message.
    """
    now = context.clock.now_ms()
    talk = msgspec.structs.replace(await talk_of(context, space, change.body), edited_ms=now)
    edited: list[Edited] = []

    def write(parts: bytes) -> bytes:
        part, *others = unpack(parts)
        data = part.content.data
        count = int(data.get("edited", {}).get("count", 0)) + 1
        if count > MOST_EDITS:
            raise TooManyEdits
        told = _told(change, count, now)
        ext = change.ext_after(data["ext"])
        edited[:] = [Edited(told=told, ext=ext)]
        new = {**data, "body": change.body, "type": change.body["type"], "ext": ext, "edited": told}
        return _encode((_changed(part, new, talk), *others))

    boxes = await context.store.inbox_changes.rewrite(space, message, write)
    context.bell.ring(Changed(space=space, mailboxes=boxes))
    return edited[0]


def _told(change: Edit, count: int, now: int) -> dict[str, Any]:
    return {
        "count": count,
        "operator": change.operator,
        "edit_time": now,
        "sender": change.sender,
        "send_time": change.sent_at,
        "chat_type": "chat:user",
    }


def _changed(part: Part, data: dict[str, Any], talk: Talk) -> Part:
    body = data["body"]
    content = msgspec.structs.replace(part.content, body=text_of(body["type"], body), talk=talk, data=data)
    return msgspec.structs.replace(part, content=content)
