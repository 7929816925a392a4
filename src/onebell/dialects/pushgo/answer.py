"""Everything PushGo can say: the envelope, its problem object and every code and text (sheet pushgo §1.3, §1.4)."""

from typing import Any

import msgspec

from onebell import ids
from onebell.errors import Busy, StoreUnavailable
from onebell.http.exchange import Answer, Request

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Failure(msgspec.Struct, frozen=True):
    """One thing that PushGo refuses with: HTTP status, the ``error`` text and its code (None = null)."""

    status: int
    error: str
    code: str | None = None


class Rejected(Exception):
    """A request that is answered with a failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error)
        self.failure = failure


class PlainRejected(Exception):
    """A request that upstream's web framework answers itself, in plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Kind(msgspec.Struct, frozen=True):
    """A category of problems with its titles and default sentences."""

    category: str
    title_en: str
    title_zh: str
    says_en: str
    says_zh: str
    retryable: bool = False


_UNAVAILABLE_EN = "The service is temporarily unavailable. Please retry later."
_UNAVAILABLE_ZH = "服务暂时异常，请稍后重试。"

_VALIDATION = _Kind(
    "validation",
    "Validation failed",
    "请求参数有误",
    "The request is invalid. Please check the input and retry.",
    "请求参数有误，请检查后重试。",
)
_AUTH = _Kind(
    "auth",
    "Authentication failed",
    "认证失败",
    "Gateway authentication failed. Please check the server token.",
    "网关认证失败，请检查服务器令牌。",
)
_NOT_FOUND = _Kind(
    "not_found",
    "Resource not found",
    "资源不存在",
    "The channel does not exist or is no longer valid. Please refresh and retry.",
    "频道不存在或已失效，请刷新后重试。",
)
_NO_ROUTE = _Kind(
    "not_found",
    "Resource not found",
    "资源不存在",
    "This gateway has no such API route.",
    "当前网关不存在该 API 路由。",
)
_TOO_BUSY = _Kind(
    "too_busy",
    "Service temporarily unavailable",
    "服务暂时不可用",
    "The service is busy. Please retry later.",
    "服务繁忙，请稍后重试。",
    retryable=True,
)
_INTERNAL = _Kind("internal", "Internal server error", "服务内部错误", _UNAVAILABLE_EN, _UNAVAILABLE_ZH, retryable=True)

_BY_CODE = {
    "authentication_failed": _AUTH,
    "channel_not_found": _NOT_FOUND,
    "route_not_found": _NO_ROUTE,
    "server_busy": _TOO_BUSY,
    "store_error": _INTERNAL,
    "internal_error": _INTERNAL,
    "channel_id_required": msgspec.structs.replace(
        _VALIDATION, says_en="The channel ID is required.", says_zh="频道 ID 不能为空。"
    ),
}

AUTHENTICATION_FAILED = Failure(401, "authentication failed", "authentication_failed")
CHANNEL_NOT_FOUND = Failure(404, "channel not found", "channel_not_found")
SERVER_BUSY = Failure(503, "server is busy, please try again later", "server_busy")
STORE_ERROR = Failure(500, "database error, please try again later", "store_error")
INTERNAL_ERROR = Failure(500, "internal server error", "internal_error")
NO_CONTENT_TYPE = Failure(400, "missing Content-Type: application/json", "missing_json_content_type")
BODY_TOO_LARGE = Failure(
    413,
    "invalid request body: Failed to buffer the request body: length limit exceeded",
    "invalid_request_body",
)
COMPAT_KEY_INVALID = Failure(400, "compat key must be '<channel_id>:<password>'", "compat_key_invalid")
_ROUTE_NOT_FOUND = Failure(404, "404 Not Found", "route_not_found")


def json_syntax(detail: str) -> Failure:
    """The body is not JSON."""
    error = f"invalid JSON syntax: Failed to parse the request body as JSON: {detail}"
    return Failure(400, error, "invalid_json_syntax")


def json_data(detail: str) -> Failure:
    """The body is JSON of another shape."""
    error = f"invalid JSON data: Failed to deserialize the JSON body into the target type: {detail}"
    return Failure(400, error, "invalid_json_data")


