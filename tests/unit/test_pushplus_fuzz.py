"""Whatever comes in, PushPlus reads it or refuses it in its own words (RELIABILITY S1, corpus C)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.pushplus import fields, parse, templates
from onebell.dialects.pushplus.answer import Rejected
from onebell.dialects.pushplus.limits import PROFILES
from onebell.http.exchange import Request

KINDS = [
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=b",
    b"multipart/form-data; boundary=",
    b"text/plain",
    b"",
]
NAMES = ["token", "title", "content", "topic", "template", "channel", "to", "timestamp", "callbackUrl", "pre", "x"]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(NAMES), st.recursive(VALUES, lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
    .map(msgspec.json.encode),
    st.text(alphabet="&=%+token content{}'\":,\\ud8", max_size=120).map(str.encode),
)  # fmt: skip
CORPUS = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"\xef\xbb\xbf{}",
    '{"content":"c"}'.encode("utf-16"),
    b"\xff\xfe",
    b'{"content":"\\ud800"}',
    b'{"content":"\x00"}',
    b'{"content":NaN}',
    b'{"content":Infinity}',
    b'{"content":1e400}',
    b'{"content":' + b"9" * 5000 + b"}",
    b'{"content":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"content":"a"}{"content":"b"}',
    b'{"content":1,"content":2}',
    b"--b\r\n\r\n--b--",
    b'--b\r\nContent-Disposition: form-data; name="content"\r\n\r\n',
    b"content=%",
    b"&&==&",
    b"content[]=1",
]


def whole_way(kind: bytes, query: bytes, body: bytes) -> None:
    """Read, check and render; every string that comes out can be stored."""
    scope = {"method": "POST", "query_string": query, "headers": [(b"content-type", kind)], "client": ("", 0)}
    try:
        read = fields.read(Request(scope, b"/send", body), b"%ff%00")
        asked = parse.asked(read, PROFILES["off"])
        parse.check_time(asked.timestamp, 0)
    except Rejected as why:
        why.text.encode()
        return

    shown = templates.show(asked.template, asked.content, 0)
    msgspec.json.encode([asked, shown, templates.plain_text(shown, 200)])


@given(st.sampled_from(KINDS), st.sampled_from([b"", b"template=json", b"template=%ff&token=t&content=%"]), BODIES)
def test_any_request_is_read_or_refused(kind, query, body):
    """No other exception leaves the parser, and nothing that it lets through is unstorable."""
    whole_way(kind, query, body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", [b"", b"template=json", b"template=cloudMonitor&content=x"])
@pytest.mark.parametrize("body", CORPUS)
def test_the_malformed_corpus_is_read_or_refused(kind, query, body):
    """Corpus C under every content type."""
    whole_way(kind, query, body)


@given(
    st.sampled_from(sorted(set(templates.CANONICAL.values()))),
    st.recursive(VALUES, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4))
    .map(lambda value: msgspec.json.encode(value).decode())
    | st.text(max_size=60),
)  # fmt: skip
def test_every_template_shows_every_content(template, content):
    """A template never fails over a content."""
    shown = templates.show(template, content, 0)

    msgspec.json.encode(shown)


@given(st.text(max_size=40), st.sampled_from(["json", "cloudMonitor", "jenkins", "pay", "route"]))
def test_a_templates_values_never_become_tags(value, template):
    """What stands in a JSON document is text on the page."""
    names = ("alertName", "instanceName", "projectName", "buildState", "amount", "msgTYPE", "upTIME", "o")
    document = dict.fromkeys(names, f"<x>{value}")
    shown = templates.show(template, msgspec.json.encode(document).decode(), 0)

    assert "<x>" not in shown.body
