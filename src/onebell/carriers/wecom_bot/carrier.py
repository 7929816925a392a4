"""WeCom group bots: POST to the bot's address; HTTP 200 is not success, ``errcode`` 0 is (sheet wecom §6.1)."""

from collections.abc import Mapping

import msgspec
import structlog

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier, Rendered
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.fit import cut
from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled, Unauthorized

log = structlog.get_logger()

TEXT_BYTES = 2048
MARKDOWN_BYTES = 4096
MINUTE_S = 60.0
BUSY_S = 5.0
"""Least wait after "system busy" and "too many at once"."""

_BUSY = frozenset((-1, 6000, 45033))
_TOO_OFTEN = frozenset((45009,))
_BOT_IS_DEAD = frozenset((93000, 93004, 93008))
_TARGET_IS_DEAD = frozenset((93005,))
# 40001 … 40009 and these say that the message itself is wrong.
_BAD_CONTENT = frozenset((*range(40001, 40010), 40050, 40058, 41006, 41010, 41016, 44001, 44003, 44004, 45001, 45002,
                          45007, 45008, 301017, 301019))  # fmt: skip
_WRONG_JSON = "Warning: wrong json format."
_MARKED_UP = frozenset((Format.MARKDOWN, Format.WECOM_MARKDOWN))


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """Post to the bot's address."""
    return Call(url=account.fields["url"], body=msgspec.json.encode(payload(batch.rendered)))


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """What the service said."""
    said = http_answers.said(answer, "errcode", "errmsg")
    if said is None:
        return http_answers.not_theirs(answer, now_ms)
    if said.code != 0:
        return judge(said.code, said.why, now_ms)
    if _WRONG_JSON in said.text:
        log.warning("wecom_bot_json_warning", said=said.text)
    return Sent(detail=said.text)


def payload(rendered: Rendered) -> Mapping[str, object]:
    """The request: the native payload unchanged, else Markdown where the sender wrote it, else text."""
    if rendered.native is not None:
        native: Mapping[str, object] = rendered.native
        return native
    content = rendered.content
    if content.format not in _MARKED_UP:
        lines = (rendered.title, rendered.text, content.url)
        return {"msgtype": "text", "text": {"content": cut("\n".join(filter(None, lines)), TEXT_BYTES)}}
    source = content.body if content.format is Format.WECOM_MARKDOWN else rendered.markdown
    heading = f"**{rendered.title}**" if rendered.title else ""
    lines = (heading, source, f"[{content.url}]({content.url})" if content.url else "")
    return {"msgtype": "markdown", "markdown": {"content": cut("\n".join(filter(None, lines)), MARKDOWN_BYTES)}}


def judge(code: int, why: str, now_ms: int) -> Outcome:
    """What an ``errcode`` other than 0 means; an unknown one may heal."""
    if code in _BUSY:
        return Temporary(why=why, not_before_s=BUSY_S)
    if code in _TOO_OFTEN:
        return Throttled(why=why, wait_s=until_full_minute_s(now_ms))
    if code in _BOT_IS_DEAD:
        return Unauthorized(why=why)
    if code in _TARGET_IS_DEAD:
        return Permanent(why=why, drop_target=True, code=code)
    if code in _BAD_CONTENT:
        return Permanent(why=why, code=code)
    return Temporary(why=why, not_before_s=BUSY_S)


def until_full_minute_s(now_ms: int) -> float:
    """Until the first full minute that is at least 60 s away."""
    past_s = now_ms / 1000 % MINUTE_S
    return MINUTE_S + (MINUTE_S - past_s if past_s else 0)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
