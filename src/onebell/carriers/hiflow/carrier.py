"""Tencent HiFlow (腾讯轻联): POST to a flow's webhook trigger; any 2xx is success (sheet wecom §6.11)."""

from onebell.carriers import http_answers
from onebell.carriers.automation import ask
from onebell.carriers.base import Carrier
from onebell.carriers.one_call import OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Sent


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """The platform says nothing that could be read but its status."""
    return http_answers.failure(answer, now_ms) or Sent(detail=http_answers.told(answer))


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
