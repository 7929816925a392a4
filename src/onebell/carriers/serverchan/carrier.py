"""ServerChan, Turbo and ³: a form to the address of the key; ``code`` or ``errno`` 0 is success (sheet wecom §6.8)."""

import re
from urllib.parse import urlencode

from onebell.carriers import http_answers
from onebell.carriers.base import Batch, Carrier, Rendered
from onebell.carriers.group_bots import linked, paragraphs
from onebell.carriers.http_answers import Said
from onebell.carriers.one_call import Call, OneCall
from onebell.carriers.outbound import HttpAnswer
from onebell.carriers.tools import CarrierTools
from onebell.clock import until_shanghai_midnight_s
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Permanent, Sent, Throttled, Unauthorized

TITLE_CHARS = 32
SHORT_CHARS = 64
_THIRD = re.compile(r"sctp(\d+)t")
"""A key of ServerChan³ names its owner's number, which is in the host's name."""

_REFUSED = 40001  # the key; the day's quota has the same code and other words
_DAY_IS_FULL = ("当日", "当天", "超过")
_REPEATED = "重复"
_BAD_KEY = ("错误的Key", "bad pushtoken")


def ask(account: CarrierAccount, batch: Batch, _now_ms: int) -> Call:
    """The native payload unchanged, else title, Markdown and what the card shows of it."""
    native = batch.rendered.native
    form = message(batch.rendered, is_third=bool(_owner(account))) if native is None else native
    return Call(
        url=_address(account),
        body=urlencode(form).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def _owner(account: CarrierAccount) -> str:
    found = _THIRD.match(account.fields["sendkey"])
    return found[1] if found else ""


def _address(account: CarrierAccount) -> str:
    key, owner = account.fields["sendkey"], _owner(account)
    service = f"https://{owner}.push.ft07.com" if owner else "https://sctapi.ftqq.com"
    base = str(account.fields.get("base_url") or service).rstrip("/")
    return f"{base}/send/{key}.send" if owner else f"{base}/{key}.send"


def message(rendered: Rendered, *, is_third: bool) -> dict[str, str]:
    """The form. A title is required: the first words stand for one."""
    content = rendered.content
    images = paragraphs(*(f"![]({url})" for url in content.images))
    form = {
        "title": (rendered.title or rendered.text.strip().partition("\n")[0] or content.url)[:TITLE_CHARS],
        "desp": paragraphs(rendered.markdown, images, linked(content.url)),
        "short": " ".join(rendered.text.split())[:SHORT_CHARS],
    }
    if is_third and content.tags:
        form["tags"] = "|".join(content.tags)
    return {name: value for name, value in form.items() if value}


def read(answer: HttpAnswer, now_ms: int) -> Outcome:
    """What the service said, whatever the status."""
    said = http_answers.said(answer, "code", "message") or http_answers.said(answer, "errno", "errmsg")
    if said is None:
        return http_answers.not_theirs(answer, now_ms)
    return Sent(provider_ref=_push_id(answer), detail=said.text) if said.code == 0 else _judge(said, answer, now_ms)


def _push_id(answer: HttpAnswer) -> str:
    data = (http_answers.json_of(answer) or {}).get("data")
    return str(data.get("pushid", "")) if isinstance(data, dict) else ""


def _judge(said: Said, answer: HttpAnswer, now_ms: int) -> Outcome:
    if any(words in said.text for words in _DAY_IS_FULL):
        return Throttled(why=said.why, wait_s=until_shanghai_midnight_s(now_ms))
    if _REPEATED in said.text:
        return Permanent(why=said.why, code=said.code)
    if said.code == _REFUSED or any(words in said.text for words in _BAD_KEY):
        return Unauthorized(why=said.why)
    return http_answers.unlisted(said, answer, now_ms)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return OneCall(account, tools, ask, read)
