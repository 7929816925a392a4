"""JPush UMS as a server: ``/v1/sent`` and ``/v1/broadcast`` (sheet jpush-ums §1)."""

from collections.abc import Callable, Sequence

import msgspec

from onebell.clock import shanghai_day
from onebell.core.context import Context
from onebell.core.directory import Credential
from onebell.core.events import CallbackRequest, CallbackSchedule, Event
from onebell.core.model import (
    CallbackTarget,
    GuardUse,
    PartyKind,
    Sender,
    Severity,
    Submission,
)
from onebell.dialects.base import CallbackAnswer, Route
from onebell.dialects.ums import answer
from onebell.dialects.ums.answer import Rate, Rejected, invalid
from onebell.dialects.ums.audience import Channel, lists_of, resolve, segment_of
from onebell.dialects.ums.callback import SCHEDULE, pack
from onebell.dialects.ums.checks import check_hours, check_open, check_strategy, check_words, parts_of
from onebell.dialects.ums.fields import Object
from onebell.dialects.ums.group import CALLS_PER_MINUTE, CHANNEL_GROUP, DIALECT, Group, basic_pair
from onebell.dialects.ums.parse import Call, document, parse_broadcast, parse_sent
from onebell.errors import Reason, Refused
from onebell.http.exchange import Answer, Request
from onebell.ids import ums_msgid

WINDOW_S = 60
GUARD_KEEP_S = 172_800  # a day's quota, kept one day longer
# option.priority: "It orders the delivery queue only" (sheet §1.5).
PRIORITIES = {1: Severity.HIGH, 2: Severity.NORMAL, 3: Severity.LOW}
# Credentials are asked for before the method (sheet §1.6), so the handler gets every method.
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
Parse = Callable[[Object], Call]


