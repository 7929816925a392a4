"""Every error of the native API, in one table: code → status. The body is ``{"error":{"code","message","field?"}}``."""

import msgspec

from onebell.core.replies import Blocked, NotWritable, TooFast
from onebell.errors import (
    Busy,
    Conflict,
    InvalidInput,
    NotFound,
    OnebellError,
    Refused,
    StoreUnavailable,
    TooManyFailures,
)
from onebell.http.exchange import Answer, json_answer

STATUS = {
    "bad_request": 400,  # the request itself is broken: JSON, a header, a query parameter
    "unauthorized": 401,  # no credential, or one that is not good
    "forbidden": 403,  # a good credential that may not do this
    "not_writable": 403,  # nobody can write to this conversation, or not the caller
    "blocked": 403,  # the other side has blocked the caller
    "too_late": 403,  # a message can be taken back for a while only
    "not_found": 404,  # no such path or object, or it is somebody else's
    "method_not_allowed": 405,
    "conflict": 409,  # it exists already, or is in a state that does not allow this
    "too_large": 413,
    "invalid": 422,  # a field breaks a rule; ``field`` names it
    "key_reused": 422,  # the Idempotency-Key was used with another payload
    "refused": 422,  # a quota or an interceptor said no
    "too_many": 429,  # too fast, or a password was guessed too often; see Retry-After
    "internal": 500,  # a defect of the server; it is in its log
    "unavailable": 503,  # the store cannot take it now; nothing was stored, see Retry-After
}
RETRY_AFTER_S = 2


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong."""

    code: str
    message: str
    field: str = ""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class ApiError(OnebellError):
    """An answer other than success."""

    def __init__(self, code: str, message: str, field: str = "", retry_after_s: float = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s

    def answer(self) -> Answer:
        """As HTTP."""
        headers: dict[bytes, bytes] = {b"cache-control": b"no-store"}
        if self.code == "unauthorized":
            headers[b"www-authenticate"] = b"Bearer"
        if self.retry_after_s:
            headers[b"retry-after"] = b"%d" % max(1, round(self.retry_after_s))
        detail = ErrorDetail(code=self.code, message=self.message, field=self.field)
        return json_answer(STATUS[self.code], ErrorBody(error=detail), headers)


def unauthorized() -> ApiError:
    """No good credential. Says nothing about what was wrong with it."""
    return ApiError("unauthorized", "sign in, or show a token: Authorization: Bearer …")


def forbidden(why: str) -> ApiError:
    """The caller may not do this."""
    return ApiError("forbidden", why)


def invalid(field: str, why: str) -> ApiError:
    """A field breaks a rule."""
    return ApiError("invalid", why, field)


_WORDS: tuple[tuple[type[OnebellError], str, str], ...] = (
    (NotWritable, "not_writable", "nobody can write to this conversation"),
    (Blocked, "blocked", "the other side has blocked you"),
    (InvalidInput, "invalid", "a field breaks a rule"),
    (NotFound, "not_found", "there is no such object"),
    (Conflict, "conflict", "it exists already"),
    (Refused, "refused", "refused"),
)
"""Errors of the core whose own text is for the caller: type, code, text when it has none."""


def explained(error: Exception) -> ApiError:
    """What an error of the core means here; anything unknown is our own defect."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, TooManyFailures):
        return ApiError("too_many", "too many wrong passwords; wait", retry_after_s=error.wait_s)
    if isinstance(error, TooFast):
        return ApiError("too_many", str(error), retry_after_s=1)
    if isinstance(error, Busy | StoreUnavailable):
        return ApiError("unavailable", "try again", retry_after_s=RETRY_AFTER_S)
    for kind, code, text in _WORDS:
        if isinstance(error, kind):
            return ApiError(code, str(error) or text, getattr(error, "field", None) or "")
    return ApiError("internal", "the server failed; its log says why")
