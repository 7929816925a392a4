"""Where values come from: body before URL before default, or the whole body as content (sheet pushplus §1.3)."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from onebell.core.bodies import LOOP_CHARS
from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.dialects.pushplus.lenient import NotJson, loads
from onebell.http.exchange import Request
from onebell.ids import HEX32

MAX_FIELDS = 1000
"""Of a form; further ones are not looked at: no request has as many, and each costs time."""

_encode = msgspec.json.Encoder().encode
_BOUNDARY = re.compile(r'boundary=(?:"(?P<quoted>[^"]{1,200})"|(?P<bare>[^\s;"]{1,200}))', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="([^"\r\n]{1,100})"', re.IGNORECASE)


class Fields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request's parameters as text; empty = absent."""

    token: str = ""
    title: str = ""
    content: str = ""
    topic: str = ""
    template: str = ""
    channel: str = ""
    webhook: str = ""
    option: str = ""
    callback_url: str = ""
    timestamp: str = ""
    to: str = ""
    pre: str = ""
    push_id: str = ""
    icon: str = ""


_NAMES = tuple((field.name, field.encode_name) for field in msgspec.structs.fields(Fields))
_texts = msgspec.json.Decoder(Fields).decode
_WIRE_NAMES = frozenset(wire for _, wire in _NAMES)
_WHOLE_BODY_NAMES = ("title", "topic")
"""All that is read from a body that is content itself: its other keys may be foreign (a documented alarm has a
``timestamp`` of 2017)."""

HIDDEN = "******"
"""Stands where the sender's token stood."""

_Values = dict[str, str]
_Read = TypeVar("_Read")


async def aside(request: Request, read: Callable[[Request], _Read]) -> _Read:
    """What ``read`` makes of a request; a long body is read on a thread, for leniently it takes 100 ms and more."""
    return await asyncio.to_thread(read, request) if len(request.body) > LOOP_CHARS else read(request)


def read(request: Request, path_token: bytes = b"") -> Fields:
    """The parameters of a request to ``/send`` or ``/batchSend``; ``path_token`` is still percent-encoded.

    Raises:
        Rejected: ``application/json`` whose body is not a JSON object.
    """
    if not request.query and not path_token and (plain := _plain(request)) is not None:
        return plain
    url = _pairs(request.query_pairs())
    in_path = unquote_to_bytes(path_token).decode("utf-8", "replace").strip()
    if in_path:
        url.setdefault("token", in_path)
    if not request.body.strip():
        return _fields(url)
    if "template" in url:
        return _whole_body(request, url)
    return _fields({**url, **_body_values(request, url)})