class Ums:
    """The dialect."""

    name = DIALECT
    # Eight articles of 666 KiB are the largest message that the rules let through.
    body_limit = 8 * 1024 * 1024
    callbacks: CallbackSchedule = SCHEDULE

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> Sequence[Route]:
        """What is built of the UMS area."""
        return (
            Route(EVERY_METHOD, "/v1/sent", self._sent),
            Route(EVERY_METHOD, "/v1/broadcast", self._broadcast),
        )

    def no_route(self, request: Request) -> Answer:
        """A path of the area that is not there."""
        return answer.failed(invalid("path", "does not exist"), _unknown_rate(), 404)

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        """A known path, another method."""
        return answer.failed(invalid("method", "is not allowed"), _unknown_rate(), 405)

    def too_large(self, request: Request) -> Answer:
        """A body over the limit."""
        return answer.failed(invalid("body", "is too large"), _unknown_rate(), 413)

    def failed(self, request: Request, error: Exception) -> Answer:
        """The service's "server error"."""
        return answer.failed(Rejected(answer.BROKEN), _unknown_rate())

    async def pack(self, events: Sequence[Event]) -> Sequence[CallbackRequest]:
        """Records in arrays, per channel group and address."""
        return await pack(self._context.lookups, events)

    async def on_answer(self, callback: CallbackRequest, answer: CallbackAnswer) -> None:
        """UMS reads nothing but the status."""

    async def _sent(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await self._take(request, parse_sent)

    async def _broadcast(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await self._take(request, parse_broadcast)

    async def _take(self, request: Request, parse: Parse) -> Answer:
        credential = await self._credential(request)
        if credential is None:
            return answer.failed(Rejected(answer.UNAUTHORIZED), _unknown_rate())
        group = msgspec.convert(credential.settings, Group)
        if request.method != "POST":
            refusal = invalid("method", "is not allowed")
            return answer.failed(refusal, await self._rate(credential, group), 405)
        try:
            call = await self._parsed(request, credential, group, parse)
            msgid = await self._store(credential, group, call)
        except Rejected as refusal:
            return answer.failed(refusal, await self._rate(credential, group))
        return answer.accepted(msgid, call.sendno, await self._rate(credential, group))

    async def _credential(self, request: Request) -> Credential | None:
        pair = basic_pair(request.text_header(b"authorization"))
        if not pair:
            return None
        return await self._context.lookups.credential(DIALECT, CHANNEL_GROUP, pair)

    async def _parsed(self, request: Request, credential: Credential, group: Group, parse: Parse) -> Call:
        source = document(request.body)
        if not credential.enabled:
            raise Rejected(answer.GROUP_CLOSED)
        check_open(group, self._context.clock.now_ms())
        await self._count(credential, group)
        return parse(source)

    async def _count(self, credential: Credential, group: Group) -> None:
        limit = group.calls_per_minute
        key = _rate_key(credential)
        if limit and not await self._context.limits.take(credential.space, key, limit, WINDOW_S):
            raise Rejected(answer.TOO_FAST)

    async def _rate(self, credential: Credential, group: Group) -> Rate | None:
        if not group.calls_per_minute:
            return None
        used = await self._context.limits.used(credential.space, _rate_key(credential), WINDOW_S)
        return Rate(group.calls_per_minute, max(0, group.calls_per_minute - used), WINDOW_S)

    async def _store(self, credential: Credential, group: Group, call: Call) -> str:
        submission = await self._submission(await self._channel(credential, group), credential, call)
        try:
            receipt = await self._context.accept(submission)
        except Refused as refusal:
            raise _refused(refusal) from refusal
        return receipt.public_id

    async def _channel(self, credential: Credential, group: Group) -> Channel:
        feed = await self._context.lookups.feed_by_code(credential.space, DIALECT, "channel", credential.name)
        if feed is None:  # the directory makes it together with the credential
            raise Rejected(answer.GROUP_CLOSED)
        return Channel(credential.space, credential.name, feed.id, group)

    async def _submission(self, channel: Channel, credential: Credential, call: Call) -> Submission:
        context, group = self._context, channel.group
        segment = await segment_of(context, channel, call)
        lists = await lists_of(context, channel, call)
        await check_strategy(context, channel, call)
        parts = await parts_of(context, channel, call)
        now_ms = context.clock.now_ms()
        check_words(group, call)
        check_hours(group, now_ms)
        resolved = await resolve(context, channel, call, lists, segment)
        return Submission(
            space=channel.space,
            dialect=DIALECT,
            public_id=ums_msgid(now_ms, context.mint.node, context.mint.mint()),
            sender=await self._sender(channel),
            audience=resolved.audience,
            parts=parts,
            credential=credential.id,
            guards=_quota(channel, call, now_ms),
            callback=CallbackTarget(params=call.callback_params),
            watched=bool(group.callback_urls),
            events=resolved.events,
            scopes=(channel.key, "all"),
            priority=PRIORITIES[call.priority],
            extra=_memory(channel, call),
        )

    async def _sender(self, channel: Channel) -> Sender:
        party = await self._context.lookups.party(channel.space, PartyKind.BOT, f"ums/{channel.key}")
        return Sender(party=party, kind=PartyKind.BOT, name=channel.key)


def _memory(channel: Channel, call: Call) -> dict[str, object]:
    """What callbacks and lists of messages ask for later."""
    memory: dict[str, object] = {"channel": channel.key}
    if call.custom:
        memory["custom"] = True
    if call.callback_url in channel.group.callback_urls:
        memory["url"] = call.callback_url
    if call.owner:
        memory["owner"] = call.owner
    return memory


def _quota(channel: Channel, call: Call, now_ms: int) -> tuple[GuardUse, ...]:
    limit = channel.group.broadcasts_per_day
    if not call.broadcast or not limit:
        return ()
    key = f"ums:broadcast:{channel.key}:{shanghai_day(now_ms)}"
    return (GuardUse(key=key, limit=limit, keep_s=GUARD_KEEP_S),)


def _refused(refusal: Refused) -> Rejected:
    if refusal.reason is Reason.GUARD_EXHAUSTED:
        return Rejected(answer.BROADCASTS_USED_UP)
    return invalid("message", refusal.detail)


def _rate_key(credential: Credential) -> str:
    return f"ums:{credential.name}"


def _unknown_rate() -> Rate:
    """For callers that show no channel group: the default, untouched."""
    return Rate(CALLS_PER_MINUTE, CALLS_PER_MINUTE, WINDOW_S)
