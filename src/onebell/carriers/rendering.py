"""A part as one account sends it: rendered, sanitised, cut to the manifest's limits, its files at hand."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from onebell.carriers import registry
from onebell.carriers.address_gate import AddressForbidden, strict
from onebell.carriers.base import Rendered
from onebell.carriers.manifest import Ability, Manifest
from onebell.carriers.outbound import Outbound, Unreachable
from onebell.core import sanitize
from onebell.core.bodies import LOOP_CHARS, whole
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits, fit
from onebell.core.model import Attachment, Content
from onebell.core.render import Forms, mentions, render
from onebell.core.rendering import NeverRendered
from onebell.core.work import MessageFacts
from onebell.errors import OnebellError

FETCH_S = 30.0
"""For one attachment at a URL (sheet jpush-ums §6.5)."""
_LATER = frozenset((408, 425, 429, *range(500, 600)))

_FetchedFile = tuple[Attachment, bytes]


class AttachmentLost(NeverRendered):
    """A file of the message is gone, or larger than the carrier takes: nobody gets the message without it."""


class AttachmentOutOfReach(OnebellError):
    """A file cannot be fetched from its URL now; it may come back while the message is worth trying."""


class PartRenderer:
    """The core's ``Renderer``."""

    def __init__(self, context: Context, outbound: Outbound) -> None:
        self._context = context
        self._outbound = outbound

    async def __call__(self, message: MessageFacts, part: int, account: CarrierAccount) -> Rendered:
        """One part for one account.

        Raises:
            AttachmentLost: the carrier sends attachments and one can never be had.
            AttachmentOutOfReach: one cannot be fetched now.
            NotFound: no carrier of this kind is built in.
        """
        manifest = registry.manifest(account.kind)
        told = message.parts[part]
        content = await whole(self._context.files, message.space, told.content)
        names = await self._names(message.space, mentions(content))
        forms = await _forms(content, names, manifest.limits)
        return Rendered(
            title=forms.title,
            text=forms.text,
            html=forms.html,
            markdown=forms.markdown,
            content=content,
            native=await self._native(message.space, told.native.get(account.kind), manifest),
            attachments=await self._attachments(message.space, content, manifest),
        )

    async def _names(self, space: int, ids: frozenset[str]) -> Mapping[str, str]:
        if not ids:
            return {}
        people = await self._context.lookups.people_by_uid(space, sorted(ids))
        found = {uid: people.get(uid.lower()) for uid in ids}
        return {uid: person.name or person.uid for uid, person in found.items() if person is not None}

    async def _native(self, space: int, payload: Any, manifest: Manifest) -> Any:
        if payload is None or Ability.NATIVE not in manifest.abilities:
            return None
        return await self._with_files(space, payload)

    async def _with_files(self, space: int, value: Any) -> Any:
        match value:
            case {"$file": int(file), **rest} if not rest:
                return base64.b64encode(await self._stored(space, file, 0)).decode()
            case {"$file": int(file), "as": "text"}:
                return (await self._stored(space, file, 0)).decode("utf-8", "replace")
            case dict():
                return {key: await self._with_files(space, inner) for key, inner in value.items()}
            case list():
                return [await self._with_files(space, inner) for inner in value]
            case _:
                return value

    async def _attachments(self, space: int, content: Content, manifest: Manifest) -> tuple[_FetchedFile, ...]:
        if Ability.ATTACHMENTS not in manifest.abilities:
            return ()
        fetched: list[_FetchedFile] = []
        for attachment in content.attachments:
            fetched.append(await self._fetched(space, attachment, manifest.limits))
            _require_room(fetched, manifest.limits)
        return tuple(fetched)

    async def _fetched(self, space: int, attachment: Attachment, limits: Limits) -> _FetchedFile:
        if attachment.file:
            return attachment, await self._stored(space, attachment.file, limits.attachment_bytes)
        return attachment, await self._downloaded(space, attachment.url, limits.attachment_bytes)

    async def _stored(self, space: int, file: int, limit_bytes: int) -> bytes:
        stored = await self._context.files.find(space, file)
        if stored is None:
            raise AttachmentLost("an attachment is no longer stored")
        if limit_bytes and stored.size > limit_bytes:
            raise AttachmentLost(f"an attachment is larger than {limit_bytes} bytes")
        return b"".join([chunk async for chunk in self._context.files.read(stored)])

    async def _downloaded(self, space: int, url: str, limit_bytes: int) -> bytes:
        policy = strict((await self._context.lookups.space(space)).allow_callbacks)
        try:
            answer = await self._outbound.request(
                "GET", url, headers={}, body=None, policy=policy, timeout_s=FETCH_S, limit_bytes=limit_bytes
            )
        except AddressForbidden as error:
            raise AttachmentLost(f"an attachment cannot be fetched: {error}") from error
        except Unreachable as error:
            raise AttachmentOutOfReach(f"an attachment cannot be fetched: {error}") from error
        if answer.status in _LATER:
            raise AttachmentOutOfReach(f"an attachment cannot be fetched: HTTP {answer.status}")
        if answer.status != 200:
            raise AttachmentLost(f"an attachment cannot be fetched: HTTP {answer.status}")
        if answer.truncated:
            raise AttachmentLost(f"an attachment is larger than {limit_bytes} bytes")
        return answer.body


async def _forms(content: Content, names: Mapping[str, str], limits: Limits) -> Forms:
    def made() -> Forms:
        return fit(render(content, names, sanitize.mail), limits)

    return made() if len(content.body) <= LOOP_CHARS else await asyncio.to_thread(made)


def _require_room(fetched: Sequence[_FetchedFile], limits: Limits) -> None:
    if limits.attachments_bytes and sum(len(body) for _, body in fetched) > limits.attachments_bytes:
        raise AttachmentLost(f"the attachments are larger than {limits.attachments_bytes} bytes together")
