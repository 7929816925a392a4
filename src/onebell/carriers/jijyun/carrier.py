"""Jijyun (集简云): POST to a flow's webhook; ``Code`` 200 in the body is success (sheet wecom §6.11)."""

from onebell.carriers import http_answers
from onebell.carriers.automation import ask
from onebell.carriers.base import Carrier
from onebell.carriers.one_call import OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled

_OK = 200
_TOO_OFTEN = 429


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """HTTP 200 is not success: the body's ``Code``, with a capital C, decides."""
    said = http_answers.said(answer, "Code", "Message")
    if said is None:
        return http_answers.not_theirs(answer, now_ms)
    return Sent(detail=said.text) if said.code == _OK else judge(said.code, said.why)


def judge(code: int, why: str) -> Outcome:
    """A ``Code`` other than 200. The service publishes no list; its success is HTTP's, so the rest is read likewise."""
    if code == _TOO_OFTEN:
        return Throttled(why=why, wait_s=http_answers.THROTTLED_S)
    if 400 <= code < 500:
        return Permanent(why=why, code=code)
    return Temporary(why=why)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
