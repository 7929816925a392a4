"""What the service's answers mean (sheet wecom §6.2): HTTP 200 is not success, ``errcode`` 0 is."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from onebell.carriers import http_answers
from onebell.carriers.outbound import HttpAnswer
from onebell.core.outcomes import Outcome, Permanent, Temporary, Throttled, Unauthorized
from onebell.core.work import words

BUSY_S = 5.0
"""Least wait after "system busy" and after an unknown code."""
TOO_OFTEN_S = 60.0

RENEW = frozenset((40014, 42001, 41001, 40001))
"""The token is not taken: another one is fetched, and the call repeated once."""
ONE_OF_THEM = frozenset((60111, 40003))
"""A member is not valid; the service does not say which of those that were named."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the service's own JSON."""

    code: int
    text: str  # ``errmsg``, as much as is kept
    body: Mapping[str, Any]

    @property
    def why(self) -> str:
        """Code and text, for the timeline."""
        return words(f"{self.code} {self.text}")

    def ids(self, name: str) -> frozenset[str]:
        """A list of ids joined by ``|``, in lower case, as the service gives them back."""
        value = self.body.get(name)
        return frozenset(filter(None, value.lower().split("|"))) if isinstance(value, str) else frozenset()

    def string(self, name: str) -> str:
        """A string; empty when there is none."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


def read(answer: HttpAnswer, now_ms: int) -> Said | Outcome:
    """What the service said, or what it means that something else answered."""
    failed = http_answers.failure(answer, now_ms)
    if failed is not None:
        return failed
    body = http_answers.json_of(answer)
    code = None if body is None else body.get("errcode")
    if body is None or not isinstance(code, int):
        return Temporary(why="the answer is not the service's JSON")
    return Said(code=code, text=words(str(body.get("errmsg", ""))), body=body)


def judge(said: Said) -> Outcome:
    """What an ``errcode`` other than 0 means; an unknown one may heal."""
    return _MEANINGS.get(said.code, _busy)(said)


def _busy(said: Said) -> Outcome:
    return Temporary(why=said.why, not_before_s=BUSY_S)


def _too_often(said: Said) -> Outcome:
    return Throttled(why=said.why, wait_s=TOO_OFTEN_S)


def _account_is_dead(said: Said) -> Outcome:
    return Unauthorized(why=said.why)


def _target_is_dead(said: Said) -> Outcome:
    return Permanent(why=said.why, drop_target=True, code=said.code)


def _bad_content(said: Said) -> Outcome:
    return Permanent(why=said.why, code=said.code)


# 40007: media ids come from senders, so that nothing can be uploaded again.
_MEANINGS: Mapping[int, Callable[[Said], Outcome]] = {
    **dict.fromkeys((-1, 6000), _busy),
    **dict.fromkeys((45009, 45033), _too_often),
    **dict.fromkeys((*RENEW, 40013, 40091, 60020, 48002, 50003, 301002, 40056, 41011), _account_is_dead),
    **dict.fromkeys((*ONE_OF_THEM, 81013, 82001), _target_is_dead),
    **dict.fromkeys((40007, 40008, 40058, 41016, 44004, 45002), _bad_content),
}
