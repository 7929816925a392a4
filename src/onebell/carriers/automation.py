"""What ``hiflow`` and ``jijyun`` share: the request that automation platforms take (sheet wecom §6.11)."""

import msgspec

from onebell.carriers.base import Batch
from onebell.carriers.one_call import Call
from onebell.clock import iso
from onebell.core.directory import CarrierAccount


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow can pick from when the part brings no payload of its own."""

    title: str
    content: str  # plain text
    url: str  # opened by a click
    time: str  # when the message was accepted, RFC 3339


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """POST to the pasted address."""
    native = batch.rendered.native
    body = msgspec.json.encode(native if native is not None else _body(batch))
    return Call(url=account.fields["url"], body=body)


def _body(batch: Batch) -> Body:
    rendered = batch.rendered
    url = rendered.content.url or batch.link
    return Body(title=rendered.title, content=rendered.text, url=url, time=iso(batch.created_ms))
