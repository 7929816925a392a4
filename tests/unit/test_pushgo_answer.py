"""PushGo's envelope, problem object and headers, to the byte (sheet pushgo §1.4)."""

import json
import re
from typing import Any

import pytest

from onebell.dialects.pushgo import answer
from onebell.dialects.pushgo.answer import Failure
from onebell.errors import Busy, StoreUnavailable
from onebell.http.exchange import Answer, Request


def asked(language: str = "") -> Request:
    headers = [(b"accept-language", language.encode())] if language else []
    return Request({"method": "POST", "query_string": b"", "headers": headers}, b"/message", b"")


def header(got: Answer, name: bytes) -> str:
    (value,) = [value for key, value in got.headers if key == name]
    return value.decode()


def problem_of(got: Answer) -> dict[str, Any]:
    return json.loads(got.body)["problem"]  # type: ignore[no-any-return]


def test_success_to_the_byte() -> None:
    """The order of keys is the seed's; error and error_code are written as null."""
    got = answer.ok("CH", "op-1", "a" * 32, None)
    assert got.status == 200
    assert got.body == (
        b'{"success":true,"data":{"channel_id":"CH","op_id":"op-1","message_id":"' + b"a" * 32 + b'",'
        b'"accepted":true},"error":null,"error_code":null}'
    )
    assert header(got, b"content-type") == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", header(got, b"x-request-id"))


def test_success_names_the_thing() -> None:
    """thing_id stands between message_id and accepted."""
    got = answer.ok("CH", "op-1", "m", "thing")
    assert b'"message_id":"m","thing_id":"thing","accepted":true' in got.body


def test_failure_to_the_byte() -> None:
    """A failure on /message writes its null keys and ends with the problem."""
    got = answer.rejected(asked(), answer.CHANNEL_NOT_FOUND)
    request_id = header(got, b"x-request-id")
    assert got.status == 404
    assert got.body.decode() == (
        '{"success":false,"data":null,"error":"channel not found","error_code":"channel_not_found",'
        '"problem":{"code":"channel_not_found","category":"not_found","status":404,"title":"Resource not found",'
        '"detail":"channel not found","localized_message":"The channel does not exist or is no longer valid. '
        'Please refresh and retry.","locale":"en","retryable":false,"request_id":"' + request_id + '"}}'
    )
    assert header(got, b"content-language") == "en"


def test_a_failure_without_a_code() -> None:
    """Where upstream sends no code, error_code is null and the problem has no code key."""
    got = answer.rejected(asked(), Failure(400, "op_id is too long"))
    assert json.loads(got.body)["error_code"] is None
    assert "code" not in problem_of(got)
    assert problem_of(got)["category"] == "validation"


def test_elsewhere_null_keys_are_left_out() -> None:
    """Android reads a JSON null as the text "null": other endpoints omit such keys (sheet §9.1)."""
    got = json.loads(answer.rejected_briefly(asked(), Failure(400, "why")).body)
    assert list(got) == ["success", "error", "problem"]
    got = json.loads(answer.rejected_briefly(asked(), answer.SERVER_BUSY).body)
    assert list(got) == ["success", "error", "error_code", "problem"]


def test_an_unknown_path_is_always_english() -> None:
    """The 404 of an unknown path has no problem.request_id and no other language, but the header."""
    got = answer.route_not_found()
    assert (got.status, json.loads(got.body)["error_code"]) == (404, "route_not_found")
    assert "request_id" not in problem_of(got)
    assert problem_of(got)["locale"] == "en"
    assert re.fullmatch("[0-9a-f]{32}", header(got, b"x-request-id"))


def test_another_method_has_an_empty_body() -> None:
    """405 says only which methods are allowed."""
    got = answer.method_not_allowed(("POST", "GET", "HEAD"))
    assert (got.status, got.body, header(got, b"allow")) == (405, b"", "GET, HEAD, POST")
    assert header(got, b"x-request-id")


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("ZH-Hans-CN;q=0.1, en", "zh-CN"),
        ("zh_SG", "zh-CN"),
        ("fr, en-GB;q=0.8, zh", "en"),
        ("de, zh-cn", "zh-CN"),
        ("zh-TW", "en"),
        ("*", "en"),
        (",,;", "en"),
    ],
)
def test_the_first_known_language_wins(accepted: str, locale: str) -> None:
    """q-values are ignored; an unknown language is passed over; English is the rest."""
    got = answer.rejected(asked(accepted), answer.CHANNEL_NOT_FOUND)
    assert header(got, b"content-language") == problem_of(got)["locale"] == locale


@pytest.mark.parametrize(
    ("failure", "category", "title", "says", "retryable"),
    [
        (answer.AUTHENTICATION_FAILED, "auth", "认证失败", "网关认证失败，请检查服务器令牌。", False),
        (answer.CHANNEL_NOT_FOUND, "not_found", "资源不存在", "频道不存在或已失效，请刷新后重试。", False),
        (answer.SERVER_BUSY, "too_busy", "服务暂时不可用", "服务繁忙，请稍后重试。", True),
        (answer.STORE_ERROR, "internal", "服务内部错误", "服务暂时异常，请稍后重试。", True),
        (answer.INTERNAL_ERROR, "internal", "服务内部错误", "服务暂时异常，请稍后重试。", True),
        (answer.NO_CONTENT_TYPE, "validation", "请求参数有误", "请求参数有误，请检查后重试。", False),
        (Failure(400, "x", "channel_id_required"), "validation", "请求参数有误", "频道 ID 不能为空。", False),
    ],
)
def test_problems_in_chinese(failure: Failure, category: str, title: str, says: str, retryable: bool) -> None:
    """Each code has its category, its title and its sentence (case 43)."""
    problem = problem_of(answer.rejected(asked("zh-CN"), failure))
    assert problem["category"] == category
    assert problem["title"] == title
    assert problem["localized_message"] == says
    assert problem["retryable"] is retryable
    assert problem["status"] == failure.status


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("disk full"), 500, "store_error"),
        (Busy("wait"), 503, "server_busy"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
def test_our_own_failures(error: Exception, status: int, code: str) -> None:
    """A failure of ours says which kind it is and nothing from inside."""
    failure = answer.failure_of(error)
    assert (failure.status, failure.code) == (status, code)
    assert str(error) not in failure.error


def test_texts_in_plain() -> None:
    """What upstream's framework says itself is plain text, with a request id."""
    got = answer.plain(answer.PlainRejected(400, "Failed to deserialize query string: x"))
    assert (got.status, got.body) == (400, b"Failed to deserialize query string: x")
    assert header(got, b"content-type") == "text/plain; charset=utf-8"
    assert header(got, b"x-request-id")
