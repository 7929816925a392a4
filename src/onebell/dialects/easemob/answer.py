"""Every error and envelope that Easemob's REST API can give (sheet easemob §1.1 to §1.3, §3.1, §5)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from onebell.http.exchange import Answer, json_answer

# Browsers' SDK calls this API from other origins and parses every body (sheet §1.1).
CORS: dict[bytes, bytes] = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-methods": b"GET, POST, PUT, DELETE, OPTIONS",
    b"access-control-allow-headers": (
        b"authorization, content-type, restrict-access, share-secret, x-requested-with, "
        b"thumbnail, thumbnail-height, thumbnail-width, vframe, range"
    ),
    b"access-control-expose-headers": b"content-range, content-disposition",
    b"access-control-max-age": b"86400",
}

EXCEPTIONS: dict[str, str] = {
    "message_send_error": "MessageSendException",
    "invalid_request_body": "InvalidRequestBodyException",
    "unauthorized": "EasemobSecurityException",
    "auth_bad_access_token": "EasemobSecurityException",
    "message_recall_error": "MessageRecallException",
    "message_rewrite_error": "RewriteMessageInternalErrorException",  # each refusal of its own has another one
    "forbidden_op": "EasemobForbiddenOpException",
    "duplicate_unique_property_exists": (
        "org.apache.usergrid.persistence.exceptions.DuplicateUniquePropertyExistsException"
    ),
    "storage_object_not_found": "StorageObjectNotFoundException",
    "service_open_exception": "ServiceOpenException",
    "illegal_argument": "java.lang.IllegalArgumentException",
    "service_resource_not_found": "org.apache.usergrid.services.exceptions.ServiceResourceNotFoundException",
    "entity_not_found": "org.apache.usergrid.persistence.exceptions.EntityNotFoundException",
    "organization_application_not_found": (
        "org.apache.usergrid.rest.exceptions.OrganizationApplicationNotFoundException"
    ),
    "unsupported_service_operation": ("org.apache.usergrid.services.exceptions.UnsupportedServiceOperationException"),
    "json_parse": "com.fasterxml.jackson.core.JsonParseException",
    "invalid_grant": "EasemobInvalidGrantException",
    "reach_limit": "EasemobReachLimitException",
    "web_application": "javax.ws.rs.WebApplicationException",
    "Request Entity Too Large": "RequestEntityTooLargeException",
    "file exceeding maximum limit": "FileExceedingMaximumLimitException",
    "file_expired": "EasemobFileExpiredException",
}
FOREIGN_SUBJECT = "org.apache.shiro.authz.UnauthorizedException"

NO_TOKEN = "Unable to authenticate (OAuth)"
UNKNOWN_TOKEN = "Unable to authenticate"
EXPIRED_TOKEN = "Unable to authenticate due to expired access token"
REGISTER_TOKEN = "Open registration doesn't allow, so register user need token,"  # the comma is the service's own
CORRUPT_TOKEN = "Unable to authenticate due to corrupt access token"
INVALID_BODY = "Request body is invalid. Please check body is correct."
INVALID_REQUEST = "this is an invalid request."
NO_FILE = "file must be provided."
TOO_LARGE_CODE = 14007


class Rejected(Exception):
    """Easemob refuses the call: HTTP status, ``error`` and ``error_description``."""

    def __init__(self, status: int, error: str, text: str, *, code: int = 0, exception: str = "") -> None:
        super().__init__(status, error, text)
        self.status = status
        self.error = error
        self.text = text
        self.code = code
        self.exception = exception or EXCEPTIONS[error]
        self.headers: Mapping[bytes, bytes] = {}


# ---------------------------------------------------------------- refusals


def send_error(text: str, status: int = 400) -> Rejected:
    """A message that breaks a rule of §1.3."""
    return Rejected(status, "message_send_error", text)


def is_empty(name: str) -> Rejected:
    """A required parameter is missing or empty."""
    return send_error(f"param {name} can't be empty")


def is_illegal(name: str) -> Rejected:
    """A parameter holds what it must not."""
    return send_error(f"param {name} is illegal")


def message_too_large() -> Rejected:
    """``body`` and ``ext`` together: the one error with a number (§1.1)."""
    return Rejected(400, "message_send_error", "message is too large", code=TOO_LARGE_CODE)


def invalid_body() -> Rejected:
    """Not JSON, not an object, or a field of the wrong type."""
    return Rejected(400, "invalid_request_body", INVALID_BODY)


def illegal(text: str) -> Rejected:
    """400 ``illegal_argument``."""
    return Rejected(400, "illegal_argument", text)


def bad_grant(text: str, status: int = 400) -> Rejected:
    """``invalid_grant``."""
    return Rejected(status, "invalid_grant", text)


def unauthorized(text: str) -> Rejected:
    """401 without a usable token."""
    return Rejected(401, "unauthorized", text)


def bad_token(text: str) -> Rejected:
    """401 for a token that is none of this app's."""
    return Rejected(401, "auth_bad_access_token", text)