def ok(channel_id: str, op_id: str, message_id: str, thing_id: str | None) -> Answer:
    """A message was taken. All values are of alphabets that JSON need not escape."""
    thing = f'"thing_id":"{thing_id}",' if thing_id else ""
    body = (
        f'{{"success":true,"data":{{"channel_id":"{channel_id}","op_id":"{op_id}","message_id":"{message_id}",'
        f'{thing}"accepted":true}},"error":null,"error_code":null}}'
    )
    return Answer(200, body.encode(), [_JSON, _request_id(ids.hex32())])


def rejected(request: Request, why: Failure) -> Answer:
    """The envelope of a failure on ``/message`` and the compat entries: null keys are written."""
    request_id = ids.hex32()
    locale = locale_of(request.text_header(b"accept-language"))
    value = {
        "success": False,
        "data": None,
        "error": why.error,
        "error_code": why.code,
        "problem": _problem(why, locale) | {"request_id": request_id},
    }
    return _failure(why.status, value, request_id, locale)


def rejected_briefly(request: Request, why: Failure) -> Answer:
    """The envelope of a failure elsewhere: null keys are left out, as upstream does (sheet §9.1)."""
    request_id = ids.hex32()
    locale = locale_of(request.text_header(b"accept-language"))
    value: dict[str, Any] = {"success": False, "error": why.error}
    if why.code is not None:
        value["error_code"] = why.code
    value["problem"] = _problem(why, locale) | {"request_id": request_id}
    return _failure(why.status, value, request_id, locale)


def route_not_found() -> Answer:
    """An unknown path: always English and without ``problem.request_id`` (sheet §1.4)."""
    value = {
        "success": False,
        "error": _ROUTE_NOT_FOUND.error,
        "error_code": _ROUTE_NOT_FOUND.code,
        "problem": _problem(_ROUTE_NOT_FOUND, "en"),
    }
    return _failure(404, value, ids.hex32(), "en")


def method_not_allowed(allowed: tuple[str, ...]) -> Answer:
    """A known path with another method: an empty body. Whoever may GET may HEAD."""
    names = {*allowed, "HEAD"} if "GET" in allowed else set(allowed)
    return Answer(405, b"", [(b"allow", ", ".join(sorted(names)).encode()), _request_id(ids.hex32())])


def plain(why: PlainRejected) -> Answer:
    """What upstream's web framework says itself."""
    return Answer(why.status, why.text.encode(), [_TEXT, _request_id(ids.hex32())])


def failure_of(error: Exception) -> Failure:
    """The answer to a failure of ours."""
    if isinstance(error, Busy):
        return SERVER_BUSY
    return STORE_ERROR if isinstance(error, StoreUnavailable) else INTERNAL_ERROR


def locale_of(accept_language: str) -> str:
    """``en`` or ``zh-CN``: the first item of the header that is known; q-values are ignored."""
    for item in accept_language.split(","):
        tag = item.split(";", 1)[0].strip().lower().replace("_", "-")
        if tag == "zh" or tag.startswith(("zh-cn", "zh-sg", "zh-hans")):
            return "zh-CN"
        if tag == "en" or tag.startswith("en-"):
            return "en"
    return "en"


def _problem(why: Failure, locale: str) -> dict[str, Any]:
    kind = _BY_CODE.get(why.code or "", _VALIDATION)
    in_chinese = locale == "zh-CN"
    problem: dict[str, Any] = {} if why.code is None else {"code": why.code}
    return problem | {
        "category": kind.category,
        "status": why.status,
        "title": kind.title_zh if in_chinese else kind.title_en,
        "detail": why.error,
        "localized_message": kind.says_zh if in_chinese else kind.says_en,
        "locale": locale,
        "retryable": kind.retryable,
    }


def _failure(status: int, value: object, request_id: str, locale: str) -> Answer:
    headers = [_JSON, _request_id(request_id), (b"content-language", locale.encode())]
    return Answer(status, _encode(value), headers)


def _request_id(value: str) -> tuple[bytes, bytes]:
    return b"x-request-id", value.encode()
