"""Taking a message back over REST, in both forms (sheet easemob §1.6)."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import structlog

from onebell.core.context import Context, StoredFile
from onebell.core.conversations import Numbered
from onebell.core.model import PartyKind, Sender, Shown
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import Rejected, recall_error
from onebell.dialects.easemob.conversations import conversations
from onebell.dialects.easemob.digits import whole
from onebell.dialects.easemob.file_access import find_named, is_of, remove
from onebell.dialects.easemob.messages import CALLS
from onebell.dialects.easemob.parse import DEFAULT_SENDER, read_body
from onebell.dialects.easemob.send import receivers_of, sender_of
from onebell.dialects.easemob.signals import ONCE, RECALL, Signal, tell
from onebell.dialects.easemob.single import take_back
from onebell.dialects.easemob.visit import Call, Gate, Path, Visit, must_be_json
from onebell.errors import StoreUnavailable
from onebell.http.exchange import Answer

log = structlog.get_logger()

GONE = "not_found msg"
LATE = "exceed recall time limit"
AT_ONCE = 100
"""Messages in one call of the older form."""
T = TypeVar("T")
KINDS = ("chat", "groupchat", "chatroom")


class Asked(msgspec.Struct, frozen=True):
    """What is to be taken back."""

    msg_id: str | None = None
    to: str | None = None
    chat_type: str | None = None
    force: bool | None = None  # missing = false (D3)
    sender: str | None = msgspec.field(name="from", default=None)
    sync_device: bool | None = None
    info: str | None = msgspec.field(name="recallMessageExtensionInfo", default=None)


class _Several(msgspec.Struct, frozen=True):
    msgs: tuple[Asked, ...]


class Recalls:
    """Takes messages back; their clients hear of it, also those that are away."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The newer form and the older one."""
        check, route = self._gate.app_token, self._gate.route
        return (
            route(Path("/messages/msg_recall", check, {"POST": Call(self._one, CALLS)})),
            route(Path("/messages/recall", check, {"POST": Call(self._several, CALLS)})),
        )

    async def _one(self, visit: Visit) -> Answer:
        asked = _read(visit, Asked)
        await self._take_back(visit, asked)
        data = {
            "recalled": "yes",
            "chattype": asked.chat_type,
            "from": asked.sender or DEFAULT_SENDER,
            "to": asked.to,
            "msg_id": asked.msg_id,
        }
        return answer.envelope(self._gate.scene(visit), data)

    async def _several(self, visit: Visit) -> Answer:
        several = _read(visit, _Several).msgs
        if not several or len(several) > AT_ONCE:
            raise answer.invalid_body()
        said = []
        for asked in several:
            said.append({"msg_id": asked.msg_id or "", "recalled": await self._outcome(visit, asked)})
        return answer.envelope(self._gate.scene(visit), {"msgs": said})

    async def _outcome(self, visit: Visit, asked: Asked) -> str:
        try:
            await self._take_back(visit, asked)
        except Rejected as refusal:
            return refusal.text
        return "yes"

    async def _take_back(self, visit: Visit, asked: Asked) -> None:
        """Raises ``Rejected``: nothing is changed."""
        number, to = _checked(asked)
        app, is_forced = visit.app, asked.force is True
        if not app.recall_window_s:
            raise Rejected(403, "forbidden_op", "message recall service is unopened")
        if asked.chat_type != KINDS[0] or not whole(number, 2**64 - 1):
            raise recall_error(GONE)
        found = await self._find(visit, number)
        if found is None:
            if not is_forced:
                raise recall_error(GONE)
            await self._tell_of_unknown(visit, asked, number, to)
            return
        if found.mailbox not in (await receivers_of(self._context, visit.space, app, [to])).parties.values():
            raise recall_error("can't find msg to", 400)
        if found.shown != Shown.PERSON or found.is_recalled:
            raise recall_error(GONE)
        age_ms = self._context.clock.now_ms() - found.created_at
        if age_ms > app.recall_window_s * 1000 and not is_forced:
            raise recall_error(LATE)
        sender = Sender(party=found.sender, kind=PartyKind(found.sender_kind), name=found.sender_name)
        name = str(found.part.content.data.get("from", DEFAULT_SENDER))
        # First the word to the clients: a crash between the two leaves a recall that can be repeated.
        await self._tell(visit, asked, Signal(
            kind=RECALL, sender=sender, sender_name=name, to=to, party=found.mailbox, feed=found.feed, of=int(number),
        ))  # fmt: skip
        await self._hide(visit, found, number)

    async def _find(self, visit: Visit, number: str) -> Numbered | None:
        place = await self._context.store.easemob.numbered(number)
        if place is None or place[0] != visit.space or place[1].extra.get("app") != visit.app.key:
            return None
        return place[1]

    async def _hide(self, visit: Visit, found: Numbered, number: str) -> None:
        is_new = await take_back(self._context, visit.space, found, int(number))
        if found.receivers == 1:
            await self._remove_files(visit, found)
        if not is_new:  # somebody else was faster
            raise recall_error(GONE)

    async def _remove_files(self, visit: Visit, found: Numbered) -> None:
        body: dict[str, Any] = found.part.content.data.get("body", {})
        for name in ("url", "thumb"):
            url = body.get(name)
            file = await find_named(self._context, visit.space, url) if isinstance(url, str) and url else None
            # One of another app, or that a later message names too, stays (sheet §1.6: attachments are deleted).
            if file is not None and is_of(file, visit.app.key) and file.message in (0, found.message):
                await self._removed(file)

    async def _removed(self, file: StoredFile) -> None:
        try:
            await remove(self._context, file)
        except StoreUnavailable as error:
            # The message is taken back, which is what the answer says; the file ends with its seven days.
            log.warning("recalled_file_stays", file=file.id, why=str(error))

    async def _tell_of_unknown(self, visit: Visit, asked: Asked, number: str, to: str) -> None:
        """What this server does not know (any more) a client may still show."""
        context, app = self._context, visit.app
        name = asked.sender or DEFAULT_SENDER
        receivers = await receivers_of(context, visit.space, app, [to])
        if not receivers.parties:
            raise recall_error("can't find msg to", 400)
        sender = await sender_of(context, visit.space, app, name)
        (party,) = receivers.parties.values()
        feeds = await conversations(context, visit.space, app, sender.party, [party])
        await self._tell(visit, asked, Signal(
            kind=RECALL, sender=sender, sender_name=name, to=to, party=party, feed=feeds[party], of=int(number),
        ))  # fmt: skip

    async def _tell(self, visit: Visit, asked: Asked, signal: Signal) -> None:
        has_copy = asked.sync_device is not False and signal.sender.kind is PartyKind.PERSON
        more = {"info": asked.info} if asked.info else {}
        complete = msgspec.structs.replace(signal, once=ONCE, has_copy=has_copy, more=more)
        await tell(self._context, visit.space, visit.app, complete)


def _checked(asked: Asked) -> tuple[str, str]:
    """The id and the receiver."""
    for name, value in (("msg_id", asked.msg_id), ("to", asked.to), ("chat_type", asked.chat_type)):
        if not value:
            raise recall_error(f"param {name} can't be empty", 400)
    if asked.chat_type not in KINDS:
        raise recall_error("param chat_type is illegal", 400)
    return asked.msg_id or "", asked.to or ""


def _read(visit: Visit, shape: type[T]) -> T:
    must_be_json(visit.request)
    return read_body(visit.request.body, shape)
