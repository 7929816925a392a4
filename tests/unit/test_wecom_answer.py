"""WeCom's answers, to the byte (sheet wecom §1, §2.1, §3.2)."""

import json
import re

from onebell.dialects.wecom import answer
from onebell.http.exchange import Answer

MORE = "https://open.work.weixin.qq.com/devtool/query?e="


def headers(got: Answer) -> dict[bytes, bytes]:
    return dict(got.headers)


def refused(fault: answer.Fault, *, wrong_json: bool = False, client: str = "203.0.113.9") -> Answer:
    return answer.refused(fault, wrong_json=wrong_json, client=client, now_ms=1_755_605_200_999, more_info=MORE)


def test_success_has_27_bytes() -> None:
    """The body is exactly that of the service, and so is the content type (case 1)."""
    got = answer.ok(wrong_json=False)
    assert (got.status, got.body) == (200, b'{"errcode":0,"errmsg":"ok"}')
    assert len(got.body) == 27
    assert headers(got) == {
        b"content-type": b"application/json; charset=UTF-8",
        b"error-code": b"0",
        b"error-msg": b"ok",
    }


def test_success_with_the_warning() -> None:
    """The trailing blank is the service's (case 11)."""
    assert answer.ok(wrong_json=True).body == b'{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}'


def test_an_error_to_the_byte() -> None:
    """Message, hint of 25 digits, the caller's address and the link."""
    got = refused(answer.NO_SUCH_BOT)
    assert got.status == 200
    assert re.fullmatch(
        rb'\{"errcode":93000,"errmsg":"invalid webhook url, hint: \[1755605200\d{15}\], from ip: 203\.0\.113\.9, '
        rb'more info at https://open\.work\.weixin\.qq\.com/devtool/query\?e=93000"\}',
        got.body,
    )


def test_an_error_stands_in_the_headers_too() -> None:
    """``Error-Code`` and ``Error-Msg`` repeat the body."""
    got = refused(answer.EMPTY_CONTENT)
    body = json.loads(got.body)
    assert headers(got)[b"error-code"] == b"44004"
    assert headers(got)[b"error-msg"].decode() == body["errmsg"]


def test_the_warning_is_a_prefix_of_errors() -> None:
    """A body that was not well formed puts the warning before the message (cases 10, 12)."""
    got = json.loads(refused(answer.UNKNOWN_TYPE, wrong_json=True).body)
    assert got["errmsg"].startswith("Warning: wrong json format. invalid message type, hint: [")


def test_a_caller_without_an_address() -> None:
    """Over a socket without addresses the pattern of clients still matches."""
    assert "from ip: unknown, more" in json.loads(refused(answer.SYSTEM_BUSY, client="").body)["errmsg"]


def test_hints_differ() -> None:
    """Two answers of one second have different hints."""
    assert refused(answer.SYSTEM_BUSY).body != refused(answer.SYSTEM_BUSY).body
