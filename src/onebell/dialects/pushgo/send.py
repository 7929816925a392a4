"""From a well-formed intent to a stored message: channel, password, idempotency, submission (sheet pushgo §1)."""

import asyncio
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from onebell import ids
from onebell.core.context import Context
from onebell.core.directory import Credential, Feed
from onebell.core.model import (
    Content,
    Format,
    IdempotencyKey,
    Members,
    Part,
    PartyKind,
    Sender,
    Submission,
)
from onebell.dialects.pushgo import answer
from onebell.dialects.pushgo.answer import CHANNEL_NOT_FOUND, SERVER_BUSY, Rejected
from onebell.dialects.pushgo.check import Addressed, Details, addressed, details
from onebell.dialects.pushgo.parse import Intent
from onebell.errors import Busy, TooManyFailures
from onebell.http.exchange import Answer

OP_ID_KEEP_S = 7 * 24 * 3600
_SEALED = {"zh-CN": "🔒 端到端加密消息", "en": "🔒 End-to-end encrypted message"}


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel id and its password open; kept as long as the space does not change."""

    credential: Credential
    feed: Feed
    sender: Sender
    audience: tuple[Members]


class Door:
    """Takes messages for channels."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._unlocking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, space: int, intent: Intent, client: str) -> Answer:
        """Check, store, answer.

        Raises:
            Rejected: the request breaks a rule, or its channel or password is wrong.
            StoreUnavailable: nothing was stored.
        """
        wanted = addressed(intent)
        channel = self._known(space, wanted) or await self._unlock(space, wanted, client)
        now_ms = self._context.clock.now_ms()
        told = details(intent, now_ms)
        op_id = wanted.op_id or ids.hex32()
        placeholder = await self._sealed(space) if told.ciphertext and not told.body else ""
        content = _content(wanted, told, op_id, placeholder)
        submission = _submission(channel, wanted, told, content, ids.public_hex32(now_ms))
        try:
            receipt = await self._context.accept(submission)
        except Busy as error:
            raise Rejected(SERVER_BUSY) from error
        return answer.ok(wanted.channel, op_id, receipt.public_id, wanted.thing_id)

    def _known(self, space: int, wanted: Addressed) -> Channel | None:
        """A channel that was opened before, if its password is one that was right lately."""
        context = self._context
        channel: Channel | None = context.lookups.shelf(space).get(("pushgo", wanted.channel), None)
        if channel is None or not context.vault.remembers(channel.credential.password_hash, wanted.password):
            return None
        return channel

    async def _unlock(self, space: int, wanted: Addressed, client: str) -> Channel:
        # An unknown channel and a wrong password get one answer: neither tells which it was (sheet §1.3).
        lookups = self._context.lookups
        shelf = lookups.shelf(space)
        credential = await lookups.credential_named(space, "pushgo", "channel", wanted.channel)
        if credential is None or not credential.enabled:
            raise Rejected(CHANNEL_NOT_FOUND)
        if not await self._is_right(credential, wanted.password, client):
            raise Rejected(CHANNEL_NOT_FOUND)
        feed = await lookups.feed(space, credential.owner)
        if feed is None:
            raise Rejected(CHANNEL_NOT_FOUND)
        party = await lookups.party(space, PartyKind.BOT, f"pushgo/{wanted.channel}")
        channel = Channel(
            credential=credential,
            feed=feed,
            sender=Sender(party=party, kind=PartyKind.BOT, name=feed.name),
            audience=(Members(feed=feed.id),),
        )
        shelf.put(("pushgo", wanted.channel), channel)
        return channel

    async def _is_right(self, channel: Credential, password: str, client: str) -> bool:
        who = f"pushgo:{channel.id}:{client}"
        lock = self._unlocking.get(who)
        if lock is None:
            lock = self._unlocking[who] = asyncio.Lock()
        # One at a time: a burst of right passwords is hashed once, and does not look like a burst of guesses.
        async with lock:
            try:
                return await self._context.vault.check_password(channel.password_hash, password, who)
            except TooManyFailures as error:
                raise Rejected(SERVER_BUSY) from error

    async def _sealed(self, space: int) -> str:
        language = (await self._context.lookups.space(space)).language
        return _SEALED["zh-CN" if language.startswith("zh") else "en"]


def _submission(channel: Channel, wanted: Addressed, told: Details, content: Content, public_id: str) -> Submission:
    return Submission(
        space=channel.feed.space,
        dialect="pushgo",
        public_id=public_id,
        sender=channel.sender,
        audience=channel.audience,
        parts=(Part(content=content),),
        credential=channel.credential.id,
        severity=told.severity,
        expires_ms=told.expires_at,
        idempotency=_idempotency(wanted),
    )


def _content(wanted: Addressed, told: Details, op_id: str, placeholder: str) -> Content:
    data: dict[str, Any] = {"op_id": op_id, "occurred_at": told.occurred_at}
    if wanted.thing_id is not None:
        data["thing_id"] = wanted.thing_id
    if told.expires_at:
        data["ttl"] = told.expires_at
    if told.metadata:
        data["metadata"] = told.metadata
    if told.ciphertext:
        data["ciphertext"] = told.ciphertext
    if placeholder:
        # Readers here have no key: they see that there is more, devices must not take it for the text.
        data["body_is_placeholder"] = True
    return Content(
        title=wanted.title,
        body=told.body or placeholder,
        format=Format.MARKDOWN,
        url=told.url,
        images=told.images,
        tags=told.tags,
        data=data,
    )


def _idempotency(wanted: Addressed) -> IdempotencyKey | None:
    if not wanted.op_id:
        return None
    # The key is compared lower-cased in every respect (sheet §1.5).
    return IdempotencyKey(
        scope=f"pushgo:{wanted.channel}:message:{wanted.thing_id or '-'}",
        key=wanted.op_id.lower(),
        keep_s=OP_ID_KEEP_S,
    )