def not_permitted(method: str, application: str, path: str) -> Rejected:
    """A user token where an app token is needed."""
    subject = f"Subject does not have permission [applications:{method.lower()}:{application}:{path}]"
    return Rejected(401, "unauthorized", subject, exception=FOREIGN_SUBJECT)


def no_app(org: str, app: str, path: str) -> Rejected:
    """The path's app does not exist; ``path`` is what follows it."""
    text = f"Could not find application for {org}/{app} from URI: {org}/{app}{path}"
    return Rejected(404, "organization_application_not_found", text)


def no_user() -> Rejected:
    """An account that is not there, where a password or a token is asked for (§3.1, §3.2)."""
    return Rejected(404, "entity_not_found", "User null not found")


def taken(application: str, name: str) -> Rejected:
    """A name that is registered already."""
    text = (
        f"Application {application} Entity user requires that property named username be unique, value of {name} exists"
    )
    return duplicate(text)


def duplicate(text: str) -> Rejected:
    """400 ``duplicate_unique_property_exists``."""
    return Rejected(400, "duplicate_unique_property_exists", text)


def no_service() -> Rejected:
    """An unknown path under a live app (D8: 404 instead of the service's own 500)."""
    return Rejected(404, "service_resource_not_found", "Service resource not found")


def no_operation(allowed: str) -> Rejected:
    """Another method than the path has."""
    refusal = Rejected(405, "unsupported_service_operation", "Service operation not supported")
    refusal.headers = {b"allow": allowed.encode()}
    return refusal


def request_too_large() -> Rejected:
    """The body as a whole."""
    return Rejected(413, "Request Entity Too Large", "Request Entity Too Large")


def file_too_large() -> Rejected:
    """An uploaded file (§2.1)."""
    return Rejected(413, "file exceeding maximum limit", "the file size exceeds the maximum limit.")


def no_file() -> Rejected:
    """A file that never was (§2.2)."""
    return Rejected(404, "entity_not_found", "file may not exists")


def not_fetched() -> Rejected:
    """A file that an import names and nobody gave (§1.5; the text is ours: none is documented)."""
    return illegal("body.url could not be downloaded")


def file_expired(file_id: str) -> Rejected:
    """A file whose seven days are over."""
    return Rejected(404, "file_expired", f"file {file_id} is expired")


def no_range(size: int) -> Rejected:
    """Bytes that a file has not got; the Web SDK reads every refusal as JSON (§1.1)."""
    refusal = Rejected(416, "web_application", "Requested Range Not Satisfiable")
    refusal.headers = {b"content-range": b"bytes */%d" % size}
    return refusal


def media_type() -> Rejected:
    """A Content-Type that cannot hold JSON."""
    return Rejected(415, "web_application", "Unsupported Media Type")


def too_fast() -> Rejected:
    """The app's rate of calls."""
    return Rejected(429, "reach_limit", "This request has reached api limit")


