"""Every code and text that WeCom's webhook can give (sheet wecom §2.3, §3.2). The HTTP status is always 200."""

import secrets

import msgspec

from onebell.http.exchange import Answer

_encode = msgspec.json.Encoder().encode
_TYPE = (b"content-type", b"application/json; charset=UTF-8")
_WRONG_JSON = "Warning: wrong json format. "
_SUCCESS = b'{"errcode":0,"errmsg":"ok"}'
_OK_HEADERS = [_TYPE, (b"error-code", b"0"), (b"error-msg", b"ok")]


class Fault(msgspec.Struct, frozen=True):
    """One thing that WeCom refuses with."""

    code: int
    text: str


class Rejected(Exception):
    """A request that is refused; nothing was stored."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class _Error(msgspec.Struct):
    errcode: int
    errmsg: str


SYSTEM_BUSY = Fault(-1, "system busy")
NO_SUCH_BOT = Fault(93000, "invalid webhook url")
BOT_DISABLED = Fault(93004, "robot is disabled")
NO_SINGLE_CHAT = Fault(93005, "not allowed to send single chat message")
NOT_IN_CHAT = Fault(93008, "robot not in chat")
UNKNOWN_CHAT = Fault(40050, "invalid chatid")
UNKNOWN_TYPE = Fault(40008, "invalid message type")
EMPTY_CONTENT = Fault(44004, "empty content")
BODY_TOO_LARGE = Fault(45002, "content size out of limit")
TOO_OFTEN = Fault(45009, "api freq out of limit")
SAME_BODY_AT_ONCE = Fault(45033, "api concurrent out of limit")
NO_MEDIA_ID = Fault(41006, "media_id missing")
UNKNOWN_MEDIA = Fault(40007, "invalid media_id")
WRONG_MD5 = Fault(301019, "media md5 not match")
IMAGE_TOO_LARGE = Fault(40009, "invalid image size")
NOT_AN_IMAGE = Fault(40004, "invalid media type")
EMPTY_MEDIA = Fault(44001, "empty media data")
NO_ARTICLES = Fault(44003, "empty news data")
TOO_MANY_ARTICLES = Fault(45008, "article size out of limit")
NO_TITLE = Fault(41016, "missing title")
NO_URL = Fault(41010, "missing url")
NOT_POST = Fault(43002, "require POST method")
NOT_ON_BLACKBOARDS = Fault(40058, "msgtype not support blackboard. invalid Request Parameter")
NO_SUCH_API = Fault(40058, "invalid request url. invalid Request Parameter")


def too_long(path: str, limit: int) -> Fault:
    """A field has more bytes than allowed."""
    return Fault(40058, f"{path} exceed max length {limit}. invalid Request Parameter")


def too_many(path: str, limit: int) -> Fault:
    """A list has more items than allowed."""
    return Fault(40058, f"{path} exceed max size {limit}. invalid Request Parameter")


def missing(path: str) -> Fault:
    """A nested field that must be there is absent or empty."""
    return Fault(40058, f"missing {path}. invalid Request Parameter")


def invalid(path: str) -> Fault:
    """A nested field has a value that is none of those allowed."""
    return Fault(40058, f"invalid {path}. invalid Request Parameter")


def ok(*, wrong_json: bool) -> Answer:
    """Exactly 27 bytes, or with the warning where the JSON was not well formed (sheet §2.1)."""
    if not wrong_json:
        return Answer(200, _SUCCESS, _OK_HEADERS)
    return _answer(0, f"ok. {_WRONG_JSON}")


def refused(fault: Fault, *, wrong_json: bool, client: str, now_ms: int, more_info: str) -> Answer:
    """The error body with its hint, the caller's address and the link (sheet §3.2)."""
    hint = f"{now_ms // 1000:010d}{secrets.randbelow(10**15):015d}"
    warning = _WRONG_JSON if wrong_json else ""
    return _answer(
        fault.code,
        f"{warning}{fault.text}, hint: [{hint}], from ip: {client or 'unknown'}, more info at {more_info}{fault.code}",
    )


def _answer(code: int, message: str) -> Answer:
    headers = [_TYPE, (b"error-code", str(code).encode()), (b"error-msg", message.encode())]
    return Answer(200, _encode(_Error(code, message)), headers)
