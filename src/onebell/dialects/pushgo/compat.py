"""PushGo's compat entries for scripts of ntfy, ServerChan and Bark (sheet pushgo §2.8).

A key of the form ``<channel_id>:<password>`` is PushGo's and gets its envelope; any other key is refused here as
long as no native dialect answers the prefix.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from onebell.core.context import Context
from onebell.dialects.base import Route
from onebell.dialects.pushgo import answer, parse
from onebell.dialects.pushgo.answer import (
    BODY_TOO_LARGE,
    COMPAT_KEY_INVALID,
    NO_CONTENT_TYPE,
    Failure,
    PlainRejected,
    Rejected,
)
from onebell.dialects.pushgo.gateway import Gateway
from onebell.dialects.pushgo.parse import Intent
from onebell.dialects.pushgo.routes import READ_AHEAD_BYTES, answered
from onebell.dialects.pushgo.send import Door
from onebell.http.exchange import Answer, Request

_NO_TITLE = "Notification"
_THING_UNSUPPORTED = Failure(400, "thing_id is not supported on this endpoint", "thing_id_unsupported_on_ntfy_endpoint")
_RAW_TOO_LARGE = "Failed to buffer the request body: length limit exceeded"

_NTFY_SEVERITY = {
    "1": "low", "min": "low", "2": "low", "low": "low", "3": "normal", "default": "normal",
    "4": "high", "high": "high", "5": "critical", "max": "critical", "urgent": "critical",
}  # fmt: skip
_BARK_SEVERITY = {
    "passive": "low",
    "active": "normal",
    "timesensitive": "high",
    "time-sensitive": "high",
    "critical": "critical",
}


class BarkPush(msgspec.Struct, frozen=True):
    """The body of ``POST /bark/push``; what else it holds is not looked at."""

    device_key: str
    title: str | None = None
    body: str | None = None
    url: str | None = None
    op_id: str | None = None
    level: str | None = None
    sound: str | None = None
    icon: str | None = None
    group: str | None = None
    images: list[str] = []
    ciphertext: str | None = None
    tags: list[str] = []
    metadata: Any = None


_decode_bark = msgspec.json.Decoder(BarkPush).decode


class Compat:
    """Answers the area ``prefixes`` as PushGo does."""

    body_limit = READ_AHEAD_BYTES

    def __init__(self, context: Context) -> None:
        self._gateway = Gateway(context)
        self._door = Door(context)

    def routes(self) -> Sequence[Route]:
        verbs = [f"/ntfy/{{}}/{verb}" for verb in ("publish", "send", "trigger")]
        return (
            Route(("POST", "PUT"), "/ntfy/{}", self._ntfy),
            *(Route(("GET", "POST", "PUT"), pattern, self._ntfy) for pattern in verbs),
            Route(("GET",), "/serverchan/{}", self._serverchan_query),
            Route(("POST",), "/serverchan/{}", self._serverchan_form),
            Route(("POST",), "/bark/push", self._bark_push),
            Route(("GET",), "/bark/{}/{}", self._bark_path),
            Route(("GET",), "/bark/{}/{}/{}", self._bark_path),
        )

    def no_route(self, request: Request) -> Answer:
        return answer.route_not_found()

    def wrong_method(self, request: Request, allowed: tuple[str, ...]) -> Answer:
        return answer.method_not_allowed(allowed)

    def too_large(self, request: Request) -> Answer:
        if request.path == b"/bark/push":
            return answer.rejected(request, BODY_TOO_LARGE)
        return answer.plain(PlainRejected(413, _RAW_TOO_LARGE))

    def failed(self, request: Request, error: Exception) -> Answer:
        return answer.rejected(request, answer.failure_of(error))

    async def _ntfy(self, request: Request, values: tuple[str, ...]) -> Answer:
        async def work(request: Request) -> Answer:
            channel, password = compat_key(unquote(values[0]))
            space = await self._gateway.space_of(request)
            query = _first_values(request.query_pairs())
            if "thing_id" in query:
                raise Rejected(_THING_UNSUPPORTED)
            _refuse_long_body(request)
            return await self._door.send(space, ntfy_intent(channel, password, query, request), request.client)

        return await answered(request, work)

    async def _serverchan_query(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await self._serverchan(request, values[0], request.query_pairs())

    async def _serverchan_form(self, request: Request, values: tuple[str, ...]) -> Answer:
        pairs = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
        return await self._serverchan(request, values[0], pairs)

    async def _serverchan(self, request: Request, key: str, pairs: list[tuple[str, str]]) -> Answer:
        async def work(request: Request) -> Answer:
            channel, password = compat_key(unquote(key))
            space = await self._gateway.space_of(request)
            _refuse_long_body(request)
            intent = serverchan_intent(channel, password, _first_values(pairs))
            return await self._door.send(space, intent, request.client)

        return await answered(request, work)

    async def _bark_path(self, request: Request, values: tuple[str, ...]) -> Answer:
        async def work(request: Request) -> Answer:
            channel, password = compat_key(unquote(values[0]))
            space = await self._gateway.space_of(request)
            told = [unquote(value) for value in values[1:]]
            intent = bark_intent(channel, password, told, _first_values(request.query_pairs()))
            return await self._door.send(space, intent, request.client)

        return await answered(request, work)

    async def _bark_push(self, request: Request, values: tuple[str, ...]) -> Answer:
        return await answered(request, self._bark_json)

    async def _bark_json(self, request: Request) -> Answer:
        if not parse.is_json(request.header(b"content-type")):
            raise Rejected(NO_CONTENT_TYPE)
        if len(request.body) > parse.BODY_BYTES:
            raise Rejected(BODY_TOO_LARGE)
        push = read_bark_push(request.body)
        channel, password = compat_key(push.device_key)
        space = await self._gateway.space_of(request)
        return await self._door.send(space, bark_push_intent(channel, password, push), request.client)


def compat_key(text: str) -> tuple[str, str]:
    """Channel and password of ``<channel_id>:<password>``.

    Raises:
        Rejected: ``compat_key_invalid``.
    """
    channel, colon, password = text.strip().partition(":")
    if not colon or not channel.strip() or not password.strip():
        raise Rejected(COMPAT_KEY_INVALID)
    return channel, password


def read_bark_push(body: bytes) -> BarkPush:
    """The body of ``POST /bark/push``.

    Raises:
        Rejected: ``invalid_json_syntax`` or ``invalid_json_data``.
    """
    return parse.strictly(_decode_bark, body)


def ntfy_intent(channel: str, password: str, query: dict[str, str], request: Request) -> Intent:
    """An ntfy publication. Query beats header; the message may also be the raw body."""
    raw = request.body.decode(errors="replace").strip()
    header = request.text_header
    priority = query.get("priority") or header(b"priority")
    return Intent(
        channel_id=channel,
        password=password,
        title=query.get("title") or header(b"title") or _NO_TITLE,
        body=query.get("message") or query.get("body") or header(b"message") or raw,
        op_id=query.get("op_id"),
        occurred_at=_instant(query, "occurred_at"),
        severity=query.get("severity") or _NTFY_SEVERITY.get(priority.strip().lower()),
        ttl=_instant(query, "ttl"),
        url=query.get("url") or header(b"click"),
        images=parse.comma_list(query.get("images", "")),
        tags=parse.comma_list(query.get("tags") or header(b"tags")),
        ciphertext=query.get("ciphertext"),
        metadata=parse.metadata_text(query.get("metadata", "")),
    )


def serverchan_intent(channel: str, password: str, values: dict[str, str]) -> Intent:
    """A ServerChan message."""
    return Intent(
        channel_id=channel,
        password=password,
        title=values.get("title") or values.get("text") or _NO_TITLE,
        body=values.get("desp") or values.get("body"),
        op_id=values.get("op_id"),
        url=values.get("url"),
        ciphertext=values.get("ciphertext"),
        metadata=parse.metadata_text(values.get("metadata", "")) | _noted("serverchan", {"url": values.get("url")}),
    )


def bark_intent(channel: str, password: str, told: list[str], query: dict[str, str]) -> Intent:
    """A Bark push by path: body, or title and body."""
    return Intent(
        channel_id=channel,
        password=password,
        title=(told[0] if len(told) > 1 else query.get("title")) or _NO_TITLE,
        body=told[-1],
        op_id=query.get("op_id"),
        severity=_BARK_SEVERITY.get(query.get("level", "").strip().lower()),
        url=query.get("url"),
        images=parse.comma_list(query.get("images", "")),
        tags=parse.comma_list(query.get("tags", "")),
        ciphertext=query.get("ciphertext"),
        metadata=parse.metadata_text(query.get("metadata", ""))
        | _noted("bark", {name: query.get(name) for name in ("sound", "icon", "group")}),
    )


def bark_push_intent(channel: str, password: str, push: BarkPush) -> Intent:
    """A Bark push by JSON."""
    return Intent(
        channel_id=channel,
        password=password,
        title=push.title or _NO_TITLE,
        body=push.body,
        op_id=push.op_id,
        severity=_BARK_SEVERITY.get((push.level or "").strip().lower()),
        url=push.url,
        images=push.images,
        tags=push.tags,
        ciphertext=push.ciphertext,
        metadata=parse.metadata_of(push.metadata)
        | _noted("bark", {"sound": push.sound, "icon": push.icon, "group": push.group}),
    )


def _noted(service: str, values: dict[str, str | None]) -> dict[str, Any]:
    return {f"compat.{service}.{name}": text for name, value in values.items() if (text := (value or "").strip())}


def _first_values(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        values.setdefault(name, value)
    return values


def _instant(values: dict[str, str], name: str) -> int | None:
    try:
        return parse.milliseconds(values.get(name, ""))
    except ValueError as error:
        raise PlainRejected(400, f"Failed to deserialize query string: {name}: {error}") from error


def _refuse_long_body(request: Request) -> None:
    if len(request.body) > parse.BODY_BYTES:
        raise PlainRejected(413, _RAW_TOO_LARGE)
