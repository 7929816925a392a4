"""The carrier http_template against a recording service (sheet pushplus §5.1 type 12, A36)."""

import json
from typing import Any

import pytest
from tests.fakes.carrier_account import batch, opened, rendered
from tests.fakes.http_service import Received, answer, drop, http_service

from onebell.carriers import registry
from onebell.carriers.fields import checked_fields
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled
from onebell.errors import InvalidInput

NASTY = 'a"b\\c\n{title}&<你>'


async def sent(part: Any = None, script: Any = None, path: str = "/hook", **fields: Any) -> tuple[Received, Outcome]:
    async with http_service(script) as service, opened("http_template", url=service.base + path, **fields) as carrier:
        outcome = (await carrier.send(batch(part)))[0]
        return service.received[0], outcome


async def test_a36_headers_and_a_text() -> None:
    """A36: the headers as a JSON object, the content in its place."""
    got, said = await sent(rendered("t", "你好"), headers='{"test":"test"}', body="这是消息内容：{content}")

    assert said == Sent(detail="{}")
    assert (got.method, got.target, got.headers["test"]) == ("POST", "/hook", "test")
    assert got.headers["content-type"] == "text/plain;charset=UTF-8"
    assert got.body.decode() == "这是消息内容：你好"


async def test_lines_are_headers_too() -> None:
    """``Name: value`` a line, blanks around them dropped, a colon in the value kept."""
    got, _ = await sent(headers="X-A: b:c\r\n\n Authorization :  Bearer x \n", body="b")

    assert (got.headers["x-a"], got.headers["authorization"]) == ("b:c", "Bearer x")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_methods_with_a_body(method: str) -> None:
    """Each carries the filled template."""
    got, _ = await sent(rendered("T", "C"), method=method, body="{title}|{content}|{url}")

    assert (got.method, got.body) == (method, b"T|C|http://bell.test/app/m/1")


async def test_get_has_no_body() -> None:
    """The address alone carries the message, percent-encoded."""
    got, _ = await sent(
        rendered("a b/c?d", NASTY, url="https://a.test/?x=1"),
        method="GET", path="/{title}?c={content}&u={url}&{text}", body="{title}",
    )  # fmt: skip

    assert (got.method, got.body) == ("GET", b"")
    assert got.target == (
        "/a%20b%2Fc%3Fd?c=a%22b%5Cc%0A%7Btitle%7D%26%3C%E4%BD%A0%3E&u=https%3A%2F%2Fa.test%2F%3Fx%3D1&%7Btext%7D"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"body": '{"text": "{content}", "n": [1]}'},
        {"body": '{"text": "{content}", "n": [1]}', "headers": "Content-Type: text/plain"},
        {"body": '{"text": "{content}", "n": [1]}', "headers": '{"content-type": "application/vnd.x+JSON"}'},
    ],
)
async def test_a_json_template_stays_json(fields: dict[str, str]) -> None:
    """Quotes, backslashes and line breaks are escaped: no content breaks out of its string."""
    got, _ = await sent(rendered("t", NASTY), **fields)

    assert json.loads(got.body) == {"text": NASTY, "n": [1]}


async def test_a_json_template_says_so() -> None:
    """Without a Content-Type of its own."""
    got, _ = await sent(body='["{title}"]')

    assert got.headers["content-type"] == "application/json"


async def test_json_by_its_header_alone() -> None:
    """A template that only becomes JSON with its values: the header decides."""
    got, _ = await sent(
        rendered("7", NASTY), body='{"n": {title}, "text": "{content}"}', headers="Content-Type: text/json"
    )

    assert json.loads(got.body) == {"n": 7, "text": NASTY}


@pytest.mark.parametrize("headers", ["", "Content-Type: application/x-www-form-urlencoded"])
async def test_elsewhere_a_value_is_put_in_as_it_is(headers: str) -> None:
    """Neither JSON nor an address: raw (sheet §5.1), in one pass."""
    got, _ = await sent(rendered("t", NASTY), body="x={content}", headers=headers)

    assert got.body.decode() == f"x={NASTY}"


async def test_a_header_stays_one_line() -> None:
    """A line break in a title begins no other header."""
    got, _ = await sent(rendered("a\r\nX-Evil: 1", "c"), headers="X-Title: {title}")

    assert got.headers["x-title"] == "a X-Evil: 1"
    assert "x-evil" not in got.headers


async def test_native_values() -> None:
    """A part that brings its own values fills the same places."""
    native = {"title": "T", "content": "<b>C</b>", "url": "http://h/1"}
    got, _ = await sent(rendered(native=native), body="{title} {content} {url}")

    assert got.body == b"T <b>C</b> http://h/1"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(204), Sent(detail="")),
        (answer(410), Permanent(why="HTTP 410", drop_target=True, code=410)),
        (answer(401, b"no"), Permanent(why="HTTP 401: no", code=401)),
        (answer(302, location="/x"), Permanent(why="HTTP 302", code=302)),
        (answer(500), Temporary(why="HTTP 500")),
        (answer(429, retry_after="9"), Throttled(why="HTTP 429", wait_s=9)),
    ],
)
async def test_answers(script: Any, expected: Outcome) -> None:
    """The README's table."""
    assert (await sent(script=script, body="b"))[1] == expected


async def test_no_answer_is_tried_again() -> None:
    """A lost connection is no verdict."""
    assert isinstance((await sent(script=drop(), body="b"))[1], Temporary)


@pytest.mark.parametrize(
    "headers", ['{"a": ', '["a"]', "nocolon", ": value", '{"a b": "c"}', "标: c", '{"a": "b\\nc"}']
)
async def test_headers_that_cannot_be_sent(headers: str) -> None:
    """Said by name when the account is opened, so that its operator can put it right."""
    with pytest.raises(InvalidInput) as refused:
        async with opened("http_template", url="http://a.test", headers=headers):
            pass

    assert refused.value.field == "headers"


@pytest.mark.parametrize("url", ["https://{title}.example.com/", "https://{content}", "ftp://a.test/"])
def test_a_message_never_chooses_the_host(url: str) -> None:
    """A placeholder in the host is refused when the account is made."""
    with pytest.raises(InvalidInput):
        checked_fields(registry.manifest("http_template"), {"url": url})
