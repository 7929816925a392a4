"""No input makes PushGo's readers fail: they give an intent or one of PushGo's answers (RELIABILITY S1)."""

import json

from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.pushgo import answer
from onebell.dialects.pushgo.answer import PlainRejected, Rejected
from onebell.dialects.pushgo.check import addressed, details
from onebell.dialects.pushgo.compat import bark_intent, compat_key, ntfy_intent, read_bark_push, serverchan_intent
from onebell.dialects.pushgo.parse import Intent, from_json, from_query
from onebell.http.exchange import Answer, Request

REQUEST = Request({"method": "POST", "query_string": b"", "headers": []}, b"/message", b"")
NAMES = st.sampled_from((*Intent.__struct_fields__, "foo"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
GOOD = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "password": "channel-password", "title": "t"}


def finish(intent: Intent) -> None:
    wanted = addressed(intent)
    told = details(intent, 1_763_690_000_000)
    json.loads(answer.ok(wanted.channel, wanted.op_id, "m", wanted.thing_id).body)
    assert told.expires_at >= 0


def parses(got: Answer) -> None:
    assert 400 <= got.status < 500
    if (b"content-type", b"application/json") in got.headers:
        assert json.loads(got.body)["success"] is False


def judged(body: bytes) -> None:
    try:
        finish(from_json(body))
    except Rejected as why:
        parses(answer.rejected(REQUEST, why.failure))


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    """Bytes of any kind are a message or an answer."""
    judged(body)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.booleans())
def test_any_fields(fields: dict[str, object], is_complete: bool) -> None:
    """JSON of any values under the known names is a message or an answer."""
    judged(json.dumps((GOOD if is_complete else {}) | fields).encode())


@given(st.lists(st.tuples(NAMES | st.text(max_size=5), st.text(max_size=30)), max_size=8))
def test_any_query(pairs: list[tuple[str, str]]) -> None:
    """So is any query."""
    try:
        finish(from_query([*GOOD.items(), *((name, value) for name, value in pairs if name not in GOOD)]))
    except Rejected as why:
        parses(answer.rejected(REQUEST, why.failure))
    except PlainRejected as why:
        parses(answer.plain(why))


@given(st.text(max_size=60), st.dictionaries(NAMES, st.text(max_size=30)), st.binary(max_size=60))
def test_any_compat_call(key: str, values: dict[str, str], body: bytes) -> None:
    """So is any call of a compat entry."""
    request = Request({"method": "POST", "query_string": b"", "headers": [(b"title", body)]}, b"/ntfy/x", body)
    try:
        channel, password = compat_key(key)
        finish(ntfy_intent(channel, password, values, request))
        finish(serverchan_intent(channel, password, values))
        finish(bark_intent(channel, password, [key], values))
        read_bark_push(body)
    except Rejected as why:
        parses(answer.rejected(REQUEST, why.failure))
    except PlainRejected as why:
        parses(answer.plain(why))
