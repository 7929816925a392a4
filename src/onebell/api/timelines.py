"""What was sent and what became of it; recall, retry; callbacks that were parked."""

from typing import Any

import msgspec

from onebell.api.errors import forbidden
from onebell.api.guard import number_in, number_of
from onebell.api.operations import Call, Caller, Operation, Parameter, Right
from onebell.api.shapes import SenderRef
from onebell.clock import iso
from onebell.core.bell import Due
from onebell.core.bodies import whole
from onebell.core.context import Context
from onebell.core.inbox import shown_part, unpack
from onebell.core.model import Content, Severity
from onebell.core.recall import recall
from onebell.core.timeline import MessageRow, Sought, Timeline
from onebell.errors import NotFound

DIALECTS = ("native", "pushplus", "wecom", "pushgo", "ums", "easemob", "ntfy", "gotify", "bark", "serverchan")
"""In this order an id is looked for when no dialect is named."""
LIMIT = 50
_SEEN_BY = frozenset({Right.SEND, Right.VIEW})
_OPERATE = frozenset({Right.OPERATE})
_MAY_RECALL = frozenset({Right.SEND, Right.OPERATE})


class MessageItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a list."""

    id: str  # for ``before``
    message_id: str
    dialect: str
    sender: SenderRef
    title: str
    severity: str
    state: str
    created_at: str
    finished_at: str | None


class MessageList(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, newest first."""

    items: tuple[MessageItem, ...]
    next: str | None  # ``before`` of the following page


class InboxCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A message in mailboxes."""

    entries: int
    taken: int  # by a reader that acknowledged it
    read: int
    recalled: int


class DeliveryItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one address."""

    id: str
    carrier: str
    kind: str
    address: str
    uid: str  # of the person behind it; empty = none or many
    state: str  # held | due | sent | delivered | failed | expired | cancelled
    attempts: int
    due_at: str | None
    why: str  # the provider's last words
    code: int
    provider_ref: str
    created_at: str
    closed_at: str | None


class AttemptItem(msgspec.Struct, frozen=True, kw_only=True):
    """One try."""

    delivery: str
    no: int
    started_at: str
    ended_at: str | None
    outcome: str  # empty while it runs
    why: str
    provider_ref: str


class EventItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""

    kind: str
    delivery: str | None
    person: str | None
    data: dict[str, Any]
    at: str


class MessageTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """A message and everything that happened to it."""

    message: MessageItem
    body: str
    format: str
    url: str
    inbox: InboxCounts
    deliveries: tuple[DeliveryItem, ...]
    attempts: tuple[AttemptItem, ...]
    events: tuple[EventItem, ...]
    more: bool  # there is more than these lists hold


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """What a recall did."""

    recalled: bool  # False: it was before