def too_many_messages() -> Rejected:
    """The app's messages of a minute."""
    return send_error("message send reach limit", 403)


def recall_error(text: str, status: int = 403) -> Rejected:
    """A message that cannot be taken back (§1.6)."""
    return Rejected(status, "message_recall_error", text)


def blocked(name: str) -> Rejected:
    """Somebody who wants nothing from whoever asks; clients are told the same word over their protocol."""
    return Rejected(403, "forbidden_op", f"blocked by {name}")


def rewrite_error(status: int, exception: str, text: str) -> Rejected:
    """A message that cannot be changed (§1.8)."""
    return Rejected(status, "message_rewrite_error", text, exception=exception)


def broken(status: int) -> Rejected:
    """A failure of ours."""
    return Rejected(status, "web_application", "Internal Server Error")


# ---------------------------------------------------------------- envelopes


class _Error(msgspec.Struct):
    error: str
    exception: str
    timestamp: int
    duration: int
    error_code: int | msgspec.UnsetType
    error_description: str


class _Envelope(msgspec.Struct):
    # The order of keys is the seed's.
    path: str
    uri: str
    timestamp: int
    organization: str
    application: str
    action: str
    data: dict[str, Any]
    duration: int
    applicationName: str  # noqa: N815 - the wire's name


class _Uploaded(msgspec.Struct):
    # The order of keys is the document's (§2.1).
    action: str
    application: str
    path: str
    uri: str
    entities: list[dict[str, str]]
    timestamp: int
    duration: int
    organization: str
    applicationName: str  # noqa: N815 - the wire's name


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What envelopes say about a call."""

    org: str
    app: str
    application: str  # uuid
    path: str  # without host, org and app
    uri: str
    action: str
    timestamp: int
    duration: int


def error(refusal: Rejected, timestamp: int, duration: int = 0) -> Answer:
    """The one shape of every error."""
    body = _Error(
        refusal.error,
        refusal.exception,
        timestamp,
        duration,
        refusal.code or msgspec.UNSET,
        refusal.text,
    )
    return json_answer(refusal.status, body, {**CORS, **refusal.headers})


def envelope(scene: Scene, data: dict[str, Any]) -> Answer:
    """The full success envelope of §1.1."""
    body = _Envelope(
        scene.path,
        scene.uri,
        scene.timestamp,
        scene.org,
        scene.application,
        scene.action,
        data,
        scene.duration,
        scene.app,
    )
    return json_answer(200, body, CORS)


def uploaded(scene: Scene, entity: dict[str, str]) -> Answer:
    """The answer to an upload, which has entities and no data."""
    body = _Uploaded(
        scene.action,
        scene.application,
        scene.path,
        scene.uri,
        [entity],
        scene.timestamp,
        scene.duration,
        scene.org,
        scene.app,
    )
    return json_answer(200, body, CORS)


def full(scene: Scene, **more: Any) -> Answer:
    """The keys of §1.1 around ``more``; a ``path`` among them replaces the request's own."""
    body = {
        "action": scene.action,
        "application": scene.application,
        "path": scene.path,
        "uri": scene.uri,
        **more,
        "timestamp": scene.timestamp,
        "duration": scene.duration,
        "organization": scene.org,
        "applicationName": scene.app,
    }
    return json_answer(200, body, CORS)


def brief(scene: Scene, **more: Any) -> Answer:
    """The envelopes of §3.3: no app in them."""
    return bare(scene, scene.action, uri=scene.uri, **more)


def bare(scene: Scene, action: str, **more: Any) -> Answer:
    """An action of its own, and hardly more."""
    body = {"action": action, **more, "timestamp": scene.timestamp, "duration": scene.duration}
    return json_answer(200, body, CORS)


def plain(value: dict[str, Any]) -> Answer:
    """A success answer without an envelope (tokens)."""
    return json_answer(200, value, CORS)


def preflight() -> Answer:
    """What a browser asks before it calls from another origin."""
    return Answer(200, b"", list(CORS.items()))
