"""Pre-send callbacks: an app's own server looks at what a client sends before it is stored (sheet easemob §4.1)."""

from typing import Any

import msgspec

from onebell.clock import Clock
from onebell.core.callbacks import CallbackSender, NoAnswer, NotAllowed
from onebell.core.context import Lookups
from onebell.core.directory import Record
from onebell.core.events import CallbackAnswer, CallbackRequest
from onebell.core.interceptors import Pass, Refuse, Verdict
from onebell.core.model import Content, Part, Submission
from onebell.dialects.easemob.app import DIALECT, Rule
from onebell.dialects.easemob.bodies import documented, stored_body, text_of
from onebell.dialects.easemob.callback import is_too_long, rules_of, security
from onebell.dialects.easemob.happenings import CHAT
from onebell.dialects.easemob.push_text import Words
from onebell.http.exchange import NotJson, read_json
from onebell.ids import uuid4

UPLINK = "uplink"
"""In a submission's memory: a client sent it. Nothing that comes over REST is asked about.

Until it is stored the words of each part that is a push, without the message's text.
"""
DENIED = "custom logic denied"
BLOCKED = "Message blocked by external logic"
BROKEN = "custom internal error"
"""What the sender is told: no ``code``, an empty one, or no usable answer."""
PAYLOAD_BYTES = 1024
_encode = msgspec.json.Encoder().encode


class _Unusable(Exception):
    """The answer is late, too long, or not of the agreed form."""


class PreSend:
    """An interceptor: several rules are asked one after the other, each with its own patience and default."""

    name = "easemob_presend"
    deadline_s = 30.0  # each rule's own is 3 s at most

    def __init__(self, lookups: Lookups, sender: CallbackSender, clock: Clock) -> None:
        self._lookups = lookups
        self._sender = sender
        self._clock = clock

    def wants(self, submission: Submission) -> bool:
        """Only messages that a client sent."""
        return submission.dialect == DIALECT and UPLINK in submission.extra

    def default(self, submission: Submission) -> Verdict:
        """A defect of ours stops nobody's message."""
        return Pass(submission)

    async def judge(self, submission: Submission) -> Verdict:
        """Every rule's word; the first no ends it."""
        for rule, record in await self._rules(submission):
            verdict = await self._ask(rule, record, submission)
            if isinstance(verdict, Refuse):
                return verdict
            submission = verdict.submission
        # What pushes say without the text is of no use any more.
        return Pass(msgspec.structs.replace(submission, extra={**submission.extra, UPLINK: True}))

    async def _rules(self, submission: Submission) -> list[tuple[Rule, Record]]:
        rules = await rules_of(self._lookups, submission.space, str(submission.extra["app"]), "pre")
        kind = documented(submission.parts[0].content.data["body"])["type"]
        return [(rule, record) for rule, record in rules if rule.takes(kind)]

    async def _ask(self, rule: Rule, record: Record, submission: Submission) -> Pass | Refuse:
        request = self._request(rule, record, submission)
        try:
            answer = await self._sender.post(request, request.headers, (), rule.wait_ms / 1000)
            return _verdict(submission, _read(answer))
        except (NoAnswer, NotAllowed, _Unusable):
            return Pass(submission) if rule.default_policy == "allow" else Refuse(BROKEN)

    def _request(self, rule: Rule, record: Record, submission: Submission) -> CallbackRequest:
        appkey, now_ms = rule.app.replace("/", "#", 1), self._clock.now_ms()
        call_id = f"{appkey}_{uuid4()}"
        data = submission.parts[0].content.data
        body = {
            "callId": call_id,
            "timestamp": now_ms,
            "chat_type": CHAT,
            "from": data["from"],
            "to": data["to"][0],
            "msg_id": submission.public_id,
            "payload": {**documented(data["body"]), "ext": data["ext"]},  # D5
            "security": security(call_id, record.secrets.get("secret", ""), now_ms),
        }
        return CallbackRequest(
            kind="pre",
            space=submission.space,
            url=rule.url,
            verified=True,
            headers={"Content-Type": "application/json"},
            body=_encode(body),
            order_key="",
        )


def _read(answer: CallbackAnswer) -> dict[str, Any]:
    if answer.status != 200 or is_too_long(answer):
        raise _Unusable
    try:
        said = read_json(answer.body)
    except NotJson:
        raise _Unusable from None
    if not isinstance(said, dict) or not isinstance(said.get("valid"), bool):
        raise _Unusable
    return said


def _verdict(submission: Submission, said: dict[str, Any]) -> Pass | Refuse:
    if not said["valid"]:
        # A no is a no, whatever stands beside it.
        code = said.get("code")
        return Refuse((code or BLOCKED) if isinstance(code, str) else DENIED)
    payload = said.get("payload")
    if not isinstance(payload, dict | None):
        raise _Unusable
    return Pass(submission if payload is None else _changed(submission, payload))


def _changed(submission: Submission, payload: dict[str, Any]) -> Submission:
    """Another text and ``ext``, of a text message only."""
    part = submission.parts[0]
    data = part.content.data
    if data["type"] != "txt":
        return submission
    text, ext = payload.get("msg", data["body"]["msg"]), payload.get("ext", data["ext"])
    if not isinstance(text, str) or not text or not isinstance(ext, dict) or len(_encode(payload)) > PAYLOAD_BYTES:
        raise _Unusable
    body = {**data["body"], **stored_body("txt", {"msg": text}, lenient=True)}
    content = _with(part.content, body, ext)
    extra = submission.extra
    if "body" in extra:  # what post-send callbacks show
        extra = {**extra, "body": body, "ext": ext}
    pushes = zip(submission.parts[1:], submission.extra[UPLINK], strict=True)
    rest = [_reworded(push, words.saying(text)) for push, words in pushes]
    parts = (msgspec.structs.replace(part, content=content), *rest)
    return msgspec.structs.replace(submission, parts=parts, extra=extra)


def _reworded(push: Part, words: Words) -> Part:
    """A push that shows the message shows its new text."""
    content = msgspec.structs.replace(push.content, title=words.title, body=words.body)
    native = {kind: {**said, "title": words.title, "body": words.body} for kind, said in push.native.items()}
    return msgspec.structs.replace(push, content=content, native=native)


def _with(content: Content, body: dict[str, Any], ext: dict[str, Any]) -> Content:
    data = {**content.data, "body": body, "ext": ext}
    return msgspec.structs.replace(content, body=text_of("txt", body), data=data)
