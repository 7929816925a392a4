"""The submission of one message: content, native payloads, what is remembered of it (sheet pushplus §4, §5)."""

import asyncio
from typing import Any

import msgspec

from onebell.core.bodies import ROW_BYTES, memory_of
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount
from onebell.core.model import (
    Audience,
    CallbackTarget,
    Content,
    GuardUse,
    Part,
    Submission,
)
from onebell.dialects.pushplus import native, templates
from onebell.dialects.pushplus.parse import DEFAULT_CHANNEL, Asked, Channel
from onebell.dialects.pushplus.senders import NAME, SenderInfo
from onebell.ids import public_hex32

_LOGO = "/assets/logo.png"
_LOOP_CHARS = 4_096
"""A longer content is looked at on a thread: reading it as JSON would hold up everybody else."""
_UNTITLED = "pushplus消息"
"""Stands on a card for a message without words, a picture alone: most services refuse an empty title or text."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How one message goes out."""

    channel: Channel
    account: CarrierAccount | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One message whose checks have all passed."""

    sender: SenderInfo
    asked: Asked
    way: Way
    audience: tuple[Audience, ...]
    topic: int  # feed it goes to; 0 = none
    guards: tuple[GuardUse, ...] = ()  # what it costs
    now_ms: int


async def compose(context: Context, plan: Plan) -> Submission:
    """Render by template and put it all into the core's words."""
    sender, asked = plan.sender, plan.asked
    code = public_hex32(plan.now_ms)
    given = asked.template, asked.content, plan.now_ms
    is_long = len(asked.content) > _LOOP_CHARS
    shown = await asyncio.to_thread(templates.show, *given) if is_long else templates.show(*given)
    memory = _memory(plan)
    if shown.body != asked.content:
        memory["content"] = await memory_of(context.files, sender.space.id, sender.credential.id, asked.content)
    return Submission(
        space=sender.space.id,
        dialect=NAME,
        public_id=code,
        sender=sender.writes_as,
        audience=plan.audience,
        parts=(_part(plan, shown, code),),
        credential=sender.credential.id,
        callback=CallbackTarget(url=asked.callback_url) if asked.callback_url else None,
        guards=plan.guards,
        watched=_is_watched(plan),
        # What a receiver has bound beside his inbox is his own affair: a mail server that is down says nothing here.
        inbox_suffices=True,
        extra=memory,
    )


def _is_watched(plan: Plan) -> bool:
    # An address in the request stands for the account's, even when it cannot be used (sheet §1.5, §3). What a message
    # costs is known when it is finished.
    return bool(plan.guards) or bool(plan.asked.callback_url if plan.asked.has_callback else plan.sender.callback_url)


def _content(plan: Plan, shown: templates.Shown) -> Content:
    return Content(
        title=plan.asked.title or shown.title or templates.plain_text(shown, templates.TITLE_CHARS),
        body=shown.body,
        format=shown.format,
        summary=shown.card,
        url=shown.url,
        icon=plan.asked.icon,
        extension=_is_for_extension(plan),
    )


def _is_for_extension(plan: Plan) -> bool:
    """What was sent to it, and what the sender wants there as well (sheet §5)."""
    channel = plan.way.channel.name
    return channel == "extension" or (channel == DEFAULT_CHANNEL and bool(plan.sender.account.get("extension")))


def _part(plan: Plan, shown: templates.Shown, code: str) -> Part:
    content, account = _content(plan, shown), plan.way.account
    if account is None:
        return Part(content=content, carriers=("inbox",) if plan.way.channel.inbox_only else ())
    return Part(
        content=content,
        carriers=(account.code,),
        native=native.payload(account.kind, lambda: _card(plan, shown, content.title or _UNTITLED, code)),
    )


def _card(plan: Plan, shown: templates.Shown, title: str, code: str) -> native.Card:
    base = plan.sender.space.public_url
    is_short = len(plan.asked.content.encode("utf-8", "replace")) <= ROW_BYTES
    return native.Card(
        title=title,
        content=plan.asked.content,
        summary=templates.summary(shown) or title,
        link=f"{base}/shortMessage/{code}",
        short_code=code,
        short_link=f"{base.partition('://')[2]}/t/{code}",
        logo=plan.asked.icon or base + _LOGO,
        is_text=is_short and plan.asked.template == "txt",
        is_markdown=is_short and plan.asked.template == "markdown",
    )


def _memory(plan: Plan) -> dict[str, Any]:
    """What lists, the page and callbacks need later."""
    asked, channel = plan.asked, plan.way.channel
    memory: dict[str, Any] = {
        "owner": plan.sender.person.id,
        "title": asked.title,
        "channel": channel.name,
        "template": asked.template,
    }
    if plan.topic:
        memory["topic"] = plan.topic
    elif asked.to and channel.takes_friends:
        memory["friend"] = True
    if asked.pre:
        memory["pre"] = asked.pre
    if plan.guards:
        memory["points"] = sum(use.amount for use in plan.guards)
    if asked.has_callback and not asked.callback_url:
        memory["untold"] = True
    return memory
