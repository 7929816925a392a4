"""IFTTT Webhooks: POST fires an event with three values (sheet wecom §6.9)."""

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Sent, Temporary, Unauthorized

_FIRED = "Congratulations!"
"""How the text of a success begins: ``Congratulations! You've fired the {event} event``."""
_KEY_REFUSED = frozenset((401, 403))


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """The ingredients that an applet can use."""

    value1: str  # title
    value2: str  # plain text
    value3: str  # opened by a click


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """POST the native payload, else the three values."""
    native = batch.rendered.native
    return Call(url=account.fields["url"], body=msgspec.json.encode(native if native is not None else values(batch)))


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """Only the service's own words are success."""
    told = http_answers.told(answer)
    if answer.status in _KEY_REFUSED:
        return Unauthorized(why=f"HTTP {answer.status}: {told}")
    failed = http_answers.failure(answer, now_ms)
    if failed is not None:
        return failed
    return Sent(detail=told) if told.startswith(_FIRED) else Temporary(why="the answer is not the service's")


def values(batch: Batch) -> Values:
    """The neutral form."""
    rendered = batch.rendered
    return Values(value1=rendered.title, value2=rendered.text, value3=rendered.content.url or batch.link)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
