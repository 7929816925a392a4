"""Changing what a message says over REST (sheet easemob §1.8; answers as on the documentation's page about it)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.conversations import Numbered
from onebell.core.model import PartyKind, Sender, Shown
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import message_too_large, rewrite_error
from onebell.dialects.easemob.app import UPLINK_BYTES
from onebell.dialects.easemob.bodies import stored_body
from onebell.dialects.easemob.conversations import peers
from onebell.dialects.easemob.digits import whole
from onebell.dialects.easemob.edits import Edit, Edited, TooManyEdits, edit
from onebell.dialects.easemob.messages import CALLS
from onebell.dialects.easemob.parse import read_body, size_of
from onebell.dialects.easemob.signals import Signal, tell
from onebell.dialects.easemob.visit import Call, Gate, Path, Visit, must_be_json
from onebell.errors import NotFound
from onebell.http.exchange import Answer

OPERATOR = "easemob_rest_app_admin"
"""Whom clients see as who changed it when the call does not say."""
TYPES = ("txt", "custom")
MOST_ID = 10**19 - 1
BAD_ID = (400, "InvalidMessageIdException", "The provided message ID is not a valid number.")
BAD_TYPE = (
    400,
    "UnsupportedMessageTypeException",
    "The message is of a type that is currently not supported for modification.",
)
FOREIGN = (401, "RewriteMessageNotAuthorizedException", "You are not authorized to edit this message.")
LIMIT = (
    403,
    "EditLimitExceededException",
    "The message has reached its edit limit and cannot be modified further.",
)
GONE = (404, "MessageUnavailableException", "The message is unavailable or has expired.")


class _Asked(msgspec.Struct, frozen=True):
    new_msg: dict[str, Any]
    user: str | None = None
    new_ext: dict[str, Any] | None = None
    is_combine_ext: bool | None = None  # missing = true

    @property
    def fields(self) -> dict[str, Any]:
        """The new body."""
        return {name: value for name, value in self.new_msg.items() if name != "type"}


class Rewrites:
    """Texts and custom messages read anew; their clients hear of it, also those that are away."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """One message by one of its ids."""
        path = Path("/messages/rewrite/{}", self._gate.app_token, {"PUT": Call(self._rewrite, CALLS)})
        return (self._gate.route(path),)

    async def _rewrite(self, visit: Visit) -> Answer:
        must_be_json(visit.request)
        asked = read_body(visit.request.body, _Asked)
        number = visit.values[0]
        if whole(number, MOST_ID) is None:
            raise rewrite_error(*BAD_ID)
        found = await self._own(visit, number)
        change = _change(asked, found)
        if size_of(asked.fields, asked.new_ext or {}) > visit.app.message_bytes:
            raise message_too_large()
        # Edits that each add to ``ext`` must not make of a message what nobody could have sent.
        if size_of(asked.fields, change.ext_after(found.part.content.data["ext"])) > UPLINK_BYTES:
            raise message_too_large()
        try:
            edited = await edit(self._context, visit.space, found.message, change)
        except TooManyEdits:
            raise rewrite_error(*LIMIT) from None
        except NotFound:  # its retention has ended at this very moment
            raise rewrite_error(*GONE) from None
        await self._tell(visit, found, int(number), change, edited)
        return answer.full(self._gate.scene(visit), data="success")

    async def _own(self, visit: Visit, number: str) -> Numbered:
        """The message as the id's receiver has it: what others got under their own ids stays as it is."""
        found = await self._find(visit, number)
        if found.receivers > 1:
            await self._context.store.easemob.separate(visit.space, found.message, int(number))
            found = await self._find(visit, number)
        return found

    async def _find(self, visit: Visit, number: str) -> Numbered:
        place = await self._context.store.easemob.numbered(number)
        if place is None:
            raise rewrite_error(*GONE)
        space, found = place
        if space != visit.space or found.extra.get("app") != visit.app.key:
            raise rewrite_error(*FOREIGN)
        if found.shown != Shown.PERSON or found.is_recalled:
            raise rewrite_error(*GONE)
        return found

    async def _tell(self, visit: Visit, found: Numbered, number: int, change: Edit, edited: Edited) -> None:
        # From the sender's side, so that it is the one receiver even where the message names several.
        names = await peers(self._context, visit.space, visit.app, found.sender, [found.feed])
        signal = Signal(
            kind="edit",
            sender=Sender(party=found.sender, kind=PartyKind(found.sender_kind), name=found.sender_name),
            sender_name=change.sender,
            to=names.get(found.feed, ""),
            party=found.mailbox,
            feed=found.feed,
            of=number,
            once=str(edited.told["count"]),
            has_copy=found.sender_kind == PartyKind.PERSON.value,
            more=edited.words(change),
        )
        await tell(self._context, visit.space, visit.app, signal)


def _change(asked: _Asked, found: Numbered) -> Edit:
    kind, data = asked.new_msg.get("type"), found.part.content.data
    if kind not in TYPES or kind != data.get("type"):
        raise rewrite_error(*BAD_TYPE)
    body = stored_body(kind, asked.fields, lenient=True)
    return Edit(
        operator=asked.user or OPERATOR,
        sender=str(data.get("from", "")),
        sent_at=found.created_at,
        body=body,
        ext=asked.new_ext,
        adds_ext=asked.is_combine_ext is not False,
    )