class CallbackItem(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that its receiver did not take."""

    id: str
    dialect: str
    kind: str
    url: str
    state: str
    attempts: int
    last_status: int
    last_reply: str
    created_at: str
    closed_at: str | None


class CallbackList(msgspec.Struct, frozen=True, kw_only=True):
    """Callbacks, newest first."""

    items: tuple[CallbackItem, ...]
    next: str | None


class TimelinesApi:
    """Operations on messages that were accepted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        named = Parameter(name="dialect", about="Whose message ids: native, pushplus, wecom, pushgo, ums, easemob")
        before = Parameter(name="before", about="The id that the last page called next", is_number=True)
        limit = Parameter(name="limit", about="Items in the page, 1 to 500 (50)", is_number=True)
        state = Parameter(name="state", about="accepted, expanding, finished, recalled, held or refused")
        stage = Parameter(name="state", about="parked (default), due or done")
        return [
            Operation(
                method="GET", path="/messages", rights=_SEEN_BY, do=self.listing, tag="messages",
                answer=MessageList, parameters=(named, state, before, limit),
                about="Messages, newest first: one's own, or with the right to view everybody's.",
            ),
            Operation(
                method="GET", path="/messages/{}", names=("message_id",), rights=_SEEN_BY, do=self.one, tag="messages",
                answer=MessageTimeline, parameters=(named,), about="A message and its timeline.",
            ),
            Operation(
                method="POST", path="/messages/{}/recall", names=("message_id",), rights=_MAY_RECALL,
                do=self.recall, tag="messages", answer=Recalled, parameters=(named,),
                about="Take a message back: one's own, or with the right to operate any.",
            ),
            Operation(
                method="POST", path="/deliveries/{}/retry", names=("delivery",), rights=_OPERATE, do=self.retry,
                tag="messages", status=204, about="Try a delivery again that has failed or expired.",
            ),
            Operation(
                method="GET", path="/callbacks", rights=_OPERATE, do=self.callbacks, tag="callbacks",
                answer=CallbackList, parameters=(before, limit, stage),
                about="Callbacks of the space.",
            ),
            Operation(
                method="POST", path="/callbacks/{}/replay", names=("callback",), rights=_OPERATE, do=self.replay,
                tag="callbacks", status=204, about="Send a parked callback again, from the start of its schedule.",
            ),
        ]  # fmt: skip

    async def listing(self, call: Call) -> MessageList:
        """A page of messages."""
        request, caller = call.request, call.who
        everybody = caller.may(Right.VIEW)
        sought = Sought(
            space=caller.space,
            before=number_of(request, "before", 0),
            limit=number_of(request, "limit", LIMIT, least=1, most=500),
            dialect=request.query_value("dialect") or "",
            state=request.query_value("state") or "",
            sender=0 if everybody or caller.credential else caller.person,
            credential=0 if everybody else caller.credential,
        )
        rows = await self._context.store.timelines.messages(sought)
        items = tuple(_message(row) for row in rows)
        return MessageList(items=items, next=items[-1].id if len(items) == sought.limit else None)

    async def one(self, call: Call) -> MessageTimeline:
        """One message's timeline."""
        row = await self._find(call)
        if not call.who.may(Right.VIEW) and not _is_own(row, call.who):
            raise NotFound("there is no such message")
        found = await self._context.store.timelines.timeline(row)
        part = shown_part(unpack(found.message.parts))
        content = Content() if part is None else await whole(self._context.files, call.who.space, part.content)
        return _timeline(found, content)

    async def recall(self, call: Call) -> Recalled:
        """Take a message back."""
        row = await self._find(call)
        caller = call.who
        if not caller.may(Right.OPERATE) and not _is_own(row, caller):
            if not caller.may(Right.VIEW):
                raise NotFound("there is no such message")
            raise forbidden("only its sender or an operator may recall a message")
        return Recalled(recalled=await recall(self._context, caller.space, row.id))

    async def _find(self, call: Call) -> MessageRow:
        named = call.request.query_value("dialect")
        dialects = (named,) if named else DIALECTS
        row = await self._context.store.timelines.find(call.who.space, call.path[0], dialects)
        if row is None:
            raise NotFound("there is no such message")
        return row

    async def retry(self, call: Call) -> None:
        """Try a delivery again."""
        space = call.who.space
        delivery = number_in(call.path[0], "delivery")
        await self._context.store.deliveries.retry(space, delivery, self._context.clock.now_ms())
        self._context.bell.ring(Due(space=space, queue="deliveries"))

    async def callbacks(self, call: Call) -> CallbackList:
        """A page of callbacks."""
        request = call.request
        limit = number_of(request, "limit", LIMIT, least=1, most=500)
        state = request.query_value("state") or "parked"
        before = number_of(request, "before", 0)
        rows = await self._context.store.timelines.callbacks(call.who.space, state, before, limit)
        items = tuple(
            CallbackItem(
                id=str(row.id),
                dialect=row.dialect,
                kind=row.kind,
                url=row.url,
                state=row.state,
                attempts=row.attempts,
                last_status=row.last_status,
                last_reply=row.last_reply,
                created_at=iso(row.created_at),
                closed_at=_at(row.closed_at),
            )
            for row in rows
        )
        return CallbackList(items=items, next=items[-1].id if len(items) == limit else None)

    async def replay(self, call: Call) -> None:
        """Send a parked callback again."""
        space = call.who.space
        callback = number_in(call.path[0], "callback")
        await self._context.store.timelines.replay(space, callback, self._context.clock.now_ms())
        self._context.bell.ring(Due(space=space, queue="callbacks"))


def _is_own(row: MessageRow, caller: Caller) -> bool:
    if caller.credential:
        return row.credential == caller.credential
    return row.sender == caller.person


def _at(at_ms: int) -> str | None:
    return iso(at_ms) if at_ms else None


def _message(row: MessageRow) -> MessageItem:
    part = shown_part(unpack(row.parts))
    return MessageItem(
        id=str(row.id),
        message_id=row.public_id,
        dialect=row.dialect,
        sender=SenderRef(name=row.sender_name, kind=row.sender_kind),
        title=part.content.title if part is not None else "",
        severity=Severity(row.severity).word,
        state=row.state,
        created_at=iso(row.created_at),
        finished_at=_at(row.finished_at),
    )


def _timeline(found: Timeline, content: Content) -> MessageTimeline:
    return MessageTimeline(
        message=_message(found.message),
        body=content.body,
        format=content.format.value,
        url=content.url,
        inbox=InboxCounts(**msgspec.structs.asdict(found.inbox)),
        deliveries=tuple(
            DeliveryItem(
                id=str(row.id),
                carrier=row.account_code,
                kind=row.account_kind,
                address=row.target,
                uid=row.uid,
                state=row.state,
                attempts=row.attempts,
                due_at=_at(row.due_at),
                why=row.why,
                code=row.code,
                provider_ref=row.provider_ref,
                created_at=iso(row.created_at),
                closed_at=_at(row.closed_at),
            )
            for row in found.deliveries
        ),
        attempts=tuple(
            AttemptItem(
                delivery=str(row.delivery),
                no=row.no,
                started_at=iso(row.started_at),
                ended_at=_at(row.ended_at),
                outcome=row.outcome,
                why=row.why,
                provider_ref=row.provider_ref,
            )
            for row in found.attempts
        ),
        events=tuple(
            EventItem(
                kind=row.kind,
                delivery=str(row.delivery) if row.delivery else None,
                person=str(row.person) if row.person else None,
                data=row.data,
                at=iso(row.at),
            )
            for row in found.events
        ),
        more=found.more,
    )