def _plain(request: Request) -> Fields | None:
    """What most callers send, read in one step: a JSON object of texts, none of them blank; None for all else."""
    if request.header(b"content-type") != b"application/json" or b"\\u0000" in request.body:
        return None
    try:
        fields = _texts(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if any(map(str.isspace, msgspec.structs.astuple(fields))) else fields


def document(request: Request) -> dict[str, Any]:
    """The body as an object, read as leniently as ``/send`` reads it; empty when there is none, or null.

    Raises:
        NotJson: it is neither an object nor a form.
    """
    if not request.body.strip():
        return {}
    if _media_type(request) in _FORMS and not request.body.lstrip().startswith(b"{"):
        return dict(_form_pairs(request))
    value = loads(request.body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotJson("not an object")
    return value


def text_of(value: object) -> str:
    """A JSON value as the text it stands for; null and blank = empty; objects and arrays compact."""
    match value:
        case None:
            return ""
        case str():
            return value if value.strip() else ""
        case bool():
            return "true" if value else "false"
        case int():
            return repr(value)
        case msgspec.Raw():
            return bytes(value).decode()
    return _encode(value).decode()


def _fields(values: _Values) -> Fields:
    return Fields(**{name: _storable(name, values[wire]) for name, wire in _NAMES if wire in values})


def _storable(name: str, value: str) -> str:
    # A code or token is looked up, and PostgreSQL's text refuses NUL; content is kept as bytes.
    return value if name == "content" else value.replace("\0", "\ufffd")


def _pairs(pairs: Iterable[tuple[str, Any]]) -> _Values:
    # The first of several wins, as in a servlet; a blank one counts as absent.
    found: _Values = {}
    for key, value in pairs:
        if key in _WIRE_NAMES and (text := text_of(value)):
            found.setdefault(key, text)
    return found


def _media_type(request: Request) -> str:
    # qinglong sends ' application/json' with a leading blank.
    return request.text_header(b"content-type").partition(";")[0].strip().lower()


def _body_values(request: Request, url: _Values) -> _Values:
    kind = _media_type(request)
    if kind == "application/json":
        return _json_values(request.body)
    if kind in _FORMS:
        return _form_or_json(request)
    document = _json_object(request.body)
    if document is not None:
        return _pairs(document.items())
    if "token" in url and "content" not in url:
        return {"content": request.body.decode("utf-8", "replace")}
    return {}


def _json_values(body: bytes) -> _Values:
    document = _json_object(body)
    if document is None:
        raise Rejected(Fault.NOT_JSON)
    return _pairs(document.items())


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = loads(body)
    except NotJson:
        return None
    return document if isinstance(document, dict) else None


def _form_or_json(request: Request) -> _Values:
    # `curl -d '{…}'` without a header says form and means JSON.
    document = _json_object(request.body) if request.body.lstrip().startswith(b"{") else None
    return _pairs(_form_pairs(request) if document is None else document.items())


def _whole_body(request: Request, url: _Values) -> Fields:
    raw = request.body.decode("utf-8", "replace")
    # `curl -d 'disk full'` says form as well: what has no field is the text that it looks like.
    is_form = _media_type(request) in _FORMS and "=" in raw
    document = None if is_form and not raw.lstrip().startswith("{") else _json_object(request.body)
    if document is not None or not is_form:
        return _content_with(raw, _pairs((document or {}).items()), url)
    form = list(_form_pairs(request))
    values = _pairs(form)
    if "content" in values:
        return _fields({**url, **values})
    return _content_with(text_of(dict(form)), values, url)


def _content_with(content: str, body: _Values, url: _Values) -> Fields:
    values = {**url, **{name: body[name] for name in _WHOLE_BODY_NAMES if name in body}, "content": content}
    if "token" in body:
        values.setdefault("token", body["token"])
    values["content"] = _without(values.get("token", "").strip(), content)
    return _fields(values)


def _without(token: str, content: str) -> str:
    """Readers get the body as it came but for what lets them send as its sender; a token is nothing else by chance."""
    return content.replace(token, HIDDEN) if HEX32.match(token) else content


def _form_pairs(request: Request) -> Iterable[tuple[str, str]]:
    return _FORMS[_media_type(request)](request)


def _urlencoded(request: Request) -> Iterable[tuple[str, str]]:
    # Decoded from bytes: raw UTF-8 beside percent-encoding must survive (the official shell demo sends it so).
    for piece in request.body.split(b"&", MAX_FIELDS)[:MAX_FIELDS]:
        key, _, value = piece.partition(b"=")
        if key:
            yield _form_text(key), _form_text(value)


def _form_text(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def _multipart(request: Request) -> Iterable[tuple[str, str]]:
    boundary = _BOUNDARY.search(request.text_header(b"content-type"))
    if boundary is None:
        return
    mark = b"--" + (boundary["quoted"] or boundary["bare"]).encode()
    for piece in request.body.split(mark, MAX_FIELDS + 1)[1 : MAX_FIELDS + 1]:
        head, _, value = piece.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name is not None and b"filename" not in head.lower():
            yield name[1].decode("utf-8", "replace"), value.removesuffix(b"\r\n").decode("utf-8", "replace")


_FORMS = {"application/x-www-form-urlencoded": _urlencoded, "multipart/form-data": _multipart}
