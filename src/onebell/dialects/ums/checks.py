"""What needs the channel group: its state, strategy, carriers, words and hours (sheet jpush-ums §1.5, §1.6)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from onebell.clock import shanghai_text
from onebell.core.context import Context
from onebell.core.foreign import foreign
from onebell.core.model import Part
from onebell.dialects.ums.answer import (
    DO_NOT_DISTURB,
    GROUP_CLOSED,
    GROUP_EXPIRED,
    INVALID,
    RULE_GONE,
    SENSITIVE_WORDS,
    TEXTS,
    Rejected,
    invalid,
)
from onebell.dialects.ums.audience import Channel
from onebell.dialects.ums.content import content_of, joined
from onebell.dialects.ums.group import DIALECT, INBOX, STRATEGY, Group, Strategy
from onebell.dialects.ums.kinds import KINDS
from onebell.dialects.ums.messages import sms_shape
from onebell.dialects.ums.parse import Call

APP_NATIVE = "jpush"  # a msg_app element is a JPush v3 push object, whatever serves the app channel
RENDERED = frozenset({"email"})  # no provider's payload: the carrier renders the neutral form
SMS_SHAPES = ("jsms", "cmpp")  # carrier kinds whose name is the shape of msg_sms they take


def check_open(group: Group, now_ms: int) -> None:
    """The group is on and has not run out."""
    if not group.enabled:
        raise Rejected(GROUP_CLOSED)
    if group.expires_ms and now_ms >= group.expires_ms:
        raise Rejected(GROUP_EXPIRED)


async def check_strategy(context: Context, channel: Channel, call: Call) -> None:
    """The strategy that ``rule_id`` names can be followed. Without effect on custom ids (seed).

    A strategy of one step sends at once, as no strategy does. One of several steps is refused rather than sent at
    once on all its carriers: nothing runs its timers.

    Raises:
        Rejected: unknown, disabled, another group's, of several steps, or for other carriers than the message's.
    """
    if not call.rule_id or call.custom:
        return
    record = await context.lookups.record(channel.space, DIALECT, STRATEGY, str(call.rule_id))
    if record is None:
        raise Rejected(RULE_GONE)
    strategy = msgspec.convert(record.data, Strategy)
    if not strategy.enabled or strategy.channel_key != channel.key:
        raise Rejected(RULE_GONE)
    if strategy.kinds != call.kinds:
        raise invalid("rule_id", "and msg_* must name the same carriers")
    if len(strategy.steps) > 1:
        raise Rejected(RULE_GONE, "a strategy of several steps cannot be followed yet")


async def parts_of(context: Context, channel: Channel, call: Call) -> tuple[Part, ...]:
    """One part per element, for the carrier account that serves its type.

    Raises:
        Rejected: the group may not use that type, or its account is gone or switched off.
    """
    served = {kind: await _account_of(context, channel, kind) for kind in sorted(call.kinds)}
    return _shown_whole([_part(kind, element, *served[kind]) for kind, element in call.elements])


def _shown_whole(parts: list[Part]) -> tuple[Part, ...]:
    # Each element is a message of its own (sheet §1.4), but a mailbox has one entry of a call and shows its first part.
    shown = [number for number, part in enumerate(parts) if INBOX in part.carriers]
    if len(shown) > 1:
        content = joined([parts[number].content for number in shown])
        parts[shown[0]] = msgspec.structs.replace(parts[shown[0]], content=content)
    return tuple(parts)


async def _account_of(context: Context, channel: Channel, kind: str) -> tuple[str, str]:
    """(account code, carrier kind) that serves a type."""
    use = channel.group.use(kind)
    if use is None:
        raise _not_authorised(kind)
    if use.carrier == INBOX:
        return INBOX, INBOX
    account = await context.lookups.carrier(channel.space, use.carrier)
    if account is None or not account.enabled:
        raise _not_authorised(kind)
    return account.code, account.kind


def _not_authorised(kind: str) -> Rejected:
    code = KINDS[kind].missing
    if code in TEXTS and code != INVALID:
        return Rejected(code)
    return Rejected(INVALID, f"当前渠道的{KINDS[kind].label}通道未授权/未开启/无效")


def _part(kind: str, element: dict[str, Any], account: str, account_kind: str) -> Part:
    if kind == "sms" and account_kind in SMS_SHAPES and sms_shape(element) != account_kind:
        raise invalid("msg_sms", f"must be written for {account_kind}")
    native = APP_NATIVE if kind == "app" else account_kind
    return Part(
        content=content_of(kind, element),
        carriers=(account,),
        native={} if kind in RENDERED else {native: foreign(element)},
    )


def check_words(group: Group, call: Call) -> None:
    """No text of the message holds a word of the group's filter."""
    if not group.sensitive_words:
        return
    for text in _texts([element for _, element in call.elements]):
        if any(word in text for word in group.sensitive_words):
            raise Rejected(SENSITIVE_WORDS)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def check_hours(group: Group, now_ms: int) -> None:
    """It is not the group's do-not-disturb time (Asia/Shanghai)."""
    if group.do_not_disturb is not None and group.do_not_disturb.holds(shanghai_text(now_ms)[11:16]):
        raise Rejected(DO_NOT_DISTURB)
